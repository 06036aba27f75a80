package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/trunk"
)

// carriersConfig are the ways to the telephone network, for all tenants.
type carriersConfig struct {
	Domain        string          `hcl:"domain"`                 // ours, in URIs towards carriers
	Country       string          `hcl:"country"`                // country code of the site, "49": how numbers are dialed here
	International string          `hcl:"international,optional"` // prefix of numbers with a country code; empty: 00
	National      string          `hcl:"national,optional"`      // prefix of numbers with an area code; empty: 0
	Emergency     string          `hcl:"emergency,optional"`     // ISO country whose emergency numbers hold, "DE"; empty: 112 and 911
	Carriers      []carrierConfig `hcl:"carrier,block"`
	Identity      *identityConfig `hcl:"identity,block"`
}

type carrierConfig struct {
	Name         string   `hcl:"name,label"`
	Domain       string   `hcl:"domain"`               // its SIP domain, with a port if it has no records of RFC 3263; the certificate must be valid for it
	Operator     string   `hcl:"operator,optional"`    // whose network it is; empty: its domain
	Priority     int      `hcl:"priority,optional"`    // lower is first
	Weight       int      `hcl:"weight,optional"`      // share among equals; zero: 1
	Authorities  string   `hcl:"authorities,optional"` // PEM file: who may have issued its certificate, both ways; empty: the system's, and it cannot call us
	Certificate  string   `hcl:"certificate,optional"` // PEM file: ours, for carriers that ask for one
	Key          string   `hcl:"key,optional"`         // its key
	User         string   `hcl:"user,optional"`        // digest; empty: none
	PasswordFile string   `hcl:"password_file,optional"`
	Register     bool     `hcl:"register,optional"`     // keep a registration for incoming calls
	MaxCalls     int      `hcl:"max_calls,optional"`    // zero: 500
	Trusted      bool     `hcl:"trusted,optional"`      // asserted identities are sent to it and believed from it (RFC 3325)
	ClientNames  []string `hcl:"client_names,optional"` // in the certificates with which it calls us
	Addresses    []string `hcl:"addresses,optional"`    // networks it calls from
	Bare         bool     `hcl:"bare_numbers,optional"` // it writes called numbers with country code and without any prefix
}

// plan is how numbers are dialed at the site.
func (c *carriersConfig) plan() trunk.Plan {
	p := trunk.Plan{Country: c.Country, International: c.International, National: c.National}
	if p.International == "" {
		p.International = "00"
	}
	if p.National == "" {
		p.National = "0"
	}
	return p
}

func (c carrierConfig) carrier(plan trunk.Plan) (trunk.Carrier, error) {
	out := trunk.Carrier{
		Name: c.Name, Domain: c.Domain, Operator: c.Operator, Priority: c.Priority, Weight: c.Weight, User: c.User, Register: c.Register, MaxCalls: c.MaxCalls,
		Trusted: c.Trusted, ClientNames: c.ClientNames, Plan: plan,
	}
	out.Plan.Bare = c.Bare
	for _, a := range c.Addresses {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			return out, fmt.Errorf("addresses: %w", err)
		}
		out.Addresses = append(out.Addresses, p)
	}
	if c.PasswordFile != "" {
		b, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return out, fmt.Errorf("password_file: %w", err)
		}
		out.Password = trunk.Secret(strings.TrimSpace(string(b)))
	}
	base := &tls.Config{}
	if c.Certificate != "" {
		cert, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return out, fmt.Errorf("certificate: %w", err)
		}
		base.Certificates = []tls.Certificate{cert}
	}
	roots, err := c.roots()
	if err != nil {
		return out, err
	}
	out.TLS, err = sip.ClientTLS(base, roots)
	return out, err
}

// roots reads the authorities of a carrier; nil stands for the system's.
func (c carrierConfig) roots() (*x509.CertPool, error) {
	if c.Authorities == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	return pool, c.addRoots(pool)
}

func (c carrierConfig) addRoots(pool *x509.CertPool) error {
	b, err := os.ReadFile(c.Authorities)
	if err != nil {
		return fmt.Errorf("authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(b) {
		return fmt.Errorf("authorities: %s holds no certificate", c.Authorities)
	}
	return nil
}

// openCarriers connects the endpoint to the telephone network. A site without carriers has none.
func (n *node) openCarriers() error {
	cfg := n.cfg.Carriers
	if cfg == nil {
		return nil
	}
	n.plan = cfg.plan()
	tc := trunk.Config{
		Dialer: n.ep, Domain: cfg.Domain, Emergency: trunk.Emergency{Country: cfg.Emergency}, Logger: n.log,
		CallerID: trunk.CallerIDs(func(_ context.Context, owner string) ([]string, error) { return n.publicNumbers(owner), nil }, nil),
		OnAttempt: func(a trunk.Attempt) {
			n.log.Info("call over a carrier", "carrier", a.Carrier, "status", a.Status, "rang", a.Rang, "took", a.Took, "err", a.Err)
		},
		OnEmergency: n.emergencyCalled, Identity: n.sign,
	}
	for _, c := range cfg.Carriers {
		carrier, err := c.carrier(n.plan)
		if err != nil {
			return fmt.Errorf("carrier %q: %w", c.Name, err)
		}
		tc.Carriers = append(tc.Carriers, carrier)
	}
	group, err := trunk.New(tc)
	if err != nil {
		return err
	}
	n.carriers = group
	for _, w := range group.Warnings() {
		n.log.Warn("carriers", "warning", w)
	}
	return nil
}

// peers lets carriers prove themselves by certificate on the listener that phones use too.
func (n *node) peers(base sip.TLSConfig) (sip.TLSConfig, error) {
	pool, any := x509.NewCertPool(), false
	if n.cfg.Carriers != nil {
		for _, c := range n.cfg.Carriers.Carriers {
			if len(c.ClientNames) == 0 {
				continue
			}
			if c.Authorities == "" {
				return base, fmt.Errorf("carrier %q: client_names need authorities", c.Name)
			}
			any = true
			if err := c.addRoots(pool); err != nil {
				return base, fmt.Errorf("carrier %q: %w", c.Name, err)
			}
		}
	}
	if !any {
		return base, nil
	}
	return base.WithPeers(sip.PeersConfig{Authorities: pool, Optional: true, Name: func(s tls.ConnectionState) (string, error) { return n.carriers.PeerName(s) }})
}

// publicNumbers are the numbers of the telephone network that lead to a tenant: nobody else may present them.
func (n *node) publicNumbers(tenant string) []string {
	var out []string
	for _, s := range n.sites {
		if s.name != tenant {
			continue
		}
		for number := range s.numbers {
			if strings.HasPrefix(number, "+") {
				out = append(out, number)
			}
		}
	}
	return out
}

// admit decides about calls of carriers: the called number says whose they are.
func (n *node) admit(a sip.Arrival) (realm, user string, err error) {
	if n.carriers == nil {
		return "", "", sip.ErrUnknownUser
	}
	return n.carriers.Admit(func(number string) (string, error) {
		for _, s := range n.sites {
			if strings.HasPrefix(number, "+") && s.numbers[number] != nil {
				return s.realm(), nil
			}
		}
		return "", errors.New("not a number of ours")
	})(a)
}

// arrival is who calls, and what.
type arrival struct {
	caller string // a user of the tenant, or a number; "anonymous" if it is not to be shown or not known
	number string // of the caller, shown or not; empty for users
	proved string // what STIR says of it; empty if it was not asked
	// asserted says that a trusted carrier stands for number.
	asserted bool
	called   string
	carrier  string // empty for users
	box      string // the mailbox that was dialed with *9; empty for others
}

// attributes are what the distributor keeps of a call.
func (a arrival) attributes() map[string]string {
	out := map[string]string{"caller": a.caller, "dialed": a.called}
	if a.carrier != "" {
		out["carrier"] = a.carrier
	}
	if a.proved != "" {
		out["identity"] = a.proved
	}
	if reach := a.reach(); reach != "" {
		out[reachAttribute] = reach
	}
	return out
}

func (n *node) arrivalOf(c *sip.Call) (arrival, error) {
	addr, err := netip.ParseAddrPort(c.RemoteAddr())
	if n.carriers == nil || err != nil {
		return arrival{caller: c.User(), called: c.To()}, nil
	}
	peer := trunk.Peer{Name: c.Peer(), Address: addr}
	if name, ok := n.carriers.Identify(peer); !ok || name != c.User() {
		return arrival{caller: c.User(), called: c.To()}, nil
	}
	in, err := n.carriers.Incoming(peer, c.To(), c.Header)
	if err != nil {
		return arrival{}, err
	}
	a := arrival{caller: in.Caller.Number, number: in.Caller.Number, called: in.Called, carrier: in.Carrier, asserted: in.Caller.Asserted}
	if in.Caller.Private || a.caller == "" {
		a.caller = "anonymous"
	}
	return a, nil
}
