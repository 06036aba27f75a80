package retention

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Decision is what happens to an item.
type Decision int

// The decisions. The zero Decision is none.
const (
	DecisionInvalid Decision = iota
	DecisionKeep             // not due
	DecisionHold             // due, kept by a hold
	DecisionErase            // due
)

// String returns the decision's name.
func (d Decision) String() string {
	switch d {
	case DecisionKeep:
		return "keep"
	case DecisionHold:
		return "hold"
	case DecisionErase:
		return "erase"
	}
	return "invalid"
}

// Explanation is what a sweep does with an item at a moment, and why.
type Explanation struct {
	Item     Item
	Keep     Period    // how long its class is kept
	Due      time.Time // when it falls due
	Holds    []string  // IDs of the holds that name it, due or not
	Decision Decision
}

// String says it in a sentence.
func (e Explanation) String() string {
	s := fmt.Sprintf("%s: created %s, kept %s, due %s: %s", e.Item.Ref(), e.Item.Created.UTC().Format(time.RFC3339), e.Keep, e.Due.Format(time.RFC3339), e.Decision)
	if len(e.Holds) > 0 {
		s += " (held by " + strings.Join(e.Holds, ", ") + ")"
	}
	return s
}

// decide is the one place where it is decided. Run and Explain both call it.
func (s *Sweeper) decide(c Class, item Item, now time.Time, holds []string) Explanation {
	e := Explanation{Item: item, Keep: c.Keep, Due: Due(item.Created, c.Keep, s.cfg.Location), Holds: holds}
	switch {
	case now.Before(e.Due):
		e.Decision = DecisionKeep
	case len(holds) > 0:
		e.Decision = DecisionHold
	default:
		e.Decision = DecisionErase
	}
	return e
}

// Explain says what Run would do with the item at now. ErrClass for a class that is not swept here. Right: retention.explain.
func (s *Sweeper) Explain(ctx context.Context, item Item, now time.Time) (Explanation, error) {
	if err := s.permit(ctx, ActionExplain, item.Ref().String()); err != nil {
		return Explanation{}, err
	}
	c, err := s.class(item.Class)
	if err != nil {
		return Explanation{}, err
	}
	holds, err := s.holding(ctx)
	if err != nil {
		return Explanation{}, err
	}
	return s.decide(c, item, now, holds[item.Ref()]), nil
}

// Lookup finds an item by its name, for Explain: ErrNotFound if its catalog does not know it. It may read the whole catalog. Right: retention.explain.
func (s *Sweeper) Lookup(ctx context.Context, ref Ref) (Item, error) {
	if err := s.permit(ctx, ActionExplain, ref.String()); err != nil {
		return Item{}, err
	}
	c, err := s.class(ref.Class)
	if err != nil {
		return Item{}, err
	}
	// Far enough for whatever exists, near enough for stores that keep times as 64-bit nanoseconds.
	for item, err := range c.Catalog.Due(ctx, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)) {
		if err != nil {
			return Item{}, fmt.Errorf("retention: catalog of %s: %w", c.Name, err)
		}
		if item.ID == ref.ID {
			item.Class = c.Name
			return item, nil
		}
	}
	return Item{}, fmt.Errorf("%w: %s", ErrNotFound, ref)
}
