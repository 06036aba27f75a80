package recording

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// reading is a recording opened inside.
type reading struct {
	entry Entry
	meta  Meta
	s     *scanner // nil if there is no blob
}

func (r *reading) close() error {
	if r.s == nil {
		return nil
	}
	clear(r.s.buf[:cap(r.s.buf)])
	return r.s.blob.Close()
}

// noBlob is a blob of nothing.
type noBlob struct{}

func (noBlob) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
func (noBlob) Size() int64                       { return 0 }
func (noBlob) Close() error                      { return nil }

// read opens row, key and blob, in this order: without the key no blob is touched.
func (v *Vault) read(ctx context.Context, id string) (*reading, error) {
	e, err := v.get(ctx, id)
	if err != nil {
		return nil, err
	}
	k, m, err := v.unlock(ctx, e)
	defer k.close()
	if err != nil {
		return nil, err
	}
	r := &reading{entry: e, meta: m}
	blob, err := v.cfg.Blobs.Open(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	r.s = &scanner{id: id, blob: blob}
	header := make([]byte, headerBytes)
	if blob.Size() < headerBytes {
		if e.State != StateComplete && e.Segments == 0 { // the crash came while the header was written
			return &reading{entry: e, meta: m}, blob.Close()
		}
		return nil, errors.Join(r.s.bad(-1, 0, ErrTruncated, "no header"), blob.Close())
	}
	if _, err := blob.ReadAt(header, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("recording: %s: %w", id, err), blob.Close())
	}
	if r.s.box, err = newBox(k, header, id, v.cfg.Purpose); err != nil {
		return nil, errors.Join(r.s.bad(-1, 0, ErrTampered, err.Error()), blob.Close())
	}
	return r, nil
}

// scan reads the blob and holds it against the row: a recording must not have become shorter than the catalog knows it, nor complete by itself.
func (r *reading) scan(digest bool) (found, error) {
	f := found{runs: make([][]run, len(r.meta.Parties))}
	if r.s != nil {
		var err error
		if f, err = r.s.scan(len(r.meta.Parties), digest); err != nil {
			return f, err
		}
	}
	bad := func(err error, reason string) error {
		return &CorruptError{ID: r.entry.ID, Segment: int64(len(f.segments)), Offset: f.bytes, Reason: reason, Err: err}
	}
	switch e := r.entry; e.State {
	case StateComplete:
		if !f.final {
			return f, bad(ErrTruncated, "the final segment is missing")
		}
		fallthrough
	case StateIncomplete:
		if n := int64(len(f.segments)); n < e.Segments {
			return f, bad(ErrTruncated, fmt.Sprintf("%d segments, %d were finished", n, e.Segments))
		} else if n > e.Segments {
			return f, bad(ErrTampered, fmt.Sprintf("%d segments, only %d were finished", n, e.Segments))
		}
	}
	return f, nil
}

func (v *Vault) verify(ctx context.Context, id string) (Report, error) {
	rep := Report{ID: id, FirstBad: -1}
	blame := func(err error) (Report, error) {
		var c *CorruptError
		if errors.As(err, &c) {
			rep.FirstBad, rep.Reason = max(0, c.Segment), c.Reason
		}
		return rep, err
	}
	r, err := v.read(ctx, id)
	if err != nil {
		return blame(err)
	}
	signed := v.cfg.Signer != nil && r.entry.State != StateOpen
	f, err := r.scan(signed)
	if cerr := r.close(); cerr != nil && err == nil {
		return rep, fmt.Errorf("recording: %w", cerr)
	}
	rep.State, rep.Segments, rep.Bytes, rep.Torn, rep.Duration = r.entry.State, int64(len(f.segments)), f.bytes, f.torn, f.duration()
	rep.Frames, rep.Lost = f.sum.frames, f.sum.lost
	if err != nil {
		return blame(err)
	}
	if signed {
		// With a Signer a manifest must be there: removing it must not turn a signed recording into one that never was.
		m, err := v.checkManifest(ctx, r.entry)
		if err != nil {
			return blame(err)
		}
		if m.Bytes != f.bytes || (r.s != nil && !bytes.Equal(m.SHA256, f.digest)) {
			return blame(&CorruptError{ID: id, Segment: 0, Reason: "the blob is not the one that was signed", Err: ErrTampered})
		}
		rep.Signed = true
	}
	rep.Complete = f.final && rep.State == StateComplete
	if !rep.Complete {
		rep.Reason = "no final segment: recorded up to the last finished one"
	}
	return rep, nil
}

// Recovered is what Recover did with one recording.
type Recovered struct {
	ID       string
	State    State // StateIncomplete, or StateComplete if only the row was missing
	Segments int64
	Err      error // why it could not be settled; it stays open then
}

// Recover settles the recordings that a dead process left open: each is read to the last whole segment, and its row says from then on that it is incomplete,
// or complete if its final segment was already written. The one process that makes recordings calls it once, before its first Create; other processes,
// such as a command line beside a running server, must not, because they would take the server's open recordings for a dead one's.
// One recording that cannot be settled does not keep the others from it. Rights of the Vault's own Authorizer: recording.recover.
func (v *Vault) Recover(ctx context.Context) ([]Recovered, error) {
	if err := permit(ctx, v.cfg.Authorizer, v.cfg.Auditor, ActionRecover, "recordings"); err != nil {
		return nil, err
	}
	var entries []Entry
	for e, err := range v.cfg.Catalog.List(ctx, Filter{State: StateOpen}) {
		if err != nil {
			return nil, fmt.Errorf("recording: recover: %w", err)
		}
		v.mu.Lock()
		live := v.open[e.ID] != nil
		v.mu.Unlock()
		if !live {
			entries = append(entries, e)
		}
	}
	var out []Recovered
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return out, fmt.Errorf("recording: recover: %w", err)
		}
		rec := Recovered{ID: e.ID}
		rec.State, rec.Segments, rec.Err = v.recoverOne(ctx, e.ID)
		out = append(out, rec)
	}
	return out, nil
}

func (v *Vault) recoverOne(ctx context.Context, id string) (State, int64, error) {
	r, err := v.read(ctx, id)
	if err != nil {
		return StateOpen, 0, err
	}
	f, err := r.scan(v.cfg.Signer != nil)
	if cerr := r.close(); cerr != nil && err == nil {
		err = cerr
	}
	var c *CorruptError
	if err != nil && !errors.As(err, &c) {
		return StateOpen, 0, err
	}
	e := r.entry
	e.Closed, e.Segments, e.Samples, e.State = v.cfg.Now().UTC(), int64(len(f.segments)), f.samples, StateIncomplete
	if err != nil {
		return StateOpen, 0, err // altered, not torn: it stays as it is for Verify to name the place
	}
	if f.final {
		e.State = StateComplete
	}
	return e.State, e.Segments, v.finish(ctx, e, f.bytes, f.digest)
}
