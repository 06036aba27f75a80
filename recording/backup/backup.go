package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/ringfence/ringfence/recording"
)

var (
	// ErrConfig is returned by New and Restore for a configuration with a required value missing, or a target that is where the production is.
	ErrConfig = errors.New("recording/backup: invalid configuration")
	// ErrDamaged is the reason of a recording whose blob is not what its row says.
	ErrDamaged = errors.New("recording/backup: blob is damaged")
)

// Config describes the backup of one tenant.
type Config struct {
	// Owner names it in the target: letters, digits, dot, hyphen and underscore. Required.
	Owner string
	// Blobs and Catalog are the production's. Required.
	Blobs   recording.Blobs
	Catalog recording.Catalog
	// Target is where the copy goes. Required.
	Target Target
	// Recipient is who can open the copy. Keep its private key away from production and target. Required.
	Recipient recording.Recipient
	// Place says where the production is, for a store that does not say so itself. If empty, Blobs must be a recording.Placer.
	Place string
}

// Backup copies one tenant's recordings. Safe for concurrent use.
type Backup struct {
	cfg      Config
	from, to string
	prefix   string
}

// New checks everything that can be checked before the first Run. ErrConfig if something is missing, or if the target is the production's own place or inside it.
func New(cfg Config) (*Backup, error) {
	if cfg.Blobs == nil || cfg.Catalog == nil || cfg.Target == nil || cfg.Recipient.Text() == "" || !recording.ValidID(cfg.Owner) {
		return nil, fmt.Errorf("%w: Owner, Blobs, Catalog, Target and Recipient are required", ErrConfig)
	}
	b := &Backup{cfg: cfg, from: cfg.Place, prefix: cfg.Owner + "/"}
	if p, ok := cfg.Blobs.(recording.Placer); ok {
		var err error
		if b.from, err = p.Place(); err != nil {
			return nil, err
		}
	}
	if b.from == "" {
		return nil, fmt.Errorf("%w: the store does not say where it is, and Place is empty", ErrConfig)
	}
	var err error
	if b.to, err = cfg.Target.Place(); err != nil {
		return nil, err
	}
	if within(b.from, b.to) || within(b.to, b.from) {
		return nil, fmt.Errorf("%w: the target is where the production is (%s)", ErrConfig, b.to)
	}
	return b, nil
}

func within(a, b string) bool {
	return a == b || strings.HasPrefix(a, strings.TrimSuffix(b, "/")+"/")
}

// Placement says where the production is and where its copy, for the evidence.
func (b *Backup) Placement() (production, copy string) { return b.from, b.to }

// Report is what a Run or a Restore did.
type Report struct {
	Copied    int     // recordings copied or restored
	Bytes     int64   // of their blobs
	Forgotten int     // recordings that were destroyed and are now without a key in the copy; Restore: that stay destroyed
	Unchanged int     // recordings that were there already
	Open      int     // recordings that are being made: the next Run has them
	Failed    []Fault // what could not be done
}

// Fault is one recording that could not be copied or restored.
type Fault struct {
	ID  string
	Err error
}

// Err returns the faults as one error; nil if there are none.
func (r Report) Err() error {
	var all []error
	for _, f := range r.Failed {
		all = append(all, fmt.Errorf("%s: %w", f.ID, f.Err))
	}
	return errors.Join(all...)
}

func (b *Backup) rowName(id string) string  { return b.prefix + "rows/" + id }
func (b *Backup) blobName(id string) string { return b.prefix + "blobs/" + id }

// Run brings the copy up to date. One recording that fails does not stop the others; the Report names it, and the next Run tries again. The error is of what
// concerns all: the catalog cannot be read, the target cannot be listed, ctx ended.
func (b *Backup) Run(ctx context.Context) (Report, error) {
	var r Report
	there := map[string]int64{}
	for o, err := range b.cfg.Target.Sizes(ctx, b.prefix) {
		if err != nil {
			return r, err
		}
		there[o.Name] = o.Size
	}
	for _, state := range []recording.State{recording.StateDestroyed, recording.StateInvalid} { // the destroyed first, then all others
		for e, err := range b.cfg.Catalog.List(ctx, recording.Filter{State: state}) {
			if err != nil {
				return r, err
			}
			if err := b.one(ctx, e, there, &r); err != nil {
				if ctx.Err() != nil {
					return r, fmt.Errorf("recording/backup: %w", ctx.Err())
				}
				r.Failed = append(r.Failed, Fault{e.ID, err})
			}
		}
	}
	return r, nil
}

func (b *Backup) one(ctx context.Context, e recording.Entry, there map[string]int64, r *Report) error {
	now := rowOf(e)
	_, hasRow := there[b.rowName(e.ID)]
	_, hasBlob := there[b.blobName(e.ID)]
	switch {
	case e.State == recording.StateOpen:
		r.Open++
		return nil
	case e.State == recording.StateDestroyed:
		if !hasRow && !hasBlob {
			return nil // never copied: there is nothing to forget
		}
		same, err := b.same(ctx, now)
		if err != nil {
			return err
		}
		if same && !hasBlob {
			r.Unchanged++
			return nil
		}
		// The key first: what is left if the second step fails is ciphertext for ever.
		if err := b.putRow(ctx, now); err != nil {
			return err
		}
		r.Forgotten++
		return b.cfg.Target.Remove(ctx, b.blobName(e.ID))
	case hasRow && hasBlob:
		same, err := b.same(ctx, now)
		if err != nil {
			return err
		}
		if same {
			r.Unchanged++
			return nil
		}
	}
	return b.copy(ctx, now, r)
}

// same reports that the copy has this row, sealed for the recipient of now.
func (b *Backup) same(ctx context.Context, now row) (bool, error) {
	sealed, err := read(ctx, b.cfg.Target, b.rowName(now.ID), rowFront)
	if errors.Is(err, recording.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	keyID, digest, err := front(sealed)
	return err == nil && keyID == b.cfg.Recipient.KeyID() && digest == now.digest(), nil
}

func (b *Backup) putRow(ctx context.Context, r row) error {
	sealed, err := r.seal(b.cfg.Recipient, b.cfg.Owner)
	if err != nil {
		return err
	}
	return b.cfg.Target.Put(ctx, b.rowName(r.ID), bytes.NewReader(sealed), int64(len(sealed)))
}

// copy puts the blob and then the row: a row in the copy means that its blob is there, whole.
func (b *Backup) copy(ctx context.Context, now row, r *Report) error {
	blob, err := b.cfg.Blobs.Open(ctx, now.ID)
	if err != nil {
		return err
	}
	defer blob.Close()
	sum := hashing{r: io.NewSectionReader(blob, 0, blob.Size()), h: sha256.New()}
	if err := b.cfg.Target.Put(ctx, b.blobName(now.ID), &sum, blob.Size()); err != nil {
		return err
	}
	now.BlobSize, now.BlobSHA256 = blob.Size(), sum.h.Sum(nil)
	if err := b.putRow(ctx, now); err != nil {
		return err
	}
	r.Copied++
	r.Bytes += blob.Size()
	return nil
}

// hashing hashes what is read.
type hashing struct {
	r io.Reader
	h hash.Hash
}

func (h *hashing) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.h.Write(p[:n])
	return n, err
}

// read returns the first bytes of an object, at most limit.
func read(ctx context.Context, t Target, name string, limit int64) ([]byte, error) {
	r, err := t.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, limit))
}
