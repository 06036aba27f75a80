package recording

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"
)

// Track is a recording being made. Safe for concurrent use.
type Track struct {
	// What every frame touches comes first and together: with a thousand tracks the cost of a frame is the cost of fetching this.
	mu        sync.Mutex
	closed    bool
	paused    bool
	parties   uint8
	resumedAt int64 // tick of the last resume: frames that claim to be older are withheld
	end       int64 // latest tick stored or dropped so far
	stats     TrackStats
	parts     [MaxParties]*part // by party; nil while empty

	gap     gap
	outcome error         // of the last job; read after done is closed
	done    chan struct{} // closed by the writer after the track's last job
	settled sync.Once
	endErr  error

	v     *Vault
	entry Entry
	start time.Time // the zero of all time stamps
	out   output    // the writer's side
}

// gap collects what was dropped since the last segment that was taken.
type gap struct {
	frames   uint64
	from, to int64
}

// TrackStats is what became of the frames handed to a Track.
type TrackStats struct {
	Frames      uint64 // stored, or on their way
	Lost        uint64 // dropped because the disk was slow or failed; the recording has a MarkLost for them
	Withheld    uint64 // not stored because the recording was paused
	Unsupported uint64 // not stored because codec, length or time stamp was outside what a recording holds
	Late        uint64 // not stored because they came after Close
}

func newTrack(v *Vault, e Entry, b *box, start time.Time, parties int) *Track {
	return &Track{v: v, entry: e, start: start, parties: uint8(parties), out: output{box: b}, done: make(chan struct{})}
}

// begin makes the blob and writes its header.
func (t *Track) begin(ctx context.Context, header []byte) error {
	w, err := t.v.cfg.Blobs.Create(ctx, t.entry.ID)
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	if _, err := w.Write(header); err != nil {
		return errors.Join(fmt.Errorf("recording: %w", err), w.Close())
	}
	t.out.begin(w, header, t.v.cfg.Signer != nil)
	return nil
}

// ID returns the recording's name.
func (t *Track) ID() string { return t.entry.ID }

// Created returns when it began, in UTC: the moment that retention counts from.
func (t *Track) Created() time.Time { return t.entry.Created }

// Stats returns what became of the frames so far.
func (t *Track) Stats() TrackStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

// elapsed returns the tick it is now.
func (t *Track) elapsed() int64 { return int64(t.v.cfg.Now().Sub(t.start) / tick) }

// Party returns the side of party i (from 0, in the order of Meta.Parties) whose tap is attached now: its frames count from here. It may be called
// again when the party's media is replaced, as after a transfer. It panics if there is no such party.
func (t *Track) Party(i int) *Party { return t.PartyAt(i, t.v.cfg.Now().Sub(t.start)) }

// PartyAt is Party for a tap that was attached at the given time from the start of the recording. A negative offset counts as zero.
func (t *Track) PartyAt(i int, offset time.Duration) *Party {
	if i < 0 || i >= int(t.parties) {
		panic(fmt.Sprintf("recording: party %d of %d", i, t.parties))
	}
	return &Party{t: t, i: i, offset: max(0, int64(offset/tick))}
}

// Party is one side of a recording.
type Party struct {
	t      *Track
	i      int
	offset int64
}

// WriteFrame stores one frame of G.711 as it was on the wire. at is when the frame begins, counted from when the party's tap was attached; best it follows
// the RTP time stamp. codec is PCMU or PCMA. payload is copied, at most MaxFrame bytes.
//
// It never waits for a disk and allocates nothing. What cannot be stored is dropped and counted in TrackStats. It may be called from one goroutine per
// Party at a time.
func (p *Party) WriteFrame(at time.Duration, codec string, payload []byte) {
	var code byte
	ok := len(payload) > 0 && len(payload) <= MaxFrame && at >= 0 && at <= MaxLength
	switch codec {
	case PCMU:
		code = codePCMU
	case PCMA:
		code = codePCMA
	default:
		ok = false
	}
	pos := p.offset + int64(at/tick)
	t := p.t
	t.mu.Lock()
	switch {
	case t.closed:
		t.stats.Late++
	case !ok || pos > int64(MaxLength/tick):
		t.stats.Unsupported++
	case t.paused || pos < t.resumedAt:
		// A frame that comes after the resume and claims to be from before it may be from the pause: a delayed packet must not smuggle in what the
		// pause was for.
		t.stats.Withheld++
	default:
		t.storeLocked(p.i, pos, code, payload)
	}
	t.mu.Unlock()
}

func (t *Track) storeLocked(i int, pos int64, code byte, payload []byte) {
	n := int64(len(payload))
	// All parties go into one segment, so that a crash costs no party more than a second, whoever spoke.
	if p := t.parts[i]; p != nil && (pos+n-p.first > segmentTicks || len(p.buf)+recordHeader+len(payload) > cap(p.buf)) {
		t.flushLocked()
	}
	p := t.parts[i]
	if p == nil {
		p = t.v.parts.Get().(*part)
		t.parts[i] = p
	}
	if len(p.buf) == 0 {
		p.run, p.first = -1, pos
	}
	if off := pos - p.end; p.run >= 0 && p.code == code && off < runSlack && off > -runSlack {
		p.buf = append(p.buf, payload...)
		binary.BigEndian.PutUint32(p.buf[p.run+8:], uint32(len(p.buf)-p.run-recordHeader))
		p.end += n
	} else {
		p.run, p.code, p.end = len(p.buf), code, pos+n
		p.buf = appendRecord(p.buf, record{kind: kindAudio, party: byte(i), code: code, at: uint32(pos), data: payload})
	}
	p.frames++
	t.stats.Frames++
	t.end = max(t.end, p.end)
}

// flushLocked hands what is pending to the writer, or drops it and counts it if too much is waiting already.
func (t *Track) flushLocked() { t.handOverLocked(t.jobLocked(), false) }

func (t *Track) jobLocked(marks ...record) job {
	j := job{track: t, from: t.end, to: t.end}
	for i, p := range t.parts {
		if p != nil && len(p.buf) > 0 {
			j.parts[i] = p
			j.cost += partBytes
			j.from = min(j.from, p.first)
		}
	}
	if t.gap.frames > 0 {
		j.marks = appendRecord(j.marks, t.gap.record())
	}
	for _, m := range marks {
		j.marks = appendRecord(j.marks, m)
	}
	j.cost += int64(len(j.marks))
	return j
}

func (t *Track) handOverLocked(j job, forced bool) bool {
	if j.cost == 0 && !j.last {
		return true
	}
	taken := t.v.queue.put(j, forced)
	for i, p := range j.parts {
		switch {
		case p == nil:
		case taken:
			t.parts[i] = nil
		default:
			t.dropLocked(p.frames, j.from, j.to)
			p.reset()
		}
	}
	if taken {
		t.gap = gap{}
	}
	return taken
}

// dropLocked counts frames that will not be stored and remembers them for the next MarkLost.
func (t *Track) dropLocked(frames uint64, from, to int64) {
	if frames == 0 {
		return
	}
	if t.gap.frames == 0 {
		t.gap.from, t.gap.to = from, to
	}
	t.gap.frames += frames
	t.gap.from, t.gap.to = min(t.gap.from, from), max(t.gap.to, to)
	t.stats.Frames -= frames
	t.stats.Lost += frames
	t.v.lost.Add(frames)
}

func (g gap) record() record {
	b := binary.BigEndian.AppendUint64(nil, g.frames)
	b = binary.BigEndian.AppendUint32(b, uint32(max(0, g.to-g.from)))
	return record{kind: kindMark, party: noParty, code: byte(MarkLost), at: uint32(g.from), data: b}
}

// Pause stops storing. When it returns, no frame that is handed in is stored until Resume, and the recording has a mark. Pausing twice is pausing once.
// ErrClosed after Close.
func (t *Track) Pause() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	if !t.paused {
		t.paused = true
		t.markLocked(MarkPause, "")
	}
	return nil
}

// Resume starts storing again, frames from now on. ErrClosed after Close.
func (t *Track) Resume() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	if t.paused {
		t.paused = false
		t.resumedAt = t.elapsed()
		t.markLocked(MarkResume, "")
	}
	return nil
}

// Mark keeps a moment of the call with the audio. text may say more, at most 256 bytes of UTF-8. ErrInvalid for MarkPause, MarkResume and MarkLost, which
// are not the caller's to set, and for kinds there are not. ErrClosed after Close.
func (t *Track) Mark(kind MarkKind, text string) error {
	if kind <= MarkLost || kind >= markEnd || len(text) > maxText || !utf8.ValidString(text) {
		return fmt.Errorf("%w: mark", ErrInvalid)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	t.markLocked(kind, text)
	return nil
}

// markLocked writes the mark after all audio before it. The mark itself is not dropped when the disk is behind.
func (t *Track) markLocked(kind MarkKind, text string) {
	at := min(max(0, t.elapsed()), int64(MaxLength/tick))
	t.end = max(t.end, at)
	t.flushLocked() // may drop the audio when the disk is behind
	m := record{kind: kindMark, party: noParty, code: byte(kind), at: uint32(at), data: []byte(text)}
	t.handOverLocked(t.jobLocked(m), true)
}

// Close ends the recording: everything is written and synced, the final segment makes later truncation visible, the manifest is signed, and the catalog
// says complete. ErrIncomplete if the end could not be written; then the catalog says incomplete. If ctx ends first, its error is returned and the
// recording stays open until Vault.Close or, after a crash, Vault.Recover. Closing twice returns ErrClosed.
func (t *Track) Close(ctx context.Context) error {
	if !t.stop(true) {
		return ErrClosed
	}
	select {
	case <-t.done:
		return t.settle(ctx)
	case <-ctx.Done():
		return fmt.Errorf("recording: close: %w", ctx.Err())
	}
}

// abandon ends a track whose vault closes under it: what it holds is written, without a final segment.
func (t *Track) abandon(ctx context.Context) error {
	t.stop(false)
	<-t.done
	return t.settle(ctx)
}

// stop takes no more frames and hands over the last job. It returns false if that was done before.
func (t *Track) stop(final bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.closed = true
	j := t.jobLocked()
	j.last, j.final = true, final
	t.handOverLocked(j, true) // cannot be refused: the vault ends its tracks before it closes the queue
	return true
}
