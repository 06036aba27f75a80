package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/insecuretransport"
	"github.com/ringfence/ringfence/sip/registrar"
	bindstore "github.com/ringfence/ringfence/sip/registrar/sqlstore"
	"github.com/ringfence/ringfence/sip/stir"
	"github.com/ringfence/ringfence/sip/toll"
	"github.com/ringfence/ringfence/sip/trunk"
	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/webrtc"
	"github.com/ringfence/ringfence/tenant"
)

// drainTime is how long calls may go on after SIGTERM.
const drainTime = 60 * time.Second

// node is the running server: listeners, legs and the tenants' sites.
type node struct {
	cfg       *config
	dep       *deployment
	log       *slog.Logger
	events    *eventWriter
	ep        *sip.Endpoint
	registrar *registrar.Registrar
	bindings  *bindstore.Store // what of the registrar survives a restart
	engine    *media.Engine    // legs of phones
	browsers  *webrtc.Engine   // legs of browsers, which live in engine
	keys      keyKeeper
	carriers  *trunk.Group // nil: no way outside
	plan      trunk.Plan
	toll      *toll.Guard
	verifier  *stir.Verifier // nil: callers are not checked
	policies  stir.Policies
	tollMu    sync.Mutex
	callbacks atomic.Uint64 // asked of the guard so far
	sites     []*site
	byRealm   map[string]*site
	byDomain  map[string]*site
	presence  chan presence
	changed   chan presence // bindings, for who watches them
	ready     atomic.Bool
	draining  atomic.Bool // callbacks are left to the next process

	sipAddr, wssAddr, managementAddr string // as bound, known once run has printed ready
	tls                              sip.TLSConfig
}

type presence struct {
	realm, user string
	reachable   bool
}

// newNode opens everything and serves nothing yet.
func newNode(ctx context.Context, cfg *config, dep *deployment, out io.Writer, log *slog.Logger) (*node, error) {
	n := &node{
		cfg: cfg, dep: dep, log: log, events: &eventWriter{out: out, log: log}, byRealm: map[string]*site{}, byDomain: map[string]*site{},
		presence: make(chan presence, 1<<14), changed: make(chan presence, 1<<12),
	}
	// The channel holds more changes than there are phones. Should it ever be full, losing one would leave an agent in the wrong state, so the registrar waits.
	onChange := func(realm, user string, reachable bool) { n.presence <- presence{realm, user, reachable} }
	var err error
	if n.tls, err = serverTLS(cfg, log); err != nil {
		return nil, err
	}
	if n.bindings, err = bindstore.Open(ctx, filepath.Join(cfg.Data, "bindings.db")); err != nil {
		return nil, err
	}
	if n.registrar, err = registrar.Open(ctx, registrar.Config{OnChange: onChange, OnEvent: n.bindingChanged}, n.bindings, time.Now()); err != nil {
		return nil, errors.Join(err, n.bindings.Close())
	}
	addr, err := netip.ParseAddr(cfg.Media.Address)
	if err != nil {
		return nil, errors.Join(err, n.bindings.Close())
	}
	timeout, err := duration(cfg.Media.Timeout, 0)
	if err != nil {
		return nil, errors.Join(err, n.bindings.Close())
	}
	if n.engine, err = media.New(media.Config{Addr: addr, PortMin: uint16(cfg.Media.PortMin), PortMax: uint16(cfg.Media.PortMax), Timeout: timeout, Logger: log,
		Policy: srtp.Policy{Announce: srtp.Announce{Lifetime: uint64(cfg.Media.KeyLifetime)}}}); err != nil {
		return nil, errors.Join(err, n.bindings.Close())
	}
	if n.browsers, err = webrtc.New(webrtc.Config{Media: n.engine, Addr: addr, PortMin: uint16(cfg.Media.PortMin), PortMax: uint16(cfg.Media.PortMax)}); err != nil {
		return nil, errors.Join(err, n.closeMedia(), n.bindings.Close())
	}
	allow, err := cfg.Listen.allowed()
	if err != nil {
		return nil, errors.Join(err, n.closeMedia(), n.bindings.Close())
	}
	client, err := sip.ClientTLS(nil, nil)
	if err != nil {
		return nil, errors.Join(err, n.closeMedia(), n.bindings.Close())
	}
	if n.ep, err = sip.New(sip.Config{
		Realm: n.realm, Peer: n.admit, OnCall: n.onCall, Registrar: n.registrar, AllowSources: allow, Client: client, OnSecurity: n.suspicious, OnSubscribe: n.watched, Logger: log,
		Emergency: func(number string) bool { return n.carriers != nil && n.carriers.IsEmergency(number) },
	}); err != nil {
		return nil, errors.Join(err, n.closeMedia(), n.bindings.Close())
	}
	for _, tc := range cfg.Tenants {
		s, err := openSite(ctx, n, tc)
		if err != nil {
			return nil, errors.Join(err, n.ep.Close(), n.closeMedia(), n.bindings.Close(), n.closeStores())
		}
		n.sites = append(n.sites, s)
		n.byRealm[s.realm()] = s
		for _, d := range append([]string{tc.Domain, s.tenant.Profile().Domain}, tc.Aliases...) {
			n.byDomain[strings.ToLower(d)] = s
		}
	}
	if err := errors.Join(n.openToll(), n.openIdentity(), n.openCarriers()); err != nil {
		return nil, errors.Join(err, n.closeCarriers(), n.ep.Close(), n.closeMedia(), n.bindings.Close(), n.closeStores())
	}
	return n, nil
}

// closeMedia ends all legs.
func (n *node) closeMedia() error {
	err := n.engine.Close()
	if n.browsers == nil {
		return err
	}
	return errors.Join(err, n.browsers.Close())
}

func (n *node) closeCarriers() error {
	if n.carriers == nil {
		return nil
	}
	return n.carriers.Close()
}

func (n *node) closeStores() error {
	var errs []error
	for _, s := range n.sites {
		errs = append(errs, s.closeStores())
	}
	return errors.Join(errs...)
}

// realm finds the tenant of a request: by the domain it is addressed to, and by the TLS server name if that is one of ours. What the user claims has no say.
func (n *node) realm(domain, serverName string) (sip.Realm, error) {
	s := n.byDomain[domain]
	named := n.byDomain[serverName]
	if _, err := netip.ParseAddr(domain); err == nil && named != nil { // a phone that dials an address: the name it made its connection to decides
		s = named
	}
	switch {
	case s == nil:
		return sip.Realm{}, sip.ErrUnknownRealm
	case named != nil && named != s:
		return sip.Realm{}, sip.ErrRealmMismatch
	}
	p := s.tenant.Profile()
	return sip.Realm{Name: s.realm(), Algorithms: p.Algorithms, Plaintext: s.plaintext, Credentials: func(ctx context.Context, user, algorithm string) ([]byte, error) {
		ha1, err := s.tenant.Credentials(ctx, s.realm(), user, algorithm)
		if errors.Is(err, tenant.ErrUnknownUser) {
			return nil, sip.ErrUnknownUser
		}
		return ha1, err
	}}, nil
}

// run serves until ctx ends, then drains: new calls are refused, those in progress may end by themselves for drainTime or until hurry ends.
func (n *node) run(ctx context.Context, hurry context.Context, out io.Writer) error {
	var wg sync.WaitGroup
	quit := make(chan struct{})
	wg.Add(3)
	go func() { // stopped by quit, waited for below
		defer wg.Done()
		n.keepKeys(quit)
	}()
	go func() { // as above
		defer wg.Done()
		n.followPresence(quit)
	}()
	go func() { // as above
		defer wg.Done()
		n.followBindings(quit)
	}()
	err := n.serve(ctx, hurry, out, &wg)
	n.ready.Store(false)
	errs := []error{err, n.closeCarriers(), n.ep.Close(), n.closeMedia(), n.bindings.Close()}
	close(quit)
	wg.Wait()
	for _, s := range n.sites {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

func (n *node) serve(ctx, hurry context.Context, out io.Writer, wg *sync.WaitGroup) error {
	for _, s := range n.sites {
		if err := s.start(ctx); err != nil {
			return err
		}
	}
	failed := make(chan error, 8)
	phones, err := n.peers(n.tls)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", n.cfg.Listen.SIPTLS)
	if err != nil {
		return err
	}
	n.sipAddr = l.Addr().String()
	wg.Add(1)
	go func() { // stopped by Endpoint.Close, waited for by run
		defer wg.Done()
		if err := n.ep.ServeTLS(context.Background(), l, phones); !errors.Is(err, sip.ErrClosed) {
			failed <- err
		}
	}()
	if err := n.serveBrowsers(wg, failed); err != nil {
		return err
	}
	stopManagement, err := n.serveManagement(wg, failed)
	if err != nil {
		return err
	}
	defer stopManagement()
	if err := n.serveWaivers(wg, failed); err != nil {
		return err
	}
	n.ready.Store(true)
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	n.drain(hurry)
	return nil
}

// serveBrowsers opens the listener for SIP over WebSocket.
func (n *node) serveBrowsers(wg *sync.WaitGroup, failed chan<- error) error {
	if n.cfg.Listen.WSS == "" {
		return nil
	}
	l, err := net.Listen("tcp", n.cfg.Listen.WSS)
	if err != nil {
		return err
	}
	n.wssAddr = l.Addr().String()
	wg.Add(1)
	go func() { // stopped by Endpoint.Close, waited for by run
		defer wg.Done()
		if err := n.ep.ServeWSS(context.Background(), l, n.tls, sip.WebSocketConfig{Origins: n.cfg.Listen.Origins}); !errors.Is(err, sip.ErrClosed) {
			failed <- err
		}
	}()
	return nil
}

// drain waits for the calls in progress.
func (n *node) drain(hurry context.Context) {
	n.ready.Store(false)
	n.draining.Store(true)
	n.ep.Drain()
	n.log.Info("draining", "calls", n.ep.Stats().LiveCalls)
	limit := time.NewTimer(drainTime)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n.ep.Stats().LiveCalls > 0 {
		select {
		case <-tick.C:
		case <-limit.C:
			n.log.Warn("calls cut off", "calls", n.ep.Stats().LiveCalls)
			return
		case <-hurry.Done():
			return
		}
	}
}

// followPresence applies registrations to agents' states, in order.
func (n *node) followPresence(quit <-chan struct{}) {
	for {
		select {
		case p := <-n.presence:
			if s := n.byRealm[p.realm]; s != nil {
				s.registered(p.user, p.reachable)
			}
		case <-quit:
			for { // the endpoint is closed: whoever waits to tell us of it must not wait for ever
				select {
				case <-n.presence:
				default:
					return
				}
			}
		}
	}
}

// serveWaivers opens the plaintext listeners that the configuration waives, each until its date.
func (n *node) serveWaivers(wg *sync.WaitGroup, failed chan<- error) error {
	for _, w := range n.cfg.Waivers {
		until, err := w.until()
		if err != nil {
			return err
		}
		addr := w.Listen
		if addr == "" {
			addr = "127.0.0.1:5060"
		}
		waiver := insecuretransport.Waiver{Name: w.Name, Until: until, Digest: true}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		pc, err := net.ListenPacket("udp", addr)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		n.log.Warn("PLAINTEXT SIP under a waiver", "waiver", w.Name, "until", w.Until, "address", addr)
		for _, s := range n.sites { // whoever reads a tenant's evidence must find it there
			log, err := n.dep.auditLog(s.name)
			if err != nil {
				return err
			}
			if err := log.As("service:sip").Audit(context.Background(), "waiver.opened", w.Name, slog.String("address", addr), slog.String("until", w.Until)); err != nil {
				return err
			}
		}
		wg.Add(2)
		go func() { // stopped by Endpoint.Close or the date, waited for by run
			defer wg.Done()
			if err := insecuretransport.ServeTCP(context.Background(), n.ep, l, waiver); !errors.Is(err, sip.ErrClosed) {
				failed <- err
			}
		}()
		go func() { // as above
			defer wg.Done()
			if err := insecuretransport.ServeUDP(context.Background(), n.ep, pc, waiver); !errors.Is(err, sip.ErrClosed) {
				failed <- err
			}
		}()
	}
	return nil
}
