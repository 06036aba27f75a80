package sip_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// ask answers a request with 401 and challenges, and takes the ACK.
func ask(p *siptest.Peer, req siptest.Message, challenges ...string) {
	to := req.Header.Get("To")
	if !strings.Contains(to, "tag=") {
		to += ";tag=no"
	}
	lines := []string{"SIP/2.0 401 Unauthorized", "Via: " + req.Header.Get("Via"), "From: " + req.Header.Get("From"), "To: " + to,
		"Call-ID: " + req.Header.Get("Call-Id"), "CSeq: " + req.Header.Get("Cseq")}
	for _, c := range challenges {
		lines = append(lines, "WWW-Authenticate: "+c)
	}
	p.Send("", lines...)
	if req.Method() == "INVITE" {
		p.Want("ACK")
	}
}

func challengeOf(nonce, algorithm string) string {
	return fmt.Sprintf(`Digest realm="acme.test", nonce="%s", algorithm=%s, qop="auth"`, nonce, algorithm)
}

// showing checks the one Authorization of a request, computed independently of the package under test, and returns its nonce and count.
func showing(t *testing.T, req siptest.Message, user, pass, algorithm string) string {
	t.Helper()
	values := req.Header.Values("Authorization")
	require.Len(t, values, 1, "%s", req.Start)
	get := func(name string) string {
		m := regexp.MustCompile(`[ ,]` + name + `="?([^",]*)`).FindStringSubmatch(values[0])
		require.NotNil(t, m, name)
		return m[1]
	}
	h := func(s string) string {
		if algorithm == "MD5" {
			sum := md5.Sum([]byte(s))
			return hex.EncodeToString(sum[:])
		}
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	start := strings.Fields(req.Start)
	method := start[0]
	if method == "ACK" { // RFC 3261 section 22.1: it shows what its INVITE has shown
		method = "INVITE"
	}
	require.Equal(t, algorithm, get("algorithm"))
	require.Equal(t, user, get("username"))
	want := h(h(user+":acme.test:"+pass) + ":" + get("nonce") + ":" + get("nc") + ":" + get("cnonce") + ":auth:" + h(method+":"+get("uri")))
	require.Equal(t, want, get("response"))
	return get("nonce") + " " + get("nc")
}

// prover is a phone and the scripted server that it calls.
type prover struct {
	t    *testing.T
	ep   *sip.Endpoint
	addr string
	in   <-chan *siptest.Peer
	p    *siptest.Peer
}

func newProver(t *testing.T) *prover {
	ca := siptest.NewAuthority(t)
	address, accepted := uas(t, ca)
	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	ep, err := sip.New(sip.Config{Client: client})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ep.Close()) })
	return &prover{t: t, ep: ep, addr: address, in: accepted}
}

type dialedCall struct {
	c   *sip.Call
	err error
}

// dial places a call as user and returns its first INVITE.
func (v *prover) dial(user, pass string) (siptest.Message, <-chan dialedCall) {
	v.t.Helper()
	out := make(chan dialedCall, 1)
	go func() { // ends with the answer of the script
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		c, err := v.ep.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: v.addr, From: "sip:" + user + "@acme.test", Password: pass}, &media{})
		out <- dialedCall{c, err}
	}()
	if v.p == nil {
		v.p = <-v.in
	}
	return v.p.Want("INVITE"), out
}

// answer lets a call through and ends it; each request must show a count of nonce, from next on.
func (v *prover) answer(invite siptest.Message, out <-chan dialedCall, user, pass, algorithm, nonce string, next int) {
	v.t.Helper()
	want := func(n int) string { return fmt.Sprintf("%s %08x", nonce, n) }
	require.Equal(v.t, want(next), showing(v.t, invite, user, pass, algorithm))
	reply(v.p, invite, "200 OK", "a", "ANSWER")
	require.Equal(v.t, want(next), showing(v.t, v.p.Want("ACK"), user, pass, algorithm))
	d := <-out
	require.NoError(v.t, d.err)
	done := make(chan error, 1)
	go func() { done <- d.c.Hangup(context.Background()) }() // ends with the answer to the BYE
	bye := v.p.Want("BYE")
	require.Empty(v.t, bye.Header.Values("Authorization"), "nobody has asked inside a call")
	reply(v.p, bye, "200 OK", "", "")
	require.NoError(v.t, <-done)
}

// Whoever was asked once brings the proof along: the second INVITE to a server costs no round trip, and no count is used twice.
func TestNonceIsKeptForTheNextCall(t *testing.T) {
	v := newProver(t)
	invite, out := v.dial("1001", "secret")
	require.Empty(t, invite.Header.Values("Authorization"), "nobody has asked")
	ask(v.p, invite, challengeOf("n1", "MD5"), challengeOf("n1", "SHA-256"))
	v.answer(v.p.Want("INVITE"), out, "1001", "secret", "SHA-256", "n1", 1)
	invite, out = v.dial("1001", "secret")
	v.answer(invite, out, "1001", "secret", "SHA-256", "n1", 2)

	invite, out = v.dial("1002", "other") // two users of one server have nothing in common
	require.Empty(t, invite.Header.Values("Authorization"))
	ask(v.p, invite, challengeOf("n2", "SHA-256"))
	v.answer(v.p.Want("INVITE"), out, "1002", "other", "SHA-256", "n2", 1)
	invite, out = v.dial("1001", "secret")
	v.answer(invite, out, "1001", "secret", "SHA-256", "n1", 3)

	invite, out = v.dial("1001", "guessed") // who does not know the password gets nothing of what it has opened
	require.Empty(t, invite.Header.Values("Authorization"))
	ask(v.p, invite, challengeOf("n3", "SHA-256"))
	again := v.p.Want("INVITE")
	showing(t, again, "1001", "guessed", "SHA-256")
	ask(v.p, again, challengeOf("n4", "SHA-256"))
	require.Equal(t, 401, status((<-out).err), "a refusal of a fresh proof is final")
}

// A nonce that has run out costs one more round trip, whether the server says so or not.
func TestStaleNonceIsReplaced(t *testing.T) {
	for name, again := range map[string]string{"stale": challengeOf("n2", "SHA-256") + ", stale=true", "silent": challengeOf("n2", "SHA-256")} {
		t.Run(name, func(t *testing.T) {
			v := newProver(t)
			invite, out := v.dial("1001", "secret")
			ask(v.p, invite, challengeOf("n1", "SHA-256"))
			v.answer(v.p.Want("INVITE"), out, "1001", "secret", "SHA-256", "n1", 1)
			invite, out = v.dial("1001", "secret")
			require.Equal(t, "n1 00000002", showing(t, invite, "1001", "secret", "SHA-256"))
			ask(v.p, invite, again)
			v.answer(v.p.Want("INVITE"), out, "1001", "secret", "SHA-256", "n2", 1)
		})
	}
}

func TestServerThatIsNeverContent(t *testing.T) {
	v := newProver(t)
	invite, out := v.dial("1001", "secret")
	for i := range 4 { // stale each time: it is given up all the same
		ask(v.p, invite, challengeOf(fmt.Sprint("n", i), "SHA-256")+", stale=true")
		if i < 3 {
			invite = v.p.Want("INVITE")
		}
	}
	require.Equal(t, 401, status((<-out).err))
}

// Carriers that know MD5 alone are served; what cannot be answered is a refusal.
func TestWeakAndUnknownAlgorithms(t *testing.T) {
	v := newProver(t)
	invite, out := v.dial("1001", "secret")
	ask(v.p, invite, challengeOf("n1", "MD5"))
	v.answer(v.p.Want("INVITE"), out, "1001", "secret", "MD5", "n1", 1)
	invite, out = v.dial("1001", "secret")
	v.answer(invite, out, "1001", "secret", "MD5", "n1", 2)

	invite, out = v.dial("1003", "secret")
	ask(v.p, invite, challengeOf("n1", "ROT13"))
	require.Equal(t, 401, status((<-out).err))
}

// Registration, message and call share what they know of a server, and a request inside a call that is challenged after all is sent again.
func TestRequestsShareTheNonce(t *testing.T) {
	v := newProver(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	registered := make(chan error, 1)
	var r *sip.Registration
	go func() { // ends with the answer of the script
		var err error
		r, err = v.ep.Register(ctx, sip.RegisterConfig{AOR: "sip:1001@acme.test", Address: v.addr, Password: "secret"})
		registered <- err
	}()
	v.p = <-v.in
	ask(v.p, v.p.Want("REGISTER"), challengeOf("n1", "SHA-256"))
	req := v.p.Want("REGISTER")
	require.Equal(t, "n1 00000001", showing(t, req, "1001", "secret", "SHA-256"))
	reply(v.p, req, "200 OK", "r", "")
	require.NoError(t, <-registered)

	invite, out := v.dial("1001", "secret")
	require.Equal(t, "n1 00000002", showing(t, invite, "1001", "secret", "SHA-256"))
	reply(v.p, invite, "200 OK", "a", "ANSWER")
	v.p.Want("ACK")
	d := <-out
	require.NoError(t, d.err)
	digit := make(chan error, 1)
	go func() { digit <- d.c.SendDigit(ctx, '5') }() // ends with the answer below
	info := v.p.Want("INFO")
	require.Empty(t, info.Header.Values("Authorization"))
	ask(v.p, info, challengeOf("n1", "SHA-256"))
	info = v.p.Want("INFO")
	require.Equal(t, "n1 00000003", showing(t, info, "1001", "secret", "SHA-256"))
	ask(v.p, info, challengeOf("n2", "SHA-256")+", stale=true")
	info = v.p.Want("INFO")
	require.Equal(t, "n2 00000001", showing(t, info, "1001", "secret", "SHA-256"))
	reply(v.p, info, "200 OK", "", "")
	require.NoError(t, <-digit)

	closed := make(chan error, 1)
	go func() { closed <- r.Close(ctx) }() // ends with the answer below
	req = v.p.Want("REGISTER")
	require.Equal(t, "n2 00000002", showing(t, req, "1001", "secret", "SHA-256"))
	reply(v.p, req, "200 OK", "r", "")
	require.NoError(t, <-closed)
}

// The server takes the counts of one nonce in whatever order calls of the same moment bring them.
func TestCallsAtOnceShareANonce(t *testing.T) {
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			<-ctx.Done()
		}
	}})
	phone := s.phone(t, nil)
	for range 4 {
		var g errgroup.Group
		for range 16 {
			g.Go(func() error {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				c, err := phone.Dial(ctx, sip.DialConfig{Target: "sip:1002@acme.test", Address: s.addr, From: "sip:1001@acme.test", Password: "acme.test" + password}, &media{})
				if err != nil {
					return err
				}
				return c.Hangup(ctx)
			})
		}
		require.NoError(t, g.Wait())
	}
	require.Zero(t, s.Stats().RefusedAuth)
}
