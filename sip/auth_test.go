package sip_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/insecuretransport"
	"github.com/ringfence/ringfence/sip/siptest"
)

var branch int

func registerLines(domain, user, auth string, seq int) []string {
	branch++
	lines := []string{
		"REGISTER sip:" + domain + " SIP/2.0", fmt.Sprintf("Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKr%d;rport", branch), "Max-Forwards: 70",
		"From: <sip:" + user + "@" + domain + ">;tag=f1", "To: <sip:" + user + "@" + domain + ">", fmt.Sprintf("Call-ID: reg-%d", branch), fmt.Sprintf("CSeq: %d REGISTER", seq),
		"Contact: <sip:" + user + "@127.0.0.1:9;transport=tls>;expires=120",
	}
	if auth != "" {
		lines = append(lines, "Authorization: "+auth)
	}
	return lines
}

// answer computes a digest independently of the package under test (RFC 7616 section 3.4).
func answer(challenge, algorithm, user, pass, method, uri string, nc int) string {
	get := func(name string) string {
		m := regexp.MustCompile(name + `="([^"]*)"`).FindStringSubmatch(challenge)
		if m == nil {
			return ""
		}
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
	realm, nonce := get("realm"), get("nonce")
	ncs := fmt.Sprintf("%08x", nc)
	resp := h(h(user+":"+realm+":"+pass) + ":" + nonce + ":" + ncs + ":c0ffee:auth:" + h(method+":"+uri))
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s, cnonce="c0ffee", qop=auth, nc=%s`, user, realm, nonce, uri, resp, algorithm, ncs)
}

func challenges(m siptest.Message) []string { return m.Header.Values("Www-Authenticate") }

func TestUnknownUserAndWrongPasswordLookTheSame(t *testing.T) {
	s := serve(t, sip.Config{})
	p := s.raw(t, "acme.test")
	shape := func(user, pass string) string {
		p.Send("", registerLines("acme.test", user, "", 1)...)
		first := p.Want("401")
		p.Send("", registerLines("acme.test", user, answer(challenges(first)[0], "SHA-256", user, pass, "REGISTER", "sip:acme.test", 1), 2)...)
		m := p.Want("401")
		var b strings.Builder
		b.WriteString(m.Start)
		for _, h := range []string{"Www-Authenticate", "Contact", "Server", "Content-Length", "Retry-After", "Warning"} {
			b.WriteString("|" + strings.Join(m.Header.Values(h), ","))
		}
		return regexp.MustCompile(`nonce="[^"]*"`).ReplaceAllString(b.String(), "nonce")
	}
	require.Equal(t, shape("1001", "wrong"), shape("7777", "wrong"))
}

func TestDigestPolicyPerRealm(t *testing.T) {
	s := serve(t, sip.Config{})
	for _, c := range []struct {
		domain, algorithm, want string
	}{
		{"acme.test", "SHA-256", "200"}, {"acme.test", "MD5", "200"},
		{"globex.test", "SHA-256", "200"}, {"globex.test", "MD5", "401"}, // globex lists no MD5
	} {
		p := s.raw(t, c.domain)
		p.Send("", registerLines(c.domain, "1001", "", 1)...)
		first := p.Want("401")
		a := answer(challenges(first)[0], c.algorithm, "1001", c.domain+password, "REGISTER", "sip:"+c.domain, 1)
		p.Send("", registerLines(c.domain, "1001", a, 2)...)
		p.Want(c.want)
	}
	p := s.raw(t, "acme.test")
	p.Send("", registerLines("acme.test", "1001", "", 1)...)
	all := challenges(p.Want("401"))
	require.Len(t, all, 2)
	require.Contains(t, all[0], "SHA-256", "the stronger one first (RFC 8760 section 2.3)")
	require.Contains(t, all[1], "MD5")
}

func TestCapturedDigestOpensNothingElse(t *testing.T) {
	s := serve(t, sip.Config{})
	p := s.raw(t, "acme.test")
	p.Send("", registerLines("acme.test", "1001", "", 1)...)
	ch := challenges(p.Want("401"))[0]
	good := answer(ch, "SHA-256", "1001", "acme.test"+password, "REGISTER", "sip:acme.test", 1)
	p.Send("", registerLines("acme.test", "1001", good, 2)...)
	p.Want("200")

	p.Send("", registerLines("acme.test", "1001", good, 3)...) // the same nonce count again
	require.Contains(t, challenges(p.Want("401"))[0], "stale=true")

	q := s.raw(t, "globex.test") // the same nonce in another realm
	q.Send("", registerLines("globex.test", "1001", answer(ch, "SHA-256", "1001", "globex.test"+password, "REGISTER", "sip:globex.test", 2), 2)...)
	q.Want("401")

	p.Send("", registerLines("acme.test", "1001", answer(ch, "SHA-256", "1001", "acme.test"+password, "INVITE", "sip:acme.test", 3), 4)...) // another method
	p.Want("401")
	p.Send("", registerLines("acme.test", "1001", answer(ch, "SHA-256", "1001", "acme.test"+password, "REGISTER", "sip:other.test", 4), 5)...) // another URI
	p.Want("401")
}

func TestRealmFollowsDomainAndServerName(t *testing.T) {
	s := serve(t, sip.Config{})
	p := s.raw(t, "acme.test")
	p.Send("", registerLines("globex.test", "1001", "", 1)...) // TLS says acme, the request says globex
	p.Want("403")
	p.Send("", registerLines("nowhere.test", "1001", "", 1)...)
	p.Want("404")
	// The AOR of another user, with one's own password.
	p.Send("", registerLines("acme.test", "1002", "", 1)...)
	ch := challenges(p.Want("401"))[0]
	p.Send("", registerLines("acme.test", "1002", answer(ch, "SHA-256", "1001", "acme.test"+password, "REGISTER", "sip:acme.test", 1), 2)...)
	p.Want("403")
}

func TestPasswordsAreNotAskedForInTheClear(t *testing.T) {
	ep, err := sip.New(sip.Config{Realm: realms})
	require.NoError(t, err)
	defer ep.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() {
		served <- insecuretransport.ServeTCP(context.Background(), ep, l, insecuretransport.Waiver{Name: "test", Until: time.Now().Add(time.Hour)})
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	p := siptest.NewPeer(t, c)
	p.Send("", registerLines("acme.test", "1001", "", 1)...)
	m := p.Want("403")
	require.Empty(t, challenges(m), "a challenge would draw the password out")
	control.Proves(t, "ENC-20", "ENC-07")
	ep.Close()
	<-served
}

func TestPlaintextWaiverIsPerUser(t *testing.T) {
	ep, err := sip.New(sip.Config{Realm: func(domain, serverName string) (sip.Realm, error) {
		r, err := realms(domain, serverName)
		r.Plaintext = func(_ context.Context, user, _ string) error {
			if user != "1001" {
				return sip.ErrUnknownUser
			}
			return nil
		}
		return r, err
	}})
	require.NoError(t, err)
	defer ep.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { // ends with the endpoint
		served <- insecuretransport.ServeTCP(context.Background(), ep, l, insecuretransport.Waiver{Name: "test", Until: time.Now().Add(time.Hour), Digest: true})
	}()
	for user, want := range map[string]string{"1001": "200", "1002": "403"} {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		p := siptest.NewPeer(t, c)
		p.Send("", registerLines("acme.test", user, "", 1)...)
		a := answer(challenges(p.Want("401"))[0], "SHA-256", user, "acme.test"+password, "REGISTER", "sip:acme.test", 1)
		p.Send("", registerLines("acme.test", user, a, 2)...)
		p.Want(want)
	}
	ep.Close()
	<-served
}

func TestPlaintextNeedsAWaiver(t *testing.T) {
	ep, err := sip.New(sip.Config{Realm: realms})
	require.NoError(t, err)
	defer ep.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	for _, w := range []insecuretransport.Waiver{{}, {Name: "x"}, {Until: time.Now().Add(time.Hour)}, {Name: "old", Until: time.Now().Add(-time.Second)}} {
		require.ErrorIs(t, insecuretransport.ServeTCP(context.Background(), ep, l, w), insecuretransport.ErrWaiver)
	}
	require.Error(t, ep.ServeTLS(context.Background(), l, sip.TLSConfig{}))
	control.Proves(t, "ENC-04")
}

func TestStrangerIsDisconnected(t *testing.T) {
	s := serve(t, sip.Config{AuthTimeout: 100 * time.Millisecond})
	p := s.raw(t, "acme.test")
	_, err := p.Read(5 * time.Second)
	require.Error(t, err)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	var ne net.Error
	require.False(t, func() bool { e, ok := err.(net.Error); ne = e; return ok && ne.Timeout() }(), "closed by the server, not by our deadline")
}

// RFC 8760: the strongest of what both know is used, on both sides.
func TestStrongestDigestIsUsed(t *testing.T) {
	used := make(chan string, 4)
	s := serve(t, sip.Config{Realm: func(domain, _ string) (sip.Realm, error) {
		return sip.Realm{Name: domain, Algorithms: []string{sip.SHA512256, sip.SHA256, sip.MD5}, Credentials: func(_ context.Context, user, algorithm string) ([]byte, error) {
			used <- algorithm
			return sip.HA1(algorithm, user, domain, password)
		}}, nil
	}})
	require.NoError(t, s.register(t, s.phone(t, nil), "sip:1001@acme.test", password))
	require.Equal(t, "SHA-512-256", <-used)
}
