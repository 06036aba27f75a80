package recording_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/ringfence/ringfence/recording"
)

// oneCore runs f with one processor: what it costs without two goroutines that take each other's cache lines.
func oneCore(f func() time.Duration) func() time.Duration {
	return func() time.Duration {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		return f()
	}
}

// benchHandOver is benchRaw to nowhere, but sealed by another goroutine, as whoever must not keep a media goroutine waiting has to: two buffers per stream, of
// which one is filled while the other waits. It may hash the ciphertext too.
func benchHandOver(t *testing.T, hash bool) time.Duration {
	t.Helper()
	type stream struct {
		aead  cipher.AEAD
		buf   []byte
		count uint64
	}
	streams := make([]stream, 2*benchTracks)
	full, free := make(chan *stream, 2*benchTracks), make(chan []byte, 4*benchTracks)
	filled := make(chan []byte, 2*benchTracks)
	for i := range streams {
		streams[i].aead, streams[i].buf = benchGCM(t), make([]byte, 0, benchPiece)
		free <- make([]byte, 0, benchPiece)
	}
	frame, out := make([]byte, 160), make([]byte, 0, benchPiece+16)
	done := make(chan struct{})
	return cpu(func() {
		go func() { // ends when full is closed below; done is waited for
			defer close(done)
			for s := range full {
				buf := <-filled
				var nonce [12]byte
				binary.BigEndian.PutUint64(nonce[4:], s.count)
				s.count++
				out = s.aead.Seal(out[:0], nonce[:], buf, nil)
				if hash {
					_ = sha256.Sum256(out)
				}
				free <- buf[:0]
			}
		}()
		for range benchFrames {
			for i := range streams {
				s := &streams[i]
				if s.buf = append(s.buf, frame...); len(s.buf) == benchPiece {
					filled <- s.buf
					full <- s
					s.buf = <-free
				}
			}
		}
		close(full)
		<-done
	})
}

func benchGCM(t *testing.T) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// ageIdentity is whom age encrypts for.
func ageIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// benchAgeSeal writes what benchBulk writes, with age.
func benchAgeSeal(t *testing.T) time.Duration {
	t.Helper()
	id, frame := ageIdentity(t), make([]byte, 2000)
	return cpu(func() {
		w, err := age.Encrypt(io.Discard, id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		for range benchHours * 2 * 4 * 3600 {
			if _, err := w.Write(frame); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

// benchAgeOpen reads as many bytes as l has, with age.
func benchAgeOpen(t *testing.T, l long) time.Duration {
	t.Helper()
	id := ageIdentity(t)
	var blob bytes.Buffer
	w, err := age.Encrypt(&blob, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, zeros{}, int64(l.bytes)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return cpu(func() {
		r, err := age.Decrypt(bytes.NewReader(blob.Bytes()), id)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != int64(l.bytes) {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// kept is a disk that has one blob in memory and gives it without a copy.
type kept struct {
	nowhere
	blob []byte
}

func (k kept) Open(context.Context, string) (recording.BlobReader, error) {
	return keptReader{bytes.NewReader(k.blob)}, nil
}

type keptReader struct{ *bytes.Reader }

func (keptReader) Close() error { return nil }

// benchTicks plays 1 000 calls that begin together, at the pace of calls, from one media goroutine, and prints how long a tick takes: the longest, of the first
// three seconds, in which memory is touched for the first time, and of those after; how long the longest frame takes; and how late the latest tick began. The
// same is printed of a goroutine that only copies: what the longest of that takes is the machine's other work.
func benchTicks(t *testing.T) {
	t.Helper()
	k := newKit(t, func(c *recording.Config) { c.Blobs = nowhere{} })
	var parties []*recording.Party
	var tracks []*recording.Track
	for i := range benchTracks {
		tr := k.create(t, fmt.Sprint("t", i))
		tracks, parties = append(tracks, tr), append(parties, tr.PartyAt(0, 0), tr.PartyAt(1, 0))
	}
	frame, sink := make([]byte, 160), make([]byte, 2*benchTracks*8192)
	run := func(name string, write func(party, n int)) {
		var first, slowest, longest, latest time.Duration
		const frames, warm = 8 * 50, 3 * 50
		next := time.Now()
		for n := range frames {
			<-time.After(time.Until(next))
			begun := time.Now()
			if n == warm {
				first, longest = longest, 0
			}
			latest = max(latest, begun.Sub(next))
			last := begun
			for i := range parties {
				write(i, n)
				now := time.Now()
				slowest, last = max(slowest, now.Sub(last)), now
			}
			longest = max(longest, last.Sub(begun))
			next = next.Add(20 * time.Millisecond)
		}
		fmt.Printf("figure recording/%s longest tick at first %v, later %v goal <= 5ms, longest frame %v, latest tick %v\n", name, first, longest, slowest, latest)
	}
	run("ticks", func(party, n int) {
		parties[party].WriteFrame(time.Duration(n)*20*time.Millisecond, recording.PCMU, frame)
	})
	run("ticks-copying-only", func(party, n int) { copy(sink[party*8192+n%50*160:], frame) })
	for _, tr := range tracks {
		closeTrack(t, tr)
	}
}
