package recording_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

// counting counts the bytes read.
type counting struct {
	*recordingtest.Blobs
	reads, bytes atomic.Int64
}

func (c *counting) Open(ctx context.Context, name string) (recording.BlobReader, error) {
	r, err := c.Blobs.Open(ctx, name)
	return countingReader{r, c}, err
}

type countingReader struct {
	recording.BlobReader
	c *counting
}

func (r countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.BlobReader.ReadAt(p, off)
	r.c.reads.Add(1)
	r.c.bytes.Add(int64(n))
	return n, err
}

// secondOf is audio that says which second of which party it is.
func secondOf(n, party int) []byte { return bytes.Repeat([]byte{byte(n*7 + party*101)}, 160) }

// fill records seconds of both parties, each second told from the others, with a mark every 100 seconds and a pause of 50.
func fill(tr *recording.Track, k *kit, seconds int) {
	a, b := tr.PartyAt(0, 0), tr.PartyAt(1, 0)
	for n := range seconds {
		if n%100 == 99 {
			k.now = epoch.Add(time.Duration(n) * time.Second)
			_ = tr.Mark(recording.MarkTransfer, fmt.Sprint(n))
		}
		if n >= 300 && n < 350 {
			continue
		}
		for f := range 50 {
			at := time.Duration(n)*time.Second + time.Duration(f)*20*time.Millisecond
			a.WriteFrame(at, recording.PCMU, secondOf(n, 0))
			b.WriteFrame(at, recording.PCMU, secondOf(n, 1))
		}
	}
}

// Any second of a long recording is found without reading the rest, and is the right one; so for the reader written from FORMAT.md, which checks every index.
func TestAnySecondIsFound(t *testing.T) {
	ctx := context.Background()
	for _, seconds := range []int{1, 2, 127, 128, 129, 200, 1000} {
		t.Run(fmt.Sprint(seconds), func(t *testing.T) {
			blobs := &counting{}
			k := newKit(t, func(c *recording.Config) { c.MaxQueued = 1 << 30; c.Bulk.Bytes = 1 << 50 })
			blobs.Blobs = k.blobs
			k.cfg.Blobs, k.cfg.MaxQueued, k.cfg.Bulk.Bytes = blobs, 1<<30, 1<<50
			v := newVault(t, k.cfg)
			tr, err := v.Create(ctx, recording.Meta{ID: "r1", Parties: []string{"a", "b"}})
			if err != nil {
				t.Fatal(err)
			}
			fill(tr, k, seconds)
			closeTrack(t, tr)
			blobs.reads.Store(0)
			blobs.bytes.Store(0)
			p, err := access(t, v).Open(ctx, "r1")
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if n := blobs.bytes.Load(); n > 40_000 || blobs.reads.Load() > 8 {
				t.Errorf("opening took %d reads of %d bytes", blobs.reads.Load(), n)
			}
			rnd := rand.New(rand.NewPCG(1, uint64(seconds)))
			buf := make([]int16, 160)
			for range 200 {
				n, party := rnd.IntN(seconds), rnd.IntN(2)
				blobs.bytes.Store(0)
				if _, err := p.ReadPCM(party, buf, int64(n)*8000+int64(rnd.IntN(7840))); err != nil {
					t.Fatal(err)
				}
				if n >= 300 && n < 350 {
					if !silent(buf) {
						t.Fatalf("the pause is not silent at %d", n)
					}
				} else if c := ulaw(buf[3]); c != secondOf(n, party)[0] && c != secondOf(n, party)[0]|0x80 {
					t.Fatalf("second %d of %d: %x, want %x", n, party, c, secondOf(n, party)[0])
				}
				if n := blobs.bytes.Load(); n > 80_000 {
					t.Errorf("seeking to %d read %d bytes", n, n)
				}
			}
			if got := len(marks(t, p)); got != seconds/100 {
				t.Errorf("%d marks, want %d", got, seconds/100)
			}
			row, err := k.catalog.Get(ctx, "r1")
			if err != nil {
				t.Fatal(err)
			}
			b := bound{home.Owner, "r1", "call", home.Region, home.Environment}
			dek, err := envelopeOf(row.WrappedKey, b, func(_ uint64, _ string, wrapped []byte) []byte {
				raw, _ := k.keys.UnwrapKey(ctx, wrapped, b.to("ringfence recording v2 key"))
				return raw
			})
			if err != nil {
				t.Fatal(err)
			}
			f, err := readFlat(dek, k.blobs.Bytes("r1"), b, 2, "complete", int(row.Segments))
			if err != nil || int64(f.length) != row.Samples {
				t.Errorf("the second reader: %d ticks, %v", f.length, err)
			}
		})
	}
}

// An incomplete recording has no directory and is found its way through all the same.
func TestAnySecondOfAnIncompleteRecording(t *testing.T) {
	k := newKit(t, func(c *recording.Config) { c.MaxQueued = 1 << 30 })
	tr := k.create(t, "r1")
	fill(tr, k, 400)
	if err := k.vault.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := k.access(t).Open(context.Background(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	buf := make([]int16, 10)
	for n := 0; n < 400; n += 13 {
		if _, err := p.ReadPCM(1, buf, int64(n)*8000+5); err != nil {
			t.Fatal(err)
		}
		if c := ulaw(buf[3]); (n < 300 || n >= 350) && c != secondOf(n, 1)[0] && c != secondOf(n, 1)[0]|0x80 {
			t.Fatalf("second %d: %x", n, c)
		}
	}
	if p.Complete() || len(marks(t, p)) != 4 {
		t.Errorf("%v, %v", p.Complete(), marks(t, p))
	}
}

// Opening does not read everything, so what was altered in the middle is found when it is reached: everything before it is right, nothing of it is heard, and
// what comes after it can be heard again.
func TestAlteredSecondIsNotHeard(t *testing.T) {
	ctx := context.Background()
	k := newKit(t, func(c *recording.Config) { c.MaxQueued = 1 << 30 })
	tr := k.create(t, "r1")
	fill(tr, k, 290)
	closeTrack(t, tr)
	b := k.blobs.Bytes("r1")
	_, segs := segments(t, b)
	offset := headerBytes
	for _, s := range segs[:210] {
		offset += len(s)
	}
	b[offset+len(segs[210])/2] ^= 4
	k.blobs.Replace("r1", b)
	p, err := k.access(t).Open(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	buf := make([]int16, recording.SampleRate)
	bad := 0
	for n := range 290 {
		m, err := p.ReadPCM(0, buf, int64(n)*8000)
		var corrupt *recording.CorruptError
		switch {
		case err == nil && ulaw(buf[100])&0x7f != secondOf(n, 0)[0]&0x7f:
			t.Fatalf("second %d is another", n)
		case err != nil && (m != 0 || !silent(buf) || !errors.As(err, &corrupt) || corrupt.Segment != 210):
			t.Fatalf("second %d: %d samples, %v", n, m, err)
		case err != nil:
			bad++
		}
	}
	if bad != 1 {
		t.Errorf("%d seconds were lost to one bad segment", bad)
	}
	rep, err := k.access(t).Verify(ctx, "r1")
	if !errors.Is(err, recording.ErrTampered) || rep.FirstBad != 210 {
		t.Errorf("%+v, %v", rep, err)
	}
}

// The size of a segment cannot be had wrong by an index that somebody exchanged: it is encrypted, and the blob's own heads must agree with it.
func TestHeadThatDisagreesWithTheIndex(t *testing.T) {
	k := newKit(t, func(c *recording.Config) { c.MaxQueued = 1 << 30 })
	tr := k.create(t, "r1")
	fill(tr, k, 20)
	closeTrack(t, tr)
	b := k.blobs.Bytes("r1")
	binary.BigEndian.PutUint32(b[headerBytes:], binary.BigEndian.Uint32(b[headerBytes:])+1)
	k.blobs.Replace("r1", b)
	p, err := k.access(t).Open(context.Background(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if n, err := p.ReadPCM(0, make([]int16, 10), 0); n != 0 || !errors.Is(err, recording.ErrTampered) {
		t.Errorf("%d, %v", n, err)
	}
}
