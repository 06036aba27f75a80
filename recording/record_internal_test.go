package recording

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// What is accepted is written back byte for byte: there is one spelling per segment.
func FuzzRecords(f *testing.F) {
	audio := appendRecord(nil, record{kind: kindAudio, party: 1, code: codePCMA, at: 8000, data: []byte("abc")})
	f.Add(audio, uint32(0), false, true)
	f.Add(appendRecord(audio, summary{segments: 1, frames: 2, lost: 3}.record(9)), uint32(0), true, false)
	f.Add(appendRecord(nil, gap{frames: 1, from: 2, to: 3}.record()), uint32(5), false, true)
	f.Add(appendRecord(nil, record{kind: kindMark, party: noParty, code: byte(MarkHold), data: []byte("ü")}), uint32(0), false, false)
	f.Add(appendRecord(nil, record{kind: kindFrames, code: codeOpus, data: appendFrame(appendFrame(nil, 160, []byte("x")), 20, []byte("yz"))}), uint32(0), false, true)
	var x indexer
	x.add(place{version: version2}, entry{size: 99, marks: true, from: 1, to: 2})
	f.Add(appendRecord(x.append(nil, place{version: version2, number: 1, final: true}), summary{segments: 2}.record(9)), uint32(1), true, true)
	f.Fuzz(func(t *testing.T, b []byte, number uint32, final, v2 bool) {
		at := place{version: version1, number: number, final: final}
		if v2 {
			at.version = version2
		}
		var again []byte
		if err := parseRecords(b, at, func(r record) error {
			switch r.kind {
			case kindMark:
				_ = r.mark()
			case kindSummary:
				r = r.summary().record(r.at)
			case kindFrames:
				var data []byte
				for rest := r.data; len(rest) > 0; {
					ticks, payload, next, err := cutFrame(rest)
					if err != nil {
						t.Fatal(err)
					}
					data, rest = appendFrame(data, int64(ticks), payload), next
				}
				r.data = data
			case kindIndex:
				entries, err := parseIndex(r.data)
				if err != nil {
					t.Fatal(err)
				}
				r.data = nil
				for _, e := range entries {
					r.data = appendEntry(r.data, e)
				}
			case kindDirectory:
				blocks, err := parseDirectory(r.data)
				if err != nil {
					t.Fatal(err)
				}
				r.data = nil
				for _, k := range blocks {
					r.data = appendBlock(r.data, k)
				}
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
	f.Add(manifest{Version: version1, ID: "r1", State: "complete", Closed: time.Unix(1, 2).UTC(), Segments: 3, Samples: 4, Bytes: 5, SHA256: []byte{6}}.encode())
	f.Add(manifest{Version: version2, ID: "r1", Place: Place{Owner: "a<b", Region: "r"}, Purpose: "call", State: "complete", Closed: time.Unix(1, 2).UTC(), Segments: 3,
		Samples: 4, Bytes: 5, Header: make([]byte, headerBytes), Root: make([]byte, hashBytes)}.encode())
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

// An accepted envelope encodes to itself.
func FuzzEnvelope(f *testing.F) {
	e := envelope{stanzas: []stanza{{suite: SuiteWrapped, wrapped: []byte("w")}, {suite: SuiteX25519, name: "a", wrapped: []byte("x")}, {suite: 99, name: "b", wrapped: []byte("y")}}}
	f.Add(e.encode())
	f.Add(e.encode()[:60])
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseEnvelope(b)
		if err == nil && !bytes.Equal(e.encode(), b) {
			t.Errorf("accepted %x, would write %x", b, e.encode())
		}
	})
}

// An accepted front of a sealed recording encodes to itself, and says how long the rest is.
func FuzzSealed(f *testing.F) {
	front := sealedFront{entry: Entry{State: StateComplete, Segments: 3, Samples: 5, WrappedKey: []byte("e"), Meta: []byte("m"), Manifest: []byte("m"), Signature: []byte("s")},
		bound: binding{version: version2, id: "r1", purpose: "call", place: Place{Owner: "acme", Region: "eu"}}, blob: 4}
	f.Add(append(front.encode(), "blob"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		front, n, err := parseSealedFront(b[:min(len(b), maxSealedHead)], int64(len(b)))
		if err != nil {
			return
		}
		if again := append(front.encode(), b[n:]...); !bytes.Equal(again, b) {
			t.Errorf("accepted %x, would write %x", b, again)
		}
	})
}

// An accepted proof encodes to itself.
func FuzzProof(f *testing.F) {
	f.Add(proof{manifest: []byte("m"), signature: []byte("s"), number: 3, segment: []byte("seg"), path: make([]digest, 2)}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseProof(b)
		if err == nil && !bytes.Equal(p.encode(), b) {
			t.Errorf("accepted %x, would write %x", b, p.encode())
		}
	})
}

// One header opens: the one that was written.
func FuzzHeader(f *testing.F) {
	k, b := exampleKey(), exampleBinding(version2)
	good := exampleHeader(f, k, b)
	f.Add(good)
	f.Add(good[:headerBytes1])
	f.Fuzz(func(t *testing.T, h []byte) {
		if _, _, err := newBox(k, h, b); err == nil && !bytes.Equal(h, good) {
			t.Errorf("accepted %x", h)
		}
	})
}

// A key as text is what its parser accepts, and nothing near it.
func FuzzKeyText(f *testing.F) {
	for _, s := range []Suite{SuiteX25519, SuiteMLKEM768X25519} {
		i, err := NewIdentity(s)
		if err != nil {
			f.Fatal(err)
		}
		secret, err := i.ExportSecret()
		if err != nil {
			f.Fatal(err)
		}
		r, err := i.Recipient("a")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(secret)
		f.Add(r.Text())
	}
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseRecipient("a", text); err == nil && r.Text() != strings.TrimSpace(text) {
			t.Errorf("accepted %q, would write %q", text, r.Text())
		}
		if i, err := ParseIdentity(text); err == nil {
			if again, err := i.ExportSecret(); err != nil || again != strings.TrimSpace(text) {
				t.Errorf("accepted a secret key that it would write otherwise: %v", err)
			}
		} else if !errors.Is(err, ErrRecipient) {
			t.Error(err)
		}
	})
}

// Runs of one party never overlap and stay in order, whatever times they claim, and lie inside their segments.
func FuzzPlace(f *testing.F) {
	f.Add([]byte{0, 10, 5, 10, 200, 40, 0, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		fd := found{runs: make([][]run, 1)}
		for ; len(b) >= 2; b = b[2:] {
			r := run{at: int64(b[0]) * 100, n: int(b[1])*10 + 1, offset: recordHeader}
			fd.place(0, r)
			if rs := fd.runs[0]; fd.placed(0, r.at, r.n) != rs[len(rs)-1].at+int64(rs[len(rs)-1].n) {
				t.Fatal("the length without playing is another than with")
			}
		}
		var end int64
		for _, r := range fd.runs[0] {
			if r.at < end || r.n <= 0 || r.offset < recordHeader {
				t.Fatalf("run %+v after %d", r, end)
			}
			end = r.at + int64(r.n)
		}
	})
}

func exampleKey() *dek {
	k := new(dek)
	for i := range k.key {
		k.key[i] = byte(i)
	}
	return k
}

func exampleBinding(version byte) binding {
	b := binding{version: version, id: "r1", purpose: "call"}
	if version == version2 {
		b.place = Place{Owner: "acme", Region: "eu", Environment: "test"}
	}
	return b
}

// exampleHeader is the header with a salt of 32 bytes aa.
func exampleHeader(t testing.TB, k *dek, b binding) []byte {
	t.Helper()
	salt := bytes.Repeat([]byte{0xaa}, saltBytes)
	h := append([]byte{'R', 'F', 'R', 'C', b.version, 1, 0, 0}, salt...)
	if b.version == version1 {
		return h
	}
	s, err := streamSecret(k, salt, b)
	if err != nil {
		t.Fatal(err)
	}
	okm, err := s.expand()
	if err != nil {
		t.Fatal(err)
	}
	return append(h, okm[keyBytes+prefixBytes:]...)
}

// The worked example of FORMAT.md is what this code writes.
func TestWorkedExample(t *testing.T) {
	k, bound := exampleKey(), exampleBinding(version2)
	header := exampleHeader(t, k, bound)
	b, _, err := newBox(k, header, bound)
	if err != nil {
		t.Fatal(err)
	}
	h := newHasher()
	var tr tree
	x := newIndexer()
	spec, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"header": header, "prefix": b.nonce[:prefixBytes], "binding": bound.bytes("stream")}
	for i := range uint32(2) {
		at := place{version: version2, number: i, final: i == 1}
		plain := x.append(nil, at)
		e := entry{}
		if i == 0 {
			plain = appendRecord(plain, record{kind: kindAudio, code: codePCMU, data: []byte{0xff, 0x7f, 0}})
			e.to = 3
		} else {
			plain = appendRecord(plain, record{kind: kindMark, party: noParty, code: byte(MarkHold), at: 3})
			plain = appendRecord(plain, summary{segments: 2, frames: 1}.record(3))
			e.marks = true
		}
		seg := b.seal(append(make([]byte, headBytes), plain...), i, at.final)
		e.size = uint32(len(seg) - headBytes)
		if at.final {
			seg = binary.BigEndian.AppendUint64(seg, uint64(x.offset))
		}
		x.add(at, e)
		tr.add(h, h.leaf(seg))
		want[fmt.Sprint("plaintext ", i)], want[fmt.Sprint("segment ", i)] = plain, seg
	}
	root := tr.root(h)
	want["root"] = root[:]
	for name, want := range want {
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
	goods := map[byte][]byte{}
	for _, version := range []byte{version1, version2} {
		k, bound := exampleKey(), exampleBinding(version)
		good := exampleHeader(f, k, bound)
		b, _, err := newBox(k, good, bound)
		if err != nil {
			f.Fatal(err)
		}
		x := newIndexer()
		var ends []int
		for i := range uint32(4) {
			ends = append(ends, len(good))
			at := place{version: version, number: i, final: i == 3}
			plain := x.append(make([]byte, headBytes), at)
			plain = appendRecord(plain, record{kind: kindAudio, code: codePCMA, at: i * 8000, data: []byte("audio")})
			if i == 3 {
				plain = appendRecord(plain, summary{segments: 4, frames: 4}.record(24005))
			}
			seg := b.seal(plain, i, i == 3)
			size := len(seg) - headBytes
			if at.final && version == version2 {
				seg = binary.BigEndian.AppendUint64(seg, uint64(x.offset))
			}
			x.add(at, entry{size: uint32(size), from: i * 8000, to: i*8000 + 5})
			good = append(good, seg...)
		}
		goods[version] = good
		f.Add(good)
		for _, n := range append(ends, len(good)-1, len(good)-8) {
			f.Add(good[:n])
		}
		f.Add(append(bytes.Clone(good), good[ends[1]:]...))
		f.Add(append(bytes.Clone(good[:ends[1]]), good[ends[2]:]...))
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		n, version, err := headerSize(blob)
		if err != nil || len(blob) < n {
			return
		}
		good, bound := goods[version], exampleBinding(version)
		box, _, err := newBox(exampleKey(), blob[:n], bound)
		if err != nil {
			return
		}
		s := &scanner{id: "r1", blob: memory(blob), box: box, header: blob[:n], parties: 1}
		found, err := s.scan(wants{digest: true, play: true})
		if err == nil && found.final && !bytes.Equal(blob, good) {
			t.Errorf("accepted as complete: %x", blob)
		}
		if found.segments > 0 && !bytes.HasPrefix(good, blob[:found.bytes]) {
			t.Errorf("accepted %d segments of %x", found.segments, blob)
		}
		if err == nil && found.bytes+found.torn != int64(len(blob)) {
			t.Errorf("%d and %d of %d bytes", found.bytes, found.torn, len(blob))
		}
		if _, _, err := s.openAtlas(4); err == nil && version == version2 && !bytes.HasSuffix(blob, good[len(good)-8:]) {
			t.Errorf("found the end of %x", blob)
		}
	})
}
