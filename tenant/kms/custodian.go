package kms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Actions that a Custodian asks its Authorizer for.
const (
	ActionRotate  = "keys.rotate"  // Rotate
	ActionDestroy = "keys.destroy" // Destroy and DestroyVersion
	ActionList    = "keys.list"    // Versions
)

// Custodian changes the tenant's keys on behalf of one actor. Each verb is authorised, then audited, then done. Safe for concurrent use.
type Custodian struct {
	k     *Keys
	actor Authorizer
	audit Auditor
}

// For returns the Custodian of an actor. Both ports are required: ErrConfig without.
func (k *Keys) For(actor Authorizer, audit Auditor) (*Custodian, error) {
	if actor == nil || audit == nil {
		return nil, fmt.Errorf("%w: Authorizer and Auditor are required", ErrConfig)
	}
	return &Custodian{k: k, actor: actor, audit: audit}, nil
}

// Version describes one KEK.
type Version struct {
	Number    uint32    // from 1; the highest is in use
	Created   time.Time // UTC
	Destroyed time.Time // zero while it lives
}

// Versions lists the KEKs, oldest first.
func (c *Custodian) Versions(ctx context.Context) ([]Version, error) {
	if err := c.permit(ctx, ActionList, "keys"); err != nil {
		return nil, err
	}
	set, err := c.k.load(ctx)
	if err != nil {
		return nil, err
	}
	var out []Version
	for v := uint32(1); v <= set.current; v++ {
		if r, ok := set.keks[v]; ok {
			out = append(out, Version{Number: v, Created: r.Created, Destroyed: r.Destroyed})
		}
	}
	return out, nil
}

// Rotate makes a new KEK, the one in use from now on, reseals the signing key under it, and returns its number. Older KEKs stay to unwrap what they
// wrapped. When two rotations meet, one of them gets ErrExists.
func (c *Custodian) Rotate(ctx context.Context) (uint32, error) {
	set, err := c.k.load(ctx)
	if err != nil {
		return 0, err
	}
	next := set.current + 1
	if err := c.permit(ctx, ActionRotate, fmt.Sprintf("kek-%d", next)); err != nil {
		return 0, err
	}
	private, err := c.k.signingKey(set) // also keeps a shredded tenant from coming back to life with a fresh KEK
	if err != nil {
		return 0, err
	}
	defer clear(private)
	kek, rec, err := c.k.newKEK(next)
	if err != nil {
		return 0, err
	}
	defer clear(kek)
	seed := private.Seed()
	defer clear(seed)
	signing := set.signing
	if signing.Wrapped, err = seal(kek, seed, c.k.place(purposeSigning, next, nil)); err != nil {
		return 0, err
	}
	if err := c.k.cfg.Store.Save(ctx, []Record{rec}, []Record{signing}); err != nil {
		return 0, fmt.Errorf("kms: rotate: %w", err)
	}
	return next, nil
}

// DestroyVersion destroys one KEK that is no longer in use. What it wrapped and nobody rewrapped is gone. ErrCurrent for the one in use.
func (c *Custodian) DestroyVersion(ctx context.Context, version uint32) error {
	set, err := c.k.load(ctx)
	if err != nil {
		return err
	}
	r, ok := set.keks[version]
	if !ok {
		return fmt.Errorf("%w: %d", ErrUnknownVersion, version)
	}
	if version == set.current {
		return ErrCurrent
	}
	if err := c.permit(ctx, ActionDestroy, r.ID); err != nil {
		return err
	}
	return c.k.cfg.Store.Shred(ctx, c.k.cfg.Now().UTC(), r.ID)
}

// Destroy shreds the tenant: every KEK and the private signing key. It returns the IDs of the keys destroyed. It cannot be undone. Destroying again makes
// sure of what a crash or a busy store left undone, and returns the same.
func (c *Custodian) Destroy(ctx context.Context) ([]string, error) {
	if err := c.permit(ctx, ActionDestroy, "keys"); err != nil {
		return nil, err
	}
	records, err := c.k.cfg.Store.Records(ctx)
	if err != nil {
		return nil, fmt.Errorf("kms: destroy: %w", err)
	}
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	if err := c.k.cfg.Store.Shred(ctx, c.k.cfg.Now().UTC(), ids...); err != nil {
		return nil, fmt.Errorf("kms: destroy: %w", err)
	}
	return ids, nil
}

// permit asks, records the answer, and lets through only what is both allowed and recorded.
func (c *Custodian) permit(ctx context.Context, action, object string) error {
	err := c.actor.Allow(ctx, action, object)
	if aerr := c.audit.Audit(ctx, action, object, slog.Bool("allowed", err == nil)); aerr != nil {
		return errors.Join(err, fmt.Errorf("kms: audit: %w", aerr))
	}
	return err
}
