package recording

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"
)

// Track is a recording being made. Safe for concurrent use.
type Track struct {
	// What every frame touches: a cache line for each party, lying together: with a thousand tracks the cost of a frame is the cost of fetching this.
	lanes []lane

	mu        sync.Mutex // before any lane's
	closed    bool
	paused    bool
	discarded bool
	unpurged  bool // discarded, and key or blob may still be there
	parties   uint8
	end       int64      // latest tick stored or dropped up to the last flush
	stats     TrackStats // Frames without those pending

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
	Withheld    uint64 // not stored because the recording was paused or the party masked
	Repeated    uint64 // not stored because audio of that party and time was stored already, as of a packet sent twice
	Unsupported uint64 // not stored because codec, length or time stamp was outside what a recording holds
	Late        uint64 // not stored because they came after Close
}

func newTrack(v *Vault, e Entry, b *box, header []byte, start time.Time, parties int) *Track {
	return &Track{lanes: v.supply.track(parties), v: v, entry: e, start: start, parties: uint8(parties), out: output{box: b, header: header}, done: make(chan struct{})}
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
	t.lock()
	defer t.unlock()
	out := t.stats
	for i := range t.parties {
		out.Frames += uint64(t.lanes[i].frames)
	}
	return out
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
	return &Party{lane: &t.lanes[i], t: t, offset: max(0, int64(offset/tick))}
}

// Party is one side of a recording.
type Party struct {
	lane   *lane
	t      *Track
	offset int64
}

// WriteFrame stores one frame as it was on the wire. at is when the frame begins, counted from when the party's tap was attached; best it follows
// the RTP time stamp. codec is PCMU, PCMA, G722 or Opus. payload is copied, at most MaxFrame bytes.
//
// It never waits for a disk and allocates nothing. What cannot be stored is dropped and counted in TrackStats. It may be called from one goroutine per
// Party at a time.
func (p *Party) WriteFrame(at time.Duration, codec string, payload []byte) {
	var ticks int64
	code, ok := codecOf(codec)
	if ok && len(payload) > 0 && len(payload) <= MaxFrame && at >= 0 && at <= MaxLength {
		ticks = duration(code, payload)
	}
	pos := p.offset + int64(at/tick)
	for {
		p.lane.mu.Lock()
		outcome, sheet := p.lane.store(pos, ticks, code, payload), p.lane.sheet
		p.lane.mu.Unlock()
		switch outcome {
		case stored:
			return
		case completes:
			p.t.complete(p.lane, sheet)
			return
		case full, needsRoom:
			p.t.next(p.lane, sheet) // and again: another tap of the party may have filled it meanwhile
			continue
		}
		p.t.count(outcome)
		return
	}
}

// count counts a frame that is not stored.
func (t *Track) count(o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch o {
	case late:
		t.stats.Late++
	case withheld:
		t.stats.Withheld++
	case repeated:
		t.stats.Repeated++
	default:
		t.stats.Unsupported++
	}
}

// lock takes the track and all its parties, so that nothing is stored meanwhile.
func (t *Track) lock() {
	t.mu.Lock()
	for i := range t.parties {
		t.lanes[i].mu.Lock()
	}
}

func (t *Track) unlock() {
	for i := range t.parties {
		t.lanes[i].mu.Unlock()
	}
	t.mu.Unlock()
}

// next hands what is pending to the writer if the lane is still on the sheet that was seen full, and gives its pair the next sheet. All parties go into one
// segment, so that a crash costs no party more than a second, whoever spoke; of two that are full at once the first to come ends it for both.
func (t *Track) next(l *lane, seen *sheet) {
	t.lock()
	defer t.unlock()
	if t.closed {
		return
	}
	if seen != nil && l.sheet == seen {
		t.flushLocked()
	}
	t.layLocked(int(l.party) / 2)
}

// complete is next for a segment to which no party has anything to add: until the next frame comes it would be exposed to a crash for nothing.
func (t *Track) complete(l *lane, seen *sheet) {
	t.lock()
	defer t.unlock()
	if t.closed || l.sheet != seen {
		return
	}
	for i := range t.lanes {
		if l := &t.lanes[i]; l.frames > 0 && !l.whole {
			return
		}
	}
	t.flushLocked()
	t.layLocked(int(l.party) / 2)
}

// layLocked gives pair i a sheet if it has none.
func (t *Track) layLocked(i int) {
	pair := t.pair(i)
	if pair[0].sheet != nil {
		return
	}
	s := t.v.supply.get()
	for k := range pair {
		pair[k].lay(s)
	}
}

// pair returns the parties of sheet i: two, or the last one.
func (t *Track) pair(i int) []lane { return t.lanes[2*i : min(2*i+2, len(t.lanes))] }

// flushLocked hands what is pending to the writer, or drops it and counts it if too much is waiting already.
func (t *Track) flushLocked() { t.handOverLocked(t.jobLocked(), false) }

// jobLocked takes what is pending.
func (t *Track) jobLocked(marks ...record) job {
	j := job{track: t}
	j.from = math.MaxInt64
	for i := 0; 2*i < len(t.lanes); i++ {
		pair, frames := t.pair(i), uint32(0)
		for k := range pair {
			if l := &pair[k]; l.frames > 0 {
				t.end, j.from = max(t.end, l.end), min(j.from, l.first)
				frames += l.frames
			}
		}
		if frames == 0 {
			continue
		}
		j.sheets[i] = pair[0].sheet
		for k := range pair {
			pair[k].take()
		}
		j.cost += sheetCost
	}
	t.stats.Frames += j.frames()
	j.from, j.to = min(j.from, t.end), t.end
	if t.gap.frames > 0 {
		j.marks = appendRecord(j.marks, t.gap.record())
	}
	for _, m := range marks {
		j.marks = appendRecord(j.marks, m)
	}
	j.cost += int64(len(j.marks))
	return j
}

func (t *Track) handOverLocked(j job, forced bool) {
	if j.cost == 0 && !j.last {
		return
	}
	if t.v.queue.put(j, forced) {
		t.gap = gap{}
		return
	}
	t.dropLocked(&j)
	t.v.recycle(&j)
}

// dropLocked counts frames that will not be stored and remembers them for the next MarkLost.
func (t *Track) dropLocked(j *job) {
	frames := j.frames()
	if frames == 0 {
		return
	}
	if t.gap.frames == 0 {
		t.gap.from, t.gap.to = j.from, j.to
	}
	t.gap.frames += frames
	t.gap.from, t.gap.to = min(t.gap.from, j.from), max(t.gap.to, j.to)
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
// and Vault.Close erases the blob. After a Discard that failed, another tries again what was left undone. ErrClosed after one that did not, and after Close:
// then it is Access.Destroy's.
func (t *Track) Discard(ctx context.Context, reason string) error {
	t.lock()
	if t.closed {
		again := t.unpurged
		t.unlock()
		if !again {
			return ErrClosed
		}
		return t.purge(ctx)
	}
	t.unpurged = true
	t.discarded = true
	t.endLocked()
	j := t.jobLocked()
	t.v.recycle(&j)
	t.handOverLocked(job{track: t, last: true}, true)
	t.unlock()
	id, v := t.entry.ID, t.v
	masked, err := v.mask(reason)
	if err == nil {
		err = v.cfg.Auditor.Audit(ctx, ActionDiscard, id, slog.String("reason", masked))
	}
	if err != nil {
		err = fmt.Errorf("recording: audit: %w", err)
	}
	// The key before the writer: a disk that stands still must not keep it alive.
	serr := v.cfg.Catalog.Shred(context.WithoutCancel(ctx), id, v.cfg.Now().UTC())
	if serr != nil {
		err = errors.Join(err, fmt.Errorf("recording: discard: %w", serr))
	}
	select {
	case <-t.done:
		if serr = t.settle(ctx); serr == nil { // it has shredded again
			t.purged()
		}
		return errors.Join(err, serr)
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("recording: discard: %w", ctx.Err()))
	}
}

// purge destroys what a Discard left.
func (t *Track) purge(ctx context.Context) error {
	v, id := t.v, t.entry.ID
	if err := errors.Join(v.cfg.Catalog.Shred(ctx, id, v.cfg.Now().UTC()), v.cfg.Blobs.Remove(ctx, id)); err != nil {
		return fmt.Errorf("recording: discard: %w", err)
	}
	t.purged()
	return nil
}

func (t *Track) purged() {
	t.lock()
	t.unpurged = false
	t.unlock()
}

// stop takes no more frames and hands over the last job. It returns false if that was done before.
func (t *Track) stop(final bool) bool {
	t.lock()
	defer t.unlock()
	if t.closed {
		return false
	}
	t.endLocked()
	j := t.jobLocked()
	j.last, j.final = true, final
	t.handOverLocked(j, true) // cannot be refused: the vault ends its tracks before it closes the queue
	return true
}

// endLocked takes no more frames.
func (t *Track) endLocked() {
	t.closed = true
	for i := range t.lanes {
		t.lanes[i].gate |= gateClosed
	}
}

func (t *Track) isDiscarded() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.discarded
}
