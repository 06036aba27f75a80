package numbers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Auditor writes what happens to a log. If it fails, the step does not happen. It is called concurrently.
type Auditor interface {
	Audit(ctx context.Context, action, object string, attrs ...slog.Attr) error
}

// Store keeps orders. numberstest.Store says in tests what is expected of one. Its methods are called concurrently.
type Store interface {
	// Put stores an order. Version 1 is a new one: it returns ErrTaken if a live order holds the number. Later versions replace the one before;
	// it returns ErrConflict if another version is there. Both checks and the write are one step.
	Put(ctx context.Context, o Order) error
	// Get returns an order, or ErrNotFound.
	Get(ctx context.Context, id string) (Order, error)
	// Holder returns the live order of a number, or ErrNotFound.
	Holder(ctx context.Context, number string) (Order, error)
	// List returns the orders of an owner, ended ones too, in the order in which they were created.
	List(ctx context.Context, owner string) ([]Order, error)
}

// Config describes a Desk.
type Config struct {
	// Store keeps orders. Required.
	Store Store
	// Auditor gets every step before it is stored. Required.
	Auditor Auditor
	// MayApprove says whether a person may approve or reject for an owner, or confirm a cancelation. Required. It is called concurrently.
	MayApprove func(ctx context.Context, by, owner string) error
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
}

// Desk takes orders. All methods are safe for concurrent use.
type Desk struct{ cfg Config }

// New returns a Desk.
func New(cfg Config) (*Desk, error) {
	if cfg.Store == nil || cfg.Auditor == nil || cfg.MayApprove == nil {
		return nil, errors.New("numbers: Config needs Store, Auditor and MayApprove")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Desk{cfg}, nil
}

// Create always returns ErrUseOrder: see Request.
func (d *Desk) Create(context.Context, string) error { return ErrUseOrder }

// Delete always returns ErrUseOrder: see Do with Cancel and Release.
func (d *Desk) Delete(context.Context, string) error { return ErrUseOrder }

// Request opens an order for a number (E.164 with a plus sign) that shall lead to destination. It returns ErrTaken if the number is held.
func (d *Desk) Request(ctx context.Context, by, owner, number, destination string) (Order, error) {
	err := errors.Join(checkName("by", by), checkName("owner", owner), checkName("destination", destination), checkNumber(number))
	if err != nil {
		return Order{}, err
	}
	if _, err := d.cfg.Store.Holder(ctx, number); err == nil {
		return Order{}, ErrTaken
	} else if !errors.Is(err, ErrNotFound) {
		return Order{}, err
	}
	now := d.cfg.Now()
	o := Order{ID: rand.Text(), Number: number, Owner: owner, Destination: destination, State: Requested, RequestedBy: by, Created: now, Changed: now, Version: 1}
	if err := d.write(ctx, "number.request", by, "", o); err != nil {
		return Order{}, err
	}
	return o, nil
}

// Do takes one step of an order. by is who does it: the caller has authenticated them. reference is the provider's, for Provision.
func (d *Desk) Do(ctx context.Context, id string, a Action, by, reference string) (Order, error) {
	o, err := d.cfg.Store.Get(ctx, id)
	if err != nil {
		return Order{}, err
	}
	next, err := o.Step(a, by, reference, d.cfg.Now())
	if err != nil {
		return Order{}, err
	}
	if a == Approve || a == Reject || a == Release {
		if err := d.cfg.MayApprove(ctx, by, o.Owner); err != nil {
			return Order{}, fmt.Errorf("numbers: %s: %w", a, err)
		}
	}
	if err := d.write(ctx, "number."+string(a), by, o.State, next); err != nil {
		return Order{}, err
	}
	return next, nil
}

// Assign changes what a number leads to. It creates and deletes nothing.
func (d *Desk) Assign(ctx context.Context, id, by, destination string) (Order, error) {
	if err := errors.Join(checkName("by", by), checkName("destination", destination)); err != nil {
		return Order{}, err
	}
	o, err := d.cfg.Store.Get(ctx, id)
	if err != nil {
		return Order{}, err
	}
	if !o.State.Live() {
		return Order{}, fmt.Errorf("%w: assign in state %s", ErrStep, o.State)
	}
	next := o
	next.Destination, next.Changed, next.Version = destination, d.cfg.Now(), o.Version+1
	if err := d.write(ctx, "number.assign", by, o.State, next); err != nil {
		return Order{}, err
	}
	return next, nil
}

// write audits a step and stores it. The log may hold a step that the store then refused; it never lacks one that happened.
func (d *Desk) write(ctx context.Context, action, by string, was State, o Order) error {
	err := d.cfg.Auditor.Audit(ctx, action, "order:"+o.ID, slog.String("by", by), slog.String("owner", o.Owner), slog.String("number", o.Number),
		slog.String("destination", o.Destination), slog.String("was", string(was)), slog.String("is", string(o.State)), slog.Int("version", o.Version))
	if err != nil {
		return fmt.Errorf("numbers: not audited: %w", err)
	}
	return d.cfg.Store.Put(ctx, o)
}

// Lookup returns the order that a call to number belongs to, or ErrNotFound if calls to it are not routed.
func (d *Desk) Lookup(ctx context.Context, number string) (Order, error) {
	o, err := d.cfg.Store.Holder(ctx, number)
	if err != nil {
		return Order{}, err
	}
	if !o.Routed() {
		return Order{}, ErrNotFound
	}
	return o, nil
}

// Numbers returns the numbers of an owner that are routed: those it may present as a caller.
func (d *Desk) Numbers(ctx context.Context, owner string) ([]string, error) {
	os, err := d.cfg.Store.List(ctx, owner)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, o := range os {
		if o.Routed() {
			out = append(out, o.Number)
		}
	}
	return out, nil
}
