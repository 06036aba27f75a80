package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
)

func TestWaiverIsInTheEvidence(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) {
		c.Waivers = []waiverConfig{{Name: "udp-lab", Listen: "127.0.0.1:0", Until: time.Now().AddDate(0, 1, 0).Format(time.DateOnly), Phones: []string{"globex/1009"}}}
	})
	path, err := w.dep.auditPath("globex")
	require.NoError(t, err)
	require.Contains(t, readFile(t, path), `"waiver.opened"`)

	// Each phone needs to be named, and its use is on record, once an hour.
	acme, globex := w.node.sites[0], w.node.sites[1]
	require.NoError(t, globex.plaintext(t.Context(), "1009", "192.0.2.1:5060"))
	require.NoError(t, globex.plaintext(t.Context(), "1009", "192.0.2.1:5060"))
	require.ErrorIs(t, globex.plaintext(t.Context(), "1010", "192.0.2.1:5060"), errNoWaiver)
	require.ErrorIs(t, acme.plaintext(t.Context(), "1009", "192.0.2.1:5060"), errNoWaiver, "the same number of another tenant")
	require.Equal(t, 1, strings.Count(readFile(t, path), `"waiver.used"`))

	_, err = loadConfig(configWith(t, "waiver \"late\" {\n  until = \"2020-13-01\"\n}\n"))
	require.ErrorContains(t, err, "late")
	cfg := testConfig(t, func(c *config) { c.Waivers = []waiverConfig{{Name: "old", Listen: "127.0.0.1:0", Until: "2020-01-01"}} })
	old := &world{t: t, cfg: cfg, passwords: map[string]string{}}
	require.ErrorContains(t, old.failToStart(), "no valid waiver")
	control.Proves(t, "ENC-07")
}
