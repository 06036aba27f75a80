package retention

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Hold keeps named items from being erased, whatever their period says, until it is released.
type Hold struct {
	ID       string    // If empty, Place makes one
	Ground   string    // why, such as a file number. Required
	Approver string    // who approved it. Required
	Review   time.Time // when it must be looked at again; it does not end by itself. Required, in the future
	Items    []Ref     // what it keeps, from 1 to MaxHoldItems. Required
	Placed   time.Time // UTC; set by Place
	Released time.Time // UTC; zero while it holds
}

// Active reports whether the hold holds.
func (h Hold) Active() bool { return h.Released.IsZero() }

func (h Hold) validate(now time.Time) error {
	switch {
	case strings.TrimSpace(h.Ground) == "":
		return fmt.Errorf("%w: a ground is required", ErrHold)
	case strings.TrimSpace(h.Approver) == "":
		return fmt.Errorf("%w: an approver is required", ErrHold)
	case !h.Review.After(now):
		return fmt.Errorf("%w: a review date in the future is required", ErrHold)
	case len(h.Items) == 0 || len(h.Items) > MaxHoldItems:
		return fmt.Errorf("%w: %d items, from 1 to %d", ErrHold, len(h.Items), MaxHoldItems)
	}
	return nil
}

// Place puts a hold on named items and returns it as stored. Items need not be due, and need not exist. ErrHold if a part is missing, ErrClass for an
// item of a class that is not swept here, ErrErasing if one of the items is already being erased. Right: hold.place.
func (s *Sweeper) Place(ctx context.Context, h Hold) (Hold, error) {
	now := s.cfg.Now().UTC()
	if err := h.validate(now); err != nil {
		return Hold{}, err
	}
	for _, ref := range h.Items {
		if _, err := s.class(ref.Class); err != nil {
			return Hold{}, err // a mistyped class would hold nothing
		}
	}
	if h.ID == "" {
		h.ID = "hold-" + strings.ToLower(rand.Text())
	}
	h.Placed, h.Released, h.Review, h.Items = now, time.Time{}, h.Review.UTC(), slices.Clone(h.Items)
	if err := s.permit(ctx, ActionPlace, h.ID, slog.String("ground", h.Ground), slog.String("approver", h.Approver), slog.Time("review", h.Review), slog.Int("items", len(h.Items))); err != nil {
		return Hold{}, err
	}
	if err := s.cfg.Store.PlaceHold(ctx, h); err != nil {
		return Hold{}, fmt.Errorf("retention: place hold: %w", err)
	}
	return h, nil
}

// Release ends a hold, erases at once those of its items that are due at now and that no other hold names, and returns the receipt. ErrNotFound,
// ErrReleased. Right: hold.release.
func (s *Sweeper) Release(ctx context.Context, id string, now time.Time) (Receipt, error) {
	if err := s.permit(ctx, ActionRelease, id); err != nil {
		return Receipt{}, err
	}
	h, err := s.cfg.Store.ReleaseHold(ctx, id, s.cfg.Now().UTC())
	if err != nil {
		return Receipt{}, fmt.Errorf("retention: release hold: %w", err)
	}
	only := make(map[Ref]bool, len(h.Items))
	for _, ref := range h.Items {
		only[ref] = true
	}
	return s.sweep(ctx, now, only)
}

// Holds yields all holds, released ones too, oldest first. Right: hold.list.
func (s *Sweeper) Holds(ctx context.Context) iter.Seq2[Hold, error] {
	return func(yield func(Hold, error) bool) {
		if err := s.permit(ctx, ActionHolds, "holds"); err != nil {
			yield(Hold{}, err)
			return
		}
		for h, err := range s.cfg.Store.ListHolds(ctx) {
			if !yield(h, err) || err != nil {
				return
			}
		}
	}
}

// holding returns the IDs of the active holds by the items they name.
func (s *Sweeper) holding(ctx context.Context) (map[Ref][]string, error) {
	out := map[Ref][]string{}
	for h, err := range s.cfg.Store.ListHolds(ctx) {
		if err != nil {
			return nil, fmt.Errorf("retention: holds: %w", err)
		}
		if !h.Active() {
			continue
		}
		for _, ref := range h.Items {
			out[ref] = append(out[ref], h.ID)
		}
	}
	return out, nil
}

// permit asks, records the answer, and lets through only what is both allowed and recorded.
func (s *Sweeper) permit(ctx context.Context, action, object string, attrs ...slog.Attr) error {
	err := s.cfg.Authorizer.Allow(ctx, action, object)
	if aerr := s.cfg.Auditor.Audit(ctx, action, object, append(attrs, slog.Bool("allowed", err == nil))...); aerr != nil {
		return errors.Join(err, fmt.Errorf("retention: audit: %w", aerr))
	}
	return err
}
