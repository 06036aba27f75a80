package recording

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// output is the writer goroutine's side of a track, until its last job is done; then it belongs to settle.
type output struct {
	box     *box
	header  []byte
	w       BlobWriter
	hash    *hasher // the writer goroutine's; nil without a Signer
	tree    tree    // of everything written; empty without a Signer
	index   indexer // of everything sealed
	written int64   // bytes
	counter uint32  // of the next segment: also how many were sealed
	unsent  []byte  // a sealed segment that could not be written yet
	marks   []byte  // marks of segments that could not be sealed yet
	final   bool    // the final segment was written
	lost    uint64  // of TrackStats, when Config.Losing was last told or not
	losing  bool    // and it was told
}

// maxMarks bounds the marks kept while the disk fails.
const maxMarks = 32 << 10

func (o *output) begin(w BlobWriter, h *hasher) {
	o.w, o.written, o.hash, o.index = w, int64(len(o.header)), h, newIndexer()
}

// retry writes the segment that could not be written before, if there is one.
func (o *output) retry() error {
	if len(o.unsent) == 0 {
		return nil
	}
	if _, err := o.w.Write(o.unsent); err != nil {
		return err
	}
	o.account(o.unsent)
	o.unsent = nil
	return nil
}

// send writes a sealed segment. A segment is sealed once and its bytes are kept until they are written: sealing another plaintext at the same
// position would repeat a nonce, and with it give both away to whoever saw the two.
func (o *output) send(segment []byte) error {
	if _, err := o.w.Write(segment); err != nil {
		o.unsent = slices.Clone(segment)
		return err
	}
	o.account(segment)
	return nil
}

func (o *output) account(segment []byte) {
	o.written += int64(len(segment))
	if o.hash != nil {
		o.tree.add(o.hash, o.hash.leaf(segment))
	}
}

// segments returns how many segments are in the blob.
func (o *output) segments() int64 {
	if len(o.unsent) > 0 {
		return int64(o.counter) - 1
	}
	return int64(o.counter)
}

// process encrypts and writes one job. Only the queue's goroutine calls it.
func (v *Vault) process(j *job) {
	t := j.track
	var err error
	if !t.isDiscarded() {
		if err = t.out.retry(); err == nil {
			err = v.write(j)
		} else {
			t.drop(j)
		}
		if err != nil {
			v.writeErrors.Add(1)
		}
		t.report(err)
	}
	v.recycle(j)
	if j.last {
		t.outcome = err
		close(t.done)
	}
}

// report tells Config.Losing when the recording begins to lose audio.
func (t *Track) report(err error) {
	if t.v.cfg.Losing == nil {
		return
	}
	o, lost := &t.out, t.Stats().Lost
	if err == nil && lost > o.lost {
		err = ErrSlow
	}
	if err != nil && !o.losing {
		t.v.cfg.Losing(t.entry.ID, err)
	}
	o.losing, o.lost = err != nil, lost
}

// drop counts what a job held and keeps its marks for the next.
func (t *Track) drop(j *job) {
	t.mu.Lock()
	t.dropLocked(j)
	t.mu.Unlock()
	if len(t.out.marks)+len(j.marks) <= maxMarks {
		t.out.marks = append(t.out.marks, j.marks...)
	}
}

// recycle zeroes what a job held, which was audio, and keeps the memory.
func (v *Vault) recycle(j *job) {
	for i, s := range j.sheets {
		if s != nil {
			s.wipe()
			v.supply.put(s)
			j.sheets[i] = nil
		}
	}
}

func (v *Vault) write(j *job) error {
	o := &j.track.out
	at := place{version: version2, number: o.counter, final: j.final}
	segment, e := v.lay(j, at)
	if len(segment) == headBytes {
		return nil
	}
	if o.counter >= maxSegments-1 && !j.final || o.counter >= maxSegments {
		clear(segment)
		return fmt.Errorf("%w: no more than %d segments", ErrInvalid, maxSegments)
	}
	segment = o.box.seal(segment, o.counter, j.final)
	e.size = uint32(len(segment) - headBytes)
	if j.final {
		segment = binary.BigEndian.AppendUint64(segment, uint64(o.index.offset))
	}
	o.index.add(at, e)
	o.counter++
	o.marks = nil
	if err := o.send(segment); err != nil {
		return err
	}
	o.final = j.final
	return nil
}

// lay returns room for the head and the records of a segment, empty if there are none: on the job's sheet if they lie there as they must, otherwise copied.
func (v *Vault) lay(j *job, at place) ([]byte, entry) {
	o := &j.track.out
	e, pages, only := entry{marks: len(o.marks)+len(j.marks) > 0}, 0, (*sheet)(nil)
	for _, s := range j.sheets {
		if s == nil {
			continue
		}
		pages, only = pages+1, s
		for _, h := range s.half {
			if h.n > 0 {
				span(&e.from, &e.to, uint32(h.first), uint32(h.end))
			}
		}
	}
	if pages == 1 && !e.marks && !at.indexed() && !at.final {
		if segment, ok := only.segment(); ok {
			only.sealed()
			return segment, e
		}
	}
	out := o.index.append(append(v.scratch[:0], emptyHead[:]...), at)
	begun := len(out)
	out = append(append(out, o.marks...), j.marks...)
	for _, s := range j.sheets {
		if s != nil {
			out = append(append(out, s.records(0)...), s.records(1)...)
		}
	}
	if j.final {
		out = appendRecord(out, j.track.summarize(o.counter+1))
	}
	if v.scratch = out; len(out) == begun {
		out = out[:headBytes]
	}
	return out, e
}

var emptyHead [headBytes]byte

// summarize returns the record that ends a recording of so many segments.
func (t *Track) summarize(segments uint32) record {
	t.mu.Lock()
	defer t.mu.Unlock()
	return summary{segments: segments, frames: t.stats.Frames, lost: t.stats.Lost}.record(uint32(t.end))
}

// settle closes the blob and tells the catalog how the recording ended, once.
func (t *Track) settle(ctx context.Context) error {
	// Not to be cut short by a caller who gives up: the audio is written, only the row is missing.
	ctx = context.WithoutCancel(ctx)
	t.settled.Do(func() { t.endErr = t.settleOnce(ctx) })
	return t.endErr
}

func (t *Track) settleOnce(ctx context.Context) error {
	defer t.v.forget(t)
	o, v := &t.out, t.v
	o.box = nil
	if t.isDiscarded() {
		err := errors.Join(o.w.Close(), v.cfg.Catalog.Shred(ctx, t.entry.ID, v.cfg.Now().UTC()), v.cfg.Blobs.Remove(ctx, t.entry.ID))
		if err != nil {
			err = fmt.Errorf("recording: discard: %w", err)
		}
		return err
	}
	err := errors.Join(t.outcome, o.w.Sync(), o.w.Close())
	e := t.entry
	e.Closed = v.cfg.Now().UTC()
	e.State = StateIncomplete
	if o.final && err == nil {
		e.State = StateComplete
	}
	e.Segments = o.segments()
	t.mu.Lock()
	e.Samples = t.end
	t.mu.Unlock()
	ended := signed{version: version2, header: o.header, bytes: o.written, root: o.tree.root(newHasher())}
	if serr := v.finish(ctx, e, ended); serr != nil {
		return errors.Join(err, serr)
	}
	if e.State != StateComplete {
		return errors.Join(ErrIncomplete, err)
	}
	return nil
}

// signed is what of a blob goes into its manifest.
type signed struct {
	version byte
	header  []byte
	bytes   int64
	root    digest // of version 2: of the tree
	sha256  []byte // of version 1: of the blob
}

// finish signs the manifest, if there is a Signer, and closes the row.
func (v *Vault) finish(ctx context.Context, e Entry, s signed) error {
	if v.cfg.Signer != nil {
		m := manifest{Version: s.version, ID: e.ID, State: e.State.String(), Closed: e.Closed, Segments: e.Segments, Samples: e.Samples, Bytes: s.bytes}
		if s.version == version1 {
			m.SHA256 = s.sha256
		} else {
			m.Place, m.Purpose, m.Header, m.Root = v.cfg.Place, v.cfg.Purpose, s.header, s.root[:]
		}
		e.Manifest = m.encode()
		sig, err := v.cfg.Signer.Sign(ctx, manifestMessage(e.Manifest))
		if err != nil {
			return fmt.Errorf("recording: sign manifest: %w", err)
		}
		e.Signature = sig
	}
	if err := v.cfg.Catalog.Finish(ctx, e); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	return nil
}
