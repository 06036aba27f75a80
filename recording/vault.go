package recording

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Actions that a Vault and an Access ask their Authorizer for. Each is a right of its own.
const (
	ActionCreate   = "recording.create"   // Vault.Create
	ActionRecover  = "recording.recover"  // Vault.Recover
	ActionDiscard  = "recording.discard"  // Track.Discard; recorded, not asked: whoever makes a recording may stop and shred it
	ActionList     = "recording.list"     // Access.List and CreatedBefore
	ActionListen   = "recording.listen"   // Access.Open
	ActionDownload = "recording.download" // PlaybackHandler giving a file
	ActionExport   = "recording.export"   // Access.Export, ExportAs, Seal and Prove
	ActionVerify   = "recording.verify"   // Access.Verify
	ActionRewrap   = "recording.rewrap"   // Access.Rewrap
	ActionDelete   = "recording.delete"   // Access.Destroy
)

// Vault makes and keeps the recordings of one tenant. Safe for concurrent use.
type Vault struct {
	cfg    Config
	queue  *queue
	supply supply

	mu     sync.Mutex
	open   map[string]*Track
	closed bool

	creating          sync.WaitGroup // calls of Create past the check for closed
	lost, writeErrors atomic.Uint64

	bulk bulk

	scratch []byte  // of the writer goroutine: a segment, plaintext and then ciphertext
	hash    *hasher // of the writer goroutine
}

// New returns a Vault and starts its writer. Close stops it. ErrConfig if a required part is missing, ErrSunset if a suite that new recordings or their
// recipients need may not be used any more.
//
// New reads nothing: recordings that a dead process left open stay so until Recover, which the one process that makes recordings calls first.
func New(cfg Config) (*Vault, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	v := &Vault{cfg: cfg, open: map[string]*Track{}, queue: newQueue(cfg.MaxQueued), bulk: newBulk(cfg.Bulk), hash: newHasher()}
	// Close closes the queue, which ends run, and waits for it.
	go v.queue.run(v.process)
	return v, nil
}

// Meta describes a recording to be made. It is stored encrypted, except ID and Class.
type Meta struct {
	// ID names the recording: letters, digits, dot, hyphen and underscore, at most 128. It stays in the catalog, in receipts and in file names in the
	// clear and after destruction, so it should say nothing about anyone. If zero, a random one.
	ID string `json:"-"`
	// Class is the data class for retention. If zero, DefaultClass.
	Class string `json:"-"`
	// Call names the call, as the caller likes. If zero, unknown.
	Call string `json:"call"`
	// Parties are the names of the parties in the order of Track.Party, such as "caller", "agent": from 1 to MaxParties. Required.
	Parties []string `json:"parties"`
	// Attributes is whatever else should be found with the recording. If zero, none.
	Attributes map[string]string `json:"attributes,omitempty"`
	// Categories of restricted data, such as "health", that all of the recording is expected to hold, by what its queue is tagged with: each needs an approval
	// (Config.Approver) for the recording to be made, and again whenever it leaves. Spelled like IDs, at most 16. If empty, none.
	Categories []string `json:"categories,omitempty"`
}

var idRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// ValidID reports whether id can name a recording. Nothing that passes can leave a folder.
func ValidID(id string) bool { return len(id) <= maxID && idRule.MatchString(id) }

func (m Meta) withDefaults() Meta {
	if m.ID == "" {
		m.ID = strings.ToLower(rand.Text())
	}
	if m.Class == "" {
		m.Class = DefaultClass
	}
	m.Parties = slices.Clone(m.Parties)
	m.Attributes = maps.Clone(m.Attributes)
	m.Categories = slices.Clone(m.Categories)
	return m
}

func (m Meta) validate() error {
	switch {
	case !ValidID(m.ID):
		return fmt.Errorf("%w: ID", ErrInvalid)
	case !ValidID(m.Class):
		return fmt.Errorf("%w: class", ErrInvalid)
	case len(m.Parties) == 0 || len(m.Parties) > MaxParties:
		return fmt.Errorf("%w: %d parties, from 1 to %d", ErrInvalid, len(m.Parties), MaxParties)
	}
	return validCategories(m.Categories)
}

// Create starts a recording: its key is made, wrapped and in the catalog before it returns. ErrExists if the ID was ever used, ErrInvalid for a Meta
// outside its limits or with a text that Config.Text refuses, ErrRestricted for one with a category that nobody approved.
func (v *Vault) Create(ctx context.Context, m Meta) (*Track, error) {
	named := m.ID != ""
	m = m.withDefaults()
	if err := m.validate(); err != nil {
		return nil, err
	}
	if err := v.checkText(m, named); err != nil {
		return nil, err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	defer clear(text)
	if len(text) > maxMeta {
		return nil, fmt.Errorf("%w: %d bytes of metadata, at most %d", ErrInvalid, len(text), maxMeta)
	}
	if err := permit(ctx, v.cfg.Authorizer, v.cfg.Auditor, ActionCreate, m.ID); err != nil {
		return nil, err
	}
	if err := v.approveCreate(ctx, m); err != nil {
		return nil, err
	}
	k := newDEK()
	defer k.close()
	bound := v.bound(version2, m.ID)
	wrapped, err := sealEnvelope(ctx, k, v.cfg.Keys, v.cfg.Recipients, bound)
	if err != nil {
		return nil, err
	}
	meta, err := sealMeta(k, text, bound)
	if err != nil {
		return nil, err
	}
	header, b, err := newHeader(k, bound)
	if err != nil {
		return nil, err
	}
	now := v.cfg.Now()
	e := Entry{ID: m.ID, Class: m.Class, State: StateOpen, Created: now.UTC(), KeyID: "dek-" + strings.ToLower(rand.Text()), WrappedKey: wrapped, Meta: meta}
	t := newTrack(v, e, b, header, now, len(m.Parties))
	v.mu.Lock()
	switch {
	case v.closed:
		err = ErrClosed
	case v.open[m.ID] != nil:
		err = fmt.Errorf("%w: %s", ErrExists, m.ID)
	default:
		v.creating.Add(1)
		defer v.creating.Done()
		v.open[m.ID] = t // before its row is there, so that Recover cannot take the row for a dead process's
	}
	v.mu.Unlock()
	if err != nil {
		return nil, err
	}
	// The row first: a crash in between leaves a row without audio, never audio without a key to destroy.
	if err := v.cfg.Catalog.Insert(ctx, e); err != nil {
		v.forget(t)
		return nil, err
	}
	if err := t.begin(ctx); err != nil {
		v.forget(t)
		e.State, e.Closed = StateIncomplete, now.UTC()
		return nil, errors.Join(err, v.cfg.Catalog.Finish(context.WithoutCancel(ctx), e))
	}
	return t, nil
}

func (v *Vault) forget(t *Track) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.open, t.entry.ID)
}

// Close stops recording: what the open tracks hold is written, they are marked incomplete, everything queued reaches the blobs, and the writer ends.
// It takes as long as the disk does. Close the tracks of calls that have ended first; Access stays usable.
func (v *Vault) Close() error {
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return nil
	}
	v.closed = true
	v.mu.Unlock()
	v.creating.Wait()
	v.mu.Lock()
	tracks := slices.Collect(maps.Values(v.open))
	v.mu.Unlock()
	var errs []error
	for _, t := range tracks {
		// Waits for nobody but the stores, hence no context.
		if err := t.abandon(context.Background()); err != nil && !errors.Is(err, ErrIncomplete) {
			errs = append(errs, err)
		}
	}
	v.queue.close()
	return errors.Join(errs...)
}

// Stats is what a Vault did since New.
type Stats struct {
	Open        int    // tracks now
	Queued      int64  // bytes of audio waiting for the disk now
	LostFrames  uint64 // dropped because the disk was slow or failed
	WriteErrors uint64 // writes that failed; each is tried again with the next segment
}

// Stats returns what the Vault did so far.
func (v *Vault) Stats() Stats {
	v.mu.Lock()
	open := len(v.open)
	v.mu.Unlock()
	return Stats{Open: open, Queued: v.queue.bytes(), LostFrames: v.lost.Load(), WriteErrors: v.writeErrors.Load()}
}

// bound is what a recording of this Vault is bound to.
func (v *Vault) bound(version byte, id string) binding {
	b := binding{version: version, id: id, purpose: v.cfg.Purpose}
	if version != version1 {
		b.place = v.cfg.Place
	}
	return b
}

// permit asks, records the answer, and lets through only what is both allowed and recorded.
func permit(ctx context.Context, actor Authorizer, audit Auditor, action, object string, attrs ...slog.Attr) error {
	return permitFor(ctx, actor, audit, action, object, "", attrs...)
}

func permitFor(ctx context.Context, actor Authorizer, audit Auditor, action, object, reason string, attrs ...slog.Attr) error {
	var err error
	if r, ok := actor.(ReasonedAuthorizer); ok {
		err = r.AllowBecause(ctx, action, object, reason)
	} else {
		err = actor.Allow(ctx, action, object)
	}
	if reason != "" {
		attrs = append(attrs, slog.String("reason", reason))
	}
	if aerr := audit.Audit(ctx, action, object, append(attrs, slog.Bool("allowed", err == nil))...); aerr != nil {
		return errors.Join(err, fmt.Errorf("recording: audit: %w", aerr))
	}
	return err
}
