package branch_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/branch"
	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/sip/siptest"
)

const domain = "acme.test"

func passwordOf(user string) string { return "correct horse " + user }

func ha1(_ context.Context, user, algorithm string) ([]byte, error) {
	switch user {
	case "1001", "1002", "1003":
		return sip.HA1(algorithm, user, domain, passwordOf(user))
	}
	return nil, sip.ErrUnknownUser
}

// users are those of the site.
type users struct{}

func (users) HA1(ctx context.Context, user, algorithm string) ([]byte, error) {
	return ha1(ctx, user, algorithm)
}
func (users) Upstream(_ context.Context, user string) (branch.Secret, error) {
	return branch.NewSecret(passwordOf(user)), nil
}

// media offers and answers fixed texts that name it, and remembers those of the other side.
type media struct {
	name string
	mu   sync.Mutex
	n    string // what distinguishes one offer from the last
	seen []string
}

func (m *media) note(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, s)
}
func (m *media) last() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) == 0 {
		return ""
	}
	return m.seen[len(m.seen)-1]
}
func (m *media) next(n string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n = n
}
func (m *media) text(kind string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return []byte("v=0\r\ns=" + kind + m.n + " of " + m.name + "\r\na=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:secret-of-" + m.name + "\r\n")
}
func (m *media) Offer(context.Context) ([]byte, error) { return m.text("offer"), nil }
func (m *media) Answer(_ context.Context, offer []byte) ([]byte, error) {
	m.note(string(offer))
	return m.text("answer"), nil
}
func (m *media) Accept(_ context.Context, answer []byte) error { m.note(string(answer)); return nil }

// serve runs an endpoint on loopback with a certificate for names.
func serve(t *testing.T, ca *siptest.Authority, cfg sip.Config, names ...string) (*sip.Endpoint, string) {
	t.Helper()
	ep, err := sip.New(cfg)
	require.NoError(t, err)
	return ep, listen(t, ca, ep.ServeTLS, ep.Close, names...)
}

func listen(t *testing.T, ca *siptest.Authority, serve func(context.Context, net.Listener, sip.TLSConfig) error, stop func() error, names ...string) string {
	t.Helper()
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, names...)}})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- serve(context.Background(), l, tc) }() // ends with stop
	t.Cleanup(func() {
		require.NoError(t, stop())
		require.ErrorIs(t, <-served, sip.ErrClosed)
	})
	return l.Addr().String()
}

// line is the way to the upstream, which can be cut in two ways.
type line struct {
	t      *testing.T
	target string
	addr   string
	wg     sync.WaitGroup

	mu     sync.Mutex
	l      net.Listener
	conns  map[net.Conn]bool
	silent bool
	heal   *sync.Cond
	over   bool
}

func newLine(t *testing.T, target string) *line {
	t.Helper()
	p := &line{t: t, target: target, addr: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	p.heal = sync.NewCond(&p.mu)
	p.open()
	t.Cleanup(func() {
		p.mu.Lock()
		p.over = true
		p.heal.Broadcast()
		p.mu.Unlock()
		p.shut()
		p.wg.Wait()
	})
	return p
}

func (p *line) open() {
	p.t.Helper()
	l, err := net.Listen("tcp", p.addr)
	require.NoError(p.t, err)
	p.mu.Lock()
	p.l, p.addr = l, l.Addr().String()
	p.mu.Unlock()
	p.wg.Add(1)
	go func() { // ends with the listener
		defer p.wg.Done()
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", p.target)
			if err != nil {
				a.Close()
				continue
			}
			p.mu.Lock()
			p.conns[a], p.conns[b] = true, true
			p.mu.Unlock()
			p.wg.Add(2)
			go p.copy(a, b) // ends when either closes
			go p.copy(b, a) // ends when either closes
		}
	}()
}

func (p *line) copy(from, to net.Conn) {
	defer p.wg.Done()
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		for p.silent && !p.over {
			p.heal.Wait()
		}
		p.mu.Unlock()
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// shut closes the listener and all connections, as when the far end is switched off.
func (p *line) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.l.Close()
	for c := range p.conns {
		c.Close()
	}
	p.conns = map[net.Conn]bool{}
}

// mute loses everything without a word, as when a cable is cut.
func (p *line) mute(silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = silent
	p.heal.Broadcast()
}

// site is a branch with an upstream, a carrier and an inbox.
type site struct {
	t       *testing.T
	ca      *siptest.Authority
	client  sip.TLSConfig
	branch  *branch.Branch
	addr    string
	line    *line
	journal *branch.Journal
	file    string
	inbox   *inbox
	link    chan bool

	upstream *sip.Endpoint
	registry *registrar.Registrar
	queue    *media        // what answers 9000 upstream
	queued   chan string   // who called it
	carrier  chan carried  // calls that arrived at the local carrier
	trunk    *sip.Endpoint // dials the carrier
}

type carried struct {
	to    string
	media *media
}

func newSite(t *testing.T, change func(*branch.Config)) *site {
	t.Helper()
	s := &site{t: t, ca: siptest.NewAuthority(t), link: make(chan bool, 64), queued: make(chan string, 8), carrier: make(chan carried, 8), queue: &media{name: "queue"}}
	var err error
	s.client, err = sip.ClientTLS(nil, s.ca.Pool())
	require.NoError(t, err)

	s.registry = registrar.New(registrar.Config{})
	realm := func(d, _ string) (sip.Realm, error) {
		if d != domain {
			return sip.Realm{}, sip.ErrUnknownRealm
		}
		return sip.Realm{Name: domain, Credentials: ha1}, nil
	}
	var upAddr string
	s.upstream, upAddr = serve(t, s.ca, sip.Config{Realm: realm, Registrar: s.registry, OnCall: func(ctx context.Context, c *sip.Call) {
		switch c.To() {
		case "9000":
			s.queued <- c.User()
			if c.Answer(ctx, s.queue) == nil {
				<-c.Done()
			}
		case "9486":
			_ = c.Reject(486) // it is what the test wants
		default:
			_ = c.Reject(404) // it is what the test wants
		}
	}}, domain)
	s.line = newLine(t, upAddr)

	carrierRealm := func(string, string) (sip.Realm, error) {
		return sip.Realm{Name: "carrier.test", Credentials: func(_ context.Context, user, algorithm string) ([]byte, error) {
			return sip.HA1(algorithm, user, "carrier.test", "trunk")
		}}, nil
	}
	_, carrierAddr := serve(t, s.ca, sip.Config{Realm: carrierRealm, OnCall: func(ctx context.Context, c *sip.Call) {
		m := &media{name: "carrier"}
		if c.Answer(ctx, m) == nil {
			s.carrier <- carried{c.To(), m}
			<-c.Done()
		}
	}}, "carrier.test")
	s.trunk, err = sip.New(sip.Config{Client: s.client})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.trunk.Close()) })

	s.file = filepath.Join(t.TempDir(), "journal")
	s.journal, _ = openJournal(t, s.file)
	t.Cleanup(func() { _ = s.journal.Close() }) // a test may have done so
	s.inbox = newInbox(t)
	cfg := branch.Config{
		Domain: domain, Upstream: s.line.addr, Client: s.client, Credentials: users{}, Journal: s.journal, Sink: s.inbox.sink,
		Outside: func(ctx context.Context, o branch.Outgoing, m sip.Media) (*sip.Call, error) {
			return s.trunk.Dial(ctx, sip.DialConfig{
				Target: "sip:" + o.To + "@carrier.test", Address: carrierAddr, From: "sip:acme@carrier.test", Password: "trunk", OnRinging: o.OnRinging,
			}, m)
		},
		Fallback: map[string]string{"9000": "1002"},
		Link:     branch.LinkConfig{DownAfter: 2, UpAfter: 2, Hold: 100 * time.Millisecond}, PingInterval: 50 * time.Millisecond, Patience: time.Second,
		OnLink: func(up bool) { s.link <- up },
	}
	if change != nil {
		change(&cfg)
	}
	s.branch, err = branch.New(cfg)
	require.NoError(t, err)
	s.addr = listen(t, s.ca, s.branch.ServeTLS, s.branch.Close, domain)
	return s
}

func (s *site) wantLink(up bool) {
	s.t.Helper()
	select {
	case got := <-s.link:
		require.Equal(s.t, up, got)
	case <-time.After(20 * time.Second):
		s.t.Fatalf("the link did not become up=%t", up)
	}
}

// phone is a phone of the site.
type phone struct {
	*sip.Endpoint
	s     *site
	user  string
	calls chan *sip.Call
	media *media
}

// phone registers a phone that hands its calls to the test; on, if not nil, serves them.
func (s *site) phone(user string, on func(context.Context, *sip.Call)) *phone {
	s.t.Helper()
	p := &phone{s: s, user: user, calls: make(chan *sip.Call, 8), media: &media{name: user}}
	if on == nil {
		on = func(ctx context.Context, c *sip.Call) {
			if c.Answer(ctx, p.media) == nil {
				p.calls <- c
				<-c.Done()
			}
		}
	}
	var err error
	p.Endpoint, err = sip.New(sip.Config{Client: s.client, Trusted: true, OnCall: on})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, p.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = p.Register(ctx, sip.RegisterConfig{AOR: "sip:" + user + "@" + domain, Address: s.addr, Password: passwordOf(user)})
	require.NoError(s.t, err)
	return p
}

// dial calls a number over the branch, with a media of its own.
func (p *phone) dial(ctx context.Context, to string) (*sip.Call, *media, error) {
	m := &media{name: p.user + " calling " + to}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := p.Dial(ctx, sip.DialConfig{
		Target: "sip:" + to + "@" + domain, Address: p.s.addr, From: "sip:" + p.user + "@" + domain, Password: passwordOf(p.user),
	}, m)
	return c, m, err
}

func (p *phone) mustDial(to string) (*sip.Call, *media) {
	p.s.t.Helper()
	c, m, err := p.dial(context.Background(), to)
	require.NoError(p.s.t, err)
	return c, m
}

// reachable waits until the upstream can reach a user.
func (s *site) reachable(user string, want bool) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return (len(s.registry.Lookup(domain, user, time.Now())) > 0) == want }, 20*time.Second, 5*time.Millisecond, user)
}

// fromUpstream has the upstream call a user.
func (s *site) fromUpstream(user string) (*sip.Call, *media) {
	s.t.Helper()
	bs := s.registry.Lookup(domain, user, time.Now())
	require.Len(s.t, bs, 1, "registered once")
	m := &media{name: "upstream"}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := s.upstream.Dial(ctx, sip.DialConfig{Target: bs[0].Contact, Flow: bs[0].Flow, Route: bs[0].Path, From: "sip:+4940123@" + domain}, m)
	require.NoError(s.t, err)
	return c, m
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing arrived")
		panic("unreachable")
	}
}

func over(t *testing.T, c *sip.Call) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the call does not end")
	}
}

func end(t *testing.T, c *sip.Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, c.Hangup(ctx))
}

func status(err error) int {
	var se *sip.StatusError
	if errors.As(err, &se) {
		return se.Code
	}
	return 0
}
