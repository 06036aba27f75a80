package recording_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

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

// ageChunk is how much age encrypts at once.
const ageChunk = 64 << 10

// ageStream is the cipher of age's construction, which is re-made here: ChaCha20-Poly1305 in chunks of 64 KiB under one key from HKDF-SHA256, the nonce
// a counter. It is not age, which wraps the key and buffers too.
func ageStream(t *testing.T) cipher.AEAD {
	t.Helper()
	key, err := hkdf.Key(sha256.New, make([]byte, 16), make([]byte, 16), "payload", chacha20poly1305.KeySize)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// benchAgeSeal writes what benchBulk writes, by age's construction.
func benchAgeSeal(t *testing.T) time.Duration {
	t.Helper()
	frame, chunk, out := make([]byte, 2000), make([]byte, 0, ageChunk), make([]byte, 0, ageChunk+16)
	return cpu(func() {
		aead := ageStream(t)
		var nonce [12]byte
		for n := range benchHours * 2 * 4 * 3600 {
			for rest := frame; len(rest) > 0; {
				k := min(len(rest), ageChunk-len(chunk))
				chunk, rest = append(chunk, rest[:k]...), rest[k:]
				if len(chunk) == ageChunk {
					binary.BigEndian.PutUint64(nonce[3:], uint64(n))
					out = aead.Seal(out[:0], nonce[:], chunk, nil)
					chunk = chunk[:0]
				}
			}
		}
	})
}

// benchAgeOpen reads as many bytes as l has, by age's construction.
func benchAgeOpen(t *testing.T, l long) time.Duration {
	t.Helper()
	nonce := make([]byte, 12)
	sealed := ageStream(t).Seal(nil, nonce, make([]byte, ageChunk), nil)
	blob := bytes.Repeat(sealed, l.bytes/len(sealed))
	chunk := make([]byte, len(sealed))
	return cpu(func() {
		aead := ageStream(t)
		for b := blob; len(b) > 0; b = b[len(sealed):] {
			copy(chunk, b)
			if _, err := aead.Open(chunk[:0], nonce, chunk, nil); err != nil {
				t.Error(err)
			}
		}
	})
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

// benchTicks plays 1 000 calls at the pace of calls, all of which finish their seconds in the same tick, from one media goroutine, and prints how long a tick
// takes, the median of those in which all finish and the longest, how long the longest frame takes, and how late the latest tick began; and the longest tick of
// the first three seconds apart, in which the memory is touched for the first time. The same is printed of a goroutine that only copies: what the longest of that
// takes is the machine's other work.
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
		var finishing []time.Duration
		const frames, warm = 8*50 + 1, 3*50 + 1
		next := time.Now()
		for n := range frames {
			<-time.After(time.Until(next))
			begun := time.Now()
			if n == warm {
				first, slowest, longest, latest = longest, 0, 0, 0
			}
			latest = max(latest, begun.Sub(next))
			last := begun
			for i := range parties {
				write(i, n)
				now := time.Now()
				slowest, last = max(slowest, now.Sub(last)), now
			}
			longest = max(longest, last.Sub(begun))
			if n >= warm && n%50 == 0 {
				finishing = append(finishing, last.Sub(begun))
			}
			next = next.Add(20 * time.Millisecond)
		}
		slices.Sort(finishing)
		fmt.Printf("figure recording/%s tick in which all finish %v goal <= 5ms, longest tick %v, longest frame %v, latest tick %v; at first longest tick %v\n", name,
			finishing[len(finishing)/2], longest, slowest, latest, first)
	}
	run("ticks", func(party, n int) {
		parties[party].WriteFrame(time.Duration(n)*20*time.Millisecond, recording.PCMU, frame)
	})
	run("ticks-copying-only", func(party, n int) { copy(sink[party*8192+n%50*160:], frame) })
	for _, tr := range tracks {
		closeTrack(t, tr)
	}
}
