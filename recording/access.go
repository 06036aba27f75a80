package recording

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"
)

// Access is what one actor does with recordings. Each verb is authorised, then recorded, then done. Safe for concurrent use.
type Access struct {
	v      *Vault
	actor  Authorizer
	audit  Auditor
	name   string
	reason string
}

// For returns the Access of an actor. Both ports are required: ErrConfig without. It works on a closed Vault too. actor may be a ReasonedAuthorizer and Named.
func (v *Vault) For(actor Authorizer, audit Auditor) (*Access, error) {
	if actor == nil || audit == nil {
		return nil, fmt.Errorf("%w: Authorizer and Auditor are required", ErrConfig)
	}
	return &Access{v: v, actor: actor, audit: audit, name: actorName(actor)}, nil
}

// Because returns the Access of the same actor with the reason for what it does, such as "complaint-4711". Verbs that let audio out are ErrReason without
// one. It is put to a ReasonedAuthorizer and recorded with the Auditor, masked by Config.Text; if that fails, there is no reason. At most 256 bytes of it
// are kept.
func (a *Access) Because(reason string) *Access {
	b := *a
	b.reason, _ = a.v.mask(reason) // a reason that could not be masked is none, and whatever needs one says so
	return &b
}

// permit asks and records one verb.
func (a *Access) permit(ctx context.Context, action, object string, attrs ...slog.Attr) error {
	return permitFor(ctx, a.actor, a.audit, action, object, a.reason, attrs...)
}

// permitOut is permit for verbs that let audio out.
func (a *Access) permitOut(ctx context.Context, action, id string) error {
	if strings.TrimSpace(a.reason) == "" {
		return fmt.Errorf("%w: %s %s", ErrReason, action, id)
	}
	if err := a.permit(ctx, action, id); err != nil {
		return err
	}
	return a.spend(ctx, action, id, 0) // the recording counts, whatever is read of it
}

// Info is what is known of a recording without its audio.
type Info struct {
	ID         string
	Class      string
	State      State
	Created    time.Time     // UTC
	Closed     time.Time     // UTC; zero while open
	Duration   time.Duration // as the catalog has it; zero while open
	Call       string
	Parties    []string
	Attributes map[string]string
	Categories []string // as Meta has them
}

// Query chooses recordings. The zero Query chooses all.
type Query struct {
	From   time.Time // created at or after. If zero, no bound
	Before time.Time // created before. If zero, no bound
	State  State     // If zero, any but destroyed
}

// List yields the recordings that match q, oldest first. One whose metadata does not open is yielded with an error, without metadata, and the list goes on.
// Right: recording.list.
func (a *Access) List(ctx context.Context, q Query) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := a.permit(ctx, ActionList, "recordings"); err != nil {
			yield(Info{}, err)
			return
		}
		for e, err := range a.v.cfg.Catalog.List(ctx, Filter(q)) {
			if err != nil {
				yield(Info{}, fmt.Errorf("recording: %w", err))
				return
			}
			info := e.info()
			if e.State != StateDestroyed {
				k, m, _, err := a.v.unlock(ctx, e)
				k.close()
				if err != nil {
					if !yield(info, err) {
						return
					}
					continue
				}
				info = info.with(m)
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Item is what retention needs of a recording.
type Item struct {
	ID      string
	Class   string
	Created time.Time // UTC
}

// CreatedBefore yields the recordings that were created before t and are not destroyed, oldest first, without opening anything. Right: recording.list.
func (a *Access) CreatedBefore(ctx context.Context, t time.Time) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		if err := a.permit(ctx, ActionList, "recordings", slog.Time("before", t)); err != nil {
			yield(Item{}, err)
			return
		}
		for e, err := range a.v.cfg.Catalog.List(ctx, Filter{Before: t}) {
			if err != nil {
				err = fmt.Errorf("recording: %w", err)
			}
			if !yield(Item{ID: e.ID, Class: e.Class, Created: e.Created}, err) || err != nil {
				return
			}
		}
	}
}

// Open opens a recording for listening. Its end is checked now and each segment when it is read, so that listening can begin at once: see Playback.
// What Config.Flagger flags and nobody approved at this moment is silence: Playback.Withheld. Right: recording.listen, with a reason.
func (a *Access) Open(ctx context.Context, id string) (*Playback, error) {
	return a.open(ctx, ActionListen, id, false)
}

// open opens a recording whose audio is to leave, checking all of it first if the caller wants that.
func (a *Access) open(ctx context.Context, action, id string, whole bool) (*Playback, error) {
	if err := a.permitOut(ctx, action, id); err != nil {
		return nil, err
	}
	r, err := a.v.read(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := a.decide(ctx, action, r, false)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	p, err := r.playback(whole)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	p.cut = c
	p.decoders, p.encoders, p.opus = a.v.cfg.Decoders, a.v.cfg.Encoders, a.v.cfg.OpusEncoder
	p.spend = func(bytes int64) error { return a.spend(ctx, action, id, bytes) }
	return p, nil
}

// Report is what Verify found.
type Report struct {
	ID       string
	State    State         // as the catalog has it
	Complete bool          // the final segment is there and everything before it is as written
	Signed   bool          // a manifest is there and its signature and contents are right
	Segments int64         // good segments
	Bytes    int64         // good bytes
	Torn     int64         // bytes of a segment that a crash cut off; they are not part of the recording
	Duration time.Duration // of the good part
	Frames   uint64        // stored, as the final segment says; zero without one
	Lost     uint64        // frames dropped while recording, as the final segment says
	FirstBad int64         // first bad segment, from 0; -1 if there is none
	Reason   string        // why it is bad, or why it is not complete; for an operator
}

// OK reports whether nothing is wrong with the recording, complete or not.
func (r Report) OK() bool { return r.FirstBad < 0 }

// Verify reads a recording to the end and says what it is. A recording that was altered is a Report naming the first bad segment together with a
// *CorruptError; an incomplete one is a Report with Complete false and no error. Right: recording.verify.
func (a *Access) Verify(ctx context.Context, id string) (Report, error) {
	if err := a.permit(ctx, ActionVerify, id); err != nil {
		return Report{}, err
	}
	return a.v.verify(ctx, id)
}

// Destroyed says what Destroy did.
type Destroyed struct {
	KeyIDs []string // names of the keys destroyed
}

// Destroy shreds a recording: its wrapped key is destroyed first, which ends every copy of it anywhere, then its blob is erased. The row stays, without
// key and metadata, as the proof that it existed. Destroying again finishes what a crash left undone and returns the same. ErrOpen for a
// recording that is still being made, ErrNotFound for one that never was. reason is recorded as Because says. Right: recording.delete.
func (a *Access) Destroy(ctx context.Context, id, reason string) (Destroyed, error) {
	reason, err := a.v.mask(reason)
	if err != nil {
		return Destroyed{}, err
	}
	if err := a.permit(ctx, ActionDelete, id, slog.String("reason", reason)); err != nil {
		return Destroyed{}, err
	}
	v := a.v
	e, err := v.get(ctx, id)
	if err != nil {
		return Destroyed{}, err
	}
	if e.State == StateOpen {
		return Destroyed{}, fmt.Errorf("%w: %s", ErrOpen, id)
	}
	if err := v.cfg.Catalog.Shred(ctx, id, v.cfg.Now().UTC()); err != nil {
		return Destroyed{}, fmt.Errorf("recording: destroy: %w", err)
	}
	if err := v.cfg.Blobs.Remove(ctx, id); err != nil {
		return Destroyed{}, fmt.Errorf("recording: destroy: %w", err)
	}
	return Destroyed{KeyIDs: []string{e.KeyID}}, nil
}

func (e Entry) info() Info {
	return Info{ID: e.ID, Class: e.Class, State: e.State, Created: e.Created, Closed: e.Closed, Duration: time.Duration(e.Samples) * tick}
}

func (i Info) with(m Meta) Info {
	i.Call, i.Parties, i.Attributes, i.Categories = m.Call, m.Parties, m.Attributes, m.Categories
	return i
}

// get returns a row by ID. What is no ID is not looked up: it never reaches a store.
func (v *Vault) get(ctx context.Context, id string) (Entry, error) {
	if !ValidID(id) {
		return Entry{}, fmt.Errorf("%w: not an ID", ErrNotFound)
	}
	e, err := v.cfg.Catalog.Get(ctx, id)
	if err != nil {
		return Entry{}, fmt.Errorf("recording: %w", err)
	}
	return e, nil
}

// unlock unwraps the key of a row and opens its metadata. The key is never nil; the caller closes it.
func (v *Vault) unlock(ctx context.Context, e Entry) (*dek, Meta, binding, error) {
	k, b, err := v.unwrap(ctx, e)
	if err != nil {
		// The row may have been rewrapped, and the old wrapping key destroyed, since it was read. Once: whoever rotates does not do so all the time.
		again, gerr := v.get(ctx, e.ID)
		if gerr != nil || bytes.Equal(again.WrappedKey, e.WrappedKey) {
			return k, Meta{}, b, err
		}
		k.close()
		if e.WrappedKey, e.State = again.WrappedKey, again.State; e.State == StateDestroyed {
			return k, Meta{}, b, fmt.Errorf("%w: %s", ErrDestroyed, e.ID)
		}
		if k, b, err = v.unwrap(ctx, e); err != nil {
			return k, Meta{}, b, err
		}
	}
	text, err := openMeta(k, e.Meta, b)
	if err != nil {
		return k, Meta{}, b, fmt.Errorf("%w: %s: metadata", ErrKey, e.ID)
	}
	defer clear(text)
	m, err := parseMeta(text, e)
	return k, m, b, err
}

func parseMeta(text []byte, e Entry) (Meta, error) {
	m := Meta{ID: e.ID, Class: e.Class}
	if err := json.Unmarshal(text, &m); err != nil || m.validate() != nil {
		return Meta{}, fmt.Errorf("%w: %s: metadata", ErrKey, e.ID)
	}
	return m, nil
}

// unwrap returns the key of a row and what it is bound to.
func (v *Vault) unwrap(ctx context.Context, e Entry) (*dek, binding, error) {
	k := new(dek)
	if e.State == StateDestroyed {
		return k, binding{}, fmt.Errorf("%w: %s", ErrDestroyed, e.ID)
	}
	b, wrapped := v.bound(version1, e.ID), e.WrappedKey
	var env envelope
	if isEnvelope(e.WrappedKey) {
		b = v.bound(version2, e.ID)
		var err error
		if env, err = parseEnvelope(e.WrappedKey); err != nil {
			return k, b, fmt.Errorf("%w: %s: %w", ErrKey, e.ID, err)
		}
		wrapped = env.stanzas[0].wrapped
	}
	raw, err := v.cfg.Keys.UnwrapKey(ctx, wrapped, b.bytes("key"))
	defer clear(raw)
	if err != nil {
		return k, b, fmt.Errorf("%w: %s: %w", ErrKey, e.ID, err)
	}
	if len(raw) != keyBytes {
		return k, b, fmt.Errorf("%w: %s", ErrKey, e.ID)
	}
	copy(k.key[:], raw)
	if b.version != version1 {
		if err := env.check(k, b); err != nil {
			k.close()
			return k, b, err
		}
	}
	return k, b, nil
}
