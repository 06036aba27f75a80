package recording_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/filestore"
	"github.com/ringfence/ringfence/recording/recordingtest"
	"github.com/ringfence/ringfence/recording/sqlstore"
)

// watchedKeys remembers the keys it was given.
type watchedKeys struct {
	*recordingtest.Keys
	seen [][]byte
}

func (w *watchedKeys) WrapKey(ctx context.Context, dek, aad []byte) ([]byte, error) {
	w.seen = append(w.seen, bytes.Clone(dek))
	return w.Keys.WrapKey(ctx, dek, aad)
}

// Everything that somebody said, wrote or is called is encrypted at rest with a 256-bit key of its own: no stored byte shows any of it, whichever kind of
// content it was, nor any key.
func TestNothingAtRestIsReadable(t *testing.T) {
	control.Proves(t, "ATR-01")
	ctx := context.Background()
	dir := t.TempDir()
	blobs, err := filestore.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := sqlstore.Open(ctx, filepath.Join(dir, "ringfence.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, to := identity(t, recording.SuiteMLKEM768X25519, "customer")
	keys := &watchedKeys{Keys: recordingtest.NewKeys(1)}
	v, err := recording.New(recording.Config{Blobs: blobs, Catalog: catalog, Keys: keys, Signer: keys, Place: home, Recipients: []recording.Recipient{to},
		Authorizer: recordingtest.Allow{}, Auditor: &recordingtest.Audit{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"r1", "r2"} {
		tr, err := v.Create(ctx, recording.Meta{ID: id, Call: canary, Parties: []string{canary, "agent"}, Attributes: map[string]string{canary: canary}})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 150 {
			at := time.Duration(n) * 20 * time.Millisecond
			tr.PartyAt(0, 0).WriteFrame(at, []string{recording.PCMU, recording.PCMA, recording.G722}[n/50], canaryFrame())
			tr.PartyAt(1, 0).WriteFrame(at, recording.Opus, append([]byte{19 << 3}, canaryFrame()...))
		}
		if err := tr.Mark(recording.MarkTransfer, canary); err != nil {
			t.Fatal(err)
		}
		closeTrack(t, tr)
	}
	a := access(t, v)
	if err := a.Rewrap(ctx, "r1", recording.Rewrap{}); err != nil {
		t.Fatal(err)
	}
	row, err := catalog.Get(ctx, "r2")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(v.Close(), catalog.Close()); err != nil {
		t.Fatal(err)
	}
	if len(keys.seen) != 3 || bytes.Equal(keys.seen[0], keys.seen[1]) || !bytes.Equal(keys.seen[0], keys.seen[2]) {
		t.Fatalf("%d keys were wrapped, or two recordings share one", len(keys.seen))
	}
	files := scanForCanary(t, dir)
	for _, k := range keys.seen {
		if len(k) != 32 {
			t.Errorf("a key of %d bits", 8*len(k))
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, k) || bytes.Contains(b, []byte(hex.EncodeToString(k))) {
				t.Errorf("%s holds a key", f)
			}
		}
	}
	// What is there is the audio, under AES with just that key of 256 bits: the second reader opens it with nothing else.
	for _, f := range files {
		if filepath.Base(f) != "r2.rec" {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readFlat(keys.seen[1], b, bound{home.Owner, "r2", "call", home.Region, home.Environment}, 2, "complete", int(row.Segments))
		if err != nil || !bytes.Contains(bytes.Join(got.plain, nil), canaryFrame()) {
			t.Errorf("not the audio under the key that was wrapped: %v", err)
		}
		return
	}
	t.Error("no blob was found")
}
