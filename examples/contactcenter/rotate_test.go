package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// After a rotation old recordings open, without the old version of the key: nothing is wrapped with it any more.
func TestRotatedKeysOpenOldRecordings(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	id, _ := recorded(t, w)
	as := []string{"--tenant", "acme", "--as", "admin"}
	do := func(args ...string) string {
		t.Helper()
		out, code := w.command(append(args, as...)...)
		require.Zero(t, code, out)
		return out
	}
	_, code := w.command("keys", "rotate", "--tenant", "acme", "--as", "supervisor")
	require.Equal(t, exitRefused, code)
	_, code = w.command("recordings", "rewrap", "--tenant", "acme", "--as", "supervisor")
	require.Equal(t, exitRefused, code)
	before, err := w.node.sites[0].catalog.Get(t.Context(), id)
	require.NoError(t, err)

	out := do("keys", "rotate")
	require.Contains(t, out, "key version 2 in use")
	require.Contains(t, out, "keys of 1 recordings wrapped anew")
	require.Contains(t, do("recordings", "verify"), "ok          "+id)
	after, err := w.node.sites[0].catalog.Get(t.Context(), id)
	require.NoError(t, err)
	require.NotEqual(t, before.WrappedKey, after.WrappedKey)

	require.Contains(t, do("keys", "destroy", "1"), "key version 1 destroyed")
	require.Contains(t, do("keys", "list"), "destroyed")
	_, code = w.command(append([]string{"keys", "destroy", "2"}, as...)...)
	require.NotZero(t, code, "the version in use was destroyed")
	file := filepath.Join(t.TempDir(), "call.wav")
	do("recordings", "export", id, "-o", file, "--reason", "complaint-1")
	require.Greater(t, len(readFile(t, file)), 44)
	require.Contains(t, do("recordings", "rewrap", id), "keys of 1 recordings wrapped anew")
	_, code = w.command(append([]string{"recordings", "rewrap", "none"}, as...)...)
	require.Equal(t, exitFailed, code)
	do("audit", "verify")
	log := readFile(t, filepath.Join(w.cfg.Data, "tenants", "acme", "audit.log"))
	for _, action := range []string{"keys.rotate", "keys.destroy", "recording.rewrap", "recording.export"} {
		require.Contains(t, log, action)
	}
	// Credentials were sealed anew: a phone registers and calls as before.
	c := w.dial(w.phone("acme", "1009", nil), "9003")
	c.hangup()
}

// An export comes with a receipt that anybody checks without the data, and one altered byte of either is found.
func TestExportComesWithAReceipt(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	id, _ := recorded(t, w)
	file := filepath.Join(t.TempDir(), "call.flac")
	out, code := w.command("recordings", "export", id, "-o", file, "--format", "flac", "--party", "1", "--tenant", "acme", "--as", "admin", "--reason", "complaint-1")
	require.Zero(t, code, out)
	public := strings.TrimSpace(out[strings.Index(out, "public key ")+len("public key "):])
	out, code = w.command("recordings", "check", file, "--public", public)
	require.Zero(t, code, out)
	require.Contains(t, out, "ok  acme by admin")
	require.Contains(t, out, "complaint-1")
	for _, path := range []string{file, file + ".receipt"} {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		b[len(b)/2] ^= 1
		require.NoError(t, os.WriteFile(path, b, 0o600))
		_, code = w.command("recordings", "check", file, "--public", public)
		require.Equal(t, exitBad, code, path)
		b[len(b)/2] ^= 1
		require.NoError(t, os.WriteFile(path, b, 0o600))
	}
	_, code = w.command("recordings", "check", file, "--public", public)
	require.Zero(t, code)
}
