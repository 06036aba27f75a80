package interop

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/siptest"
)

// edge starts kamailio between phones and the server: UDP and TCP below, TLS with the name of a tenant above.
func edge(t *testing.T, s *server) int {
	t.Helper()
	need(t, "kamailio")
	dir := t.TempDir()
	cert := siptest.NewAuthority(t).Issue(time.Time{}, "127.0.0.1")
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(t, err)
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	fill := func(name string, pairs ...string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		return write(name, strings.NewReplacer(pairs...).Replace(string(b)))
	}
	tls := fill("tls.cfg", "KEY", write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))),
		"CERT", write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))), "CA", s.ca())
	port := siptest.FreePort(t)
	config := fill("kamailio.cfg", "PORT", portString(port), "SECURE", portString(siptest.FreePort(t)), "UPSTREAM", portString(s.site.SIP), "TLSCONFIG", tls)
	require.NoError(t, os.Chmod(dir, 0o755))
	out := background(t, exec.Command("kamailio", "-f", config, "-DD", "-E", "-m", "64", "-M", "8", "-Y", dir, "-P", filepath.Join(dir, "pid"), "-L", modulesOf(t)))
	eventually(t, "kamailio listens", func() bool {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", portString(port)))
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("kamailio:", out.String())
		}
	})
	return port
}

// modulesOf is where Debian keeps kamailio's modules.
func modulesOf(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/kamailio/modules")
	require.NoError(t, err)
	if len(found) == 0 {
		missing(t, "kamailio's modules are not installed")
	}
	return found[0]
}

// A SIP edge between phones and us: calls follow the route it records, and a phone that registered through it is called along its path.
func TestKamailioInTheMiddle(t *testing.T) {
	need(t, "sipp", "kamailio")
	t.Parallel()
	s := startServer(t, siteConfig{})
	port := edge(t, s)

	t.Run("a call through it", func(t *testing.T) {
		trace := sippRun{scenario: "call.xml", user: "1009", number: "9002", port: port, via: "TCP", routed: true, pause: 300 * time.Millisecond}.run(t, s)
		require.Contains(t, responses(trace, "200")[0], "Record-Route", "the edge is on the route")
		require.Equal(t, "ivr-ended", s.await("ended", 1).Record.Outcome)
	})
	t.Run("a call to a phone behind it", func(t *testing.T) {
		own := siptest.FreePort(t)
		trace := sippRun{scenario: "register.xml", user: "1010", port: port, via: "UDP", local: own}.run(t, s)
		require.Contains(t, responses(trace, "200")[0], "Path:")
		fourth := strings.Replace(sdesKey, "crypto:1", "crypto:4", 1) // of the suites that we offer, the one of this key
		_, wait := sippRun{scenario: "called.xml", user: "1010", number: "1010", port: port, via: "UDP", local: own, profile: "RTP/SAVP", keys: fourth}.start(t, s)
		sippRun{scenario: "call.xml", user: "1009", number: "1010", port: port, via: "TCP", routed: true, pause: time.Second}.run(t, s)
		require.Contains(t, wait(), "Route")
	})
}
