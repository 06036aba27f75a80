package resolve_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/sip/internal/resolve"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// zone is a DNS server on loopback that answers from a table.
type zone struct {
	addr string
	mu   sync.Mutex
	rrs  map[string][]dns.RR // by "name TYPE"
	// twist changes an answer before it is sent; false sends none.
	twist func(q dns.Question, m *dns.Msg, tcp bool) bool
	asked atomic.Int64
}

func serve(t *testing.T, records ...string) *zone {
	t.Helper()
	z := &zone{rrs: map[string][]dns.RR{}}
	z.set(t, records...)
	var pc net.PacketConn
	var l net.Listener
	for range 50 { // until a port is free for both
		var err error
		l, err = net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		if pc, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			break
		}
		l.Close()
	}
	require.NotNil(t, pc)
	z.addr = l.Addr().String()
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: z}, {Listener: l, Handler: z}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		wg.Add(1)
		go func() { defer wg.Done(); _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { require.NoError(t, s.Shutdown()) })
	}
	return z
}

func (z *zone) twisted(f func(q dns.Question, m *dns.Msg, tcp bool) bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.twist = f
}

func (z *zone) set(t *testing.T, records ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	clear(z.rrs)
	for _, r := range records {
		rr, err := dns.NewRR(r)
		require.NoError(t, err, r)
		key := rr.Header().Name + " " + dns.TypeToString[rr.Header().Rrtype]
		z.rrs[key] = append(z.rrs[key], rr)
	}
}

func (z *zone) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	z.asked.Add(1)
	z.mu.Lock()
	defer z.mu.Unlock()
	m := new(dns.Msg)
	m.SetReply(r)
	name := r.Question[0].Name
	for range 20 { // follow aliases as a recursive server does
		if rrs := z.rrs[name+" "+dns.TypeToString[r.Question[0].Qtype]]; rrs != nil {
			m.Answer = append(m.Answer, rrs...)
			break
		}
		alias := z.rrs[name+" CNAME"]
		if alias == nil {
			break
		}
		m.Answer = append(m.Answer, alias...)
		name = alias[0].(*dns.CNAME).Target
	}
	known := len(m.Answer) > 0
	for key := range z.rrs {
		known = known || strings.HasPrefix(key, name+" ")
	}
	if !known {
		m.Rcode = dns.RcodeNameError
	}
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	if z.twist != nil && !z.twist(r.Question[0], m, tcp) {
		return
	}
	_ = w.WriteMsg(m) // the client may have given up
}

func (z *zone) resolver(t *testing.T, change func(*resolve.Config)) *resolve.Resolver {
	t.Helper()
	cfg := resolve.Config{Servers: []string{z.addr}, Timeout: 300 * time.Millisecond, Rand: func(int) int { return 0 }}
	if change != nil {
		change(&cfg)
	}
	r, err := resolve.New(cfg)
	require.NoError(t, err)
	return r
}

func addresses(ts []resolve.Target) []string {
	var out []string
	for _, t := range ts {
		out = append(out, t.Address)
	}
	return out
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		name, domain string
		zone         []string
		want         []string
		err          error
	}{
		{name: "address", domain: "192.0.2.1", want: []string{"192.0.2.1:5061"}},
		{name: "address and port", domain: "[2001:db8::1]:5071", want: []string{"[2001:db8::1]:5071"}},
		{name: "port rules out SRV", domain: "a.test:5071", zone: []string{"_sips._tcp.a.test. 60 SRV 0 0 1 b.test.", "a.test. 60 A 192.0.2.9"}, want: []string{"192.0.2.9:5071"}},
		{name: "NAPTR chooses the service", domain: "a.test", want: []string{"192.0.2.1:5061"}, zone: []string{
			`a.test. 60 NAPTR 10 50 "s" "SIP+D2U" "" _sip._udp.a.test.`, `a.test. 60 NAPTR 20 50 "s" "SIPS+D2T" "" _sips._tcp.x.test.`,
			"_sips._tcp.x.test. 60 SRV 0 0 5061 h.test.", "_sip._udp.a.test. 60 SRV 0 0 5060 evil.test.", "h.test. 60 A 192.0.2.1", "evil.test. 60 A 192.0.2.66",
		}},
		{name: "NAPTR in order", domain: "a.test", want: []string{"192.0.2.2:5061", "192.0.2.1:5061"}, zone: []string{
			`a.test. 60 NAPTR 20 50 "s" "SIPS+D2T" "" _sips._tcp.x.test.`, `a.test. 60 NAPTR 10 90 "S" "sips+d2t" "" _sips._tcp.y.test.`,
			"_sips._tcp.x.test. 60 SRV 0 0 5061 x.test.", "_sips._tcp.y.test. 60 SRV 0 0 5061 y.test.", "x.test. 60 A 192.0.2.1", "y.test. 60 A 192.0.2.2",
		}},
		{name: "NAPTR without TLS", domain: "a.test", err: resolve.ErrNoTLS, zone: []string{
			`a.test. 60 NAPTR 10 50 "s" "SIP+D2U" "" _sip._udp.a.test.`, `a.test. 60 NAPTR 10 50 "s" "SIP+D2T" "" _sip._tcp.a.test.`,
			"_sips._tcp.a.test. 60 SRV 0 0 5061 h.test.", "h.test. 60 A 192.0.2.1",
		}},
		{name: "NAPTR to a service that is none", domain: "a.test", err: resolve.ErrNotFound, zone: []string{
			`a.test. 60 NAPTR 10 50 "s" "SIPS+D2T" "" _sip._tls.a.test.`, `a.test. 60 NAPTR 10 50 "u" "SIPS+D2T" "!.*!sips:evil.test!" .`, "_sip._tls.a.test. 60 SRV 0 0 5061 h.test.", "h.test. 60 A 192.0.2.1",
		}},
		{name: "NAPTR of others", domain: "a.test", want: []string{"192.0.2.1:5061"}, zone: []string{
			`a.test. 60 NAPTR 10 50 "u" "E2U+sip" "!^.*$!sip:x@y!" .`, "_sips._tcp.a.test. 60 SRV 0 0 5061 h.test.", "h.test. 60 A 192.0.2.1",
		}},
		{name: "SRV by priority", domain: "a.test", want: []string{"192.0.2.2:5071", "192.0.2.1:5061"}, zone: []string{
			"_sips._tcp.a.test. 60 SRV 20 0 5061 h1.test.", "_sips._tcp.a.test. 60 SRV 10 0 5071 h2.test.", "h1.test. 60 A 192.0.2.1", "h2.test. 60 A 192.0.2.2",
		}},
		{name: "never _sip._tls", domain: "a.test", want: []string{"192.0.2.7:5061"}, zone: []string{
			"_sip._tls.a.test. 60 SRV 0 0 5061 evil.test.", "evil.test. 60 A 192.0.2.66", "a.test. 60 A 192.0.2.7",
		}},
		{name: "SRV says no", domain: "a.test", err: resolve.ErrNotFound, zone: []string{"_sips._tcp.a.test. 60 SRV 0 0 0 .", "a.test. 60 A 192.0.2.7"}},
		{name: "both families take turns", domain: "a.test", want: []string{"[2001:db8::1]:5061", "192.0.2.1:5061", "[2001:db8::2]:5061", "192.0.2.2:5061", "192.0.2.3:5061"}, zone: []string{
			"a.test. 60 A 192.0.2.1", "a.test. 60 A 192.0.2.2", "a.test. 60 A 192.0.2.3", "a.test. 60 AAAA 2001:db8::1", "a.test. 60 AAAA 2001:db8::2",
		}},
		{name: "alias", domain: "a.test", want: []string{"192.0.2.1:5061"}, zone: []string{"a.test. 60 CNAME b.test.", "b.test. 60 CNAME c.test.", "c.test. 60 A 192.0.2.1"}},
		{name: "alias in a circle", domain: "a.test", err: resolve.ErrTemporary, zone: []string{"a.test. 60 CNAME b.test.", "b.test. 60 CNAME a.test."}},
		{name: "nothing", domain: "none.test", err: resolve.ErrNotFound},
		{name: "addresses that name no host", domain: "a.test", err: resolve.ErrNotFound, zone: []string{"a.test. 60 A 0.0.0.0", "a.test. 60 A 224.0.0.1", "a.test. 60 A 255.255.255.255", "a.test. 60 AAAA ::"}},
		{name: "host name that is none", domain: "a.test", err: resolve.ErrNotFound, zone: []string{`_sips._tcp.a.test. 60 SRV 0 0 5061 ev\013il.test.`}},
		{name: "one of two hosts is gone", domain: "a.test", want: []string{"192.0.2.2:5061"}, zone: []string{
			"_sips._tcp.a.test. 60 SRV 10 0 5061 gone.test.", "_sips._tcp.a.test. 60 SRV 20 0 5061 h2.test.", "h2.test. 60 A 192.0.2.2",
		}},
		{name: "no domain", domain: "a b", err: resolve.ErrName},
		{name: "half an address", domain: "192.0.2", err: resolve.ErrName},
		{name: "no port", domain: "a.test:0", err: resolve.ErrName},
		{name: "injection", domain: "a.test\r\nX: y", err: resolve.ErrName},
	} {
		t.Run(c.name, func(t *testing.T) {
			ts, err := serve(t, c.zone...).resolver(t, nil).Resolve(context.Background(), c.domain)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				require.Empty(t, ts)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, addresses(ts))
		})
	}
}

func TestLongAnswerComesByTCP(t *testing.T) {
	var rrs []string
	for i := range 60 {
		rrs = append(rrs, fmt.Sprintf("a.test. 60 A 192.0.2.%d", i+1))
	}
	z := serve(t, rrs...)
	var overTCP atomic.Bool
	z.twisted(func(q dns.Question, m *dns.Msg, tcp bool) bool {
		if q.Qtype == dns.TypeA && !tcp {
			m.Truncated, m.Answer = true, m.Answer[:1]
		}
		if tcp {
			overTCP.Store(true)
		}
		return true
	})
	ts, err := z.resolver(t, nil).Resolve(context.Background(), "a.test")
	require.NoError(t, err)
	require.Len(t, ts, 16, "as many as a call may try, no more")
	require.True(t, overTCP.Load())
}

func TestHostileAnswers(t *testing.T) {
	forged, _ := dns.NewRR("a.test. 60 A 192.0.2.66")
	foreign, _ := dns.NewRR("other.test. 60 A 192.0.2.66")
	chaos, _ := dns.NewRR("a.test. 60 CH A 192.0.2.66")
	for name, c := range map[string]struct {
		twist func(q dns.Question, m *dns.Msg, tcp bool) bool
		err   error
	}{
		"records of another name": {func(q dns.Question, m *dns.Msg, _ bool) bool { m.Answer = []dns.RR{foreign, chaos}; return true }, resolve.ErrNotFound},
		"an answer to another question": {func(q dns.Question, m *dns.Msg, _ bool) bool {
			m.Question[0].Name, m.Answer = "other.test.", []dns.RR{forged}
			return true
		}, resolve.ErrTemporary},
		"another id":         {func(q dns.Question, m *dns.Msg, _ bool) bool { m.Id++; m.Answer = []dns.RR{forged}; return true }, resolve.ErrTemporary},
		"refused":            {func(q dns.Question, m *dns.Msg, _ bool) bool { m.Rcode = dns.RcodeRefused; return true }, resolve.ErrTemporary},
		"silence":            {func(dns.Question, *dns.Msg, bool) bool { return false }, resolve.ErrTemporary},
		"truncated for ever": {func(q dns.Question, m *dns.Msg, _ bool) bool { m.Truncated = true; return true }, resolve.ErrTemporary},
	} {
		t.Run(name, func(t *testing.T) {
			z := serve(t, "a.test. 60 A 192.0.2.1")
			z.twisted(c.twist)
			ts, err := z.resolver(t, func(cfg *resolve.Config) { cfg.Timeout = 50 * time.Millisecond }).Resolve(context.Background(), "a.test")
			require.ErrorIs(t, err, c.err)
			require.Empty(t, ts)
		})
	}
}

func TestTenThousandRecords(t *testing.T) {
	z := serve(t)
	z.twisted(func(q dns.Question, m *dns.Msg, tcp bool) bool {
		m.Rcode = dns.RcodeSuccess
		if !tcp {
			m.Truncated = true
			return true
		}
		for i := range 10000 { // as many as fit in the largest message that TCP can carry
			if rr, _ := dns.NewRR(fmt.Sprintf("%s 60 SRV 0 %d 5061 h%d.test.", q.Name, i, i)); q.Qtype == dns.TypeSRV && m.Len() < 60000 {
				m.Answer = append(m.Answer, rr)
			}
		}
		if rr, _ := dns.NewRR(q.Name + " 60 A 192.0.2.1"); q.Qtype == dns.TypeA {
			m.Answer = append(m.Answer, rr)
		}
		return true
	})
	_, err := z.resolver(t, func(c *resolve.Config) { c.Timeout = 10 * time.Second }).Resolve(context.Background(), "a.test")
	require.NoError(t, err)
	require.Less(t, z.asked.Load(), int64(50), "a hostile zone cannot make us ask on and on")
}

func TestCache(t *testing.T) {
	z := serve(t, "a.test. 1000000 A 192.0.2.1")
	var now atomic.Int64
	r := z.resolver(t, func(c *resolve.Config) {
		c.Timeout = 50 * time.Millisecond
		c.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	})
	get := func() ([]string, error) {
		ts, err := r.Resolve(context.Background(), "a.test")
		return addresses(ts), err
	}
	want := func(ip string) {
		t.Helper()
		got, err := get()
		require.NoError(t, err)
		require.Equal(t, []string{ip + ":5061"}, got)
	}
	want("192.0.2.1")
	asked := z.asked.Load()
	want("192.0.2.1")
	require.Equal(t, asked, z.asked.Load(), "answered from memory, what does not exist included")

	z.set(t, "a.test. 0 A 192.0.2.2")
	now.Store(3601)
	want("192.0.2.2") // no answer lives longer than an hour, whatever it says
	z.set(t, "a.test. 60 A 192.0.2.3")
	now.Add(4)
	want("192.0.2.2") // nor shorter than five seconds
	now.Add(2)
	want("192.0.2.3")

	z.twisted(func(dns.Question, *dns.Msg, bool) bool { return false })
	now.Add(3600)
	want("192.0.2.3") // DNS is down: the last answer
	now.Add(25 * 3600)
	_, err := get()
	require.ErrorIs(t, err, resolve.ErrTemporary, "but not for ever")
}

func TestCallersShareOneQuestion(t *testing.T) {
	z := serve(t, "a.test. 60 A 192.0.2.1")
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	z.twisted(func(dns.Question, *dns.Msg, bool) bool { arrived <- struct{}{}; <-release; return true })
	r := z.resolver(t, func(c *resolve.Config) { c.Timeout = 10 * time.Second })
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error, 1)
	go func() { _, err := r.Resolve(ctx, "a.test:5061"); first <- err }()
	<-arrived
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := r.Resolve(context.Background(), "a.test:5061")
			require.NoError(t, err)
		})
	}
	cancel()
	require.Error(t, <-first, "whoever gives up gets nothing")
	close(release)
	wg.Wait() // and the others still get their answer
	require.LessOrEqual(t, z.asked.Load(), int64(4))
}

// TestWeights draws often: each of three records is first as often as its weight says, and the order is always a permutation.
func TestWeights(t *testing.T) {
	z := serve(t, "_sips._tcp.a.test. 60 SRV 10 1 5061 h1.test.", "_sips._tcp.a.test. 60 SRV 10 3 5061 h2.test.", "_sips._tcp.a.test. 60 SRV 10 0 5061 h3.test.",
		"h1.test. 60 A 192.0.2.1", "h2.test. 60 A 192.0.2.2", "h3.test. 60 A 192.0.2.3")
	seed := uint64(1)
	r := z.resolver(t, func(c *resolve.Config) {
		c.Rand = func(n int) int {
			seed = seed*6364136223846793005 + 1442695040888963407
			return int((seed >> 33) % uint64(n))
		}
	})
	first := map[string]int{}
	for range 5000 {
		ts, err := r.Resolve(context.Background(), "a.test")
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"192.0.2.1:5061", "192.0.2.2:5061", "192.0.2.3:5061"}, addresses(ts))
		first[ts[0].Host]++
	}
	// RFC 2782 draws from 0 to the sum inclusive: 1/5 for each unit of weight and for weight 0.
	require.InDelta(t, 1000, first["h1.test"], 150)
	require.InDelta(t, 3000, first["h2.test"], 200)
	require.InDelta(t, 1000, first["h3.test"], 150)
}

func TestNewRefuses(t *testing.T) {
	_, err := resolve.New(resolve.Config{Servers: []string{"dns.example"}})
	require.Error(t, err)
}

func TestSplitLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		if host, _, err := resolve.Split(s); err == nil {
			require.NotContains(t, host, "\n")
			again, _, err := resolve.Split(host)
			require.NoError(t, err)
			require.Equal(t, host, again)
		}
	})
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"a.test", "a.test:5061", "192.0.2.1", "[2001:db8::1]:5061", "::1", "a..b", "-a", "1.2.3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, _, err := resolve.Split(s)
		if err != nil {
			return
		}
		if again, port, err := resolve.Split(host); err != nil || again != host || port != 0 {
			t.Fatalf("%q gives %q, which gives %q %d %v", s, host, again, port, err)
		}
	})
}
