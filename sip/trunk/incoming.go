package trunk

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/sip"
)

// Peer is what a connection proves of who is at its other end.
type Peer struct {
	// Name is sip.Call.Peer or sip.Arrival.Peer, as PeerName made it of a client certificate; empty if there was none.
	Name string
	// Address is where the connection comes from, sip.Call.RemoteAddr.
	Address netip.AddrPort
}

// byCertificate begins the name of a peer that is a carrier. No DNS name has a colon, so no certificate of a device can look like one.
const byCertificate = "carrier:"

// Identify says which carrier a peer is. A carrier with ClientNames must have shown one of them, and come from its Addresses if it has some; one without
// is known by its Addresses alone, so its calls must also pass a digest. The server that holds a registration of ours is known by its address and
// port: that connection was opened by us and its certificate verified. Whoever fits none is nobody, and so is whoever fits two carriers.
func (g *Group) Identify(p Peer) (carrier string, ok bool) {
	i, ok := g.identify(p)
	if !ok {
		return "", false
	}
	return g.cfg.Carriers[i].Name, true
}

func (g *Group) identify(p Peer) (int, bool) {
	addr := p.Address.Addr().Unmap().WithZone("")
	if !addr.IsValid() {
		return 0, false
	}
	g.mu.Lock()
	here := netip.AddrPortFrom(addr, p.Address.Port()).String()
	for i, m := range g.members {
		if m.reg != nil && m.regAddress == here {
			g.mu.Unlock()
			return i, true
		}
	}
	g.mu.Unlock()
	found := -1
	for i, k := range g.cfg.Carriers {
		if len(k.ClientNames) > 0 && p.Name != byCertificate+k.Name || len(k.Addresses) > 0 && !k.lists(addr) || len(k.ClientNames)+len(k.Addresses) == 0 {
			continue
		}
		if found >= 0 {
			return 0, false
		}
		found = i
	}
	return found, found >= 0
}

func (k Carrier) lists(addr netip.Addr) bool {
	return slices.ContainsFunc(k.Addresses, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// PeerName says which carrier a client certificate belongs to, for sip.PeersConfig.Name. It returns ErrUnknownPeer for everybody else.
func (g *Group) PeerName(cs tls.ConnectionState) (string, error) {
	if len(cs.PeerCertificates) == 0 {
		return "", ErrUnknownPeer
	}
	found := ""
	for _, k := range g.cfg.Carriers {
		named := slices.ContainsFunc(certificateNames(cs.PeerCertificates[0]), func(n string) bool {
			return slices.ContainsFunc(k.ClientNames, func(own string) bool { return sameName(n, own) })
		})
		if named && found != "" {
			return "", fmt.Errorf("%w: a certificate for two carriers", ErrUnknownPeer)
		}
		if named {
			found = byCertificate + k.Name
		}
	}
	if found == "" {
		return "", ErrUnknownPeer
	}
	return found, nil
}

// sameName compares names of certificates as RFC 5922 section 7.2 does: without regard to case, and without wildcards.
func sameName(a, b string) bool {
	return b != "" && !strings.Contains(a, "*") && strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// certificateNames are the names that a client certificate proves for SIP: the hosts of its sip URIs and, only if there are none, its DNS names
// (RFC 5922 section 7.1). The common name proves nothing.
func certificateNames(cert *x509.Certificate) []string {
	var out []string
	for _, u := range cert.URIs {
		if strings.EqualFold(u.Scheme, "sip") && !strings.Contains(u.Opaque, "@") {
			host, _, _ := strings.Cut(u.Opaque, ";")
			out = append(out, host)
		}
	}
	if len(out) == 0 {
		out = append(out, cert.DNSNames...)
	}
	return out
}

// ListenerTLS makes the configuration of a listener for carriers with ClientNames only. Everybody else is turned away in the TLS handshake, before a
// SIP message of theirs is read: they must show a certificate of roots with a name of a carrier. base has our own certificate, from sip.ServerTLS.
// Where phones share the listener, use base.WithPeers with Optional and PeerName.
func (g *Group) ListenerTLS(base sip.TLSConfig, roots *x509.CertPool) (sip.TLSConfig, error) {
	return base.WithPeers(sip.PeersConfig{Authorities: roots, Name: g.PeerName})
}

// Screen wraps a listener for carriers that are known by their Addresses alone. Connections from elsewhere are closed at once, before their
// handshake.
func (g *Group) Screen(l net.Listener) net.Listener { return screen{l, g} }

type screen struct {
	net.Listener
	g *Group
}

// Accept returns the next connection of a carrier.
func (s screen) Accept() (net.Conn, error) {
	for {
		c, err := s.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err == nil {
			if i, ok := s.g.identify(Peer{Address: from}); ok && len(s.g.cfg.Carriers[i].Addresses) > 0 {
				return c, nil
			}
		}
		c.Close()
	}
}

// Admit makes a sip.Config.Peer. A call of a carrier that showed its certificate belongs to the realm that assigned returns for the called number,
// which is E.164 or short, and to the carrier as its user. A carrier from an address that is not its own gets 403, a number that cannot be read or
// that assigned does not know gets 404. Peers that are no carriers are left to digest, which Admit says with sip.ErrUnknownUser.
func (g *Group) Admit(assigned func(number string) (realm string, err error)) func(a sip.Arrival) (realm, user string, err error) {
	return func(a sip.Arrival) (string, string, error) {
		if !strings.HasPrefix(a.Peer, byCertificate) {
			return "", "", sip.ErrUnknownUser
		}
		from, err := netip.ParseAddrPort(a.Address)
		if err != nil {
			return "", "", &sip.StatusError{Code: 403, Method: "INVITE"}
		}
		i, ok := g.identify(Peer{Name: a.Peer, Address: from})
		if !ok {
			return "", "", &sip.StatusError{Code: 403, Method: "INVITE"}
		}
		number, err := g.cfg.Carriers[i].Plan.Normalize(a.Number)
		if err != nil {
			return "", "", &sip.StatusError{Code: 404, Method: "INVITE"}
		}
		realm, err := assigned(number)
		if err != nil {
			return "", "", &sip.StatusError{Code: 404, Method: "INVITE"}
		}
		return realm, g.cfg.Carriers[i].Name, nil
	}
}

// Incoming is a call from a carrier, read as that carrier writes.
type Incoming struct {
	Carrier string
	Called  string // E.164 or a short number: what to look up
	Caller  Caller
}

// Incoming reads a call. called is the user of its Request-URI (sip.Call.To), header returns the values of a header (sip.Call.Header). It returns
// ErrUnknownPeer, to be answered with 403, and ErrNumber, with 404. It keeps nothing.
func (g *Group) Incoming(p Peer, called string, header func(name string) []string) (Incoming, error) {
	i, ok := g.identify(p)
	if !ok {
		return Incoming{}, ErrUnknownPeer
	}
	k := g.cfg.Carriers[i]
	n, err := k.Plan.Normalize(called)
	if err != nil {
		return Incoming{}, err
	}
	return Incoming{Carrier: k.Name, Called: n, Caller: k.callerOf(header)}, nil
}
