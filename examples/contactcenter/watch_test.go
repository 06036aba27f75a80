package main

import (
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

var (
	nonceOf = regexp.MustCompile(`nonce="([^"]*)"`)
	stateOf = regexp.MustCompile(`<state>(\w+)</state>`)
)

// watcher is a phone that subscribes, written by hand.
type watcher struct {
	t          *testing.T
	p          *siptest.Peer
	user, pass string
	n          int
}

func (w *world) watcher(user, pass string) *watcher {
	c, err := tls.Dial("tcp", w.node.sipAddr, &tls.Config{RootCAs: w.roots, ServerName: "acme.localhost"})
	require.NoError(w.t, err)
	return &watcher{t: w.t, p: siptest.NewPeer(w.t, c), user: user, pass: pass}
}

func md5hex(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) }

// send sends a request, answers its challenge, and wants a status.
func (w *watcher) send(method, uri, to, want string, extra ...string) {
	w.t.Helper()
	w.n++
	id, auth := fmt.Sprintf("watch-%s-%d", w.user, w.n), ""
	for seq := 1; seq <= 2; seq++ {
		lines := []string{method + " " + uri + " SIP/2.0", fmt.Sprintf("Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK%s%d;rport", id, seq), "Max-Forwards: 70",
			"From: <sip:" + w.user + "@acme.localhost>;tag=w", "To: <" + to + ">", "Call-ID: " + id, fmt.Sprintf("CSeq: %d %s", seq, method),
			"Contact: <sip:" + w.user + "@127.0.0.1:9;transport=tls>", "Expires: 600"}
		if auth != "" {
			lines = append(lines, auth)
		}
		w.p.Send("", append(lines, extra...)...)
		if auth != "" {
			w.p.Want(want)
			return
		}
		c := w.p.Want("401").Header.Get("Www-Authenticate")
		nonce := nonceOf.FindStringSubmatch(c)[1]
		answer := md5hex(md5hex(w.user+":acme.localhost:"+w.pass) + ":" + nonce + ":00000001:abc:auth:" + md5hex(method+":"+uri))
		auth = fmt.Sprintf(`Authorization: Digest username="%s", realm="acme.localhost", nonce="%s", uri="%s", response="%s", algorithm=MD5, qop=auth, nc=00000001, cnonce="abc"`, w.user, nonce, uri, answer)
	}
}

// notified reads the next NOTIFY and accepts it.
func (w *watcher) notified() siptest.Message {
	w.t.Helper()
	m := w.p.Want("NOTIFY")
	lines := []string{"SIP/2.0 200 OK"}
	for _, v := range m.Header.Values("Via") {
		lines = append(lines, "Via: "+v)
	}
	w.p.Send("", append(lines, "From: "+m.Header.Get("From"), "To: "+m.Header.Get("To"), "Call-ID: "+m.Header.Get("Call-Id"), "CSeq: "+m.Header.Get("Cseq"))...)
	return m
}

// A supervisor's phone sees whether users are registered and on a call, never with whom; others see nothing but their own messages.
func TestSupervisorsPhoneWatches(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	out, code := w.command("users", "add", "--tenant", "acme", "--as", "admin", "2001", "--role", "supervisor")
	require.Zero(t, code, out)
	pass := regexp.MustCompile(`password=(\S+)`).FindStringSubmatch(out)
	require.NotNil(t, pass, out)

	boss := w.watcher("2001", pass[1])
	watch := func(x *watcher, pkg, user, want string) {
		t.Helper()
		uri := "sip:" + user + "@acme.localhost"
		x.send("SUBSCRIBE", uri, uri, want, "Event: "+pkg)
	}
	colleague := w.watcher("1009", w.passwords["acme/1009"])
	watch(colleague, "dialog", "1001", "403")
	watch(colleague, "message-summary", "1001", "403")
	watch(colleague, "message-summary", "1009", "200")
	require.Contains(t, colleague.notified().Body, "Messages-Waiting: no")

	watch(boss, "dialog", "1777", "404")
	watch(boss, "dialog", "1001", "200")
	require.NotContains(t, boss.notified().Body, "<dialog ")
	seen := make(chan struct{})
	agent := w.agent("acme", "1001", 900, func(c *softphoneConfig) {
		c.answer = func(ctx context.Context, _ *sip.Call) error {
			select {
			case <-seen:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})

	phone := w.phone("acme", "1010", nil)
	c := w.dial(phone, "9001")
	until := func(state string) {
		t.Helper()
		for {
			m := boss.notified()
			require.NotContains(t, m.Body, "1010", "not with whom")
			if s := stateOf.FindStringSubmatch(m.Body); s != nil && s[1] == state {
				require.Contains(t, m.Body, `direction="recipient"`)
				return
			}
		}
	}
	until("early")
	close(seen)
	until("confirmed")
	eventually(t, "the agent is heard", func() bool { return c.ears.hears(900) })
	c.hangup()
	for strings.Contains(boss.notified().Body, "<dialog ") {
	}

	watch(boss, "reg", "1001", "200")
	require.Contains(t, boss.notified().Body, "<contact ")
	agent.close()
	deadline := time.Now().Add(patience)
	for strings.Contains(boss.notified().Body, "<contact ") {
		require.True(t, time.Now().Before(deadline))
	}
}
