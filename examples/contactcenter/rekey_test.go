package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Keys that may protect few packets are replaced by re-INVITEs in time, and the conversation goes on.
func TestCallsGetNewKeysInTime(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) { c.Media.KeyLifetime = minKeyLifetime })
	echo := w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) })
	c := w.dial(echo, "9002")
	first := c.leg.Stats()
	start := time.Now()
	// 20 s of media: more than one key of ours may protect.
	require.Eventually(t, func() bool { return c.leg.Stats().Received > minKeyLifetime+150 }, 2*patience, 50*time.Millisecond)
	s := c.leg.Stats()
	require.Less(t, s.Lost-first.Lost, uint64(5), "over %v", time.Since(start))
	eventually(t, "the echo is heard under the new key", func() bool { return c.ears.hears(600) })
	require.NotContains(t, w.logged(), "no new keys")
	c.hangup()
}

func TestKeyLifetimeIsChecked(t *testing.T) {
	t.Parallel()
	c := testConfig(t, func(c *config) { c.Media.KeyLifetime = 100 })
	require.ErrorContains(t, c.validate(), "key_lifetime")
}
