package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/backup"
	"github.com/ringfence/ringfence/recording/filestore"
	"github.com/ringfence/ringfence/recording/recordingtest"
	"github.com/ringfence/ringfence/recording/sqlstore"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// tenant is the production of one tenant: files and a database in a folder of its own.
type tenant struct {
	t       *testing.T
	name    string
	dir     string
	keys    *recordingtest.Keys
	blobs   *filestore.Store
	catalog *sqlstore.Catalog
	vault   *recording.Vault
}

func newTenant(t *testing.T, name string) *tenant {
	t.Helper()
	x := &tenant{t: t, name: name, dir: filepath.Join(t.TempDir(), name), keys: recordingtest.NewKeys(1)}
	x.open()
	t.Cleanup(x.close)
	return x
}

func (x *tenant) open() {
	x.t.Helper()
	require.NoError(x.t, os.MkdirAll(x.dir, 0o700)) // lost, for some
	var err error
	x.blobs, err = filestore.Open(filepath.Join(x.dir, "blobs"))
	require.NoError(x.t, err)
	x.catalog, err = sqlstore.Open(context.Background(), filepath.Join(x.dir, "recordings.db"))
	require.NoError(x.t, err)
	x.vault, err = recording.New(recording.Config{Blobs: x.blobs, Catalog: x.catalog, Keys: x.keys, Signer: x.keys, Place: recording.Place{Owner: x.name},
		Authorizer: recordingtest.Allow{}, Auditor: &recordingtest.Audit{}})
	require.NoError(x.t, err)
}

func (x *tenant) close() {
	if x.vault == nil {
		return
	}
	require.NoError(x.t, x.vault.Close())
	require.NoError(x.t, x.catalog.Close())
	x.vault = nil
}

var (
	canarySound = []byte("the-canary-sings")
	canaryMeta  = "canary-caller-4711"
)

// record makes a recording of a second, whose sound and metadata can be found again.
func (x *tenant) record(id string) {
	x.t.Helper()
	tr, err := x.vault.Create(context.Background(), recording.Meta{ID: id, Call: canaryMeta, Parties: []string{"caller", "agent"}})
	require.NoError(x.t, err)
	for n := range 50 {
		tr.PartyAt(0, 0).WriteFrame(time.Duration(n)*20*time.Millisecond, recording.PCMU, bytes.Repeat(canarySound, 10))
	}
	require.NoError(x.t, tr.Close(context.Background()))
}

func (x *tenant) access() *recording.Access {
	x.t.Helper()
	a, err := x.vault.For(recordingtest.Allow{}, &recordingtest.Audit{})
	require.NoError(x.t, err)
	return a.Because("test")
}

func (x *tenant) backup(target backup.Target, to recording.Recipient) *backup.Backup {
	x.t.Helper()
	b, err := backup.New(backup.Config{Owner: x.name, Blobs: x.blobs, Catalog: x.catalog, Target: target, Recipient: to})
	require.NoError(x.t, err)
	return b
}

func (x *tenant) run(b *backup.Backup) backup.Report {
	x.t.Helper()
	r, err := b.Run(context.Background())
	require.NoError(x.t, errors.Join(err, r.Err()))
	return r
}

func (x *tenant) restore(target backup.Target, id *recording.Identity) (backup.Report, error) {
	return backup.Restore(context.Background(), backup.RestoreConfig{Owner: x.name, Target: target, Identity: id, Blobs: x.blobs, Catalog: x.catalog})
}

// whole verifies a recording and compares its sound.
func (x *tenant) whole(id string) {
	x.t.Helper()
	report, err := x.access().Verify(context.Background(), id)
	require.NoError(x.t, err, id)
	require.True(x.t, report.Complete, id)
}

func newKeys(t *testing.T) (*recording.Identity, recording.Recipient) {
	t.Helper()
	id, err := recording.NewIdentity(recording.SuiteMLKEM768X25519)
	require.NoError(t, err)
	to, err := id.Recipient("backup-2026")
	require.NoError(t, err)
	return id, to
}

func folder(t *testing.T) (*backup.Folder, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "elsewhere")
	require.NoError(t, os.Mkdir(dir, 0o700))
	f, err := backup.OpenFolder(dir)
	require.NoError(t, err)
	return f, dir
}

// contains reports which files under dir hold one of the needles.
func contains(t *testing.T, dir string, needles ...[]byte) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, n := range needles {
			if bytes.Contains(b, n) {
				files = append(files, path)
			}
		}
		return err
	}))
	return files
}

func TestTheCopyIsSealed(t *testing.T) {
	control.Proves(t, "BKP-01")
	x := newTenant(t, "acme")
	x.record("r1")
	secret, to := newKeys(t)
	target, dir := folder(t)
	r := x.run(x.backup(target, to))
	assert.Equal(t, 1, r.Copied)
	assert.Positive(t, r.Bytes)
	e, err := x.catalog.Get(context.Background(), "r1")
	require.NoError(t, err)
	private, err := secret.ExportSecret()
	require.NoError(t, err)
	assert.Empty(t, contains(t, dir, canarySound, []byte(canaryMeta), e.WrappedKey, e.Meta, []byte(private)), "nothing of a recording's key, names or sound is in the clear")
	keyID := to.KeyID()
	assert.Len(t, contains(t, dir, keyID[:]), 1, "the row says for which key it is sealed")
	assert.NotEmpty(t, contains(t, x.dir, e.WrappedKey), "the search finds what is there")
}

func TestAWrongKeyRestoresNothing(t *testing.T) {
	control.Proves(t, "KEY-02")
	x := newTenant(t, "acme")
	x.record("r1")
	_, to := newKeys(t)
	target, _ := folder(t)
	x.run(x.backup(target, to))
	empty := newTenant(t, "acme")
	before := len(contains(t, empty.dir, nil))
	stranger, _ := newKeys(t)
	_, err := empty.restore(target, stranger)
	require.ErrorIs(t, err, recording.ErrKey)
	_, err = empty.restore(target, nil)
	require.ErrorIs(t, err, backup.ErrConfig)
	for range empty.access().List(context.Background(), recording.Query{}) {
		t.Fatal("something was restored")
	}
	assert.Len(t, contains(t, empty.dir, nil), before, "no file was written")
	// With the right backup key but without the tenant's own, the sound stays shut.
	id, to2 := newKeys(t)
	x.run(x.backup(target, to2))
	empty.close()
	empty.keys = recordingtest.NewKeys(99)
	empty.open()
	r, err := empty.restore(target, id)
	require.NoError(t, errors.Join(err, r.Err()))
	_, err = empty.access().Open(context.Background(), "r1")
	require.ErrorIs(t, err, recording.ErrKey)
}

func TestTheProductionsOwnPlaceIsRefused(t *testing.T) {
	control.Proves(t, "BKP-02")
	x := newTenant(t, "acme")
	_, to := newKeys(t)
	for _, dir := range []string{filepath.Join(x.dir, "blobs"), filepath.Join(x.dir, "blobs", "copy"), x.dir, filepath.Join(x.dir, ".", "blobs", "..", "blobs")} {
		require.NoError(t, os.MkdirAll(dir, 0o700))
		f, err := backup.OpenFolder(dir)
		require.NoError(t, err)
		_, err = backup.New(backup.Config{Owner: "acme", Blobs: x.blobs, Catalog: x.catalog, Target: f, Recipient: to})
		require.ErrorIs(t, err, backup.ErrConfig, dir)
	}
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(filepath.Join(x.dir, "blobs"), link))
	f, err := backup.OpenFolder(link)
	require.NoError(t, err)
	_, err = backup.New(backup.Config{Owner: "acme", Blobs: x.blobs, Catalog: x.catalog, Target: f, Recipient: to})
	require.ErrorIs(t, err, backup.ErrConfig)
	// A store that does not say where it is must be told of.
	target, dir := folder(t)
	cfg := backup.Config{Owner: "acme", Blobs: &recordingtest.Blobs{}, Catalog: x.catalog, Target: target, Recipient: to}
	_, err = backup.New(cfg)
	require.ErrorIs(t, err, backup.ErrConfig)
	cfg.Place = "nas-7"
	b, err := backup.New(cfg)
	require.NoError(t, err)
	from, at := b.Placement()
	assert.Equal(t, "nas-7", from)
	assert.True(t, strings.HasSuffix(at, dir), at)
	for name, change := range map[string]func(*backup.Config){
		"tenant":    func(c *backup.Config) { c.Owner = "../x" },
		"recipient": func(c *backup.Config) { c.Recipient = recording.Recipient{} },
		"target":    func(c *backup.Config) { c.Target = nil },
	} {
		bad := cfg
		change(&bad)
		_, err := backup.New(bad)
		require.ErrorIs(t, err, backup.ErrConfig, name)
	}
}

// The runbook of the package documentation: one tenant's files are deleted by mistake, and only that tenant comes back.
func TestOneTenantIsRestored(t *testing.T) {
	control.Proves(t, "BKP-08")
	const recordings = 20
	const agreed = 15 * time.Second // for so little; what counts is that it is measured
	secret, to := newKeys(t)
	target, _ := folder(t)
	acme, globex := newTenant(t, "acme"), newTenant(t, "globex")
	for _, x := range []*tenant{acme, globex} {
		for i := range recordings {
			x.record(fmt.Sprintf("r%d", i)) // the same names in both
		}
		x.run(x.backup(target, to))
	}
	other := contains(t, globex.dir, nil)

	acme.close()
	require.NoError(t, os.RemoveAll(acme.dir))
	start := time.Now()
	acme.open()
	text, err := secret.ExportSecret() // as it comes from where it is kept
	require.NoError(t, err)
	id, err := recording.ParseIdentity(text)
	require.NoError(t, err)
	r, err := acme.restore(target, id)
	require.NoError(t, errors.Join(err, r.Err()))
	took := time.Since(start)
	assert.Equal(t, recordings, r.Copied)
	for i := range recordings {
		acme.whole(fmt.Sprintf("r%d", i))
		globex.whole(fmt.Sprintf("r%d", i))
	}
	assert.Less(t, took, agreed)
	t.Logf("%d recordings of %d bytes restored in %v", r.Copied, r.Bytes, took)
	assert.Equal(t, other, contains(t, globex.dir, nil), "nobody else's files were touched")
	r, err = acme.restore(target, id)
	require.NoError(t, err)
	assert.Equal(t, backup.Report{Unchanged: recordings}, r, "again changes nothing")

	// One recording's file is damaged, another's row is gone with its database: both come back.
	require.NoError(t, acme.blobs.Remove(context.Background(), "r3"))
	w, err := acme.blobs.Create(context.Background(), "r3")
	require.NoError(t, err)
	_, err = w.Write([]byte("rubbish"))
	require.NoError(t, errors.Join(err, w.Close()))
	r, err = backup.Restore(context.Background(), backup.RestoreConfig{Owner: "acme", Target: target, Identity: id, Blobs: acme.blobs, Catalog: acme.catalog,
		Only: func(id string) bool { return id == "r3" || id == "r4" }})
	require.NoError(t, errors.Join(err, r.Err()))
	assert.Equal(t, 1, r.Copied)
	assert.Equal(t, 1, r.Unchanged)
	acme.whole("r3")
}

// A tenant's rows do not open as another's, so that a target's owner cannot pass one tenant's recordings to another.
func TestTenantsCopiesAreNotExchanged(t *testing.T) {
	secret, to := newKeys(t)
	target, dir := folder(t)
	acme, globex := newTenant(t, "acme"), newTenant(t, "globex")
	acme.record("r1")
	acme.run(acme.backup(target, to))
	require.NoError(t, os.Rename(filepath.Join(dir, "acme"), filepath.Join(dir, "globex")))
	_, err := globex.restore(target, secret)
	require.ErrorIs(t, err, recording.ErrKey)
}

// What was destroyed is gone from the copy after the next Run, and no older copy brings it back.
func TestTheDestroyedStaysDestroyed(t *testing.T) {
	ctx := context.Background()
	secret, to := newKeys(t)
	target, dir := folder(t)
	x := newTenant(t, "acme")
	x.record("dead")
	x.record("alive")
	b := x.backup(target, to)
	x.run(b)
	old := t.TempDir()
	require.NoError(t, os.CopyFS(old, os.DirFS(dir))) // somebody kept last week's copy

	_, err := x.access().Destroy(ctx, "dead", "asked for")
	require.NoError(t, err)
	r := x.run(b)
	assert.Equal(t, backup.Report{Forgotten: 1, Unchanged: 1}, r)
	assert.Equal(t, backup.Report{Unchanged: 2}, x.run(b))
	for o, err := range target.Sizes(ctx, "acme/blobs/") {
		require.NoError(t, err)
		assert.Equal(t, "acme/blobs/alive", o.Name)
	}

	// Into the production, from last week's copy: it stays dead.
	lastWeek, err := backup.OpenFolder(old)
	require.NoError(t, err)
	r, err = x.restore(lastWeek, secret)
	require.NoError(t, errors.Join(err, r.Err()))
	assert.Equal(t, backup.Report{Forgotten: 1, Unchanged: 1}, r)
	_, err = x.access().Open(ctx, "dead")
	require.ErrorIs(t, err, recording.ErrDestroyed)

	// Into new stores, from the copy as it is: it comes back as destroyed, without a key.
	fresh := newTenant(t, "acme")
	r, err = fresh.restore(target, secret)
	require.NoError(t, errors.Join(err, r.Err()))
	assert.Equal(t, 1, r.Copied)
	assert.Equal(t, 1, r.Forgotten)
	fresh.whole("alive")
	_, err = fresh.access().Open(ctx, "dead")
	require.ErrorIs(t, err, recording.ErrDestroyed)
	e, err := fresh.catalog.Get(ctx, "dead")
	require.NoError(t, err)
	assert.Empty(t, e.WrappedKey)
	assert.Empty(t, e.Meta)
}

// A copy that somebody changed is not put back, and the rest is.
func TestADamagedCopyIsRefused(t *testing.T) {
	secret, to := newKeys(t)
	for name, damage := range map[string]func(t *testing.T, blob, row string){
		"blob flipped": func(t *testing.T, blob, _ string) { flip(t, blob, 200) },
		"blob cut": func(t *testing.T, blob, _ string) {
			require.NoError(t, os.Truncate(blob, 100))
		},
		"blob longer": func(t *testing.T, blob, _ string) {
			b, err := os.ReadFile(blob)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(blob, append(b, 0), 0o600))
		},
		"blob gone":         func(t *testing.T, blob, _ string) { require.NoError(t, os.Remove(blob)) },
		"row flipped":       func(t *testing.T, _, row string) { flip(t, row, -1) },
		"digest flipped":    func(t *testing.T, _, row string) { flip(t, row, 25) },
		"row cut":           func(t *testing.T, _, row string) { require.NoError(t, os.Truncate(row, 30)) },
		"row of a stranger": func(t *testing.T, _, row string) { require.NoError(t, os.WriteFile(row, []byte("hello"), 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			target, dir := folder(t)
			x := newTenant(t, "acme")
			x.record("a-good")
			x.record("bad")
			x.run(x.backup(target, to))
			damage(t, filepath.Join(dir, "acme", "blobs", "bad"), filepath.Join(dir, "acme", "rows", "bad"))
			fresh := newTenant(t, "acme")
			r, err := fresh.restore(target, secret)
			require.NoError(t, err)
			require.Len(t, r.Failed, 1)
			assert.Equal(t, "bad", r.Failed[0].ID)
			require.Error(t, r.Err())
			fresh.whole("a-good")
			_, err = fresh.blobs.Open(context.Background(), "bad")
			require.ErrorIs(t, err, recording.ErrNotFound, "nothing half is left")
			_, err = fresh.catalog.Get(context.Background(), "bad")
			require.ErrorIs(t, err, recording.ErrNotFound)
		})
	}
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

// failing is a target that fails for one name.
type failing struct {
	*backup.Folder
	name string
}

var errFull = errors.New("disk full")

func (f failing) Put(ctx context.Context, name string, r io.Reader, size int64) error {
	if strings.Contains(name, f.name) {
		return errFull
	}
	return f.Folder.Put(ctx, name, r, size)
}

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	_, to := newKeys(t)
	target, _ := folder(t)
	x := newTenant(t, "acme")
	for _, id := range []string{"a", "b", "c"} {
		x.record(id)
	}
	b := x.backup(failing{target, "blobs/b"}, to)
	r, err := b.Run(context.Background())
	require.NoError(t, err)
	assert.Equal(t, 2, r.Copied)
	require.ErrorIs(t, r.Err(), errFull)
	good := x.run(x.backup(target, to))
	assert.Equal(t, 1, good.Copied)
	assert.Equal(t, 2, good.Unchanged)
	// Another recipient, as after the loss of a key: everything is sealed anew.
	_, next := newKeys(t)
	assert.Equal(t, 3, x.run(x.backup(target, next)).Copied)
	// What is being recorded waits for its end.
	tr, err := x.vault.Create(context.Background(), recording.Meta{ID: "open", Parties: []string{"caller"}})
	require.NoError(t, err)
	assert.Equal(t, 1, x.run(x.backup(target, next)).Open)
	require.NoError(t, tr.Close(context.Background()))
	assert.Equal(t, 1, x.run(x.backup(target, next)).Copied)
}
