package recording

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Track is a recording being made. Safe for concurrent use.
type Track struct {
	// What every frame touches comes first and together: with a thousand tracks the cost of a frame is the cost of fetching this.
	mu      sync.Mutex
	closed  bool
	paused  bool
	parties uint8
	end     int64 // latest tick stored or dropped so far
	stats   TrackStats
	lanes   [MaxParties]lane

	gap       gap
	discarded bool
	outcome   error         // of the last job; read after done is closed
	done      chan struct{} // closed by the writer after the track's last job
	settled   sync.Once
	endErr    error

	v     *Vault
	entry Entry
	start time.Time // the zero of all time stamps
	out   output    // the writer's side
}

// lane is one party of a track.
type lane struct {
	part   *part // pending; nil while empty
	end    int64 // tick at which its audio ends so far: what claims to be before it is moved or not stored
	since  int64 // tick of the last resume or unmask: frames that claim to be older are withheld
	masked bool
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
	Withheld    uint64 // not stored because the recording was paused or the party masked
	Repeated    uint64 // not stored because audio of that party and time was stored already, as of a packet sent twice
	Unsupported uint64 // not stored because codec, length or time stamp was outside what a recording holds
	Late        uint64 // not stored because they came after Close
}

func newTrack(v *Vault, e Entry, b *box, header []byte, start time.Time, parties int) *Track {
	return &Track{v: v, entry: e, start: start, parties: uint8(parties), out: output{box: b, header: header}, done: make(chan struct{})}
}

// begin makes the blob and writes its header.
func (t *Track) begin(ctx context.Context) error {
	w, err := t.v.cfg.Blobs.Create(ctx, t.entry.ID)
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	if _, err := w.Write(t.out.header); err != nil {
		return errors.Join(fmt.Errorf("recording: %w", err), w.Close())
	}
	var h *hasher
	if t.v.cfg.Signer != nil {
		h = t.v.hash
	}
	t.out.begin(w, h)
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

// WriteFrame stores one frame as it was on the wire. at is when the frame begins, counted from when the party's tap was attached; best it follows
// the RTP time stamp. codec is PCMU, PCMA, G722 or Opus. payload is copied, at most MaxFrame bytes.
//
// It never waits for a disk and allocates nothing. What cannot be stored is dropped and counted in TrackStats. It may be called from one goroutine per
// Party at a time.
func (p *Party) WriteFrame(at time.Duration, codec string, payload []byte) {
	code, ok := codecOf(codec)
	var ticks int64
	if ok = ok && len(payload) > 0 && len(payload) <= MaxFrame && at >= 0 && at <= MaxLength; ok {
		ticks = duration(code, payload)
	}
	pos := p.offset + int64(at/tick)
	t, l := p.t, &p.t.lanes[p.i]
	t.mu.Lock()
	switch {
	case t.closed:
		t.stats.Late++
	case ticks == 0 || pos > int64(MaxLength/tick):
		t.stats.Unsupported++
	case t.paused || l.masked || pos < l.since:
		// A frame that comes after the resume and claims to be from before it may be from the pause: a delayed packet must not smuggle in what the
		// pause was for.
		t.stats.Withheld++
	default:
		t.storeLocked(l, p.i, pos, ticks, code, payload)
	}
	t.mu.Unlock()
}

// storeLocked puts a frame behind what its party has said so far. Audio of a party never overlaps, so that any of it can be found without reading the rest.
func (t *Track) storeLocked(l *lane, i int, pos, ticks int64, code byte, payload []byte) {
	if over := l.end - pos; over > 0 {
		switch {
		case over <= overlapSlack: // jitter
			pos = l.end
		case over >= ticks || framed(code):
			t.stats.Repeated++
			return
		default: // one tick, one byte
			payload = payload[over:]
			pos, ticks = l.end, ticks-over
		}
	}
	p := l.part
	// All parties go into one segment, so that a crash costs no party more than a second, whoever spoke.
	if p != nil && (pos+ticks-p.first > segmentTicks || len(p.buf)+recordHeader+frameHead+len(payload) > cap(p.buf)) {
		t.flushLocked()
		p = l.part
	}
	if p == nil {
		p = t.v.parts.Get().(*part)
		l.part = p
	}
	if len(p.buf) == 0 {
		p.run, p.first = -1, pos
	}
	follows := p.run >= 0 && p.code == code && pos-p.end < runSlack
	if follows {
		pos = p.end
	}
	if pos+ticks > maxTick {
		t.stats.Unsupported++
		return
	}
	if !follows {
		kind := byte(kindAudio)
		if framed(code) {
			kind = kindFrames
		}
		p.run, p.code = len(p.buf), code
		p.buf = appendRecord(p.buf, record{kind: kind, party: byte(i), code: code, at: uint32(pos)})
	}
	if framed(code) {
		p.buf = appendFrame(p.buf, ticks, payload)
	} else {
		p.buf = append(p.buf, payload...)
	}
	binary.BigEndian.PutUint32(p.buf[p.run+8:], uint32(len(p.buf)-p.run-recordHeader))
	p.end = pos + ticks
	l.end = p.end
	p.frames++
	t.stats.Frames++
	t.end = max(t.end, p.end)
}

// flushLocked hands what is pending to the writer, or drops it and counts it if too much is waiting already.
func (t *Track) flushLocked() { t.handOverLocked(t.jobLocked(), false) }

func (t *Track) jobLocked(marks ...record) job {
	j := job{track: t, from: t.end, to: t.end}
	for i := range t.parties {
		if p := t.lanes[i].part; p != nil && len(p.buf) > 0 {
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
			t.lanes[i].part = nil
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

// Discard stops the recording and leaves nothing of it to be read, as when consent is withdrawn: what is pending is zeroed, the key is shredded in the
// catalog, and the blob is erased. The row stays as the proof that there was something. reason is recorded with the Vault's Auditor; if that fails, the
// recording is discarded all the same and the error returned. If ctx ends first, its error is returned; the key is gone by then unless the catalog failed,
// and Vault.Close erases the blob. ErrClosed after Close: then it is Access.Destroy's.
func (t *Track) Discard(ctx context.Context, reason string) error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	t.closed, t.discarded = true, true
	for i := range t.lanes {
		if p := t.lanes[i].part; p != nil {
			p.reset()
			t.v.parts.Put(p)
			t.lanes[i].part = nil
		}
	}
	t.handOverLocked(job{track: t, last: true}, true)
	t.mu.Unlock()
	id, v := t.entry.ID, t.v
	err := v.cfg.Auditor.Audit(ctx, ActionDiscard, id, slog.String("reason", reason))
	if err != nil {
		err = fmt.Errorf("recording: audit: %w", err)
	}
	// The key before the writer: a disk that stands still must not keep it alive.
	if serr := v.cfg.Catalog.Shred(context.WithoutCancel(ctx), id, v.cfg.Now().UTC()); serr != nil {
		err = errors.Join(err, fmt.Errorf("recording: discard: %w", serr))
	}
	select {
	case <-t.done:
		return errors.Join(err, t.settle(ctx))
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("recording: discard: %w", ctx.Err()))
	}
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

func (t *Track) isDiscarded() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.discarded
}
