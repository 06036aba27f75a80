package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
)

func TestWaiverIsInTheEvidence(t *testing.T) {
	w := startWorld(t, func(c *config) {
		c.Waivers = []waiverConfig{{Name: "udp-lab", Listen: "127.0.0.1:0", Until: time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}}
	})
	path, err := w.dep.auditPath("globex")
	require.NoError(t, err)
	require.Contains(t, readFile(t, path), `"waiver.used"`)
	require.Contains(t, w.log.String(), "PLAINTEXT SIP under a waiver")

	_, err = loadConfig(configWith(t, "waiver \"late\" {\n  until = \"2020-13-01\"\n}\n"))
	require.ErrorContains(t, err, "late")
	cfg := testConfig(t, func(c *config) { c.Waivers = []waiverConfig{{Name: "old", Listen: "127.0.0.1:0", Until: "2020-01-01"}} })
	old := &world{t: t, cfg: cfg, passwords: map[string]string{}}
	require.ErrorContains(t, old.failToStart(), "no valid waiver")
	control.Proves(t, "ENC-07")
}
