package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// Catalog is a recording.Catalog in two places. A row is written to both or the call fails: a recording whose wrapped key is in one place only would die with
// that place, however many copies of its sound there are. Reads come from the primary, and from the secondary if it fails. Safe for concurrent use.
type Catalog struct{ primary, secondary recording.Catalog }

// NewCatalog returns the two as one. ErrConfig if one is missing, or they are the same.
func NewCatalog(primary, secondary recording.Catalog) (*Catalog, error) {
	if primary == nil || secondary == nil {
		return nil, fmt.Errorf("%w: both catalogs are required", ErrConfig)
	}
	if err := apart(primary, secondary); err != nil {
		return nil, err
	}
	return &Catalog{primary, secondary}, nil
}

// Get returns the primary's row, and the secondary's if the primary fails or has none.
func (c *Catalog) Get(ctx context.Context, id string) (recording.Entry, error) {
	e, err := c.primary.Get(ctx, id)
	if err == nil {
		return e, nil
	}
	if e, err2 := c.secondary.Get(ctx, id); err2 == nil {
		return e, nil
	}
	return e, err
}

// List yields the primary's rows. It does not fall back: half a list from each would be a wrong one.
func (c *Catalog) List(ctx context.Context, f recording.Filter) iter.Seq2[recording.Entry, error] {
	return c.primary.List(ctx, f)
}

// Insert adds the row in both places. If the second fails the first is left with a row of a recording that was never made, which Recover settles.
func (c *Catalog) Insert(ctx context.Context, e recording.Entry) error {
	if err := c.primary.Insert(ctx, e); err != nil {
		return err
	}
	if err := c.secondary.Insert(ctx, e); err != nil && !c.faster(ctx, err, e) {
		return fmt.Errorf("recording/replica: secondary catalog: %w", err)
	}
	return nil
}

// Finish closes the row in both places.
func (c *Catalog) Finish(ctx context.Context, e recording.Entry) error {
	if err := c.primary.Finish(ctx, e); err != nil {
		return err
	}
	if err := c.secondary.Finish(ctx, e); err != nil && !c.faster(ctx, err, e) {
		return fmt.Errorf("recording/replica: secondary catalog: %w", err)
	}
	return nil
}

// faster reports that the secondary refused e because somebody else gave it the same meanwhile: Repair sees the primary's new row before Insert has come to the
// secondary, and the other way round. Without this a Repair beside running calls would cost one of them its recording. KeyID is random, so no other row has it.
func (c *Catalog) faster(ctx context.Context, err error, e recording.Entry) bool {
	exists := errors.Is(err, recording.ErrExists)
	if !exists && !errors.Is(err, recording.ErrNotFound) {
		return false
	}
	there, err := c.secondary.Get(ctx, e.ID)
	return err == nil && there.KeyID == e.KeyID && (exists || there.State == e.State)
}

// Rewrap exchanges the wrapped key in the primary, which decides who of several was first, and then in the secondary. If the secondary fails, the recording is
// wrapped anew in one place only and the error says so: the old wrapping key must not be destroyed before another Rewrap, or Repair, succeeded.
func (c *Catalog) Rewrap(ctx context.Context, id string, old, wrapped []byte) error {
	if err := c.primary.Rewrap(ctx, id, old, wrapped); err != nil {
		return err
	}
	if _, err := c.follow(ctx, id); err != nil {
		return fmt.Errorf("recording/replica: secondary catalog: %w", err)
	}
	return nil
}

// follow gives the secondary's row the wrapped key of the primary's, whatever it was before: another exchange may have failed half-way. It returns whether
// it changed anything. Of several at once each ends only when both places agree, so that none leaves an older key behind the other's newer one.
func (c *Catalog) follow(ctx context.Context, id string) (changed bool, err error) {
	for {
		first, err := c.primary.Get(ctx, id)
		if err != nil {
			return changed, err
		}
		second, err := c.secondary.Get(ctx, id)
		if err != nil {
			return changed, err
		}
		if first.State == recording.StateDestroyed || second.State == recording.StateDestroyed || bytes.Equal(first.WrappedKey, second.WrappedKey) {
			return changed, nil // no key comes back to what is destroyed
		}
		switch err := c.secondary.Rewrap(ctx, id, second.WrappedKey, first.WrappedKey); {
		case err == nil:
			changed = true
		case !errors.Is(err, recording.ErrConflict):
			return changed, err
		}
	}
}

// Shred destroys the keys in both places, each even if the other fails. Shredding again does the rest. ErrNotFound if neither place has the row.
func (c *Catalog) Shred(ctx context.Context, id string, at time.Time) error {
	err1, err2 := c.primary.Shred(ctx, id, at), c.secondary.Shred(ctx, id, at)
	none1, none2 := errors.Is(err1, recording.ErrNotFound), errors.Is(err2, recording.ErrNotFound)
	switch {
	case none1 && none2:
		return err1
	case none1: // no key there
		err1 = nil
	case none2:
		err2 = nil
	}
	if err2 != nil {
		err2 = fmt.Errorf("recording/replica: secondary catalog: %w", err2)
	}
	return errors.Join(err1, err2)
}

// Repair brings the secondary's rows to where the primary's are, after an outage or the change of a place, and returns how many it changed. A row that is destroyed
// in one place is destroyed in the other, whichever it was.
func (c *Catalog) Repair(ctx context.Context) (changed int, err error) {
	for _, state := range []recording.State{0, recording.StateDestroyed} { // 0 is all but the destroyed ones
		for e, err := range c.primary.List(ctx, recording.Filter{State: state}) {
			if err != nil {
				return changed, err
			}
			did, err := c.repair(ctx, e)
			if err != nil {
				return changed, fmt.Errorf("recording/replica: %s: %w", e.ID, err)
			}
			if did {
				changed++
			}
		}
	}
	return changed, nil
}

func (c *Catalog) repair(ctx context.Context, e recording.Entry) (bool, error) {
	there, err := c.secondary.Get(ctx, e.ID)
	missing := errors.Is(err, recording.ErrNotFound)
	if err != nil && !missing {
		return false, err
	}
	destroyed := e.State == recording.StateDestroyed
	switch {
	case !missing && there.State == recording.StateDestroyed:
		if destroyed {
			return false, nil
		}
		return true, c.primary.Shred(ctx, e.ID, there.Destroyed)
	case destroyed && missing:
		return false, nil // there is no key to destroy
	case destroyed:
		return true, c.secondary.Shred(ctx, e.ID, e.Destroyed)
	case !missing && (e.State == recording.StateOpen || there.State != recording.StateOpen):
		return c.follow(ctx, e.ID)
	}
	if missing {
		open := e
		open.State, open.Closed, open.Segments, open.Samples, open.Manifest, open.Signature = recording.StateOpen, time.Time{}, 0, 0, nil, nil
		if err := c.secondary.Insert(ctx, open); err != nil && !c.faster(ctx, err, open) {
			return false, err
		}
	}
	if e.State == recording.StateOpen {
		return true, nil
	}
	if err := c.secondary.Finish(ctx, e); err != nil && !c.faster(ctx, err, e) {
		return true, err
	}
	_, err = c.follow(ctx, e.ID)
	return true, err
}
