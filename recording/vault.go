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
	"time"
)

// Actions that a Vault and an Access ask their Authorizer for.
const (
	ActionCreate  = "recording.create"  // Vault.Create
	ActionRecover = "recording.recover" // Vault.Recover
	ActionList    = "recording.list"    // Access.List and CreatedBefore
	ActionListen  = "recording.listen"  // Access.Open
	ActionExport  = "recording.export"  // Access.Export
	ActionVerify  = "recording.verify"  // Access.Verify
	ActionDelete  = "recording.delete"  // Access.Destroy
)

// Config describes a Vault. It is copied by New.
type Config struct {
	// Blobs keeps the encrypted containers. Required.
	Blobs Blobs
	// Catalog keeps the wrapped keys and what is known of each recording. Required.
	Catalog Catalog
	// Keys wraps the recordings' keys. Required.
	Keys KeyWrapper
	// Authorizer is asked for what the Vault does by itself: Create and Recover. Required.
	Authorizer Authorizer
	// Auditor records what the Vault does by itself. Required.
	Auditor Auditor
	// Signer signs a manifest when a recording ends, so that a third party can check it. If zero, recordings are not signed: still
	// authenticated, but only for whoever has the key.
	Signer Signer
	// Purpose is bound into every key, so that a container made for one purpose does not open for another. If zero, DefaultPurpose.
	Purpose string
	// MaxQueued is how many bytes of audio may wait to be written before frames are dropped. If zero, DefaultMaxQueued.
	MaxQueued int64
	// Now is the clock. If zero, time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Purpose == "" {
		c.Purpose = DefaultPurpose
	}
	if c.MaxQueued == 0 {
		c.MaxQueued = DefaultMaxQueued
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	if c.Blobs == nil || c.Catalog == nil || c.Keys == nil || c.Authorizer == nil || c.Auditor == nil {
		return fmt.Errorf("%w: Blobs, Catalog, Keys, Authorizer and Auditor are required", ErrConfig)
	}
	if c.MaxQueued < MaxParties*partBytes {
		return fmt.Errorf("%w: MaxQueued under %d bytes", ErrConfig, MaxParties*partBytes)
	}
	return nil
}

// Vault makes and keeps the recordings of one tenant. Safe for concurrent use.
type Vault struct {
	cfg   Config
	queue *queue
	parts sync.Pool // *part

	mu     sync.Mutex
	open   map[string]*Track
	closed bool

	creating          sync.WaitGroup // calls of Create past the check for closed
	lost, writeErrors atomic.Uint64

	scratch []byte // of the writer goroutine: a segment, plaintext and then ciphertext
}

// New returns a Vault and starts its writer. Close stops it. ErrConfig if a required part is missing.
//
// New reads nothing: recordings that a dead process left open stay so until Recover, which the one process that makes recordings calls first.
func New(cfg Config) (*Vault, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	v := &Vault{cfg: cfg, open: map[string]*Track{}, queue: newQueue(cfg.MaxQueued)}
	v.parts.New = func() any { return &part{buf: make([]byte, 0, partBytes)} }
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
	return nil
}

// Create starts a recording: its key is made, wrapped and in the catalog before it returns. ErrExists if the ID was ever used, ErrInvalid for a Meta
// outside its limits.
func (v *Vault) Create(ctx context.Context, m Meta) (*Track, error) {
	m = m.withDefaults()
	if err := m.validate(); err != nil {
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
	k := newDEK()
	defer k.close()
	wrapped, err := v.cfg.Keys.WrapKey(ctx, k.key[:], keyAAD(m.ID, v.cfg.Purpose))
	if err != nil {
		return nil, fmt.Errorf("recording: wrap key: %w", err)
	}
	meta, err := sealMeta(k, text, m.ID, v.cfg.Purpose)
	if err != nil {
		return nil, err
	}
	header := newHeader()
	b, err := newBox(k, header, m.ID, v.cfg.Purpose)
	if err != nil {
		return nil, err
	}
	now := v.cfg.Now()
	e := Entry{ID: m.ID, Class: m.Class, State: StateOpen, Created: now.UTC(), KeyID: "dek-" + strings.ToLower(rand.Text()), WrappedKey: wrapped, Meta: meta}
	t := newTrack(v, e, b, now, len(m.Parties))
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
	if err := t.begin(ctx, header); err != nil {
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

func keyAAD(id, purpose string) []byte { return bindTo("ringfence recording v1 key", id, purpose) }

// permit asks, records the answer, and lets through only what is both allowed and recorded.
func permit(ctx context.Context, actor Authorizer, audit Auditor, action, object string, attrs ...slog.Attr) error {
	err := actor.Allow(ctx, action, object)
	if aerr := audit.Audit(ctx, action, object, append(attrs, slog.Bool("allowed", err == nil))...); aerr != nil {
		return errors.Join(err, fmt.Errorf("recording: audit: %w", aerr))
	}
	return err
}
