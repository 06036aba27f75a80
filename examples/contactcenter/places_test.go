package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/recording"
	recstore "github.com/ringfence/ringfence/recording/sqlstore"
	"github.com/ringfence/ringfence/retention"
	"github.com/ringfence/ringfence/sip/siptest"
)

// keeping is the demo's configuration with more in the recording block of acme, as a change of a world's and as a file for commands.
func keeping(t *testing.T, more string) (change func(*config), file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "keeping.hcl")
	writeFile(t, file, strings.Replace(string(demoConfig), "  recording {\n", "  recording {\n"+more+"\n", 1))
	cfg, err := loadConfig(file)
	require.NoError(t, err)
	return func(c *config) { c.Tenants[0].Recording = cfg.Tenants[0].Recording }, file
}

func replicaIn(dir string) string { return fmt.Sprintf("replica { dir = %q }", dir) }

// talked holds a conversation in which the agent says 900 Hz, and returns its recording.
func (w *world) talked(tenant string) (id string) {
	t := w.t
	t.Helper()
	complete := func() []event {
		return w.find(func(e event) bool { return e.Event == "recording" && e.Tenant == tenant && e.Cause == "complete" })
	}
	before := len(complete())
	p := w.agent(tenant, "1001", 900, nil)
	c := w.dial(w.phone(tenant, "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) }), "9001")
	eventually(t, "they talk", func() bool { n, _ := c.ears.heard(); return c.ears.hears(900) && n > 8000 })
	c.hangup()
	eventually(t, "recorded", func() bool { return len(complete()) == before+1 })
	p.close()
	for i, s := range w.node.sites { // the next one who registers as this agent is not taken for this one
		if s.name == tenant {
			eventually(t, "the agent has gone", func() bool { st, _ := w.state(i, "1001"); return st == acd.LoggedOut })
		}
	}
	return complete()[before].Recording
}

// contents are the files under dir, by their paths there. Files that get their last names meanwhile are looked for again.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	for range 100 {
		found := map[string]string{}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".") { // the marker of the folder
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			b, err := os.ReadFile(path)
			found[name] = string(b)
			return err
		})
		if err == nil || pathOf(err) == dir {
			return found
		}
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	t.Fatalf("%s does not come to rest", dir)
	return nil
}

// pathOf is the file that an error is about.
func pathOf(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Path
	}
	return ""
}

// sounds are the hashes of the recordings under dir. Whether a file has its last name is left out: a recording is acknowledged when its bytes are safe.
func sounds(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	found := map[string][32]byte{}
	for name, text := range contents(t, dir) {
		found[strings.TrimSuffix(strings.TrimSuffix(name, ".rec"), ".part")] = sha256.Sum256([]byte(text))
	}
	return found
}

// plays checks that a recording is what was written, and that the agent is heard in it.
func (w *world) plays(file, id string) {
	t := w.t
	t.Helper()
	out, code := w.command("--config", file, "recordings", "verify", id, "--tenant", "acme", "--as", "auditor")
	require.Zero(t, code, out)
	require.Contains(t, out, "ok          "+id)
	require.Contains(t, out, "signed")
	wav := filepath.Join(t.TempDir(), "call.wav")
	out, code = w.command("--config", file, "recordings", "export", id, "-o", wav, "--tenant", "acme", "--as", "admin", "--reason", "test")
	require.Zero(t, code, out)
	_, right := readStereo(t, wav)
	require.True(t, toneIn(right, 900))
}

// metric is the value of a metric of acme.
func (w *world) metric(name string) string {
	w.t.Helper()
	for _, line := range lines(w.get(w.t, "/metrics")) {
		if v, ok := strings.CutPrefix(line, name+`{tenant="acme"} `); ok {
			return v
		}
	}
	return ""
}

// A recording that is complete is in both places. When the disk of the first is lost, the second's copy verifies and plays.
func TestTheReplicaPlaysWhatThePrimaryLost(t *testing.T) {
	t.Parallel()
	second := t.TempDir()
	change, file := keeping(t, replicaIn(second))
	w := startWorld(t, change)
	id := w.talked("acme")
	first := filepath.Join(w.cfg.Data, "tenants", "acme", "recordings")
	require.Len(t, sounds(t, first), 1)
	require.Equal(t, sounds(t, first), sounds(t, filepath.Join(second, "acme", "recordings")), "complete means that both places have it")
	body := w.get(t, "/metrics")
	for _, m := range []string{"lag_recordings", "lag_bytes", "lag_seconds", "failing"} {
		require.Contains(t, body, `contactcenter_replica_`+m+`{tenant="acme"} 0`)
	}
	require.NotContains(t, body, `contactcenter_replica_failing{tenant="globex"}`)
	require.NotContains(t, body, id)
	w.close()

	require.NoError(t, os.RemoveAll(first))
	w.plays(file, id)
	w.start()
	w.plays(file, id)
	again := w.talked("acme")
	w.plays(file, again)
}

// What an operator adds a replica to, or what was missed while it was away, is copied after the start; calls do not wait for it, and the lag is visible.
func TestTheReplicaCatchesUpBehindTheStart(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	id := w.talked("acme")
	w.close()
	second := t.TempDir()
	change, file := keeping(t, replicaIn(second))
	change(w.cfg)
	name := ""
	for n := range contents(t, filepath.Join(w.cfg.Data, "tenants", "acme", "recordings")) {
		name = n
	}
	blocked := filepath.Join(second, "acme", "recordings", filepath.Dir(name)) // a file where the copy's folder would be: the second disk fails
	require.NoError(t, os.MkdirAll(filepath.Dir(blocked), 0o700))
	writeFile(t, blocked, "")
	w.start()
	eventually(t, "the failure is visible", func() bool { return w.metric("contactcenter_replica_failing") == "1" })
	require.Equal(t, "1", w.metric("contactcenter_replica_lag_recordings"))
	require.NotEqual(t, "0", w.metric("contactcenter_replica_lag_bytes"))
	require.Equal(t, "ready\n", w.get(t, "/readyz"))
	c := w.dial(w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) }), "9002")
	eventually(t, "calls go on", func() bool { n, _ := c.ears.heard(); return n > 800 })
	c.hangup()
	require.NoError(t, os.Remove(blocked))
	require.NoError(t, w.node.sites[0].catalog.copies.Flush(soon(t)), "without the pauses of a copier that failed")
	require.Equal(t, "0", w.metric("contactcenter_replica_lag_recordings"))
	require.NotContains(t, w.get(t, "/metrics"), id)
	w.close()
	require.NoError(t, os.RemoveAll(filepath.Join(w.cfg.Data, "tenants", "acme", "recordings")))
	w.plays(file, id)
}

// The program is killed while a call is recorded. After the next start both places have what was recorded, and both know that it is incomplete.
func TestTheReplicaCatchesUpAfterACrash(t *testing.T) {
	t.Parallel()
	second := t.TempDir()
	w := &world{t: t, cfg: testConfig(t, nil), passwords: map[string]string{}}
	port := siptest.FreePort(t)
	p := startProcess(t, w, port) // without a replica: the crash leaves all of it behind
	agent := w.agent("acme", "1001", 900, nil)
	c := w.dial(w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) }), "9001")
	eventually(t, "they talk", func() bool { return c.ears.hears(900) })
	hears(t, w.taken(agent, 0), 3*time.Second) // recorded, but for the last moments
	p.kill()
	w.recording = replicaIn(second) + "\n"
	p = startProcess(t, w, port)
	first, copied := filepath.Join(w.cfg.Data, "tenants", "acme", "recordings"), filepath.Join(second, "acme", "recordings")
	eventually(t, "the copy is whole", func() bool { return maps.Equal(sounds(t, first), sounds(t, copied)) })
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.cmd.Wait())
	require.NoError(t, os.RemoveAll(first))
	out, code := w.command("--config", filepath.Join(filepath.Dir(w.cfg.Data), "crash.hcl"), "recordings", "verify", "--tenant", "acme", "--as", "auditor")
	require.Zero(t, code, out)
	require.Contains(t, out, "incomplete")
	rows, err := recstore.Open(t.Context(), filepath.Join(second, "acme", "catalog.db"))
	require.NoError(t, err)
	defer rows.Close()
	n := 0
	for e, err := range rows.List(t.Context(), recording.Filter{}) {
		require.NoError(t, err)
		require.Equal(t, recording.StateIncomplete, e.State)
		n++
	}
	require.Equal(t, 1, n)
}

// Deleted by hand, due, or withdrawn by the caller: nothing of it is left in the second place, not its sound and not its key.
func TestDestroyedIsGoneInBothPlaces(t *testing.T) {
	t.Parallel()
	second := t.TempDir()
	change, file := keeping(t, replicaIn(second))
	w := startWorld(t, change)
	as := []string{"--config", file, "--tenant", "acme", "--as", "admin"}
	secondRows := func() *recstore.Catalog { return w.node.sites[0].catalog.secondRows }
	gone := func(id string, key []byte) {
		t.Helper()
		require.NotEmpty(t, key)
		for _, dir := range []string{filepath.Join(w.cfg.Data, "tenants", "acme"), second} {
			for name, text := range contents(t, dir) {
				require.NotContains(t, filepath.Base(name), id, dir)
				if strings.Contains(name, ".db") {
					require.False(t, bytes.Contains([]byte(text), key), "the wrapped key is in %s", name)
				}
			}
		}
		e, err := secondRows().Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, recording.StateDestroyed, e.State)
	}
	a := w.talked("acme")
	left := map[string]string{}
	for name, text := range contents(t, second) {
		if strings.Contains(name, a) {
			left[name] = text
		}
	}
	require.Len(t, left, 1)
	row, err := secondRows().Get(t.Context(), a)
	require.NoError(t, err)
	out, code := w.command(append([]string{"recordings", "delete", a, "--reason", "asked for"}, as...)...)
	require.Zero(t, code, out)
	gone(a, row.WrappedKey)

	b := w.talked("acme")
	row, err = secondRows().Get(t.Context(), b)
	require.NoError(t, err)
	due := retention.Due(row.Created, retention.Period{Months: 13}, time.UTC).Add(time.Second)
	out, code = w.command(append([]string{"retention", "run", "--now", due.Format(time.RFC3339Nano)}, as...)...)
	require.Zero(t, code, out)
	require.Contains(t, out, "1 erased")
	gone(b, row.WrappedKey)

	w.agent("acme", "1001", 900, nil)
	c := w.dial(w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) }), "9001")
	eventually(t, "they talk", func() bool { return c.ears.hears(900) })
	for e, err := range secondRows().List(t.Context(), recording.Filter{State: recording.StateOpen}) {
		require.NoError(t, err)
		row = e
	}
	require.NoError(t, c.leg.SendDigits(soon(t), "*9"))
	withdrawn := func() []event {
		return w.find(func(e event) bool { return e.Event == "recording" && e.Cause == "withdrawn" })
	}
	eventually(t, "purged", func() bool { return len(withdrawn()) == 1 })
	require.Equal(t, row.ID, withdrawn()[0].Recording)
	gone(row.ID, row.WrappedKey)
	c.hangup()

	// What an outage left in a place goes when both are compared.
	for name, text := range left {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(second, name)), 0o700))
		writeFile(t, filepath.Join(second, name), text)
	}
	require.NoError(t, w.node.sites[0].catalog.agree(t.Context()))
	for name := range contents(t, second) {
		require.NotContains(t, name, a)
	}
}

// A folder that is the data folder's, around it, inside it, behind a link to it, or not there is refused by its option's name; so is a line that means nothing.
func TestPlacesThatAreNone(t *testing.T) {
	t.Parallel()
	data, elsewhere := filepath.Join(t.TempDir(), "data"), t.TempDir()
	public := func() string {
		out, code := (&world{}).keygen(t, filepath.Join(t.TempDir(), "identity"))
		require.Zero(t, code)
		return strings.TrimSpace(out)
	}()
	in := filepath.Join(data, "tenants", "acme", "recordings")
	require.NoError(t, os.MkdirAll(in, 0o700))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(in, link))
	require.NoError(t, os.Mkdir(filepath.Join(elsewhere, "inner"), 0o700))
	notThere := filepath.Join(elsewhere, "not-mounted")
	backupIn := func(dir string) string { return fmt.Sprintf("backup {\n dir = %q\n recipient = %q\n}", dir, public) }
	for name, c := range map[string]struct{ more, want string }{
		"the recordings themselves": {replicaIn(in), "recording.replica.dir"},
		"a link to them":            {replicaIn(link), "one place"},
		"the data folder":           {replicaIn(data), "recording.replica.dir"},
		"around the data folder":    {replicaIn(filepath.Dir(data)), "one place"},
		"not mounted":               {replicaIn(notThere), "mount or make it first"},
		"a backup in the data":      {backupIn(in), "recording.backup.dir"},
		"a backup in the replica":   {replicaIn(elsewhere) + "\n" + backupIn(filepath.Join(elsewhere, "inner")), "recording.backup.dir"},
	} {
		t.Run(name, func(t *testing.T) {
			change, _ := keeping(t, c.more)
			w := &world{t: t, cfg: testConfig(t, change)}
			w.cfg.Data = data
			require.ErrorContains(t, w.failToStart(), c.want)
		})
	}
	_, err := os.Stat(notThere)
	require.ErrorIs(t, err, fs.ErrNotExist, "nothing is made where nothing is mounted")
	for name, c := range map[string]struct{ more, want string }{
		"no folder":        {`replica { dir = "" }`, "recording.replica.dir"},
		"unknown setting":  {`replica { folder = "/x" }`, "keeping.hcl:"},
		"no recipient":     {`backup { dir = "/x" }`, "recipient"},
		"no key":           {"backup {\n dir = \"/x\"\n recipient = \"/no/such/file\"\n}", "recording.backup.recipient"},
		"half a key":       {fmt.Sprintf("backup {\n dir = \"/x\"\n recipient = %q\n}", public[:len(public)-2]), "recording.backup.recipient"},
		"a strange period": {fmt.Sprintf("backup {\n dir = \"/x\"\n recipient = %q\n every = \"daily\"\n}", public), "recording.backup.every"},
	} {
		path := filepath.Join(t.TempDir(), "keeping.hcl")
		writeFile(t, path, strings.Replace(string(demoConfig), "  recording {\n", "  recording {\n"+c.more+"\n", 1))
		_, err := loadConfig(path)
		require.ErrorContains(t, err, c.want, name)
	}
}

// While the disk of the second place is unmounted, calls go on, nothing is written to the disk below, and a recording is acknowledged only when both have it. The first place has all of it, and the second later too.
func TestTheSecondPlaceFailsDuringACall(t *testing.T) {
	t.Parallel()
	second := t.TempDir()
	change, file := keeping(t, replicaIn(second))
	w := startWorld(t, change)
	copies := filepath.Join(second, "acme", "recordings")
	away := filepath.Join(second, "away")
	require.NoError(t, os.Rename(copies, away))
	require.NoError(t, os.Mkdir(copies, 0o700)) // the folder on which it was mounted
	w.agent("acme", "1001", 900, nil)
	c := w.dial(w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) }), "9001")
	eventually(t, "they talk", func() bool { n, _ := c.ears.heard(); return c.ears.hears(900) && n > 8000 })
	c.hangup()
	said := func() []event { return w.find(named("recording")) }
	eventually(t, "it is said", func() bool { return len(said()) == 1 })
	require.Equal(t, "incomplete", said()[0].Cause)
	require.Equal(t, "1", w.metric("contactcenter_replica_failing"))
	require.NoError(t, os.Remove(copies), "nothing is in it")
	require.NoError(t, os.Rename(away, copies))
	require.NoError(t, w.node.sites[0].catalog.copies.Flush(soon(t)), "without the pauses of a copier that failed")
	require.Equal(t, "0", w.metric("contactcenter_replica_lag_recordings"))
	require.Equal(t, sounds(t, filepath.Join(w.cfg.Data, "tenants", "acme", "recordings")), sounds(t, copies))
	w.close()
	require.NoError(t, os.RemoveAll(filepath.Join(w.cfg.Data, "tenants", "acme", "recordings")))
	out, code := w.command("--config", file, "recordings", "verify", "--tenant", "acme", "--as", "auditor")
	require.Zero(t, code, out)
	require.Contains(t, out, "incomplete  "+said()[0].Recording)
}
