package recording

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// reading is a recording opened inside.
type reading struct {
	entry Entry
	meta  Meta
	bound binding
	s     *scanner // its blob is nil if there is none
	blob  io.Closer

	secret secret // of the blob; version 2
}

func (r *reading) close() error {
	r.s.clear()
	clear(r.secret[:])
	if r.blob == nil {
		return nil
	}
	return wrap(r.blob.Close())
}

// wrap says whose error it is.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("recording: %w", err)
}

// read opens row, key and blob, in this order: without the key no blob is touched.
func (v *Vault) read(ctx context.Context, id string) (*reading, error) {
	e, err := v.get(ctx, id)
	if err != nil {
		return nil, err
	}
	k, m, b, err := v.unlock(ctx, e)
	defer k.close()
	if err != nil {
		return nil, err
	}
	r := &reading{entry: e, meta: m, bound: b, s: &scanner{id: id, parties: len(m.Parties)}}
	blob, err := v.cfg.Blobs.Open(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return r, nil
	}
	if err != nil {
		return nil, wrap(err)
	}
	r.blob = blob
	if err := r.open(k, blob); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// open reads the header.
func (r *reading) open(k *dek, blob blobSource) error {
	n := headerBytes
	if r.bound.version == version1 {
		n = headerBytes1
	}
	r.s.blob = blob
	if blob.Size() < int64(n) {
		if r.entry.State != StateComplete && r.entry.Segments == 0 { // the crash came while the header was written
			r.s.blob = nil
			return nil
		}
		return r.s.bad(-1, 0, ErrTruncated, "no header")
	}
	r.s.header = make([]byte, n)
	if err := r.s.readAt(r.s.header, 0); err != nil {
		return err
	}
	var err error
	if r.s.box, r.secret, err = newBox(k, r.s.header, r.bound); err != nil {
		return r.s.bad(-1, 0, ErrTampered, err.Error())
	}
	return nil
}

// scan reads the blob and holds it against the row: a recording must not have become shorter than the catalog knows it, nor complete by itself.
func (r *reading) scan(w wants) (found, error) {
	f := found{root: sha256.Sum256(nil), runs: make([][]run, r.s.parties)}
	if r.s.blob != nil {
		var err error
		if f, err = r.s.scan(w); err != nil {
			return f, err
		}
	}
	bad := func(err error, reason string) error { return r.s.bad(f.segments, f.bytes, err, reason) }
	switch e := r.entry; e.State {
	case StateComplete:
		if !f.final {
			return f, bad(ErrTruncated, "the final segment is missing")
		}
		fallthrough
	case StateIncomplete:
		if f.segments < e.Segments {
			return f, bad(ErrTruncated, fmt.Sprintf("%d segments, %d were finished", f.segments, e.Segments))
		} else if f.segments > e.Segments {
			return f, bad(ErrTampered, fmt.Sprintf("%d segments, only %d were finished", f.segments, e.Segments))
		}
	}
	return f, nil
}

// playback makes the Playback, which closes the reading from then on. whole has everything checked before.
func (r *reading) playback(whole bool) (*Playback, error) {
	p := &Playback{info: r.entry.info().with(r.meta), s: r.s, release: r.close}
	if r.entry.State == StateComplete && r.bound.version != version1 && r.s.blob != nil {
		if whole {
			f, err := r.scan(wants{})
			if err != nil {
				return nil, err
			}
			p.framed, p.g711 = f.framed, f.g711
		}
		atlas, end, err := r.s.openAtlas(r.entry.Segments)
		if err != nil {
			return nil, err
		}
		p.atlas, p.samples, p.complete = atlas, end.samples, true
		return p, nil
	}
	f, err := r.scan(wants{play: true})
	if err != nil {
		return nil, err
	}
	p.f, p.framed, p.g711, p.atlas, p.samples, p.complete = f, f.framed, f.g711, f.atlas, f.samples, f.final
	return p, nil
}

func (v *Vault) verify(ctx context.Context, id string) (Report, error) {
	rep := Report{ID: id, FirstBad: -1}
	r, err := v.read(ctx, id)
	if err != nil {
		return rep.blame(err)
	}
	signed := v.cfg.Signer != nil && r.entry.State != StateOpen
	f, err := r.scan(wants{digest: signed})
	if cerr := r.close(); cerr != nil && err == nil {
		return rep, cerr
	}
	rep.found(r.entry, f)
	if err != nil {
		return rep.blame(err)
	}
	if signed {
		// With a Signer a manifest must be there: removing it must not turn a signed recording into one that never was.
		m, err := v.checkManifest(ctx, r.entry, r.bound)
		if err != nil {
			return rep.blame(err)
		}
		if !m.covers(r.s.header, f) {
			return rep.blame(r.s.bad(0, 0, ErrTampered, "the blob is not the one that was signed"))
		}
		rep.Signed = true
	}
	return rep.conclude(f), nil
}

// blame names the place that an error speaks of.
func (r Report) blame(err error) (Report, error) {
	var c *CorruptError
	if errors.As(err, &c) {
		r.FirstBad, r.Reason = max(0, c.Segment), c.Reason
	}
	return r, err
}

// conclude says whether a sound recording is complete.
func (r Report) conclude(f found) Report {
	r.Complete = f.final && r.State == StateComplete
	if !r.Complete {
		r.Reason = "no final segment: recorded up to the last finished one"
	}
	return r
}

// found takes over what a scan found.
func (r *Report) found(e Entry, f found) {
	r.State, r.Segments, r.Bytes, r.Torn, r.Duration = e.State, f.segments, f.bytes, f.torn, f.duration()
	r.Frames, r.Lost = f.sum.frames, f.sum.lost
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
	f, err := r.scan(wants{digest: v.cfg.Signer != nil})
	if cerr := r.close(); cerr != nil && err == nil {
		err = cerr
	}
	if err != nil {
		return StateOpen, 0, err // altered, not torn: it stays as it is for Verify to name the place
	}
	e := r.entry
	e.Closed, e.Segments, e.Samples, e.State = v.cfg.Now().UTC(), f.segments, f.samples, StateIncomplete
	if f.final {
		e.State = StateComplete
	}
	return e.State, e.Segments, v.finish(ctx, e, signed{version: r.bound.version, header: r.s.header, bytes: f.bytes, root: f.root, sha256: f.sha256})
}
