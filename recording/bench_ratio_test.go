package recording_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/filestore"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

const (
	benchTracks = 1000
	benchFrames = 500 // of each party: ten seconds
	benchPiece  = 8000
	benchRuns   = 7
	benchHours  = 8 // of bulk: a run of a few milliseconds measures the scheduler
)

// TestBenchRatios prints what recording costs against raw AES-256-GCM of the same bytes in pieces of 8 000, both in CPU time of the whole process, so that
// work on other goroutines counts. It runs for `make bench` only.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("RINGFENCE_BENCH is not 1")
	}
	ratio(t, "recording/write", "<=", 1.3, func() time.Duration { return benchVault(t, true, false) }, func() time.Duration { return benchRaw(t, true, false) })
	ratio(t, "recording/write-nowhere", "<=", 1.3, func() time.Duration { return benchVault(t, false, false) }, func() time.Duration { return benchRaw(t, false, false) })
	ratio(t, "recording/write-signed", "<=", 1.3, func() time.Duration { return benchVault(t, true, true) }, func() time.Duration { return benchRaw(t, true, false) })
	ratio(t, "recording/write-nowhere-signed", "<=", 1.3, func() time.Duration { return benchVault(t, false, true) }, func() time.Duration { return benchRaw(t, false, false) })
	nowhere, raw := func() time.Duration { return benchVault(t, false, false) }, func() time.Duration { return benchRaw(t, false, false) }
	signedNowhere := func() time.Duration { return benchVault(t, false, true) }
	ratio(t, "recording/write-nowhere one core", "<=", 1.3, oneCore(nowhere), oneCore(raw))
	ratio(t, "recording/write-nowhere-signed against GCM and SHA-256", "<=", 1.3, signedNowhere, func() time.Duration { return benchRaw(t, false, true) })
	ratio(t, "recording/write-nowhere-signed against GCM and SHA-256, one core", "<=", 1.3, oneCore(signedNowhere), oneCore(func() time.Duration { return benchRaw(t, false, true) }))
	ratio(t, "recording/write-nowhere against GCM on another goroutine", "<=", 1.3, nowhere, func() time.Duration { return benchHandOver(t, false) })
	ratio(t, "recording/write-nowhere-signed against GCM and SHA-256 on another goroutine", "<=", 1.3, signedNowhere, func() time.Duration { return benchHandOver(t, true) })
	bulk, seal := func() time.Duration { return benchBulk(t) }, func() time.Duration { return benchSeal(t) }
	ratio(t, "recording/bulk-write", "<=", 1/0.85, bulk, seal)
	ratio(t, "recording/bulk-write one core", "<=", 1/0.85, oneCore(bulk), oneCore(seal))
	ratio(t, "recording/age over bulk-write", ">=", 1.3, func() time.Duration { return benchAgeSeal(t) }, bulk)
	long, signed := benchLong(t, false), benchLong(t, true)
	ratio(t, "recording/bulk-read", "<=", 1/0.85, func() time.Duration { return benchVerify(t, long) }, func() time.Duration { return benchOpen(t, long, false) })
	ratio(t, "recording/verify-signed", "<=", 1/0.85, func() time.Duration { return benchVerify(t, signed) }, func() time.Duration { return benchOpen(t, signed, true) })
	ratio(t, "recording/age over bulk-read", ">=", 1.3, func() time.Duration { return benchAgeOpen(t, long) }, func() time.Duration { return benchVerify(t, long) })
	took, floor := median(func() time.Duration { return benchVerify(t, signed) }), median(func() time.Duration { return benchOpen(t, signed, true) })
	gigabytes := float64(signed.bytes) / 1e9
	fmt.Printf("figure recording/verify-signed %.2f GB/s goal >= 1, GCM and SHA-256 alone %.2f GB/s\n", gigabytes/took.Seconds(), gigabytes/floor.Seconds())
	benchTicks(t)
	fmt.Printf("figure recording/seek %.3f ms goal <= 1\n", float64(benchSeek(t))/1e6)
	fmt.Printf("figure recording/memory %d bytes per open two-party recording goal <= 40000\n", benchMemory(t))
}

// ratio prints the median of alternating runs of ours and the baseline.
func ratio(t *testing.T, name, op string, goal float64, ours, baseline func() time.Duration) {
	t.Helper()
	ours()
	baseline() // both warm
	var ratios []float64
	for range benchRuns {
		o, b := ours(), baseline()
		t.Logf("%s: ours %v, baseline %v", name, o, b)
		ratios = append(ratios, float64(o)/float64(b))
	}
	slices.Sort(ratios)
	fmt.Printf("ratio %s %.2f goal %s %.2f\n", name, ratios[len(ratios)/2], op, goal)
}

// median returns the median of as many runs.
func median(f func() time.Duration) time.Duration {
	var all []time.Duration
	for range benchRuns {
		all = append(all, f())
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// cpu returns the CPU time that f takes in all threads of this process.
func cpu(f func()) time.Duration {
	runtime.GC()
	usage := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			panic(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := usage()
	f()
	return usage() - before
}

func benchVault(t *testing.T, disk, signed bool) time.Duration {
	t.Helper()
	keys := recordingtest.NewKeys(1)
	cfg := recording.Config{Blobs: nowhere{}, Catalog: &recordingtest.Catalog{}, Keys: keys, Place: home, Authorizer: recordingtest.Allow{}, Auditor: &recordingtest.Audit{}, MaxQueued: 1 << 30}
	if signed {
		cfg.Signer = keys
	}
	if disk {
		blobs, err := filestore.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		cfg.Blobs = blobs
	}
	v, err := recording.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tracks := make([]*recording.Track, benchTracks)
	parties := make([]*recording.Party, 2*benchTracks)
	for i := range tracks {
		if tracks[i], err = v.Create(context.Background(), recording.Meta{Parties: []string{"caller", "agent"}}); err != nil {
			t.Fatal(err)
		}
		parties[2*i], parties[2*i+1] = tracks[i].PartyAt(0, 0), tracks[i].PartyAt(1, 0)
	}
	frame := make([]byte, 160)
	n := 0
	speak := func(frames int) {
		for range frames {
			at := time.Duration(n) * 20 * time.Millisecond
			for _, p := range parties {
				p.WriteFrame(at, recording.PCMU, frame)
			}
			n++
		}
		for v.Stats().Queued > 0 {
			<-time.After(time.Millisecond) // measured is CPU time: waiting costs none
		}
	}
	speak(2 * 50) // calls that have begun: the baseline has its buffers from the beginning too
	// As many segments are finished while it is measured as there are seconds in it, so that the measured bytes are those of the baseline.
	took := cpu(func() { speak(benchFrames) })
	if s := v.Stats(); s.LostFrames > 0 || s.WriteErrors > 0 {
		t.Fatalf("%+v", s)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return took
}

// benchRaw does what someone would write who only wants the bytes encrypted: a buffer per stream, sealed and written when full. No order of streams, no time
// stamps, no bounds, no queue.
func benchRaw(t *testing.T, disk, hash bool) time.Duration {
	t.Helper()
	type stream struct {
		aead  cipher.AEAD
		buf   []byte
		file  *os.File
		count uint64
	}
	dir := t.TempDir()
	streams := make([]stream, 2*benchTracks)
	for i := range streams {
		s := &streams[i]
		block, err := aes.NewCipher(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		if s.aead, err = cipher.NewGCM(block); err != nil {
			t.Fatal(err)
		}
		s.buf = make([]byte, 0, benchPiece)
		if disk {
			if s.file, err = os.OpenFile(filepath.Join(dir, fmt.Sprint(i)), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
				t.Fatal(err)
			}
			defer s.file.Close()
		}
	}
	frame, out := make([]byte, 160), make([]byte, 0, benchPiece+16)
	return cpu(func() {
		for range benchFrames {
			for i := range streams {
				s := &streams[i]
				s.buf = append(s.buf, frame...)
				if len(s.buf) < benchPiece {
					continue
				}
				var nonce [12]byte
				binary.BigEndian.PutUint64(nonce[4:], s.count)
				s.count++
				out = s.aead.Seal(out[:0], nonce[:], s.buf, nil)
				s.buf = s.buf[:0]
				if hash {
					_ = sha256.Sum256(out)
				}
				if disk {
					if _, err := s.file.Write(out); err != nil {
						t.Error(err)
					}
				}
			}
		}
	})
}

// long is a finished recording of an hour in memory.
type long struct {
	vault *recording.Vault
	bytes int
}

func benchLong(t *testing.T, signed bool) long {
	t.Helper()
	k := newKit(t, func(c *recording.Config) {
		c.MaxQueued = 1 << 30
		if !signed {
			c.Signer = nil
		}
	})
	tr := k.create(t, "long")
	a, b, frame := tr.PartyAt(0, 0), tr.PartyAt(1, 0), make([]byte, 160)
	for n := range 50 * 3600 {
		at := time.Duration(n) * 20 * time.Millisecond
		a.WriteFrame(at, recording.PCMU, frame)
		b.WriteFrame(at, recording.PCMU, frame)
	}
	closeTrack(t, tr)
	blob := k.blobs.Bytes("long")
	cfg := k.cfg
	cfg.Blobs = kept{blob: blob}
	return long{newVault(t, cfg), len(blob)}
}

func benchVerify(t *testing.T, l long) time.Duration {
	t.Helper()
	a := access(t, l.vault)
	return cpu(func() {
		if rep, err := a.Verify(context.Background(), "long"); err != nil || !rep.Complete {
			t.Errorf("%+v, %v", rep, err)
		}
	})
}

// bulkPiece is the plaintext of a segment of two parties.
const bulkPiece = 2 * benchPiece

// benchBulk records hours of two parties as fast as it goes, in the largest frames there are.
func benchBulk(t *testing.T) time.Duration {
	t.Helper()
	k := newKit(t, func(c *recording.Config) { c.Blobs = nowhere{}; c.Signer = nil; c.MaxQueued = 1 << 30 })
	tr := k.create(t, "bulk")
	a, b, frame := tr.PartyAt(0, 0), tr.PartyAt(1, 0), make([]byte, 2000)
	return cpu(func() {
		for n := range benchHours * 4 * 3600 {
			at := time.Duration(n) * 250 * time.Millisecond
			a.WriteFrame(at, recording.PCMU, frame)
			b.WriteFrame(at, recording.PCMU, frame)
			for n%64 == 0 && k.vault.Stats().Queued > 1<<20 { // no faster than it is written: a call is not
				<-time.After(100 * time.Microsecond)
			}
		}
		for k.vault.Stats().Queued > 0 {
			<-time.After(time.Millisecond)
		}
	})
}

// benchSeal copies as many bytes into a piece and seals it.
func benchSeal(t *testing.T) time.Duration {
	t.Helper()
	aead := benchGCM(t)
	frame, piece, out := make([]byte, 2000), make([]byte, 0, bulkPiece), make([]byte, 0, bulkPiece+16)
	var nonce [12]byte
	return cpu(func() {
		for n := range benchHours * 2 * 4 * 3600 {
			if piece = append(piece, frame...); len(piece) == bulkPiece {
				binary.BigEndian.PutUint64(nonce[4:], uint64(n))
				out = aead.Seal(out[:0], nonce[:], piece, nil)
				piece = piece[:0]
			}
		}
	})
}

// benchSeek returns how long it takes to hear a second of a recording of four hours, in a file, picked at random; opened already.
func benchSeek(t *testing.T) time.Duration {
	t.Helper()
	blobs, err := filestore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k := newKit(t, func(c *recording.Config) { c.Blobs, c.MaxQueued, c.Bulk.Bytes = blobs, 1<<30, 1<<50 })
	tr := k.create(t, "long")
	a, b, frame := tr.PartyAt(0, 0), tr.PartyAt(1, 0), make([]byte, 160)
	for n := range 4 * 3600 * 50 {
		at := time.Duration(n) * 20 * time.Millisecond
		a.WriteFrame(at, recording.PCMU, frame)
		b.WriteFrame(at, recording.PCMU, frame)
	}
	closeTrack(t, tr)
	p, err := k.access(t).Open(context.Background(), "long")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	pcm := make([]int16, 160)
	const seeks = 1000
	return cpu(func() {
		for range seeks {
			if _, err := p.ReadPCM(rnd.IntN(2), pcm, int64(rnd.IntN(4*3600))*recording.SampleRate); err != nil {
				t.Error(err)
			}
		}
	}) / seeks
}

// benchOpen copies, hashes if asked, and opens as many bytes in pieces of a segment.
func benchOpen(t *testing.T, l long, hash bool) time.Duration {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, 12)
	sealed := aead.Seal(nil, nonce, make([]byte, bulkPiece), nil)
	blob := make([]byte, 0, l.bytes)
	for len(blob)+len(sealed) <= l.bytes {
		blob = append(blob, sealed...)
	}
	piece := make([]byte, len(sealed))
	return cpu(func() {
		for blob := blob; len(blob) > 0; blob = blob[len(sealed):] {
			copy(piece, blob)
			if hash {
				_ = sha256.Sum256(piece)
			}
			if _, err := aead.Open(piece[:0], nonce, piece, nil); err != nil {
				t.Error(err)
			}
		}
	})
}

// benchMemory returns the heap that an open recording holds with a second of both parties pending.
func benchMemory(t *testing.T) int64 {
	t.Helper()
	k := newKit(t, func(c *recording.Config) { c.Blobs = nowhere{}; c.Signer = nil })
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	tracks := make([]*recording.Track, benchTracks)
	for i := range tracks {
		tracks[i] = k.create(t, fmt.Sprint("m", i))
		for party := range 2 {
			speak(tracks[i].PartyAt(party, 0), 0, 900*time.Millisecond, 440, recording.PCMU)
		}
	}
	per := (heap() - before) / benchTracks
	for _, tr := range tracks {
		closeTrack(t, tr)
	}
	return per
}
