package trunk_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
	"github.com/ringfence/ringfence/sip/trunk"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const (
	secureOffer = "v=0\r\nm=audio 4000 RTP/SAVP 8\r\n"
	clearOffer  = "v=0\r\nm=audio 4000 RTP/AVP 8\r\n"
)

type media struct {
	offer  string
	closed chan struct{}
}

func newMedia(context.Context, string) (sip.Media, error) { return &media{offer: secureOffer}, nil }

func (m *media) Offer(context.Context) ([]byte, error)          { return []byte(m.offer), nil }
func (m *media) Answer(context.Context, []byte) ([]byte, error) { return []byte(secureOffer), nil }
func (m *media) Accept(context.Context, []byte) error           { return nil }
func (m *media) Close() error {
	if m.closed != nil {
		close(m.closed)
	}
	return nil
}

// fake is a carrier on loopback TLS that does what its script says.
type fake struct {
	t    *testing.T
	addr string

	mu      sync.Mutex
	script  func(invite siptest.Message, reply func(status int, extra ...string))
	options int // status for OPTIONS; 0: no answer
	body    string
	seen    []siptest.Message
	probes  int
	names   []string // of client certificates
	conns   map[net.Conn]bool
	changed chan struct{}
}

// serve starts a carrier. cfg has its certificate.
func serve(t *testing.T, cfg *tls.Config) *fake {
	t.Helper()
	return serveAt(t, "127.0.0.1:0", cfg)
}

func serveAt(t *testing.T, addr string, cfg *tls.Config) *fake {
	t.Helper()
	l, err := tls.Listen("tcp", addr, cfg)
	require.NoError(t, err)
	f := &fake{t: t, addr: l.Addr().String(), options: 200, body: secureOffer, conns: map[net.Conn]bool{}, changed: make(chan struct{}, 1)}
	f.script = answer
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns[c] = true
			f.mu.Unlock()
			wg.Go(func() { f.talk(c) })
		}
	})
	t.Cleanup(func() { l.Close(); f.drop(); wg.Wait() })
	return f
}

// drop closes every connection.
func (f *fake) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.Close()
	}
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) talk(c net.Conn) {
	defer c.Close()
	if err := c.(*tls.Conn).Handshake(); err != nil {
		return
	}
	if certs := c.(*tls.Conn).ConnectionState().PeerCertificates; len(certs) > 0 {
		f.set(func() { f.names = append(f.names, certs[0].DNSNames...) })
	}
	p := siptest.NewPeer(f.t, c)
	var invite siptest.Message
	for {
		m, err := p.Read(time.Minute)
		if err != nil {
			return
		}
		var script func(siptest.Message, func(int, ...string))
		options := 0
		f.set(func() {
			f.seen = append(f.seen, m)
			if m.Method() == "OPTIONS" {
				f.probes++
			}
			script, options = f.script, f.options
		})
		select {
		case f.changed <- struct{}{}:
		default:
		}
		switch m.Method() {
		case "INVITE":
			invite = m
			script(m, f.reply(c, m))
		case "OPTIONS":
			if options != 0 {
				f.reply(c, m)(options)
			}
		case "REGISTER":
			f.reply(c, m)(200)
		case "CANCEL":
			f.reply(c, m)(200)
			f.reply(c, invite)(487)
		case "BYE":
			f.reply(c, m)(200)
		}
	}
}

func (f *fake) reply(c net.Conn, m siptest.Message) func(status int, extra ...string) {
	return func(status int, extra ...string) {
		text, body := fmt.Sprintf("SIP/2.0 %d X\r\n", status), ""
		for _, name := range []string{"Via", "From", "To", "Call-Id", "Cseq"} {
			for _, v := range m.Header[name] {
				if name == "To" && status > 100 && m.Tag("To") == "" {
					v += ";tag=t1"
				}
				text += name + ": " + v + "\r\n"
			}
		}
		for _, e := range extra {
			text += e + "\r\n"
		}
		if status == 200 && m.Method() == "INVITE" {
			f.set(func() { body = f.body })
			text += "Contact: <sip:x@" + f.addr + ";transport=tls>\r\nContent-Type: application/sdp\r\n"
		}
		_, _ = c.Write([]byte(text + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)) // the peer may be gone
	}
}

func (f *fake) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, m := range f.seen {
		if m.Method() == method {
			n++
		}
	}
	return n
}

func (f *fake) last(method string) siptest.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.seen) - 1; i >= 0; i-- {
		if f.seen[i].Method() == method {
			return f.seen[i]
		}
	}
	return siptest.Message{}
}

// until waits for a condition that messages to f change.
func (f *fake) until(what string, ok func() bool) {
	f.t.Helper()
	limit := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-f.changed:
		case <-time.After(5 * time.Millisecond): // what a message changes at the other end comes a moment later
		case <-limit:
			f.t.Fatal("timeout: " + what)
		}
	}
}

// static is a Resolver from a table.
type static map[string][]string

func (s static) Resolve(_ context.Context, domain string) ([]trunk.Target, error) {
	var out []trunk.Target
	for _, a := range s[domain] {
		out = append(out, trunk.Target{Address: a})
	}
	if out == nil {
		return nil, errors.New("no such domain")
	}
	return out, nil
}

// notes collects attempts.
type notes struct {
	mu  sync.Mutex
	all []trunk.Attempt
}

func (n *notes) add(a trunk.Attempt) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, a)
}

func (n *notes) text() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, a := range n.all {
		out = append(out, fmt.Sprintf("%s %d", a.Carrier, a.Status))
	}
	n.all = nil
	return out
}

type bench struct {
	*trunk.Group
	ca    *siptest.Authority
	a, b  *fake
	notes *notes
	ep    *sip.Endpoint
}

func anybody(context.Context, string, string) error { return nil }

// setup makes a group of two carriers, a.test first.
func setup(t *testing.T, change func(cfg *trunk.Config, b *bench)) *bench {
	t.Helper()
	b := &bench{ca: siptest.NewAuthority(t), notes: &notes{}}
	b.a = serve(t, &tls.Config{Certificates: []tls.Certificate{b.ca.Issue(time.Time{}, "a.test")}})
	b.b = serve(t, &tls.Config{Certificates: []tls.Certificate{b.ca.Issue(time.Time{}, "b.test")}})
	client, err := sip.ClientTLS(nil, b.ca.Pool())
	require.NoError(t, err)
	b.ep, err = sip.New(sip.Config{Client: client})
	require.NoError(t, err)
	cfg := trunk.Config{
		Dialer: b.ep, Domain: "example.test", CallerID: anybody, Resolver: static{"a.test": {b.a.addr}, "b.test": {b.b.addr}},
		Carriers: []trunk.Carrier{{Name: "a", Domain: "a.test", Priority: 1, CallsPerSecond: 1000}, {Name: "b", Domain: "b.test", Priority: 2, CallsPerSecond: 1000}},
		Silence:  2 * time.Second, RingTime: 3 * time.Second, ProbeInterval: time.Hour, OnAttempt: b.notes.add,
	}
	if change != nil {
		change(&cfg, b)
	}
	b.Group, err = trunk.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()); require.NoError(t, b.ep.Close()) })
	return b
}

func (b *bench) call(t *testing.T, c trunk.Call) (*sip.Call, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if c.To == "" {
		c.To = "+4930123456"
	}
	return b.Dial(ctx, c, newMedia)
}

func hangup(t *testing.T, c *sip.Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
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

func refuseWith(code int, extra ...string) func(siptest.Message, func(int, ...string)) {
	return func(_ siptest.Message, reply func(int, ...string)) { reply(code, extra...) }
}

func answer(_ siptest.Message, reply func(int, ...string)) { reply(100); reply(180); reply(200) }
