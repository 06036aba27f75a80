package main

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/voicemail"
	"github.com/ringfence/ringfence/retention"
	retstore "github.com/ringfence/ringfence/retention/sqlstore"
)

// The data classes of what the vault keeps. Greetings are in no class that retention deletes: they live until they are replaced.
const (
	classRecording = recording.DefaultClass
	classVoicemail = string(voicemail.Message)
)

// sweepEvery is how often a running server deletes what is due: the most that a deletion may be late.
const sweepEvery = time.Hour

// recordings is the recordings of a tenant in one class as retention sees them: where recording and retention meet.
type recordings struct {
	access *recording.Access
	class  string
	forget func(ctx context.Context, id string) error // what else is known of one that was erased; nil: nothing
}

var (
	_ retention.Catalog = recordings{}
	_ retention.Eraser  = recordings{}
)

func (r recordings) Due(ctx context.Context, before time.Time) iter.Seq2[retention.Item, error] {
	return func(yield func(retention.Item, error) bool) {
		for item, err := range r.access.CreatedBefore(ctx, before) {
			if err == nil && item.Class != r.class {
				continue
			}
			if !yield(retention.Item{Class: r.class, ID: item.ID, Created: item.Created}, err) || err != nil {
				return
			}
		}
	}
}

func (r recordings) Erase(ctx context.Context, id, reason string) ([]string, error) {
	d, err := r.access.Destroy(ctx, id, reason)
	if err == nil && r.forget != nil {
		err = r.forget(ctx, id)
	}
	return d.KeyIDs, err
}

// sweeper is an actor's retention over a tenant's data.
type sweeper struct {
	*retention.Sweeper
	store *retstore.Store
	vault *recording.Vault
	close []func() error
}

// openSweeper opens retention for an actor. vault and boxes may be the running server's; if nil, they are opened.
func openSweeper(ctx context.Context, ac *actor, vault *recording.Vault, boxes *voicemail.Boxes) (*sweeper, error) {
	tc, err := ac.config()
	if err != nil {
		return nil, err
	}
	years, months, days, err := period(tc.Retention.Recordings)
	if err != nil {
		return nil, err
	}
	years2, months2, days2, err := period(tc.Retention.messages())
	if err != nil {
		return nil, err
	}
	s := &sweeper{vault: vault}
	if s.vault == nil {
		v, catalog, err := openVault(ctx, ac.dep, ac.tenant, nil)
		if err != nil {
			return nil, err
		}
		s.vault, s.close = v, append(s.close, v.Close, catalog.Close)
	}
	access, err := s.vault.For(ac, ac.audit)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if boxes == nil {
		b, store, err := openMailboxes(ctx, ac.dep, tc, s.vault, nil)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		boxes, s.close = b, append(s.close, b.Close, store.Close)
	}
	dsn, err := ac.dep.stores.DSN(ac.tenant.Name())
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.store, err = retstore.Open(ctx, dsn); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.close = append(s.close, s.store.Close)
	keys, err := ac.dep.keysOf(ctx, ac.tenant.Name())
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	calls := recordings{access: access, class: classRecording}
	messages := recordings{access: access, class: classVoicemail, forget: boxes.Forget}
	s.Sweeper, err = retention.New(retention.Config{
		Classes: []retention.Class{
			{Name: classRecording, Keep: retention.Period{Years: years, Months: months, Days: days}, Catalog: calls, Eraser: calls},
			{Name: classVoicemail, Keep: retention.Period{Years: years2, Months: months2, Days: days2}, Catalog: messages, Eraser: messages},
		},
		Store: s.store, Signer: keys, Authorizer: ac, Auditor: ac.audit,
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *sweeper) Close() error {
	var errs []error
	for _, c := range s.close {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// sweep deletes what is due until ctx ends, as the tenant's retention service.
func (s *site) sweep(ctx context.Context) error {
	p, err := s.tenant.Service(ctx, "retention")
	if err != nil {
		return err
	}
	log, err := s.node.dep.auditLog(s.name)
	if err != nil {
		return err
	}
	sw, err := openSweeper(ctx, &actor{dep: s.node.dep, tenant: s.tenant, Principal: p, audit: log.As(p.Name())}, s.vault, s.boxes)
	if err != nil {
		return err
	}
	err = sw.Serve(ctx, sweepEvery, func(r retention.Receipt, err error) {
		switch {
		case ctx.Err() != nil:
		case err != nil:
			s.log.Error("retention run failed", "err", err)
		case r.Counts != (retention.Counts{}):
			s.log.Info("retention run", "receipt", r.Seq, "erased", r.Counts.Erased, "held", r.Counts.Held)
		}
	})
	if ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, sw.Close())
}

// notHeld refuses to delete by hand what a legal hold keeps.
func (ac *actor) notHeld(ctx context.Context, id string) error {
	hold, err := ac.dep.holdOn(ctx, ac.tenant.Name(), id)
	if err == nil && hold != "" {
		err = errors.New("a legal hold keeps it: " + hold)
	}
	return err
}

// holdOn returns the legal hold that keeps a recording, of whatever class, with its ground; empty if there is none.
func (d *deployment) holdOn(ctx context.Context, tenant, id string) (hold string, err error) {
	dsn, err := d.stores.DSN(tenant)
	if err != nil {
		return "", err
	}
	store, err := retstore.Open(ctx, dsn)
	if err != nil {
		return "", err
	}
	for h, lerr := range store.ListHolds(ctx) {
		if lerr != nil {
			err = lerr
			break
		}
		for _, ref := range h.Items {
			if h.Active() && ref.ID == id {
				hold = h.ID + " (" + h.Ground + ")"
			}
		}
	}
	return hold, errors.Join(err, store.Close())
}

// find looks a recording up in the classes that retention knows.
func (s *sweeper) find(ctx context.Context, id string) (retention.Item, error) {
	item, err := s.Lookup(ctx, retention.Ref{Class: classVoicemail, ID: id})
	if errors.Is(err, retention.ErrNotFound) {
		return s.Lookup(ctx, retention.Ref{Class: classRecording, ID: id})
	}
	return item, err
}
