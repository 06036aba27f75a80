package recording

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"sync"
	"time"
)

// Playback is one recording opened for listening. Everything it can play was checked when it was opened and is checked again when it is read. Safe
// for concurrent use. Close it.
type Playback struct {
	info Info
	s    *scanner
	f    found

	mu     sync.Mutex
	cached int    // segment whose plaintext is held; -1 none
	plain  []byte // that plaintext
	closed bool
}

// Info returns what is known of the recording.
func (p *Playback) Info() Info { return p.info }

// Duration returns the length, to the last thing that was stored.
func (p *Playback) Duration() time.Duration { return p.f.duration() }

// Complete reports whether the recording ended well. If not, it is readable up to the last finished segment.
func (p *Playback) Complete() bool { return p.f.final }

// Marks returns the marks in the order they were written.
func (p *Playback) Marks() []Mark { return slices.Clone(p.f.marks) }

// ReadPCM fills dst with 16-bit samples of one party (from 0) at SampleRate, starting at sample at; where the party was silent, paused or lost, it writes
// zeros. It returns fewer than len(dst) and io.EOF only at the end of the recording. Any sample can be asked for at any time.
func (p *Playback) ReadPCM(party int, dst []int16, at int64) (int, error) {
	if party < 0 || party >= len(p.f.runs) {
		return 0, fmt.Errorf("%w: party %d", ErrInvalid, party)
	}
	if at < 0 {
		return 0, fmt.Errorf("%w: negative position", ErrInvalid)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, ErrClosed
	}
	if at >= p.f.samples {
		return 0, io.EOF
	}
	n := int(min(int64(len(dst)), p.f.samples-at))
	clear(dst[:n])
	runs := p.f.runs[party]
	// The first run that ends after at; runs do not overlap and are in order.
	for i := sort.Search(len(runs), func(i int) bool { return runs[i].at+int64(runs[i].n) > at }); i < len(runs); i++ {
		r := runs[i]
		if r.at >= at+int64(n) {
			break
		}
		plain, err := p.segmentLocked(r.segment)
		if err != nil {
			clear(dst[:n])
			return 0, err
		}
		from, to := max(at, r.at), min(at+int64(n), r.at+int64(r.n))
		decode(dst[from-at:to-at], plain[r.offset+int(from-r.at):r.offset+int(to-r.at)], r.code)
	}
	if n < len(dst) {
		return n, io.EOF
	}
	return n, nil
}

// segmentLocked returns the plaintext of a segment, decrypted anew unless it was the last one asked for.
func (p *Playback) segmentLocked(n int) ([]byte, error) {
	if p.cached == n {
		return p.plain, nil
	}
	clear(p.plain)
	p.cached = -1
	seg := p.f.segments[n]
	raw, err := p.s.read(seg)
	if err != nil {
		return nil, err
	}
	// The head as it was when the index was made: a blob changed since then does not authenticate.
	plain, err := p.s.box.open(p.plain[:0], raw[headBytes:], uint32(n), seg.head)
	if err != nil {
		return nil, p.s.bad(n, seg.offset, ErrTampered, "changed while it was read")
	}
	p.plain, p.cached = plain, n
	return plain, nil
}

// Close forgets the key and zeroes what was decrypted.
func (p *Playback) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	clear(p.plain[:cap(p.plain)])
	clear(p.s.buf[:cap(p.s.buf)])
	p.s.box = nil
	return p.s.blob.Close()
}
