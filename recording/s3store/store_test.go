package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/backup"
	"github.com/ringfence/ringfence/recording/backup/backuptest"
	"github.com/ringfence/ringfence/recording/filestore"
	"github.com/ringfence/ringfence/recording/recordingtest"
	"github.com/ringfence/ringfence/recording/s3store"
)

// flushing is a store whose writers wait for the bucket when they are closed, so that what is read afterwards comes from there.
type flushing struct{ *s3store.Store }

func (f flushing) Create(ctx context.Context, id string) (recording.BlobWriter, error) {
	w, err := f.Store.Create(ctx, id)
	return flushed{w, f.Store}, err
}

type flushed struct {
	recording.BlobWriter
	s *s3store.Store
}

func (f flushed) Close() error {
	return errors.Join(f.BlobWriter.Close(), f.s.Flush(context.Background()))
}

func TestAgainstARealServer(t *testing.T) {
	s := newService(t)
	prefixes := 0
	fresh := func(t *testing.T) s3store.Config {
		prefixes++
		return s.config(t.TempDir(), strings.Repeat("p", prefixes)+"/")
	}
	t.Run("conformance in the spool", func(t *testing.T) {
		recordingtest.TestBlobs(t, func(t *testing.T) recording.Blobs { return s.open(fresh(t)) })
	})
	t.Run("conformance in the bucket", func(t *testing.T) {
		recordingtest.TestBlobs(t, func(t *testing.T) recording.Blobs { return flushing{s.open(fresh(t))} })
	})
	t.Run("parts", func(t *testing.T) { testParts(t, s, fresh(t)) })
	t.Run("no version survives removal", func(t *testing.T) { testRemoval(t, s, fresh(t)) })
	t.Run("lock", func(t *testing.T) { testLock(t, s, fresh(t)) })
	t.Run("written once", func(t *testing.T) { testWrittenOnce(t, s, fresh(t)) })
	t.Run("swapped while it is read", func(t *testing.T) { testSwapped(t, s, fresh(t)) })
	t.Run("what a dead process left", func(t *testing.T) { testLeftOver(t, s, fresh(t)) })
	t.Run("refused", func(t *testing.T) { testRefused(t, s, fresh) })
	t.Run("backup target", func(t *testing.T) {
		backuptest.TestTarget(t, func(t *testing.T) backup.Target {
			target, err := s3store.OpenTarget(context.Background(), fresh(t).Service)
			require.NoError(t, err)
			t.Cleanup(target.Close)
			return target
		})
	})
	t.Run("a vault in the bucket", func(t *testing.T) { testVault(t, s, fresh(t)) })
	t.Run("outage", func(t *testing.T) { testOutage(t, s, fresh(t)) }) // last: it stops the server
}

func put(t *testing.T, b recording.Blobs, id string, content []byte) {
	t.Helper()
	w, err := b.Create(context.Background(), id)
	require.NoError(t, err)
	_, err = w.Write(content)
	require.NoError(t, errors.Join(err, w.Sync(), w.Close()))
}

func get(t *testing.T, b recording.Blobs, id string) []byte {
	t.Helper()
	r, err := b.Open(context.Background(), id)
	require.NoError(t, err)
	defer r.Close()
	all, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	require.NoError(t, err)
	return all
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

func testParts(t *testing.T, s *service, cfg s3store.Config) {
	store := s.open(cfg)
	long := noise(12<<20 + 17)
	put(t, store, "long", long)
	require.NoError(t, store.Flush(within(t, time.Minute)))
	assert.Zero(t, files(t, cfg.Spool), "what the bucket has is not kept here too")
	assert.True(t, bytes.Equal(long, get(t, store, "long")))
	r, err := store.Open(context.Background(), "long")
	require.NoError(t, err)
	defer r.Close()
	p := make([]byte, 100)
	for _, off := range []int64{0, 1<<20 - 50, 5 << 20, 12 << 20} { // within pages and over their borders
		n, err := r.ReadAt(p, off)
		require.True(t, err == nil || errors.Is(err, io.EOF), err)
		assert.Equal(t, long[off:off+int64(n)], p[:n])
	}
}

func testRemoval(t *testing.T, s *service, cfg s3store.Config) {
	ctx := context.Background()
	store := s.open(cfg)
	for _, id := range []string{"a", "a.rec"} { // one name begins like the other
		put(t, store, id, noise(1000))
	}
	require.NoError(t, store.Flush(within(t, time.Minute)))
	names := s.objects(cfg.Prefix)
	require.Len(t, names, 2)
	var name string
	for _, n := range names {
		if strings.HasSuffix(n, "/a.rec 1000") {
			name = strings.TrimSuffix(n, " 1000")
		}
	}
	// Somebody else made another version and deleted it the way that leaves a marker and both versions.
	_, err := s.admin.PutObject(ctx, bucket, name, strings.NewReader("second"), 6, minio.PutObjectOptions{})
	require.NoError(t, err)
	require.NoError(t, s.admin.RemoveObject(ctx, bucket, name, minio.RemoveObjectOptions{}))
	require.Len(t, s.objects(cfg.Prefix), 4)
	require.NoError(t, store.Remove(ctx, "a"))
	left := s.objects(cfg.Prefix)
	require.Len(t, left, 1)
	assert.True(t, strings.HasSuffix(left[0], "/a.rec.rec 1000"), left[0])
}

func testLock(t *testing.T, s *service, cfg s3store.Config) {
	ctx := context.Background()
	cfg.Lock = s3store.Lock{For: time.Hour}
	store := s.open(cfg)
	put(t, store, "kept", noise(1000))
	require.NoError(t, store.Flush(within(t, time.Minute)))
	require.ErrorIs(t, store.Remove(ctx, "kept"), s3store.ErrLocked)
	assert.Equal(t, noise(1000), get(t, store, "kept"))
	names := s.objects(cfg.Prefix)
	require.Len(t, names, 1)
	name, _, _ := strings.Cut(names[0], " ")
	mode, until, err := s.admin.GetObjectRetention(ctx, bucket, name, "")
	require.NoError(t, err)
	assert.Equal(t, minio.Governance, *mode)
	assert.WithinDuration(t, time.Now().Add(time.Hour), *until, time.Minute)
}

func testWrittenOnce(t *testing.T, s *service, cfg s3store.Config) {
	ctx := context.Background()
	store := s.open(cfg)
	put(t, store, "twice", []byte("first"))
	require.NoError(t, store.Flush(within(t, time.Minute)))
	// A second machine with a spool of its own, which cannot ask the bucket when the recording begins, has another recording of this name.
	second := s.config(t.TempDir(), cfg.Prefix)
	put(t, second.Spool, "twice", []byte("other"))
	other := s.open(second)
	require.Eventually(t, func() bool { return other.Pending().Err != nil }, 10*time.Second, 10*time.Millisecond)
	require.ErrorIs(t, other.Pending().Err, s3store.ErrConflict)
	assert.Equal(t, 1, files(t, second.Spool), "it is not thrown away")
	r, err := store.Open(ctx, "twice")
	require.NoError(t, err)
	defer r.Close()
	assert.Equal(t, "first", string(get(t, store, "twice")))
	// The same content is a process that died between its upload and the emptying of its spool.
	third := s.config(t.TempDir(), cfg.Prefix)
	put(t, third.Spool, "twice", []byte("first"))
	require.NoError(t, s.open(third).Flush(within(t, 10*time.Second)))
	assert.Zero(t, files(t, third.Spool))
}

func testSwapped(t *testing.T, s *service, cfg s3store.Config) {
	ctx := context.Background()
	store := s.open(cfg)
	put(t, store, "r", noise(3<<20))
	require.NoError(t, store.Flush(within(t, time.Minute)))
	r, err := store.Open(ctx, "r")
	require.NoError(t, err)
	defer r.Close()
	p := make([]byte, 10)
	_, err = r.ReadAt(p, 0)
	require.NoError(t, err)
	name, _, _ := strings.Cut(s.objects(cfg.Prefix)[0], " ")
	_, err = s.admin.PutObject(ctx, bucket, name, bytes.NewReader(make([]byte, 3<<20)), 3<<20, minio.PutObjectOptions{})
	require.NoError(t, err)
	_, err = r.ReadAt(p, 2<<20)
	require.Error(t, err, "half of one object and half of another")
}

func testLeftOver(t *testing.T, s *service, cfg s3store.Config) {
	ctx := context.Background()
	put(t, cfg.Spool, "closed", []byte("one"))
	w, err := cfg.Spool.Create(ctx, "open")
	require.NoError(t, err)
	_, err = w.Write([]byte("two")) // and then its process died
	require.NoError(t, err)
	store := s.open(cfg)
	require.NoError(t, store.Flush(within(t, 10*time.Second)))
	assert.Zero(t, files(t, cfg.Spool))
	put(t, store, "new", []byte("three"))
	var listed []recording.BlobInfo
	for b, err := range store.List(ctx) {
		require.NoError(t, err)
		listed = append(listed, b)
	}
	assert.ElementsMatch(t, []recording.BlobInfo{{ID: "closed", Size: 3, Finished: true}, {ID: "open", Size: 3, Finished: true}, {ID: "new", Size: 5, Finished: true}}, listed)
	assert.Equal(t, "one", string(get(t, store, "closed")))
	assert.Equal(t, "two", string(get(t, store, "open")))
}

func testRefused(t *testing.T, s *service, fresh func(*testing.T) s3store.Config) {
	for name, change := range map[string]func(*s3store.Config){
		"no endpoint":    func(c *s3store.Config) { c.Endpoint = "" },
		"a URL":          func(c *s3store.Config) { c.Endpoint = "http://" + c.Endpoint },
		"no bucket":      func(c *s3store.Config) { c.Bucket = "" },
		"another bucket": func(c *s3store.Config) { c.Bucket = "nobodys" },
		"no credentials": func(c *s3store.Config) { c.Credentials = nil },
		"no spool":       func(c *s3store.Config) { c.Spool = nil },
		"tiny parts":     func(c *s3store.Config) { c.PartSize = 1 << 20 },
		"prefix":         func(c *s3store.Config) { c.Prefix = "/a" },
		"negative":       func(c *s3store.Config) { c.Lock.For = -1 },
		"empty secret": func(c *s3store.Config) {
			c.Credentials = func(context.Context) (string, string, string, error) { return user, "", "", nil }
		},
		"unknown service": func(c *s3store.Config) { c.Roots = nil },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := fresh(t)
			change(&cfg)
			store, err := s3store.Open(within(t, 10*time.Second), cfg)
			if err == nil {
				store.Close()
			}
			require.Error(t, err)
		})
	}
	t.Run("a bucket that cannot lock", func(t *testing.T) {
		require.NoError(t, s.admin.MakeBucket(context.Background(), "unlocked", minio.MakeBucketOptions{}))
		cfg := fresh(t)
		cfg.Bucket, cfg.Lock.For = "unlocked", time.Hour
		_, err := s3store.Open(within(t, 10*time.Second), cfg)
		require.ErrorIs(t, err, s3store.ErrConfig)
	})
	t.Run("names", func(t *testing.T) {
		ctx := context.Background()
		store := s.open(fresh(t))
		for _, id := range []string{"", "..", "../x", "a/b", "-"} {
			_, err1 := store.Create(ctx, id)
			_, err2 := store.Open(ctx, id)
			for _, err := range []error{err1, err2, store.Remove(ctx, id)} {
				assert.ErrorIs(t, err, recording.ErrInvalid, id)
			}
		}
	})
}

// testVault makes a recording whose sound can be found again, and looks for it in everything that the service has stored.
func testVault(t *testing.T, s *service, cfg s3store.Config) {
	control.Proves(t, "ATR-04")
	ctx := context.Background()
	store := s.open(cfg)
	v, err := recording.New(recording.Config{Blobs: store, Catalog: &recordingtest.Catalog{}, Keys: recordingtest.NewKeys(1), Place: recording.Place{Owner: "acme"},
		Authorizer: recordingtest.Allow{}, Auditor: &recordingtest.Audit{}})
	require.NoError(t, err)
	defer v.Close()
	tr, err := v.Create(ctx, recording.Meta{ID: "r", Call: "canary-call-4711", Parties: []string{"caller"}})
	require.NoError(t, err)
	canary := []byte("the-canary-sings")
	for n := range 100 {
		tr.PartyAt(0, 0).WriteFrame(time.Duration(n)*20*time.Millisecond, recording.PCMU, bytes.Repeat(canary, 10))
	}
	require.NoError(t, tr.Close(ctx))
	require.NoError(t, store.Flush(within(t, 10*time.Second)))
	require.Zero(t, files(t, cfg.Spool))
	a, err := v.For(recordingtest.Allow{}, &recordingtest.Audit{})
	require.NoError(t, err)
	report, err := a.Verify(ctx, "r")
	require.NoError(t, err)
	assert.True(t, report.Complete)
	var wav bytes.Buffer
	_, err = a.Because("complaint").Export(ctx, "r", &wav)
	require.NoError(t, err)
	stored := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(s.dir, "data"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		stored += len(b)
		assert.False(t, bytes.Contains(b, canary) || bytes.Contains(b, []byte("canary-call")), path)
		return err
	}))
	assert.Greater(t, stored, 16000)
	// A bit of it flips in the bucket's own files, behind the service's back or with its help: here as another object of the same name.
	blob := get(t, store, "r")
	blob[len(blob)/2] ^= 1
	name, _, _ := strings.Cut(s.objects(cfg.Prefix)[0], " ")
	_, err = s.admin.PutObject(ctx, bucket, name, bytes.NewReader(blob), int64(len(blob)), minio.PutObjectOptions{})
	require.NoError(t, err)
	_, err = a.Verify(ctx, "r")
	require.ErrorIs(t, err, recording.ErrTampered)
	_, err = a.Destroy(ctx, "r", "asked for")
	require.NoError(t, err)
	assert.Empty(t, s.objects(cfg.Prefix))
}

// testOutage has the service away while a recording is made: it is made all the same, can be read, and arrives when the service is back.
func testOutage(t *testing.T, s *service, cfg s3store.Config) {
	cfg.Timeout = 2 * time.Second
	store := s.open(cfg)
	s.stop()
	put(t, store, "during", []byte("made without a bucket"))
	require.Eventually(t, func() bool { return store.Pending().Err != nil }, 20*time.Second, 10*time.Millisecond)
	assert.Equal(t, 1, store.Pending().Recordings)
	assert.Positive(t, store.Pending().Oldest)
	assert.Equal(t, "made without a bucket", string(get(t, store, "during")))
	_, err := store.Open(context.Background(), "elsewhere")
	require.Error(t, err)
	assert.NotErrorIs(t, err, recording.ErrNotFound, "nobody knows")
	require.ErrorIs(t, store.Flush(within(t, 50*time.Millisecond)), context.DeadlineExceeded)
	s.start()
	require.NoError(t, store.Flush(within(t, 30*time.Second)))
	assert.Zero(t, store.Pending())
	assert.Zero(t, files(t, cfg.Spool))
	assert.Equal(t, "made without a bucket", string(get(t, store, "during")))
}

// A spool that cannot be read is not taken for an empty one.
func TestASpoolThatFails(t *testing.T) {
	s := newService(t)
	dir := t.TempDir()
	cfg := s.config(dir, "x/")
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	_, err := filestore.Open(dir)
	require.Error(t, err)
	store, err := s3store.Open(context.Background(), cfg)
	if err == nil {
		_, err = store.Create(context.Background(), "a")
		store.Close()
	}
	require.Error(t, err)
}
