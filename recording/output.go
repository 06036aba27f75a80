package recording

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"slices"
)

// output is the writer goroutine's side of a track, until its last job is done; then it belongs to settle.
type output struct {
	box     *box
	w       BlobWriter
	digest  hash.Hash // of everything written; nil without a Signer
	written int64     // bytes
	counter uint32    // of the next segment: also how many were sealed
	unsent  []byte    // a sealed segment that could not be written yet
	marks   []byte    // marks of segments that could not be sealed yet
	final   bool      // the final segment was written
}

// maxMarks bounds the marks kept while the disk fails.
const maxMarks = 32 << 10

func (o *output) begin(w BlobWriter, header []byte, signed bool) {
	o.w, o.written = w, int64(len(header))
	if signed {
		o.digest = sha256.New()
		o.digest.Write(header)
	}
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

func (o *output) account(b []byte) {
	o.written += int64(len(b))
	if o.digest != nil {
		o.digest.Write(b)
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
	err := t.out.retry()
	if err == nil {
		err = v.write(j)
	} else {
		var frames uint64
		for _, p := range j.parts {
			if p != nil {
				frames += p.frames
			}
		}
		t.mu.Lock()
		t.dropLocked(frames, j.from, j.to)
		t.mu.Unlock()
		if len(t.out.marks)+len(j.marks) <= maxMarks {
			t.out.marks = append(t.out.marks, j.marks...)
		}
	}
	if err != nil {
		v.writeErrors.Add(1)
	}
	for _, p := range j.parts {
		if p != nil {
			p.reset()
			v.parts.Put(p)
		}
	}
	if j.last {
		t.outcome = err
		close(t.done)
	}
}

func (v *Vault) write(j *job) error {
	o := &j.track.out
	out := append(v.scratch[:0], make([]byte, headBytes)...)
	out = append(append(out, o.marks...), j.marks...)
	for _, p := range j.parts {
		if p != nil {
			out = append(out, p.buf...)
		}
	}
	if j.final {
		out = appendRecord(out, j.track.summarize(o.counter+1))
	}
	if v.scratch = out; len(out) == headBytes {
		return nil
	}
	if o.counter >= maxSegments {
		clear(out)
		return fmt.Errorf("%w: no more than %d segments", ErrInvalid, uint32(maxSegments))
	}
	v.scratch = o.box.seal(out, o.counter, j.final)
	o.counter++
	o.marks = nil
	if err := o.send(v.scratch); err != nil {
		return err
	}
	o.final = j.final
	return nil
}

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
	o := &t.out
	err := errors.Join(t.outcome, o.w.Sync(), o.w.Close())
	e := t.entry
	e.Closed = t.v.cfg.Now().UTC()
	e.State = StateIncomplete
	if o.final && err == nil {
		e.State = StateComplete
	}
	e.Segments = o.segments()
	t.mu.Lock()
	e.Samples = t.end
	t.mu.Unlock()
	var digest []byte
	if o.digest != nil {
		digest = o.digest.Sum(nil)
	}
	if serr := t.v.finish(ctx, e, o.written, digest); serr != nil {
		return errors.Join(err, serr)
	}
	if e.State != StateComplete {
		return errors.Join(ErrIncomplete, err)
	}
	return nil
}

// finish signs the manifest, if there is a Signer, and closes the row.
func (v *Vault) finish(ctx context.Context, e Entry, size int64, digest []byte) error {
	if v.cfg.Signer != nil {
		e.Manifest = manifest{ID: e.ID, State: e.State.String(), Closed: e.Closed, Segments: e.Segments, Samples: e.Samples, Bytes: size, SHA256: digest}.encode()
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
