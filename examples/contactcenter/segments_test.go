package main

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
)

// What is for operators is on a listener of its own, which refuses a public address: nothing of it is reached through the listeners for phones and browsers,
// and no phone is served by it.
func TestManagementIsASegmentOfItsOwn(t *testing.T) {
	t.Parallel()
	control.Proves(t, "NET-06")
	w := startWorld(t, func(c *config) {
		c.Listen.WSS, c.Listen.Origins = "127.0.0.1:0", []string{"https://localhost:*"}
	})
	dial := func(addr string) *tls.Conn {
		t.Helper()
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: w.roots, ServerName: "acme.localhost"})
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		return c
	}
	for name, addr := range map[string]string{"phones": w.node.sipAddr, "browsers": w.node.wssAddr} {
		for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
			c := dial(addr)
			_, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: acme.localhost\r\nOrigin: https://localhost:1\r\n\r\n")
			require.NoError(t, err)
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				continue // no HTTP at all
			}
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			res.Body.Close()
			require.GreaterOrEqual(t, res.StatusCode, 400, "%s%s", name, path)
			require.Empty(t, body)
		}
	}
	c := dial(w.node.managementAddr)
	_, err := io.WriteString(c, "OPTIONS sip:acme.localhost SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKm\r\nMax-Forwards: 70\r\nFrom: <sip:a@acme.localhost>;tag=1\r\nTo: <sip:acme.localhost>\r\n"+
		"Call-ID: m\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
	require.NoError(t, err)
	answer, _ := io.ReadAll(c) // an error is an answer too: what counts is that it is not SIP
	require.NotContains(t, string(answer), "SIP/2.0 200")
	require.Contains(t, w.get(t, "/healthz"), "ok")

	cfg := testConfig(t, func(c *config) { c.Listen.Management = "0.0.0.0:8444" })
	require.ErrorContains(t, cfg.validate(), "management")
}
