package retention

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Class is a kind of data with one period.
type Class struct {
	// Name is the class's name, such as "recording". Required.
	Name string
	// Keep is how long its items are kept from their creation. Required: zero is an error, never "forever" and never "not at all".
	Keep Period
	// Catalog finds its items. Required.
	Catalog Catalog
	// Eraser erases its items. Required.
	Eraser Eraser
}

// Config describes a Sweeper. It is copied by New.
type Config struct {
	// Classes are swept in this order. Required.
	Classes []Class
	// Store keeps holds, begun erasures and receipts. Required.
	Store Store
	// Signer signs the receipts. Required.
	Signer Signer
	// Authorizer is asked for every verb. Required.
	Authorizer Authorizer
	// Auditor records every verb and every erasure. Required.
	Auditor Auditor
	// Location is whose calendar and clock the periods are counted on. If zero, UTC.
	Location *time.Location
	// MaxItems bounds the items of one Run. If zero, DefaultMaxItems.
	MaxItems int
	// Now is the clock of the machine, for when things happened; what is due is judged by the time given to Run. If zero, time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.MaxItems == 0 {
		c.MaxItems = DefaultMaxItems
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Classes = slices.Clone(c.Classes)
	return c
}

func (c Config) validate() error {
	if c.Store == nil || c.Signer == nil || c.Authorizer == nil || c.Auditor == nil || len(c.Classes) == 0 {
		return fmt.Errorf("%w: Classes, Store, Signer, Authorizer and Auditor are required", ErrConfig)
	}
	if c.MaxItems < 0 {
		return fmt.Errorf("%w: negative MaxItems", ErrConfig)
	}
	for i, cl := range c.Classes {
		if cl.Name == "" || cl.Catalog == nil || cl.Eraser == nil {
			return fmt.Errorf("%w: class %q: Name, Catalog and Eraser are required", ErrConfig, cl.Name)
		}
		if err := cl.Keep.Validate(); err != nil {
			return fmt.Errorf("%w: class %q: %w", ErrConfig, cl.Name, err)
		}
		if slices.ContainsFunc(c.Classes[:i], func(o Class) bool { return o.Name == cl.Name }) {
			return fmt.Errorf("%w: class %q twice", ErrConfig, cl.Name)
		}
	}
	return nil
}

// Sweeper erases what is due, for one actor. Safe for concurrent use.
type Sweeper struct{ cfg Config }

// New returns a Sweeper. ErrConfig if a required part is missing or a class has no period.
func New(cfg Config) (*Sweeper, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Sweeper{cfg: cfg}, nil
}

// For returns the same Sweeper for another actor. Both ports are required: ErrConfig without.
func (s *Sweeper) For(actor Authorizer, audit Auditor) (*Sweeper, error) {
	if actor == nil || audit == nil {
		return nil, fmt.Errorf("%w: Authorizer and Auditor are required", ErrConfig)
	}
	cfg := s.cfg
	cfg.Authorizer, cfg.Auditor = actor, audit
	return &Sweeper{cfg: cfg}, nil
}

// Run erases, item by item, everything that is due at now and not held, finishes what a dead process began, and returns the signed receipt, which is stored
// before Run returns. Items that could not be erased are in the receipt and in the error (ErrErase); the next Run tries them again. Run again at
// the same moment erases nothing. Right: retention.run.
func (s *Sweeper) Run(ctx context.Context, now time.Time) (Receipt, error) {
	if err := s.permit(ctx, ActionRun, "retention", slog.Time("asOf", now)); err != nil {
		return Receipt{}, err
	}
	return s.sweep(ctx, now, nil)
}

// Serve calls Run at once and then every interval, in the caller's goroutine, and hands each outcome to report, until ctx ends; it returns ctx's error. What
// falls due is erased within one interval and the time of a run.
func (s *Sweeper) Serve(ctx context.Context, interval time.Duration, report func(Receipt, error)) error {
	if interval <= 0 || report == nil {
		return fmt.Errorf("%w: an interval and a report are required", ErrConfig)
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		report(s.Run(ctx, s.cfg.Now()))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Receipts yields all receipts in order, as bytes for VerifyReceipt and VerifyChain. Right: retention.receipts.
func (s *Sweeper) Receipts(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := s.permit(ctx, ActionReceipts, "receipts"); err != nil {
			yield(nil, err)
			return
		}
		for r, err := range s.cfg.Store.ListReceipts(ctx) {
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (s *Sweeper) class(name string) (Class, error) {
	for _, c := range s.cfg.Classes {
		if c.Name == name {
			return c, nil
		}
	}
	return Class{}, fmt.Errorf("%w: %q", ErrClass, name)
}

// sweep is Run and Release after they were permitted. only restricts it to some items; nil is all.
func (s *Sweeper) sweep(ctx context.Context, now time.Time, only map[Ref]bool) (Receipt, error) {
	r := Receipt{Run: "run-" + strings.ToLower(rand.Text()), AsOf: now.UTC(), Started: s.cfg.Now().UTC(),
		Scope: []Scope{}, Erased: []Deletion{}, Held: []Held{}, Failed: []Ref{}}
	for _, c := range s.cfg.Classes {
		r.Scope = append(r.Scope, Scope{Class: c.Name, Keep: c.Keep.String()})
	}
	errs := s.resume(ctx, &r)
	holds, err := s.holding(ctx)
	if err != nil {
		return Receipt{}, errors.Join(append(errs, err)...)
	}
	for _, c := range s.cfg.Classes {
		if err := s.sweepClass(ctx, c, now, only, holds, &r); err != nil {
			errs = append(errs, err)
		}
	}
	// Not to be cut short: what was erased gets its receipt even when the caller gives up.
	r, err = s.issue(context.WithoutCancel(ctx), r)
	return r, errors.Join(append(errs, err)...)
}

// resume finishes the erasures that a dead process began. They were judged and recorded then, and no hold can have been placed since.
func (s *Sweeper) resume(ctx context.Context, r *Receipt) []error {
	pending, err := s.cfg.Store.Pending(ctx)
	if err != nil {
		return []error{fmt.Errorf("retention: journal: %w", err)}
	}
	var errs []error
	for _, d := range pending {
		if !d.Erased.IsZero() {
			continue // only its receipt is missing
		}
		c, err := s.class(d.Class)
		if err == nil {
			err = s.eraseBegun(ctx, c, d)
		}
		if err != nil {
			r.Failed = append(r.Failed, d.Ref())
			errs = append(errs, err)
		}
	}
	return errs
}

func (s *Sweeper) sweepClass(ctx context.Context, c Class, now time.Time, only map[Ref]bool, holds map[Ref][]string, r *Receipt) error {
	var errs []error
	erased := 0
	for item, err := range c.Catalog.Due(ctx, candidates(now, c.Keep)) {
		if err != nil {
			errs = append(errs, fmt.Errorf("retention: catalog of %s: %w", c.Name, err))
			break
		}
		item.Class = c.Name
		ref := item.Ref()
		if (only != nil && !only[ref]) || slices.Contains(r.Failed, ref) {
			continue
		}
		e := s.decide(c, item, now, holds[ref])
		switch e.Decision {
		case DecisionHold:
			r.Held = append(r.Held, Held{Class: ref.Class, ID: ref.ID, Holds: e.Holds})
			continue
		case DecisionErase:
		default:
			continue
		}
		if erased++; erased > s.cfg.MaxItems {
			r.More = true
			break
		}
		if err := ctx.Err(); err != nil {
			errs = append(errs, fmt.Errorf("retention: %w", err))
			break
		}
		err = s.erase(ctx, c, e)
		switch {
		case errors.Is(err, ErrHeld): // placed since the holds were read
			now, herr := s.holding(ctx)
			if herr != nil {
				errs = append(errs, herr)
			}
			r.Held = append(r.Held, Held{Class: ref.Class, ID: ref.ID, Holds: append([]string{}, now[ref]...)})
		case err != nil:
			r.Failed = append(r.Failed, ref)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// erase records, begins, erases and ends one item, in this order.
func (s *Sweeper) erase(ctx context.Context, c Class, e Explanation) error {
	d := Deletion{Class: c.Name, ID: e.Item.ID, Reason: "kept " + c.Keep.String() + " from creation", Created: e.Item.Created.UTC(), Due: e.Due.UTC(),
		Began: s.cfg.Now().UTC(), KeyIDs: []string{}}
	if err := s.cfg.Auditor.Audit(ctx, ActionErase, d.Ref().String(), slog.Time("created", d.Created), slog.Time("due", d.Due)); err != nil {
		return fmt.Errorf("%w: %s: audit: %w", ErrErase, d.Ref(), err)
	}
	if err := s.cfg.Store.Begin(ctx, d); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrErase, d.Ref(), err)
	}
	return s.eraseBegun(ctx, c, d)
}

func (s *Sweeper) eraseBegun(ctx context.Context, c Class, d Deletion) error {
	keys, err := c.Eraser.Erase(ctx, d.ID, d.Reason)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrErase, d.Ref(), err)
	}
	d.Erased, d.KeyIDs = s.cfg.Now().UTC(), append([]string{}, keys...)
	if err := s.cfg.Store.Done(context.WithoutCancel(ctx), d); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrErase, d.Ref(), err)
	}
	return nil
}

// issue makes the receipt of everything in the journal that is erased, and stores it. If another process stored one meanwhile, it starts over: every
// erasure ends up in exactly one receipt.
func (s *Sweeper) issue(ctx context.Context, r Receipt) (Receipt, error) {
	public, err := s.cfg.Signer.PublicKey(ctx)
	if err != nil {
		return Receipt{}, fmt.Errorf("retention: sign receipt: %w", err)
	}
	for range 100 {
		made, err := s.issueOnce(ctx, r, public)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return Receipt{}, err
		}
		if err := s.cfg.Auditor.Audit(ctx, ActionReceipt, fmt.Sprintf("receipt/%d", made.Seq), slog.String("sha256", made.Hash()), slog.Int("erased", made.Counts.Erased)); err != nil {
			return made, fmt.Errorf("retention: audit: %w", err)
		}
		return made, nil
	}
	return Receipt{}, fmt.Errorf("retention: receipt: %w", ErrConflict)
}

func (s *Sweeper) issueOnce(ctx context.Context, r Receipt, public ed25519.PublicKey) (Receipt, error) {
	seq, last, err := s.cfg.Store.LastReceipt(ctx)
	if err != nil {
		return Receipt{}, fmt.Errorf("retention: receipt: %w", err)
	}
	pending, err := s.cfg.Store.Pending(ctx)
	if err != nil {
		return Receipt{}, fmt.Errorf("retention: receipt: %w", err)
	}
	var listed []Ref
	for _, d := range pending {
		if !d.Erased.IsZero() {
			r.Erased = append(r.Erased, d)
			listed = append(listed, d.Ref())
		}
	}
	r.Seq, r.Prev, r.Finished = seq+1, hashOf(last), s.cfg.Now().UTC()
	r.Counts = Counts{Erased: len(r.Erased), Held: len(r.Held), Failed: len(r.Failed)}
	body, err := r.body()
	if err != nil {
		return Receipt{}, err
	}
	sig, err := s.cfg.Signer.Sign(ctx, body)
	if err != nil {
		return Receipt{}, fmt.Errorf("retention: sign receipt: %w", err)
	}
	raw := assemble(body, sig)
	// Checked as a stranger would: a receipt that does not verify must not take its erasures out of the journal.
	made, err := VerifyReceipt(public, raw)
	if err != nil {
		return Receipt{}, err
	}
	if !bytes.Equal(made.raw, raw) {
		return Receipt{}, ErrReceipt
	}
	if err := s.cfg.Store.SaveReceipt(ctx, made.Seq, raw, listed); err != nil {
		return Receipt{}, fmt.Errorf("retention: receipt: %w", err)
	}
	return made, nil
}
