// Package resolve finds the servers of a SIP domain (RFC 3263) for connections over TLS, and nothing else: NAPTR, then SRV, then addresses.
//
// DNS is a hint about where to connect, never about whom to trust: whoever can forge an answer can send us to an address, and there the
// certificate must still be valid for the domain that was asked for (RFC 5922 section 4). So a Target has no name that could be verified
// by mistake. Records that offer only UDP or TCP are an error that says so, not a reason to go on with less.
package resolve

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

var (
	// ErrNoTLS is a domain whose NAPTR records offer SIP, but not over TLS.
	ErrNoTLS = errors.New("resolve: the domain offers SIP without TLS only")
	// ErrNotFound is a domain that exists nowhere, or says that it has no SIP over TLS.
	ErrNotFound = errors.New("resolve: no server found")
	// ErrTemporary is a failure of DNS itself; the same question may be answered later.
	ErrTemporary = errors.New("resolve: DNS does not answer")
	// ErrName is a domain that cannot be asked for.
	ErrName = errors.New("resolve: not a domain")
)

const (
	defaultPort = 5061 // RFC 3261 section 19.1.2, for TLS
	maxTargets  = 16   // of one domain: a hostile zone must not keep a call busy
	maxHosts    = 8    // SRV targets that are looked up
	maxServices = 4    // NAPTR replacements that are followed
)

// Config describes a Resolver.
type Config struct {
	// Servers are DNS servers, "ip:port", asked in this order. If empty, those of /etc/resolv.conf.
	Servers []string
	// Timeout is how long one server may take for one question. If zero, 2 s.
	Timeout time.Duration
	// MinTTL and MaxTTL bound how long an answer is kept, whatever it says. If zero, 5 s and 1 h.
	MinTTL, MaxTTL time.Duration
	// NegativeTTL bounds how long the absence of a record is kept. If zero, 30 s.
	NegativeTTL time.Duration
	// MaxStale is how long after its end an answer is still used while DNS does not answer (RFC 8767). If zero, 24 h.
	MaxStale time.Duration
	// Rand returns a number in [0,n). If nil, a random one.
	Rand func(n int) int
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
}

// Target is one address to connect to, over TLS.
type Target struct {
	Address string // "ip:port"
	Host    string // where DNS says that it is, for logs: never what a certificate must show
}

// Resolver is safe for concurrent use.
type Resolver struct {
	cfg Config
	asker
}

// New returns a Resolver. It fails if there is no DNS server to ask.
func New(cfg Config) (*Resolver, error) {
	if len(cfg.Servers) == 0 {
		sys, err := dns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil {
			return nil, fmt.Errorf("resolve: no DNS server: %w", err)
		}
		for _, s := range sys.Servers {
			cfg.Servers = append(cfg.Servers, netJoin(s, sys.Port))
		}
	}
	if len(cfg.Servers) == 0 {
		return nil, errors.New("resolve: no DNS server")
	}
	for _, s := range cfg.Servers {
		if _, err := netip.ParseAddrPort(s); err != nil {
			return nil, fmt.Errorf("resolve: DNS server %q: %w", s, err)
		}
	}
	for _, d := range []struct {
		field *time.Duration
		def   time.Duration
	}{{&cfg.Timeout, 2 * time.Second}, {&cfg.MinTTL, 5 * time.Second}, {&cfg.MaxTTL, time.Hour}, {&cfg.NegativeTTL, 30 * time.Second}, {&cfg.MaxStale, 24 * time.Hour}} {
		if *d.field <= 0 {
			*d.field = d.def
		}
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.IntN
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Resolver{cfg, asker{cfg: cfg, cache: make(map[question]*entry)}}, nil
}

func netJoin(host, port string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]:" + port
	}
	return host + ":" + port
}

// Resolve returns the addresses of domain in the order in which they are to be tried (RFC 3263 section 4). domain is a host name or an IP
// address, either with a port or without. Equal priorities are drawn anew each time.
func (r *Resolver) Resolve(ctx context.Context, domain string) ([]Target, error) {
	host, port, err := Split(domain)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(host); err == nil { // section 4.2: an address needs no DNS
		if !usable(ip) {
			return nil, fmt.Errorf("%w: %q", ErrName, domain)
		}
		if port == 0 {
			port = defaultPort
		}
		return []Target{{Address: netip.AddrPortFrom(ip, port).String(), Host: host}}, nil
	}
	if port != 0 { // section 4.2: a port that is written rules out NAPTR and SRV
		return r.hosts(ctx, []hostPort{{host, port}})
	}
	services, err := r.services(ctx, host)
	if err != nil {
		return nil, err
	}
	var all []hostPort
	var last error
	found := false
	for _, s := range services {
		hosts, exists, err := r.srv(ctx, s)
		if err != nil {
			last = err
			continue
		}
		found = found || exists
		all = append(all, hosts...)
	}
	switch {
	case len(all) > 0:
		return r.hosts(ctx, all[:min(len(all), maxHosts)])
	case last != nil:
		return nil, last
	case found: // RFC 2782: a target of "." says that the service is decidedly not there
		return nil, fmt.Errorf("%w: %s says that it has none", ErrNotFound, host)
	}
	return r.hosts(ctx, []hostPort{{host, defaultPort}}) // section 4.2: no SRV, so the addresses of the domain itself
}

// services returns the names whose SRV records are to be asked for (RFC 3263 section 4.1).
func (r *Resolver) services(ctx context.Context, host string) ([]string, error) {
	plain := []string{"_sips._tcp." + host}
	rrs, err := r.ask(ctx, host, dns.TypeNAPTR)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return plain, nil // servers that cannot NAPTR are common; the certificate decides anyway
	}
	names, other := pickNAPTR(rrs)
	switch {
	case len(names) > 0:
		return names[:min(len(names), maxServices)], nil
	case other:
		return nil, fmt.Errorf("%w: %s", ErrNoTLS, host)
	}
	return plain, nil
}

// srv returns the hosts of a service in drawn order. exists says that there were records, even if none of them can be used.
func (r *Resolver) srv(ctx context.Context, name string) (hosts []hostPort, exists bool, err error) {
	rrs, err := r.ask(ctx, name, dns.TypeSRV)
	if err != nil {
		return nil, false, err
	}
	return orderSRV(rrs, r.cfg.Rand), len(rrs) > 0, nil
}

// hosts looks up the addresses of hosts, both families, and keeps their order.
func (r *Resolver) hosts(ctx context.Context, hosts []hostPort) ([]Target, error) {
	var out []Target
	var last error
	for _, h := range hosts {
		ips, err := r.addresses(ctx, h.host)
		if err != nil {
			last = err
		}
		for _, ip := range ips {
			t := Target{Address: netip.AddrPortFrom(ip, h.port).String(), Host: h.host}
			if len(out) < maxTargets && !contains(out, t) {
				out = append(out, t)
			}
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	if last == nil {
		last = fmt.Errorf("%w: %s has no address", ErrNotFound, hosts[0].host)
	}
	return nil, last
}

func contains(ts []Target, t Target) bool {
	for _, have := range ts {
		if have.Address == t.Address {
			return true
		}
	}
	return false
}

// addresses asks for both families and lets them take turns, IPv6 first (RFC 7984 section 4, RFC 8305 section 4): when one family is broken here,
// the other is tried next and not last.
func (r *Resolver) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	type answer struct {
		rrs []dns.RR
		err error
	}
	six := make(chan answer, 1)
	go func() { // ends with the question, which has a deadline; waited for below
		rrs, err := r.ask(ctx, host, dns.TypeAAAA)
		six <- answer{rrs, err}
	}()
	rrs4, err4 := r.ask(ctx, host, dns.TypeA)
	a6 := <-six
	v6, v4 := ipsOf(a6.rrs), ipsOf(rrs4)
	var out []netip.Addr
	for i := 0; i < max(len(v6), len(v4)); i++ {
		if i < len(v6) {
			out = append(out, v6[i])
		}
		if i < len(v4) {
			out = append(out, v4[i])
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, errors.Join(err4, a6.err)
}

// usable refuses addresses that name no single host: a hostile answer would have us connect to ourselves or to everybody.
func usable(ip netip.Addr) bool {
	return ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() && ip.Unmap() != netip.AddrFrom4([4]byte{255, 255, 255, 255}) && ip.Zone() == ""
}

// Split reads "host", "host:port", "ip", "[ip6]" and "[ip6]:port". port is 0 if none is written. host is in lower case without a final dot.
func Split(s string) (host string, port uint16, err error) {
	bad := func() (string, uint16, error) { return "", 0, fmt.Errorf("%w: %q", ErrName, s) }
	rest := ""
	if after, ok := strings.CutPrefix(s, "["); ok {
		h, r, ok := strings.Cut(after, "]")
		if ip, err := netip.ParseAddr(h); !ok || err != nil || !ip.Is6() || ip.Zone() != "" {
			return bad()
		}
		host, rest = h, r
	} else if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		return ip.String(), 0, nil
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, rest = s[:i], s[i:]
	} else {
		host = s
	}
	if rest != "" {
		p, ok := strings.CutPrefix(rest, ":")
		n, err := strconv.ParseUint(p, 10, 16)
		if !ok || err != nil || n == 0 || p[0] == '+' {
			return bad()
		}
		port = uint16(n)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.String(), port, nil
	}
	if host = canonical(host); !hostName(host) {
		return bad()
	}
	return host, port, nil
}

func canonical(s string) string { return strings.TrimSuffix(strings.ToLower(s), ".") }

// hostName is a host name of RFC 1123: letters, digits and hyphens, and no last label of digits, which would be a broken address.
func hostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	label := ""
	for label = range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return label[0] < '0' || label[0] > '9' || strings.Trim(label, "0123456789") != ""
}
