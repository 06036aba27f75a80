package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// RestoreConfig says what is restored, and where to.
type RestoreConfig struct {
	// Owner is the one that is restored, by its name in the target. No other is read or written. Required.
	Owner string
	// Target holds the copy. Required.
	Target Target
	// Identity is the private key of the backup. Required.
	Identity *recording.Identity
	// Blobs and Catalog are where it goes. What is there already and whole stays as it is. Required.
	Blobs   recording.Blobs
	Catalog recording.Catalog
	// Only chooses recordings by ID. If nil, all.
	Only func(id string) bool
}

// Restore puts a tenant's recordings back. One that fails does not stop the others; the Report names it. The error is of what concerns all: ErrConfig, a
// target that cannot be listed, recording.ErrKey if the first row does not open with the Identity, in which case nothing was written.
//
// A recording that the catalog knows as destroyed stays so, whatever the copy holds.
func Restore(ctx context.Context, cfg RestoreConfig) (Report, error) {
	var r Report
	if cfg.Target == nil || cfg.Identity == nil || cfg.Blobs == nil || cfg.Catalog == nil || !recording.ValidID(cfg.Owner) {
		return r, fmt.Errorf("%w: Owner, Target, Identity, Blobs and Catalog are required", ErrConfig)
	}
	prefix := cfg.Owner + "/rows/"
	opened := false
	for o, err := range cfg.Target.Sizes(ctx, prefix) {
		if err != nil {
			return r, err
		}
		id := strings.TrimPrefix(o.Name, prefix)
		if cfg.Only != nil && !cfg.Only(id) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return r, fmt.Errorf("recording/backup: %w", err)
		}
		row, err := cfg.row(ctx, id, o.Size)
		if errors.Is(err, recording.ErrKey) && !opened {
			return r, err // the wrong key: a thousand faults would say no more
		}
		if err == nil {
			opened = true
			err = cfg.restore(ctx, row, &r)
		}
		if err != nil {
			r.Failed = append(r.Failed, Fault{id, err})
		}
	}
	return r, nil
}

func (cfg RestoreConfig) row(ctx context.Context, id string, size int64) (row, error) {
	if size > maxRow {
		return row{}, errRow
	}
	sealed, err := read(ctx, cfg.Target, cfg.Owner+"/rows/"+id, maxRow)
	if err != nil {
		return row{}, err
	}
	return openRow(sealed, cfg.Identity, cfg.Owner, id)
}

func (cfg RestoreConfig) restore(ctx context.Context, from row, r *Report) error {
	have, err := cfg.Catalog.Get(ctx, from.ID)
	missing := errors.Is(err, recording.ErrNotFound)
	if err != nil && !missing {
		return err
	}
	switch {
	case !missing && have.State == recording.StateDestroyed:
		r.Forgotten++
		return cfg.Blobs.Remove(ctx, from.ID)
	case from.State == recording.StateDestroyed:
		if missing {
			if err := cfg.insert(ctx, from); err != nil {
				return err
			}
		}
		r.Forgotten++
		return errors.Join(cfg.Catalog.Shred(ctx, from.ID, from.Destroyed), cfg.Blobs.Remove(ctx, from.ID))
	}
	whole, err := cfg.whole(ctx, from)
	if err != nil {
		return err
	}
	if whole && !missing {
		r.Unchanged++
		return nil
	}
	if !whole {
		if err := cfg.blob(ctx, from); err != nil {
			return err
		}
		r.Bytes += from.BlobSize
	}
	if missing {
		if err := cfg.insert(ctx, from); err != nil {
			return err
		}
		if err := cfg.Catalog.Finish(ctx, from.entry()); err != nil {
			return err
		}
	}
	r.Copied++
	return nil
}

// insert adds an open row, which is how rows begin.
func (cfg RestoreConfig) insert(ctx context.Context, from row) error {
	e := from.entry()
	e.State, e.Closed, e.Destroyed, e.Segments, e.Samples, e.Manifest, e.Signature = recording.StateOpen, time.Time{}, time.Time{}, 0, 0, nil, nil
	return cfg.Catalog.Insert(ctx, e)
}

// whole reports that the store has the blob of a row.
func (cfg RestoreConfig) whole(ctx context.Context, from row) (bool, error) {
	b, err := cfg.Blobs.Open(ctx, from.ID)
	if errors.Is(err, recording.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer b.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(b, 0, b.Size())); err != nil {
		return false, fmt.Errorf("recording/backup: %w", err)
	}
	return bytes.Equal(h.Sum(nil), from.BlobSHA256), nil
}

// blob puts a blob back, in the place of one that is damaged. A copy that is not what its row says is taken out again.
func (cfg RestoreConfig) blob(ctx context.Context, from row) error {
	in, err := cfg.Target.Get(ctx, cfg.Owner+"/blobs/"+from.ID)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := cfg.Blobs.Remove(ctx, from.ID); err != nil {
		return err
	}
	out, err := cfg.Blobs.Create(ctx, from.ID)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, h), io.LimitReader(in, from.BlobSize+1))
	if err == nil && (n != from.BlobSize || !bytes.Equal(h.Sum(nil), from.BlobSHA256)) {
		err = ErrDamaged
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, cfg.Blobs.Remove(ctx, from.ID))
	}
	return nil
}
