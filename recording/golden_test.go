package recording_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// golden puts a recording of container version 1, made by the last program that wrote such, into the stores.
func (k *kit) golden(t *testing.T, id string) recording.Entry {
	t.Helper()
	text, err1 := os.ReadFile("testdata/v1/" + id + ".json")
	blob, err2 := os.ReadFile("testdata/v1/" + id + ".rec")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	var e recording.Entry
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	k.catalog.Replace(e)
	k.blobs.Replace(id, blob)
	return e
}

func goldenWAV(t *testing.T, id string) []byte {
	t.Helper()
	f, err := os.Open("testdata/v1/" + id + ".wav.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What an older program recorded stays readable, sample for sample, with its metadata, marks and signature; it can be rotated and destroyed.
func TestVersion1StaysReadable(t *testing.T) {
	ctx := context.Background()
	for _, id := range []string{"complete", "incomplete"} {
		k := newKit(t)
		k.golden(t, id)
		a := k.access(t)
		rep, err := a.Verify(ctx, id)
		if err != nil || rep.Complete != (id == "complete") || !rep.Signed || rep.Duration != 5*time.Second || rep.Segments != 7 {
			t.Errorf("%s: %+v, %v", id, rep, err)
		}
		want := goldenWAV(t, id)
		var out bytes.Buffer
		if _, err := a.Export(ctx, id, &out); err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s: another export than then, %v", id, err)
		}
		p, err := a.Open(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		w := parseWAV(t, want)
		buf := make([]int16, 500)
		for _, at := range []int64{39_000, 0, 16_100, 3_999, 31_800} {
			for party, samples := range [][]int16{w.left, w.right} {
				if n, err := p.ReadPCM(party, buf, at); err != nil || !slices.Equal(buf[:n], samples[at:at+int64(n)]) {
					t.Errorf("%s: party %d at %d: %v", id, party, at, err)
				}
			}
		}
		var kinds []recording.MarkKind
		for _, m := range marks(t, p) {
			kinds = append(kinds, m.Kind)
		}
		if !slices.Equal(kinds, []recording.MarkKind{recording.MarkTransfer, recording.MarkPause, recording.MarkResume}) || p.Info().Call != "call-"+id {
			t.Errorf("%s: %v, %+v", id, kinds, p.Info())
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		// Rotated: the old version of the wrapping key is not needed any more.
		k.keys.Rotate()
		if err := a.Rewrap(ctx, id, recording.Rewrap{}); err != nil {
			t.Fatal(err)
		}
		k.keys.DestroyVersion(1)
		if rep, err := a.Verify(ctx, id); err != nil || !rep.Signed {
			t.Errorf("%s after the rotation: %+v, %v", id, rep, err)
		}
		if _, err := a.Destroy(ctx, id, "test"); err != nil {
			t.Error(err)
		}
	}
}

// A recording that the older program left open is settled by this one.
func TestVersion1IsRecovered(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	e := k.golden(t, "incomplete")
	e.State, e.Closed, e.Segments, e.Samples, e.Manifest, e.Signature = recording.StateOpen, time.Time{}, 0, 0, nil, nil
	k.catalog.Replace(e)
	got, err := k.vault.Recover(ctx)
	if err != nil || len(got) != 1 || got[0].State != recording.StateIncomplete || got[0].Segments != 7 || got[0].Err != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if rep, err := k.access(t).Verify(ctx, "incomplete"); err != nil || rep.Complete || !rep.Signed || rep.Duration != 5*time.Second {
		t.Errorf("%+v, %v", rep, err)
	}
}

// Nothing of one version passes for the other, and every change to a blob of version 1 is still refused.
func TestVersion1MutationsAreRefused(t *testing.T) {
	k := newKit(t)
	k.golden(t, "complete")
	good := k.blobs.Bytes("complete")
	for i := 0; i < len(good); i += 211 {
		b := slices.Clone(good)
		b[i] ^= 1
		k.refused(t, k.vault, "flip", "complete", b)
		k.refused(t, k.vault, "cut", "complete", good[:i])
	}
	k.refused(t, k.vault, "version 2", "complete", append([]byte{'R', 'F', 'R', 'C', 2}, good[5:]...))
	k.refused(t, k.vault, "appended", "complete", append(slices.Clone(good), 0))
}
