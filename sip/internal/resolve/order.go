package resolve

import (
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/miekg/dns"
)

type hostPort struct {
	host string
	port uint16
}

// pickNAPTR returns the replacements for SIP over TLS in the order of the zone (RFC 3263 section 4.1, RFC 3403 section 4.1). other says that SIP is
// offered over something else.
func pickNAPTR(rrs []dns.RR) (names []string, other bool) {
	var picked []*dns.NAPTR
	for _, rr := range rrs {
		n, ok := rr.(*dns.NAPTR)
		if !ok {
			continue
		}
		service := strings.ToUpper(n.Service)
		if service != "SIPS+D2T" {
			other = other || strings.HasPrefix(service, "SIP+D2") || strings.HasPrefix(service, "SIPS+D2")
			continue
		}
		// Only the flag S with a replacement: a regular expression would let the zone rewrite names in ways nobody reviews.
		if !strings.EqualFold(n.Flags, "s") || n.Regexp != "" || !strings.HasPrefix(strings.ToLower(n.Replacement), "_sips._tcp.") {
			continue
		}
		if name := canonical(n.Replacement); hostName(strings.TrimPrefix(name, "_sips._tcp.")) {
			picked = append(picked, n)
		}
	}
	sort.SliceStable(picked, func(i, j int) bool {
		if picked[i].Order != picked[j].Order {
			return picked[i].Order < picked[j].Order
		}
		return picked[i].Preference < picked[j].Preference
	})
	for _, n := range picked {
		if name := canonical(n.Replacement); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, other
}

// orderSRV draws an order (RFC 2782, "Usage rules"): lower priorities first, and among equals each record with the probability of its weight.
// rnd returns a number in [0,n).
func orderSRV(rrs []dns.RR, rnd func(n int) int) []hostPort {
	var in []*dns.SRV
	for _, rr := range rrs {
		if s, ok := rr.(*dns.SRV); ok && s.Port != 0 && hostName(canonical(s.Target)) {
			in = append(in, s)
		}
	}
	// Weight 0 stands first within its priority, which is what gives it its small chance.
	sort.SliceStable(in, func(i, j int) bool {
		if in[i].Priority != in[j].Priority {
			return in[i].Priority < in[j].Priority
		}
		return in[i].Weight == 0 && in[j].Weight != 0
	})
	var out []hostPort
	for len(in) > 0 {
		same := 1
		for same < len(in) && in[same].Priority == in[0].Priority {
			same++
		}
		sum := 0
		for _, s := range in[:same] {
			sum += int(s.Weight)
		}
		draw, at := rnd(sum+1), 0
		for running := int(in[0].Weight); running < draw && at < same-1; {
			at++
			running += int(in[at].Weight)
		}
		out = append(out, hostPort{canonical(in[at].Target), in[at].Port})
		in = slices.Delete(in, at, at+1)
	}
	return out
}

func ipsOf(rrs []dns.RR) []netip.Addr {
	var out []netip.Addr
	for _, rr := range rrs {
		var ip netip.Addr
		switch rr := rr.(type) {
		case *dns.A:
			ip, _ = netip.AddrFromSlice(rr.A.To4())
		case *dns.AAAA:
			ip, _ = netip.AddrFromSlice(rr.AAAA.To16())
		}
		if usable(ip) {
			out = append(out, ip)
		}
	}
	return out
}
