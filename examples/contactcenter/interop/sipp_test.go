package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/siptest"
)

// sippRun is one run of a scenario of testdata.
type sippRun struct {
	scenario  string // file name
	user      string
	password  string // empty: that of the user
	domain    string // empty: acme.localhost
	number    string
	plaintext bool   // over the waived UDP listener, not through TLS
	via       string // transport that it speaks itself; empty: what plaintext says
	routed    bool   // in-dialog requests take the recorded route
	local     int    // its own port; zero: a free one
	port      int    // of the listener or the tunnel
	media     int    // port of the session description; nobody need be there
	profile   string
	keys      string // the attribute of the session description, without "a="
	pause     time.Duration
	digit     string
	extra     []string
}

// sdesKey is a master key and salt of AES_CM_128_HMAC_SHA1_80: any 30 bytes.
const sdesKey = "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw"

// tunnel lets sipp, which has no TLS, speak it: socat and OpenSSL verify our certificate against the authority in the data folder.
func tunnel(t *testing.T, s *server, options string) int {
	t.Helper()
	port := siptest.FreePort(t)
	out := background(t, exec.Command("socat", "-d", "-d", fmt.Sprintf("TCP-LISTEN:%d,bind=127.0.0.1,fork,reuseaddr,backlog=128", port),
		fmt.Sprintf("OPENSSL:127.0.0.1:%d,cafile=%s,%s", s.site.SIP, s.ca(), options)))
	eventually(t, "socat listens", func() bool { return strings.Contains(out.String(), "listening on") })
	return port
}

const asAcme = "commonname=acme.localhost,snihost=acme.localhost"

// start begins a run; wait returns its trace of messages when it has ended well.
func (r sippRun) start(t *testing.T, s *server) (trace func() string, wait func() string) {
	t.Helper()
	need(t, "sipp", "socat")
	if r.domain == "" {
		r.domain = "acme.localhost"
	}
	if r.password == "" {
		r.password = s.password(r.user, r.domain)
	}
	if r.media == 0 {
		r.media = 9 // discard
	}
	if r.profile == "" {
		r.profile, r.keys = "RTP/SAVP", sdesKey
	}
	if r.keys == "" {
		r.keys = "sendrecv"
	}
	mode, via := "t1", "TLS"
	if r.plaintext || r.via == "UDP" {
		mode, via = "u1", "UDP"
	}
	if r.via != "" {
		via = r.via
	}
	if r.local == 0 {
		r.local = siptest.FreePort(t)
	}
	uri := r.number + "@" + r.domain
	if r.number == "" { // a registration
		uri = r.domain
	}
	scenario := filepath.Join("testdata", r.scenario)
	if r.routed {
		scenario = routedScenario(t, scenario)
	}
	file := filepath.Join(t.TempDir(), "messages.log")
	args := []string{fmt.Sprintf("127.0.0.1:%d", r.port), "-sf", scenario, "-p", fmt.Sprint(r.local), "-t", mode, "-i", "127.0.0.1", "-s", r.number, "-m", "1",
		"-au", r.user, "-ap", r.password, "-auth_uri", uri, "-d", fmt.Sprint(r.pause.Milliseconds()),
		"-key", "domain", r.domain, "-key", "caller", r.user, "-key", "via", via, "-key", "media", fmt.Sprint(r.media), "-key", "profile", r.profile,
		"-key", "keys", r.keys, "-key", "digit", r.digit,
		"-nostdin", "-timeout", "120s", "-timeout_error", "-recv_timeout", "60000", "-trace_msg", "-message_file", file, "-default_behaviors", "all,-bye"}
	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Second)
	cmd := exec.CommandContext(ctx, "sipp", append(args, r.extra...)...)
	cmd.WaitDelay = 2 * time.Second
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	waited := false
	t.Cleanup(func() {
		cancel()
		if !waited {
			<-ended
		}
	})
	trace = func() string {
		b, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		return string(b)
	}
	wait = func() string {
		t.Helper()
		waited = true
		if err := <-ended; err != nil {
			t.Fatalf("sipp %s: %v\n%s\n%s", r.scenario, err, out, trace())
		}
		return trace()
	}
	return trace, wait
}

// routedScenario is a scenario whose requests in a dialog carry the route that was recorded.
func routedScenario(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	text := regexp.MustCompile(`(?m)^( *)(ACK|BYE) \[next_url\] SIP/2\.0$`).ReplaceAllString(string(b), "$1$2 [next_url] SIP/2.0\n$1[routes]")
	require.NotEqual(t, string(b), text)
	out := filepath.Join(t.TempDir(), filepath.Base(path))
	require.NoError(t, os.WriteFile(out, []byte(text), 0o600))
	return out
}

func (r sippRun) run(t *testing.T, s *server) string {
	t.Helper()
	_, wait := r.start(t, s)
	return wait()
}

// responses cuts the responses with a status out of a trace of messages.
func responses(trace string, status string) []string {
	var out []string
	for _, m := range strings.Split(trace, "-----------------------------------------------") {
		if at := strings.Index(m, "SIP/2.0 "+status); at >= 0 && strings.Contains(m[:at], "received") {
			out = append(out, m[at:])
		}
	}
	return out
}
