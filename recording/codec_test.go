package recording_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// doubler is a decoder that remembers: sample n of a frame is its first byte plus how many frames it has decoded before.
type doubler struct{ n int16 }

func (d *doubler) Decode(dst []int16, payload []byte) (int, error) {
	if payload[len(payload)-1] == 0xee {
		return 0, errors.New("bad frame")
	}
	for i := range dst {
		dst[i] = int16(payload[len(payload)-1]) + d.n*256
	}
	d.n++
	return len(dst), nil
}

// opusFrame is a packet of 20 ms (RFC 6716 section 3.1: configuration 19, one frame) that says n.
func opusFrame(n int) []byte { return []byte{19 << 3, byte(n)} }

// Audio of other codecs is kept as it was on the wire, in time, and played by the decoders that the program was given.
func TestFramedCodecs(t *testing.T) {
	ctx := context.Background()
	k := newKit(t, func(c *recording.Config) {
		c.Decoders = map[string]func() recording.Decoder{recording.Opus: func() recording.Decoder { return &doubler{} }, recording.G722: func() recording.Decoder { return &doubler{} }}
	})
	tr := k.create(t, "r1")
	a, b := tr.PartyAt(0, 0), tr.PartyAt(1, time.Second)
	for n := range 200 { // 4 s, with a gap of one frame
		if n != 60 {
			a.WriteFrame(time.Duration(n)*20*time.Millisecond, "OPUS", opusFrame(n%200))
		}
		if n < 100 {
			b.WriteFrame(time.Duration(n)*20*time.Millisecond, recording.G722, bytes.Repeat([]byte{byte(n)}, 160))
		}
	}
	a.WriteFrame(0, recording.Opus, opusFrame(7))                               // repeated
	a.WriteFrame(4*time.Second, recording.Opus, []byte{19<<3 | 3, 0})           // no frames
	a.WriteFrame(4*time.Second, recording.Opus, []byte{3<<3 | 1, 0})            // 120 ms is the most there is
	a.WriteFrame(4120*time.Millisecond, recording.Opus, []byte{3<<3 | 3, 3, 0}) // 180 ms is not
	a.WriteFrame(4120*time.Millisecond, recording.Opus, []byte{19 << 3, 0xee})
	closeTrack(t, tr)
	if s := tr.Stats(); s.Repeated != 1 || s.Unsupported != 2 || s.Frames != 301 {
		t.Errorf("%+v", s)
	}
	w := k.export(t, "r1")
	if len(w.left) != at(4140*time.Millisecond) || !silent(w.left[at(1200*time.Millisecond):at(1220*time.Millisecond)]) || !silent(w.left[at(4120*time.Millisecond):]) {
		t.Errorf("%d samples, want %d", len(w.left), at(4140*time.Millisecond))
	}
	for n := range 200 {
		decoded := n
		if n > 60 {
			decoded--
		}
		if s := w.left[n*160+80]; n != 60 && (byte(s) != byte(n%200) || int(s)>>8 != decoded&0x7f && decoded < 120) {
			t.Fatalf("frame %d of opus: %d after %d", n, byte(s), s>>8)
		}
	}
	for n := range 100 {
		if s := w.right[8000+n*160]; byte(s) != byte(n) {
			t.Fatalf("frame %d of G.722: %d", n, s)
		}
	}
	// From the middle: the right frame, from a decoder that has heard the second before.
	p, err := k.access(t).Open(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	buf := make([]int16, 160)
	if _, err := p.ReadPCM(0, buf, 130*160); err != nil || byte(buf[0]) != 130 || uint16(buf[0])>>8 < 20 {
		t.Errorf("%d after %d, %v", byte(buf[0]), uint16(buf[0])>>8, err)
	}
	// Without a decoder: an error that names the codec, before a byte leaves, and everything else works.
	cfg := k.cfg
	cfg.Decoders = map[string]func() recording.Decoder{recording.Opus: k.cfg.Decoders[recording.Opus]}
	plain := access(t, newVault(t, cfg))
	if n, err := plain.Export(ctx, "r1", failing{t}); n != 0 || !errors.Is(err, recording.ErrCodec) || !strings.Contains(err.Error(), "G722") {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := plain.ExportAs(ctx, "r1", io.Discard, recording.Layout{Stream: recording.Only(0)}); err != nil {
		t.Error(err)
	}
	if rep, err := plain.Verify(ctx, "r1"); err != nil || !rep.Complete {
		t.Errorf("%+v, %v", rep, err)
	}
	q, err := plain.Open(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if n, err := q.ReadPCM(1, buf, 8000); n != 0 || !errors.Is(err, recording.ErrCodec) || !silent(buf) {
		t.Errorf("%d, %v", n, err)
	}
}

// Every layout is the same audio, read in one go, in pieces, or from anywhere.
func TestLayouts(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	tr := k.create(t, "r1")
	speak(tr.PartyAt(0, 0), 0, 2500*time.Millisecond, 440, recording.PCMU)
	speak(tr.PartyAt(1, 0), 0, 2500*time.Millisecond, 1000, recording.PCMA)
	tr.PartyAt(0, 0).WriteFrame(2500*time.Millisecond, recording.PCMU, tone(440, 0, recording.PCMU)[:1]) // an odd number of samples
	closeTrack(t, tr)
	whole := k.export(t, "r1")
	p, err := k.access(t).Open(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, tt := range []struct {
		layout                      recording.Layout
		tag, channels, bits, header int
	}{
		{recording.Layout{}, 1, 2, 16, 44},
		{recording.Layout{Stream: recording.Only(1)}, 1, 1, 16, 44},
		{recording.Layout{Format: recording.WAVULaw}, 7, 2, 8, 58},
		{recording.Layout{Format: recording.WAVALaw, Stream: recording.Only(1)}, 6, 1, 8, 58},
		{recording.Layout{Format: recording.WAVULaw, Stream: recording.Only(0)}, 7, 1, 8, 58},
	} {
		var b bytes.Buffer
		n, err := k.access(t).ExportAs(ctx, "r1", &b, tt.layout)
		if err != nil || n != int64(b.Len()) {
			t.Fatal(n, err)
		}
		f, le := b.Bytes(), binary.LittleEndian
		if int(le.Uint16(f[20:])) != tt.tag || int(le.Uint16(f[22:])) != tt.channels || int(le.Uint16(f[34:])) != tt.bits || int(le.Uint32(f[4:])) != len(f)-8 || len(f)%2 != 0 ||
			int(le.Uint32(f[tt.header-4:])) != len(whole.left)*tt.channels*tt.bits/8 {
			t.Errorf("%+v: header %x of %d bytes", tt.layout, f[:tt.header], len(f))
		}
		data := f[tt.header:]
		for i := range whole.left {
			var got, want []int
			for c := range tt.channels {
				sample, coded := whole.left[i], ulaw
				if c == 1 || tt.layout.Stream == recording.Only(1) {
					sample = whole.right[i]
				}
				if tt.tag == 6 {
					coded = alaw
				}
				if tt.tag == 1 {
					got, want = append(got, int(int16(le.Uint16(data[(i*tt.channels+c)*2:])))), append(want, int(sample))
				} else {
					got, want = append(got, int(data[i*tt.channels+c])), append(want, int(coded(sample)))
				}
			}
			if near(tt.tag, got, want) {
				continue
			}
			t.Fatalf("%+v: sample %d is %v, want %v", tt.layout, i, got, want)
		}
		audio, err := p.Audio(tt.layout)
		if err != nil || audio.Size() != int64(len(f)) {
			t.Fatal(audio.Size(), err)
		}
		got, err := io.ReadAll(audio)
		if err != nil || !bytes.Equal(got, f) {
			t.Errorf("%+v: read on and on: another file, %v", tt.layout, err)
		}
		for _, off := range []int{0, 1, 43, 44, 45, 57, 58, 59, 16_001, 32_047, len(f) - 3, len(f) - 1} {
			for _, size := range []int{1, 3, 1000, 17_000} {
				if off >= len(f) {
					continue
				}
				buf := make([]byte, size)
				n, err := audio.ReadAt(buf, int64(off))
				if end := min(off+size, len(f)); n != end-off || !bytes.Equal(buf[:n], f[off:end]) || (err != nil) != (n < size) {
					t.Fatalf("%+v: %d bytes at %d: %d, %v", tt.layout, size, off, n, err)
				}
			}
		}
		if pos, err := audio.Seek(-2, io.SeekEnd); err != nil || pos != int64(len(f)-2) {
			t.Error(pos, err)
		}
	}
	for _, l := range []recording.Layout{{Format: 3}, {Format: -1}, {Stream: recording.Only(2)}, {Stream: -1}} {
		if _, err := p.Audio(l); !errors.Is(err, recording.ErrInvalid) {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

// near reports whether samples are equal; coded ones may differ by one step, because G.711 says which value a code has and encoders round as they like.
func near(tag int, got, want []int) bool {
	for i := range got {
		if d := got[i] - want[i]; d != 0 && (tag == 1 || d > 1 || d < -1) {
			return false
		}
	}
	return true
}
