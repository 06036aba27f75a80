package recording_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

const headerBytes = 72

// segments cuts a blob as FORMAT.md says: header, then heads and ciphertexts, the final one with its trailer.
func segments(t testing.TB, blob []byte) (header []byte, segs [][]byte) {
	t.Helper()
	header, rest := blob[:headerBytes], blob[headerBytes:]
	for len(rest) > 0 {
		n := 4 + int(binary.BigEndian.Uint32(rest)&^(1<<31))
		if rest[0]&0x80 != 0 {
			n += 8
		}
		segs = append(segs, rest[:n])
		rest = rest[n:]
	}
	return header, segs
}

func join(header []byte, segs ...[]byte) []byte {
	return bytes.Join(append([][]byte{header}, segs...), nil)
}

// refused checks that nothing of the recording leaves, and that Verify names a segment.
func (k *kit) refused(t *testing.T, v *recording.Vault, what string, id string, blob []byte) {
	t.Helper()
	ctx := context.Background()
	k.blobs.Replace(id, blob)
	a := access(t, v)
	var corrupt *recording.CorruptError
	if n, err := a.Export(ctx, id, failing{t}); n != 0 || !errors.As(err, &corrupt) {
		t.Errorf("%s: Export = %d, %v", what, n, err)
	}
	rep, err := a.Verify(ctx, id)
	if !errors.As(err, &corrupt) || rep.Complete || rep.OK() || rep.FirstBad < 0 || rep.Reason == "" {
		t.Errorf("%s: Verify = %+v, %v", what, rep, err)
	}
}

// With and without a signer every change to a finished recording is refused: nothing is exported, and Verify names the place.
func TestEveryMutationIsRefused(t *testing.T) {
	control.Proves(t, "ATR-05")
	for _, signed := range []bool{true, false} {
		t.Run(fmt.Sprintf("signed %v", signed), func(t *testing.T) {
			k := newKit(t, func(c *recording.Config) {
				if !signed {
					c.Signer = nil
				}
			})
			for _, id := range []string{"r1", "r2"} {
				tr := k.create(t, id)
				p := tr.PartyAt(0, 0)
				for n := range 4 { // few bytes, four segments
					p.WriteFrame(time.Duration(n)*2*time.Second, recording.PCMU, tone(440, n, recording.PCMU)[:40])
				}
				closeTrack(t, tr)
			}
			good, other := k.blobs.Bytes("r1"), k.blobs.Bytes("r2")
			if _, err := k.access(t).Verify(context.Background(), "r1"); err != nil {
				t.Fatal(err)
			}
			h, s := segments(t, good)
			oh, os := segments(t, other)
			if len(s) != 4 {
				t.Fatalf("%d segments", len(s))
			}
			try := func(what string, blob []byte) {
				t.Helper()
				if bytes.Equal(blob, good) {
					t.Fatalf("%s changes nothing", what)
				}
				k.refused(t, k.vault, what, "r1", blob)
			}
			for i := range good {
				for _, bit := range []byte{1, 0x80} {
					b := slices.Clone(good)
					b[i] ^= bit
					try(fmt.Sprintf("flip %#x of byte %d", bit, i), b)
				}
			}
			for n := range good {
				try(fmt.Sprintf("cut to %d bytes", n), good[:n])
			}
			for i := range s {
				try(fmt.Sprintf("drop segment %d", i), join(h, slices.Delete(slices.Clone(s), i, i+1)...))
				try(fmt.Sprintf("repeat segment %d", i), join(h, slices.Insert(slices.Clone(s), i, s[i])...))
				foreign := slices.Clone(s)
				foreign[i] = os[i]
				try(fmt.Sprintf("segment %d of another recording", i), join(h, foreign...))
				for j := range i {
					swapped := slices.Clone(s)
					swapped[i], swapped[j] = swapped[j], swapped[i]
					try(fmt.Sprintf("swap segments %d and %d", i, j), join(h, swapped...))
				}
				final := slices.Clone(s)
				final[i] = slices.Clone(s[i])
				final[i][0] ^= 0x80
				try(fmt.Sprintf("final bit of segment %d", i), join(h, final[:i+1]...))
			}
			try("header of another recording", join(oh, s...))
			try("another recording", other)
			try("append a byte", append(slices.Clone(good), 0))
			try("append zeros", append(slices.Clone(good), make([]byte, 100)...))
			try("append its last segment", append(slices.Clone(good), s[3]...))
			try("append another recording's end", append(slices.Clone(good), os[3]...))
			try("append a whole recording", append(slices.Clone(good), good...))
			k.blobs.Replace("r1", good)
			if rep, err := k.access(t).Verify(context.Background(), "r1"); err != nil || !rep.Complete {
				t.Errorf("the original: %+v, %v", rep, err)
			}
			if err := k.blobs.Remove(context.Background(), "r1"); err != nil {
				t.Fatal(err)
			}
			if _, err := k.access(t).Verify(context.Background(), "r1"); !errors.Is(err, recording.ErrTruncated) {
				t.Errorf("blob removed: %v", err)
			}
		})
	}
}

// Whoever can write to the catalog too cannot pass one recording off as another, nor turn an end into another end.
func TestCatalogMutationsAreRefused(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	k.record(t, "r1", 2*time.Second)
	k.record(t, "r2", 2*time.Second)
	row1, _ := k.catalog.Get(ctx, "r1")
	row2, _ := k.catalog.Get(ctx, "r2")
	h, s := segments(t, k.blobs.Bytes("r1"))
	for _, tt := range []struct {
		name   string
		change func(e *recording.Entry)
		blob   []byte
	}{
		{"another recording's key", func(e *recording.Entry) { e.WrappedKey = row2.WrappedKey }, nil},
		{"another recording's metadata", func(e *recording.Entry) { e.Meta = row2.Meta }, nil},
		{"another recording's row and blob", func(e *recording.Entry) { *e = row2; e.ID = "r1" }, k.blobs.Bytes("r2")},
		{"manifest removed", func(e *recording.Entry) { e.Manifest, e.Signature = nil, nil }, nil},
		{"manifest of another", func(e *recording.Entry) { e.Manifest, e.Signature = row2.Manifest, row2.Signature }, nil},
		{"signature bit", func(e *recording.Entry) { e.Signature[3] ^= 1 }, nil},
		{"manifest respelled", func(e *recording.Entry) { e.Manifest = append(e.Manifest, '\n') }, nil},
		{"shortened and called incomplete", func(e *recording.Entry) { e.State = recording.StateIncomplete; e.Segments = 1 }, join(h, s[0])},
		{"length", func(e *recording.Entry) { e.Samples++ }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, _ := k.catalog.Get(ctx, "r1") // a copy
			tt.change(&e)
			k.catalog.Replace(e)
			good := k.blobs.Bytes("r1")
			if tt.blob != nil {
				k.blobs.Replace("r1", tt.blob)
			}
			if rep, err := k.access(t).Verify(ctx, "r1"); err == nil || rep.Complete {
				t.Errorf("Verify = %+v, %v", rep, err)
			}
			k.catalog.Replace(row1)
			k.blobs.Replace("r1", good)
		})
	}
	if rep, err := k.access(t).Verify(ctx, "r1"); err != nil || !rep.Complete {
		t.Errorf("the original: %+v, %v", rep, err)
	}
}

// An incomplete recording that was settled cannot be shortened or prolonged unnoticed either.
func TestIncompleteRecordingCannotBeCutFurther(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	tr := k.create(t, "r1")
	speak(tr.PartyAt(0, 0), 0, 3500*time.Millisecond, 440, recording.PCMU)
	if err := k.vault.Close(); err != nil {
		t.Fatal(err)
	}
	good := k.blobs.Bytes("r1")
	h, s := segments(t, good)
	rep, err := k.access(t).Verify(ctx, "r1")
	if err != nil || rep.Complete || !rep.Signed || rep.Segments != int64(len(s)) {
		t.Fatalf("%+v, %v", rep, err)
	}
	for n := headerBytes; n < len(good); n += 97 {
		k.refused(t, k.vault, fmt.Sprintf("cut to %d", n), "r1", good[:n])
	}
	k.refused(t, k.vault, "without the last segment", "r1", join(h, s[:len(s)-1]...))
	// A torn tail is what crashes leave: it is reported and is not part of the recording.
	k.blobs.Replace("r1", append(slices.Clone(good), 0, 0, 0x10, 0, 1, 2, 3))
	if rep, err := k.access(t).Verify(ctx, "r1"); err != nil || rep.Torn != 7 || rep.Complete || rep.Duration != 3500*time.Millisecond {
		t.Errorf("%+v, %v", rep, err)
	}
}

// A blob exchanged between the check and the read does not leak what it says.
func TestChangeWhileReading(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	k.record(t, "r1", 3*time.Second)
	flip := &flipping{Blobs: k.blobs}
	cfg := k.cfg
	cfg.Blobs = flip
	var out bytes.Buffer
	_, err := access(t, newVault(t, cfg)).Export(ctx, "r1", &out)
	if !errors.Is(err, recording.ErrTampered) {
		t.Errorf("Export = %v", err)
	}
	if w := out.Bytes(); len(w) > 44+2*4*recording.SampleRate {
		t.Errorf("%d bytes left after the change", len(w))
	}
}

// flipping changes the third second after it was checked.
type flipping struct {
	*recordingtest.Blobs
}

func (f *flipping) Open(ctx context.Context, name string) (recording.BlobReader, error) {
	r, err := f.Blobs.Open(ctx, name)
	return &flipReader{BlobReader: r}, err
}

type flipReader struct {
	recording.BlobReader
	checked bool
}

func (r *flipReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.BlobReader.ReadAt(p, off)
	end := off + int64(n)
	if r.checked && off < 40_000 && end > 40_000 {
		p[40_000-off] ^= 1
	}
	r.checked = r.checked || end == r.Size() // the check reads to the end
	return n, err
}
