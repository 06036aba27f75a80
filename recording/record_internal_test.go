package recording

import (
	"bytes"
	"encoding/hex"
	"os"
	"testing"
	"time"
)

// What is accepted is written back byte for byte: there is one spelling per segment.
func FuzzRecords(f *testing.F) {
	audio := appendRecord(nil, record{kind: kindAudio, party: 1, code: codePCMA, at: 8000, data: []byte("abc")})
	f.Add(audio, false)
	f.Add(appendRecord(audio, summary{segments: 1, frames: 2, lost: 3}.record(9)), true)
	f.Add(appendRecord(nil, gap{frames: 1, from: 2, to: 3}.record()), false)
	f.Add(appendRecord(nil, record{kind: kindMark, party: noParty, code: byte(MarkHold), data: []byte("ü")}), false)
	f.Fuzz(func(t *testing.T, b []byte, final bool) {
		var again []byte
		if err := parseRecords(b, final, func(r record) error {
			if r.kind == kindMark {
				_ = r.mark()
			}
			if r.kind == kindSummary {
				s := r.summary()
				r = s.record(r.at)
			}
			again = appendRecord(again, r)
			return nil
		}); err != nil {
			return
		}
		if !bytes.Equal(again, b) {
			t.Errorf("accepted %x, would write %x", b, again)
		}
	})
}

// An accepted manifest encodes to itself.
func FuzzManifest(f *testing.F) {
	f.Add(manifest{ID: "r1", State: "complete", Closed: time.Unix(1, 2).UTC(), Segments: 3, Samples: 4, Bytes: 5, SHA256: []byte{6}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err != nil {
			if m.ID != "" || m.SHA256 != nil {
				t.Error("an error with a value")
			}
			return
		}
		if !bytes.Equal(m.encode(), b) {
			t.Errorf("accepted %s, would write %s", b, m.encode())
		}
	})
}

// Runs of one party never overlap and stay in order, whatever times they claim, and lie inside their segments.
func FuzzPlace(f *testing.F) {
	f.Add([]byte{0, 10, 5, 10, 200, 40, 0, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		fd := found{runs: make([][]run, 1)}
		for ; len(b) >= 2; b = b[2:] {
			fd.place(0, run{at: int64(b[0]) * 100, n: int(b[1])*10 + 1, offset: recordHeader})
		}
		var end int64
		for _, r := range fd.runs[0] {
			if r.at < end || r.n <= 0 || r.offset < recordHeader {
				t.Fatalf("run %+v after %d", r, end)
			}
			end = r.at + int64(r.n)
		}
		if end > fd.samples {
			t.Errorf("audio to %d, length %d", end, fd.samples)
		}
	})
}

// The worked example of FORMAT.md is what this code writes.
func TestWorkedExample(t *testing.T) {
	k := new(dek)
	for i := range k.key {
		k.key[i] = byte(i)
	}
	header := append([]byte{'R', 'F', 'R', 'C', 1, 1, 0, 0}, bytes.Repeat([]byte{0xaa}, saltBytes)...)
	b, err := newBox(k, header, "r1", "call")
	if err != nil {
		t.Fatal(err)
	}
	plain := appendRecord(nil, record{kind: kindAudio, code: codePCMU, data: []byte{0xff, 0x7f, 0}})
	plain = appendRecord(plain, summary{segments: 1, frames: 1}.record(3))
	seg := b.seal(append(make([]byte, headBytes), plain...), 0, true)
	spec, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"plaintext": plain, "segment": seg, "prefix": b.nonce[:prefixBytes]} {
		if !bytes.Contains(spec, []byte(hex.EncodeToString(want))) {
			t.Errorf("%s is not in FORMAT.md: %x", name, want)
		}
	}
}

// memory is a blob in memory.
type memory []byte

func (m memory) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(m).ReadAt(p, off) }
func (m memory) Size() int64                             { return int64(len(m)) }
func (memory) Close() error                              { return nil }

// Whatever is done to a blob, a scan accepts nothing but what was written: all of it, or some whole segments of it and a torn rest.
func FuzzScan(f *testing.F) {
	// The same bytes in every process, so that what the fuzzer changes in one means the same in another.
	k := new(dek)
	good := append([]byte{'R', 'F', 'R', 'C', 1, 1, 0, 0}, bytes.Repeat([]byte{0xaa}, saltBytes)...)
	b, err := newBox(k, good, "r1", "call")
	if err != nil {
		f.Fatal(err)
	}
	var ends []int
	for i := range uint32(4) {
		ends = append(ends, len(good))
		plain := appendRecord(make([]byte, headBytes), record{kind: kindAudio, code: codePCMA, at: i * 8000, data: []byte("audio")})
		if i == 3 {
			plain = appendRecord(plain, summary{segments: 4, frames: 4}.record(24005))
		}
		good = append(good, b.seal(plain, i, i == 3)...)
	}
	f.Add(good)
	for _, n := range append(ends, len(good)-1) {
		f.Add(good[:n])
	}
	f.Add(append(bytes.Clone(good), good[ends[1]:]...))
	f.Add(append(bytes.Clone(good[:ends[1]]), good[ends[2]:]...))
	f.Fuzz(func(t *testing.T, blob []byte) {
		if len(blob) < headerBytes {
			return
		}
		box, err := newBox(k, blob[:headerBytes], "r1", "call")
		if err != nil {
			return
		}
		s := &scanner{id: "r1", blob: memory(blob), box: box}
		found, err := s.scan(1, true)
		if err == nil && found.final && !bytes.Equal(blob, good) {
			t.Errorf("accepted as complete: %x", blob)
		}
		if len(found.segments) > 0 && !bytes.HasPrefix(good, blob[:found.bytes]) {
			t.Errorf("accepted %d segments of %x", len(found.segments), blob)
		}
		if err == nil && found.bytes+found.torn != int64(len(blob)) {
			t.Errorf("%d and %d of %d bytes", found.bytes, found.torn, len(blob))
		}
	})
}
