package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/recording"
)

// keygen makes the key of a backup.
func (w *world) keygen(t *testing.T, path string) (public string, code int) {
	t.Helper()
	var out, errs strings.Builder
	code = run(t.Context(), []string{"backup", "keygen", "-o", path}, &out, &errs)
	return out.String() + errs.String(), code
}

// copyFolder copies files, as an operator's own backup of the data folder does.
func copyFolder(t *testing.T, from string) (to string) {
	t.Helper()
	to = filepath.Join(t.TempDir(), "copy")
	for name, text := range contents(t, from) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o700))
		writeFile(t, filepath.Join(to, name), text)
	}
	return to
}

// The disk of the recordings is lost; the keys are kept, as the manual says. The backup brings everything back, but what was destroyed stays so, and nobody
// else's recordings are concerned.
func TestABackupIsRestored(t *testing.T) {
	t.Parallel()
	dir, keys := t.TempDir(), t.TempDir()
	identity := filepath.Join(keys, "identity")
	public, code := (&world{}).keygen(t, identity)
	require.Zero(t, code, public)
	recipient := filepath.Join(keys, "recipient")
	writeFile(t, recipient, public)
	// A running server does so itself; here an hour goes by without it, so that each step is the command's.
	change, file := keeping(t, fmt.Sprintf("backup {\n dir = %q\n recipient = %q\n every = \"1h\"\n}", dir, recipient))
	w := startWorld(t, change)
	eventually(t, "the first backup, of nothing", func() bool {
		v := w.metric("contactcenter_backup_last_success_timestamp_seconds")
		return v != "0" && v != ""
	})
	w.close()
	fresh := copyFolder(t, w.cfg.Data) // users, keys and no recording
	w.start()
	do := func(want int, args ...string) string {
		t.Helper()
		out, code := w.command(append(args, "--config", file, "--tenant", "acme", "--as", "admin")...)
		require.Equal(t, want, code, out)
		return out
	}
	a, b, foreign := w.talked("acme"), w.talked("acme"), w.talked("globex")
	require.Contains(t, do(0, "backup", "run"), "backed up 2 recordings")
	require.Contains(t, do(0, "backup", "run"), "2 were there already")
	tape := copyFolder(t, dir) // of before b was destroyed
	do(0, "recordings", "delete", b, "--reason", "asked for")
	require.Contains(t, do(0, "backup", "run"), "1 forgotten")

	t.Run("who may", func(t *testing.T) {
		for _, as := range []string{"supervisor", "auditor", "1001", "nobody"} {
			out, code := w.command("--config", file, "backup", "run", "--tenant", "acme", "--as", as)
			require.Equal(t, exitRefused, code, out)
			out, code = w.command("--config", file, "backup", "restore", "--from", dir, "--identity", identity, "--tenant", "acme", "--as", as)
			require.Equal(t, exitRefused, code, out)
		}
		out, code := w.command("--config", file, "backup", "run", "--tenant", "globex", "--as", "admin")
		require.Equal(t, exitFailed, code)
		require.Contains(t, out, "no recording.backup")
	})
	t.Run("one at a time", func(t *testing.T) {
		unlock, err := lockFile(filepath.Join(w.cfg.Data, "tenants", "acme", "backup.lock"))
		require.NoError(t, err)
		defer unlock()
		require.Contains(t, do(exitFailed, "backup", "run"), "another backup of the tenant is running")
	})
	t.Run("the copy shows nothing and holds nothing of others", func(t *testing.T) {
		theirs := contents(t, filepath.Join(w.cfg.Data, "tenants", "globex", "recordings"))
		require.Len(t, theirs, 1)
		for name, text := range contents(t, dir) {
			require.True(t, strings.HasPrefix(name, "acme/"), name)
			require.NotContains(t, name, foreign)
			for _, their := range theirs {
				for at := 0; at+32 <= len(their); at += len(their) / 20 {
					require.NotContains(t, text, their[at:at+32], name)
				}
			}
			for _, plain := range []string{"globex", "1009", "1001", "sales", `"caller"`} {
				require.NotContains(t, text, plain, name)
			}
		}
	})
	restore := func(want int, data, from, identity string) string {
		t.Helper()
		out, code := w.command("--data", data, "--config", file, "backup", "restore", "--from", from, "--identity", identity, "--tenant", "acme", "--as", "admin")
		require.Equal(t, want, code, out)
		return out
	}
	w.close()
	first := filepath.Join(w.cfg.Data, "tenants", "acme", "recordings")
	t.Run("beside a server it is refused", func(t *testing.T) {
		unlock, err := lockData(w.cfg.Data)
		require.NoError(t, err)
		defer unlock()
		require.Contains(t, restore(exitFailed, w.cfg.Data, dir, identity), "stop the server")
	})
	require.NoError(t, os.RemoveAll(first))
	t.Run("the wrong identity restores nothing", func(t *testing.T) {
		other := filepath.Join(t.TempDir(), "other")
		_, code := (&world{}).keygen(t, other)
		require.Zero(t, code)
		out := restore(exitFailed, w.cfg.Data, dir, other)
		require.Contains(t, out, "nothing was restored")
		require.NotContains(t, out, strings.Split(readFile(t, other), ":")[2])
		require.Empty(t, contents(t, first))
		require.Contains(t, restore(exitFailed, w.cfg.Data, dir, recipient), "public key where a secret one belongs")
		require.Contains(t, restore(exitFailed, w.cfg.Data, t.TempDir(), identity), "no backup of tenant")
	})
	t.Run("into what was left, from a copy of before the deletion", func(t *testing.T) {
		others := sounds(t, filepath.Join(w.cfg.Data, "tenants", "globex"))
		out := restore(0, w.cfg.Data, tape, identity)
		require.Contains(t, out, "destroyed   "+b)
		require.Contains(t, out, "restored 1 recordings")
		require.Contains(t, out, "1 stay destroyed, 0 failed")
		require.Contains(t, restore(0, w.cfg.Data, tape, identity), "1 were there already")
		require.Equal(t, others, sounds(t, filepath.Join(w.cfg.Data, "tenants", "globex")), "another tenant's files are as they were")
		require.Len(t, contents(t, first), 1)
		w.plays(file, a)
		out, code := w.command("--config", file, "recordings", "verify", b, "--tenant", "acme", "--as", "auditor")
		require.NotZero(t, code)
		require.Contains(t, out, "destroyed")
		out, code = w.command("--config", file, "audit", "verify", "--tenant", "acme", "--as", "auditor")
		require.Zero(t, code, out)
		log := readFile(t, filepath.Join(w.cfg.Data, "tenants", "acme", "audit.log"))
		for _, action := range []string{"backup.run", "backup.done", "backup.restore", "backup.restored", "service:backup"} {
			require.Contains(t, log, action)
		}
	})
	t.Run("into a fresh folder with the keys", func(t *testing.T) {
		data := copyFolder(t, fresh)
		out := restore(0, data, dir, identity)
		require.Contains(t, out, "restored 1 recordings")
		require.Contains(t, out, "destroyed   "+b)
		there := *w.cfg
		there.Data = data
		(&world{t: t, cfg: &there}).plays(file, a)
		for name := range contents(t, filepath.Join(data, "tenants")) {
			require.NotContains(t, name, b)
			require.NotContains(t, name, foreign)
		}
	})
	t.Run("a damaged copy is said and not taken", func(t *testing.T) {
		data, bad := copyFolder(t, fresh), copyFolder(t, dir)
		path := filepath.Join(bad, "acme", "blobs", a)
		blob := []byte(readFile(t, path))
		blob[len(blob)/2] ^= 1
		writeFile(t, path, string(blob))
		out := restore(exitBad, data, bad, identity)
		require.Contains(t, out, "FAILED      "+a)
		require.Contains(t, out, "damaged")
		require.Empty(t, contents(t, filepath.Join(data, "tenants", "acme", "recordings")))
	})
}

// With a replica, restoring fills both places, from the replica what only it has; and what the replica knows as destroyed stays so, even where the rows of the
// first place are older than the deletion.
func TestARestoreFillsBothPlaces(t *testing.T) {
	t.Parallel()
	dir, second, identity := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "identity")
	public, code := (&world{}).keygen(t, identity)
	require.Zero(t, code)
	change, file := keeping(t, replicaIn(second)+fmt.Sprintf("\nbackup {\n dir = %q\n recipient = %q\n}", dir, strings.TrimSpace(public)))
	w := startWorld(t, change)
	w.close()
	fresh := copyFolder(t, w.cfg.Data)
	w.start()
	do := func(args ...string) string {
		t.Helper()
		out, code := w.command(append(args, "--config", file, "--tenant", "acme", "--as", "admin")...)
		require.Zero(t, code, out)
		return out
	}
	a, b := w.talked("acme"), w.talked("acme")
	require.Contains(t, do("backup", "run"), "backed up 2")
	do("recordings", "delete", b, "--reason", "asked for") // the backup does not know
	c := w.talked("acme")                                  // nor this
	w.close()
	require.NoError(t, os.RemoveAll(w.cfg.Data))
	require.NoError(t, os.Rename(fresh, w.cfg.Data))
	for name := range contents(t, second) { // the replica has lost one
		if strings.Contains(name, a) {
			require.NoError(t, os.Remove(filepath.Join(second, name)))
		}
	}
	out := do("backup", "restore", "--from", dir, "--identity", identity)
	require.Contains(t, out, "destroyed   "+b)
	require.Contains(t, out, "restored 1 recordings")
	require.Equal(t, sounds(t, filepath.Join(w.cfg.Data, "tenants", "acme", "recordings")), sounds(t, filepath.Join(second, "acme", "recordings")))
	for _, id := range []string{a, c} {
		w.plays(file, id)
	}
	for name := range contents(t, second) {
		require.NotContains(t, name, b)
	}
}

// A running server backs up by itself, says so in its log and its metrics without naming anybody, and leaves its own entries in the audit log.
func TestTheServerBacksUpByItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	public, code := (&world{}).keygen(t, filepath.Join(t.TempDir(), "identity"))
	require.Zero(t, code)
	change, file := keeping(t, fmt.Sprintf("backup {\n dir = %q\n recipient = %q\n every = \"1s\"\n}", dir, strings.TrimSpace(public)))
	w := startWorld(t, change)
	id := w.talked("acme")
	eventually(t, "it is in the copy", func() bool { return contents(t, dir)["acme/rows/"+id] != "" })
	eventually(t, "it is in the log", func() bool { return strings.Contains(w.logged(), "msg=backup tenant=acme copied=1 ") })
	require.NotEqual(t, "0", w.metric("contactcenter_backup_last_success_timestamp_seconds"))
	require.Equal(t, "0", w.metric("contactcenter_backup_failed_recordings"))
	require.NotContains(t, w.get(t, "/metrics"), id)
	for _, line := range lines(w.logged()) {
		if strings.Contains(line, "backup") {
			require.NotContains(t, line, "1009")
			require.NotContains(t, line, "1001")
		}
	}
	// The disk of the copy goes away and comes back: the server goes on, and says it.
	away := filepath.Join(t.TempDir(), "away")
	require.NoError(t, os.Rename(dir, away))
	eventually(t, "the failure is visible", func() bool { return w.metric("contactcenter_backup_broken") == "1" })
	require.NoFileExists(t, dir)
	require.NoError(t, os.Rename(away, dir))
	eventually(t, "and its end", func() bool { return w.metric("contactcenter_backup_broken") == "0" })
	out, code := w.command("--config", file, "audit", "verify", "--tenant", "acme", "--as", "auditor")
	require.Zero(t, code, out)
	log := readFile(t, filepath.Join(w.cfg.Data, "tenants", "acme", "audit.log"))
	require.Contains(t, log, "service:backup")
	require.Contains(t, log, "backup.done")
}

// The private key is written once, for its owner alone, and shown nowhere; a server that is given it in the place of the public one refuses.
func TestTheKeyOfABackup(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "identity")
	out, code := (&world{}).keygen(t, path)
	require.Zero(t, code, out)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	secret := strings.TrimSpace(readFile(t, path))
	require.NotContains(t, out, strings.Split(secret, ":")[2])
	to, err := recording.ParseRecipient("backup", out)
	require.NoError(t, err)
	identity, err := recording.ParseIdentity(secret)
	require.NoError(t, err)
	own, err := identity.Recipient("backup")
	require.NoError(t, err)
	require.Equal(t, own.Text(), to.Text())

	out, code = (&world{}).keygen(t, path)
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "exists")
	require.Equal(t, secret, strings.TrimSpace(readFile(t, path)), "not overwritten")
	_, code = (&world{}).keygen(t, "-")
	require.NotZero(t, code, "a secret is not for a terminal")

	for _, given := range []string{secret, path} {
		err := (&backupConfig{Dir: "/x", Recipient: given}).check()
		require.ErrorContains(t, err, "recipient: ")
		require.ErrorContains(t, err, "secret key where a public one belongs")
		require.NotContains(t, err.Error(), secret[20:60])
	}
	require.NoError(t, (&backupConfig{Dir: "/x", Recipient: own.Text(), Every: "5m"}).check())
	require.Error(t, (&backupConfig{Dir: "/x", Recipient: own.Text(), Every: "1ms"}).check())
	every, err := duration("", backupEvery)
	require.NoError(t, err)
	require.Equal(t, 24*time.Hour, every)
}
