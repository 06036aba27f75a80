package sip_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/internal/memnet"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/insecuretransport"
	"github.com/ringfence/ringfence/sip/siptest"
)

func (l *lab) peer(t *testing.T) *siptest.Peer {
	t.Helper()
	c, err := net.Dial("tcp", l.tcp)
	require.NoError(t, err)
	return siptest.NewPeer(t, c)
}

func optionsLines() []string {
	branch++
	return []string{
		"OPTIONS sip:acme.test SIP/2.0", fmt.Sprintf("Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKo%d", branch), "Max-Forwards: 70", "From: <sip:a@acme.test>;tag=1",
		"To: <sip:acme.test>", fmt.Sprintf("Call-ID: o%d", branch), "CSeq: 1 OPTIONS",
	}
}

// login registers on p, with the challenge answered.
func login(p *siptest.Peer, domain, user, pass string) {
	p.Send("", registerLines(domain, user, "", 1)...)
	first := p.Want("401")
	p.Send("", registerLines(domain, user, answer(challenges(first)[0], "SHA-256", user, pass, "REGISTER", "sip:"+domain, 1), 2)...)
	p.Want("200")
}

func TestFloodIsShedAndUsersAreServed(t *testing.T) {
	l := newLab(t, sip.Config{RequestRate: 1, RequestBurst: 20})
	phone := l.peer(t)
	login(phone, "acme.test", "1001", password)
	stranger := l.peer(t)
	served := 0
	for {
		stranger.Send("", optionsLines()...)
		m, err := stranger.Read(5 * time.Second)
		require.NoError(t, err)
		if m.Status() == 503 {
			require.Equal(t, "10", m.Header.Get("Retry-After"))
			break
		}
		served++
		require.LessOrEqual(t, served, 25)
	}
	require.GreaterOrEqual(t, served, 17)
	_, err := stranger.Read(5 * time.Second)
	require.ErrorIs(t, err, io.EOF, "and loses the connection")
	again := l.peer(t) // another connection is no other source
	again.Send("", optionsLines()...)
	again.Want("503")

	udp, err := net.Dial("udp", l.udp)
	require.NoError(t, err)
	q := siptest.NewPeer(t, udp)
	q.Send("", optionsLines()...)
	_, err = q.Read(200 * time.Millisecond)
	require.ErrorContains(t, err, "timeout", "a datagram is dropped, not answered: its source may be forged")

	for range 100 { // the phone behind the same address
		phone.Send("", optionsLines()...)
		phone.Want("200")
	}
	require.GreaterOrEqual(t, l.Stats().RateLimited, uint64(3))
}

// TestOfficeComesBack: all phones behind one address register at once after a power cut, far more than one source may ask for.
func TestOfficeComesBack(t *testing.T) {
	l := newLab(t, sip.Config{RequestRate: 1, RequestBurst: 20, BanAfter: 20})
	for range 300 {
		login(l.peer(t), "acme.test", "1001", password)
	}
	s := l.Stats()
	require.Zero(t, s.RateLimited)
	require.Zero(t, s.Bans)
}

func TestTotalRateBoundsAllSources(t *testing.T) {
	l := newLab(t, sip.Config{TotalRate: 1, TotalBurst: 10, AllowSources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	p := l.peer(t)
	for range 10 {
		p.Send("", optionsLines()...)
		p.Want("200")
	}
	for range 5 { // the clock may give back one or two
		p.Send("", optionsLines()...)
		if m, err := p.Read(5 * time.Second); err != nil || m.Status() == 503 {
			return
		}
	}
	t.Fatal("no limit")
}

// hostileBubble serves in virtual time and lets script connect as often as it likes.
func hostileBubble(t *testing.T, cfg sip.Config, script func(ep *sip.Endpoint, dial func() *siptest.Peer)) {
	synctest.Test(t, func(t *testing.T) {
		cfg.Realm = realms
		ep, err := sip.New(cfg)
		require.NoError(t, err)
		l := memnet.Listen(5060)
		served := make(chan error, 1)
		go func() {
			served <- insecuretransport.ServeTCP(context.Background(), ep, l, insecuretransport.Waiver{Name: "bubble", Until: time.Now().Add(100 * time.Hour), Digest: true})
		}()
		var conns []net.Conn
		script(ep, func() *siptest.Peer {
			c, err := l.Dial(context.Background())
			require.NoError(t, err)
			conns = append(conns, c)
			return siptest.NewPeer(t, c)
		})
		for _, c := range conns {
			c.Close()
		}
		require.NoError(t, ep.Close())
		<-served
		synctest.Wait()
		time.Sleep(2 * time.Minute) // virtual: transaction timers of the library run out
	})
}

func TestWrongPasswordsLockOut(t *testing.T) {
	hostileBubble(t, sip.Config{}, func(ep *sip.Endpoint, dial func() *siptest.Peer) {
		neighbour := dial()
		login(neighbour, "acme.test", "1002", "acme.test"+password)
		p := dial()
		attempt := func(user, pass string) (string, siptest.Message) {
			p.Send("", registerLines("acme.test", user, "", 1)...)
			first := p.Want("401")
			p.Send("", registerLines("acme.test", user, answer(challenges(first)[0], "SHA-256", user, pass, "REGISTER", "sip:acme.test", 1), 2)...)
			m, err := p.Read(time.Second)
			require.NoError(t, err)
			var b strings.Builder
			b.WriteString(m.Start)
			for _, h := range []string{"Www-Authenticate", "Contact", "Server", "Content-Length", "Retry-After", "Warning"} {
				b.WriteString("|" + strings.Join(m.Header.Values(h), ","))
			}
			return regexp.MustCompile(`nonce="[^"]*"`).ReplaceAllString(b.String(), "nonce"), m
		}
		var look string
		for range 5 {
			look, _ = attempt("1001", "wrong")
		}
		wait := time.Second
		for range 4 {
			again, m := attempt("1001", "acme.test"+password)
			require.Equal(t, 401, m.Status(), "the right password, while locked")
			require.Equal(t, look, again, "and nobody sees that it was right")
			time.Sleep(wait)
			wait *= 2
			again, _ = attempt("1001", "wrong") // the lock is over: checked, wrong, and locked for twice as long
			require.Equal(t, look, again)
		}
		require.EqualValues(t, 4, ep.Stats().LockedAuth)
		for range 5 {
			unknown, _ := attempt("7777", "wrong")
			require.Equal(t, look, unknown)
		}
		before := ep.Stats().LockedAuth
		attempt("7777", "wrong")
		require.Equal(t, before+1, ep.Stats().LockedAuth, "users that do not exist are locked alike")
		_, m := attempt("1002", "acme.test"+password)
		require.Equal(t, 200, m.Status(), "another user of the same source")
		time.Sleep(16 * time.Minute)
		_, m = attempt("1001", "acme.test"+password)
		require.Equal(t, 200, m.Status())
	})
}

func TestScanIsBannedForAWhile(t *testing.T) {
	scan := func(dial func() *siptest.Peer) int {
		p := dial()
		for i := range 1000 {
			p.Send("", registerLines("acme.test", fmt.Sprint(1000+i), "", 1)...)
			if _, err := p.Read(time.Second); err != nil {
				return i
			}
		}
		return 1000
	}
	hostileBubble(t, sip.Config{BanAfter: 40, RequestBurst: 5000}, func(ep *sip.Endpoint, dial func() *siptest.Peer) {
		phone := dial()
		login(phone, "acme.test", "1001", "acme.test"+password)
		require.InDelta(t, 200, scan(dial), 3, "five challenges without an answer are one offence")
		require.EqualValues(t, 1, ep.Stats().Bans)
		refused := dial()
		_, err := refused.Read(time.Second)
		require.Error(t, err, "the next connection is closed unheard")
		require.NotZero(t, ep.Stats().RefusedBanned)
		phone.Send("", optionsLines()...)
		phone.Want("200") // the phone behind the same address, which has authenticated
		time.Sleep(10*time.Minute + time.Second)
		login(dial(), "acme.test", "1002", "acme.test"+password)
		require.Less(t, scan(dial), 250)
		time.Sleep(11 * time.Minute)
		_, err = dial().Read(time.Second)
		require.Error(t, err, "the second ban is longer")
		time.Sleep(10 * time.Minute)
		login(dial(), "acme.test", "1002", "acme.test"+password)
	})
	hostileBubble(t, sip.Config{BanAfter: 40, AllowSources: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, func(ep *sip.Endpoint, dial func() *siptest.Peer) {
		require.Equal(t, 1000, scan(dial))
		require.Zero(t, ep.Stats().Bans)
	})
	control.Proves(t, "DET-03")
}

func TestOtherOffencesAreBanned(t *testing.T) {
	for name, lines := range map[string][]string{
		"malformed":      {"OPTIONS sip:acme.test SIP/2.0", "Via: garbage"},
		"unknown domain": registerLines("nowhere.test", "1", "", 1),
		"stray response": {"SIP/2.0 200 OK", "Via: SIP/2.0/TCP h;branch=z9hG4bK1", "From: <sip:a@h>;tag=1", "To: <sip:b@h>;tag=2", "Call-ID: c", "CSeq: 1 INVITE"},
	} {
		t.Run(name, func(t *testing.T) {
			hostileBubble(t, sip.Config{BanAfter: 10}, func(ep *sip.Endpoint, dial func() *siptest.Peer) {
				p := dial()
				for range 10 {
					p.Send("", lines...)
				}
				synctest.Wait()
				require.EqualValues(t, 1, ep.Stats().Bans)
			})
		})
	}
}

func TestLimitsOfOneMessage(t *testing.T) {
	l := newLab(t, sip.Config{})
	with := func(body string, extra ...string) []string { return append(optionsLines(), extra...) }
	many := make([]string, 101)
	for i := range many {
		many[i] = "X-A: b"
	}
	long := optionsLines()
	long[0] = "OPTIONS sip:" + strings.Repeat("a", 1100) + "@acme.test SIP/2.0"
	for _, c := range []struct {
		want  string
		body  string
		lines []string
	}{
		{"400", "", with("", many...)}, {"414", "", long}, {"513", "", with("", "X-A: "+strings.Repeat("b", 17<<10))}, {"413", strings.Repeat("v", 20<<10), optionsLines()},
		{"400", "", with("", "X-A: b\nInjected: c")}, {"400", "", with("", "X-A: b\rInjected: c")}, {"400", "", with("", "X-A: b\x00c")},
	} {
		p := l.peer(t)
		p.Send(c.body, c.lines...)
		m := p.Want(c.want)
		require.Empty(t, m.Header.Get("Injected"))
	}
	// A head without end is not kept beyond the size of a message.
	c, err := net.Dial("tcp", l.tcp)
	require.NoError(t, err)
	defer c.Close()
	for range 200 {
		if _, err = io.WriteString(c, strings.Repeat("A", 1024)); err != nil {
			break
		}
	}
	require.NoError(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
}

func TestKeepAliveIsAnswered(t *testing.T) {
	l := newLab(t, sip.Config{})
	c, err := net.Dial("tcp", l.tcp)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "\r\n\r\n\r\n\r\n")
	require.NoError(t, err)
	b := make([]byte, 4)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	require.Equal(t, "\r\n\r\n", string(b))
}

func TestCancelFromElsewhereIsRefused(t *testing.T) {
	ended := make(chan error, 1)
	ringing := make(chan struct{})
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) {
		_ = c.Ring()
		close(ringing)
		<-ctx.Done()
		ended <- c.Err()
	}})
	p := s.raw(t, "acme.test")
	sc := &script{p: p, callID: "cancel"}
	sc.invite(t, "OFFER", "180")
	within(t, "ringing", ringing)
	sc.toTag = ""
	branch-- // a CANCEL has the branch of its INVITE
	cancel := sc.lines("CANCEL", "")
	q := s.raw(t, "acme.test")
	q.Send("", cancel...)
	q.Want("481")
	select {
	case err := <-ended:
		t.Fatal("canceled by a stranger: ", err)
	default:
	}
	p.Send("", cancel...)
	p.Want("200")
	p.Want("487")
	require.ErrorIs(t, <-ended, sip.ErrCanceled)
}
