package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/srtp/media"
)

// spy is a leg that remembers the descriptions it made and got, keys and all.
type spy struct {
	*media.Leg
	seen []string
}

func (s *spy) Offer(ctx context.Context) ([]byte, error) {
	b, err := s.Leg.Offer(ctx)
	s.seen = append(s.seen, string(b))
	return b, err
}

func (s *spy) Accept(ctx context.Context, answer []byte) error {
	s.seen = append(s.seen, string(answer))
	return s.Leg.Accept(ctx, answer)
}

var inline = regexp.MustCompile(`inline:([A-Za-z0-9+/=]+)`)

// Every call has keys of its own, in each direction, and none of them is in a log at any level, in an event or in the audit log.
func TestKeysAreFreshAndInNoLog(t *testing.T) {
	t.Parallel()
	w := &world{t: t, cfg: testConfig(t, nil), passwords: map[string]string{}}
	w.level = slog.LevelDebug
	w.start()
	t.Cleanup(w.close)
	p := w.phone("acme", "1009", nil)
	keys := map[string]int{}
	for range 5 {
		leg, err := p.engine.NewLeg(media.LegConfig{SignallingSecure: true})
		require.NoError(t, err)
		s := &spy{Leg: leg}
		ctx := soon(t)
		call, err := p.ep.Dial(ctx, sip.DialConfig{Target: "sip:9002@acme.localhost", Address: p.cfg.server, From: p.aor(), Password: p.cfg.password}, s)
		require.NoError(t, err)
		require.NoError(t, call.Hangup(ctx))
		leg.Close()
		for _, m := range inline.FindAllStringSubmatch(strings.Join(s.seen, "\n"), -1) {
			keys[m[1]]++
		}
	}
	require.GreaterOrEqual(t, len(keys), 10, "an offer and an answer of each call")
	for k, n := range keys {
		require.Equal(t, 1, n, "a key was used twice")
		require.NotContains(t, w.logged(), k)
	}
	all, err := json.Marshal(w.find(func(event) bool { return true }))
	require.NoError(t, err)
	require.NotContains(t, string(all)+w.logged(), "inline:")
	for _, pw := range w.passwords {
		require.NotContains(t, w.logged(), pw)
	}
	control.Proves(t, "ENC-10")
}

func TestManagementIsEncryptedAndNamesNobody(t *testing.T) {
	t.Parallel()
	require.Error(t, privateAddress("0.0.0.0:8444"))
	require.Error(t, privateAddress("8.8.8.8:8444"))
	require.NoError(t, privateAddress("127.0.0.1:8444"))
	w := startWorld(t, nil)
	w.agent("acme", "1001", 900, nil)
	c := w.dial(w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) }), "9002")
	eventually(t, "echo", func() bool { return c.leg.Stats().Received > 10 })
	body := w.get(t, "/metrics")
	require.Contains(t, body, `contactcenter_calls 1`)
	require.Contains(t, body, `contactcenter_agents{state="ready",tenant="acme"} 1`)
	for _, name := range []string{"1001", "1009", "127.0.0.1:"} {
		require.NotContains(t, body, `"`+name)
	}
	require.Equal(t, "ok\n", w.get(t, "/healthz"))
	require.Equal(t, "ready\n", w.get(t, "/readyz"))
	_, err := tls.Dial("tcp", w.node.managementAddr, &tls.Config{RootCAs: w.roots, ServerName: "localhost", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	require.Error(t, err)
}

func TestBrokenConfigurationAndFlowsStopTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, want string }{
		"unknown setting":        {strings.Replace(string(demoConfig), `ring     = "15s"`, `rings = "15s"`, 1), "rings"},
		"bad period":             {strings.Replace(string(demoConfig), `"13 months"`, `"forever"`, 1), "forever"},
		"public management":      {strings.Replace(string(demoConfig), "127.0.0.1:8444", "0.0.0.0:8444", 1), "loopback or private"},
		"two tenants, one name":  {strings.Replace(string(demoConfig), `"globex" {`, `"acme" {`, 1), "twice"},
		"one domain, two owners": {strings.Replace(string(demoConfig), `"globex.localhost"`, `"acme.localhost"`, 1), "two tenants"},
	} {
		path := t.TempDir() + "/c.hcl"
		writeFile(t, path, c.config)
		_, err := loadConfig(path)
		require.ErrorContains(t, err, c.want, name)
	}
	dir := t.TempDir()
	writeFile(t, dir+"/x.ivr.hcl", "flow \"main\" {\n  language = \"en\"\n  start = \"a\"\n  play \"a\" {\n    prompt = \"welcome\"\n    next = \"nowhere\"\n  }\n}\n")
	cfg := testConfig(t, func(c *config) {
		c.Tenants[0].Flows = dir
		c.Tenants[0].Numbers = []numberConfig{{Number: "9000", Flow: "main"}}
	})
	dep, err := openDeployment(t.Context(), cfg, true)
	require.NoError(t, err)
	defer dep.Close()
	require.NoError(t, dep.ensureTenants(t.Context(), &strings.Builder{}))
	_, err = newNode(t.Context(), cfg, dep, &strings.Builder{}, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "x.ivr.hcl:6")
	require.ErrorContains(t, err, "nowhere")
}
