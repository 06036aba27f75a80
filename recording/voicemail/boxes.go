package voicemail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// Config describes Boxes. It is copied by New.
type Config struct {
	// Vault makes and keeps the recordings. Required.
	Vault *recording.Vault
	// Store keeps everything else. Required.
	Store Store
	// Auditor records what is done with recordings. Required.
	Auditor recording.Auditor
	// Holds says what may not be destroyed. If nil, nothing is held.
	Holds Holds
	// Waiting is told of changed counts. If nil, nobody is.
	Waiting Waiting
	// Notifier tells owners of new messages. If nil, nobody does.
	Notifier Notifier
	// Observer is told what happened, from the goroutine in which it did. It must return soon. If nil, nobody is.
	Observer func(Event)
	// Limits bounds messages and calls. If zero, the defaults named at its fields.
	Limits Limits
	// Logger takes what failed. If nil, nothing is logged.
	Logger *slog.Logger
	// Now is the clock of messages, greetings and lockouts. If nil, time.Now.
	Now func() time.Time
}

// Limits bounds what strangers can use up. Zero fields have the values named.
type Limits struct {
	// Message is the longest message, introduction or greeting. If zero, 3 minutes; at most 10 minutes.
	Message time.Duration
	// Shortest is the shortest message that is kept: who hangs up at the tone leaves nothing. If zero, 2 seconds.
	Shortest time.Duration
	// Silence ends a recording. If zero, 5 seconds.
	Silence time.Duration
	// Quota bounds the messages of one box. If zero, 100 messages and 2 hours. A message is taken while there is room for the longest.
	Quota Quota
	// Call is the longest one caller may stay. If zero, 1 hour.
	Call time.Duration
}

const (
	longestMessage = 10 * time.Minute
	maxHashes      = 2 // at once: each takes 19 MiB
	settleTime     = 30 * time.Second
	noticeTime     = time.Minute
	maxNotices     = 256
)

func (l Limits) withDefaults() (Limits, error) {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&l.Message, 3*time.Minute)
	def(&l.Shortest, 2*time.Second)
	def(&l.Silence, 5*time.Second)
	def(&l.Call, time.Hour)
	def(&l.Quota.Length, 2*time.Hour)
	if l.Quota.Messages == 0 {
		l.Quota.Messages = 100
	}
	if l.Message < 0 || l.Message > longestMessage || l.Shortest < 0 || l.Shortest >= l.Message || l.Silence < 0 || l.Call < 0 || l.Quota.Messages < 0 || l.Quota.Length < l.Message {
		return l, fmt.Errorf("%w: limits", ErrConfig)
	}
	return l, nil
}

// Boxes is the voicemail of one customer. Safe for concurrent use.
type Boxes struct {
	cfg    Config
	hashes chan struct{} // bounds the checks of PINs at once

	mu      sync.Mutex
	closed  bool
	notices chan Notice
	stop    context.CancelFunc
	done    chan struct{}
}

// New returns Boxes. The error wraps ErrConfig. The Vault stays the caller's and must outlive it.
func New(cfg Config) (*Boxes, error) {
	if cfg.Vault == nil || cfg.Store == nil || cfg.Auditor == nil {
		return nil, fmt.Errorf("%w: Vault, Store and Auditor are required", ErrConfig)
	}
	var err error
	if cfg.Limits, err = cfg.Limits.withDefaults(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Boxes{cfg: cfg, hashes: make(chan struct{}, maxHashes), done: make(chan struct{})}
	if cfg.Notifier == nil {
		close(b.done)
		return b, nil
	}
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.notices = stop, make(chan Notice, maxNotices)
	go b.notify(ctx) // stopped by Close, which waits for it
	return b, nil
}

// Close stops notices; those that wait are dropped. Calls must be over. It is safe to call again.
func (b *Boxes) Close() error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		if b.stop != nil {
			b.stop()
		}
	}
	b.mu.Unlock()
	<-b.done
	return nil
}

func (b *Boxes) notify(ctx context.Context) {
	defer close(b.done)
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-b.notices:
			nctx, cancel := context.WithTimeout(ctx, noticeTime)
			if err := b.cfg.Notifier.Notify(nctx, n); err != nil && ctx.Err() == nil {
				b.cfg.Logger.Warn("voicemail: notice not sent", "box", n.Box, "err", err)
			}
			cancel()
		}
	}
}

// Recover settles what a dead process left behind: a message it was taking is kept as far as it was written, or removed if that is too short; what it was
// destroying is destroyed. The one process that takes messages calls it once, after Vault.Recover and before its first Serve. An item that cannot be settled
// stays for the next time and does not keep the others from it.
func (b *Boxes) Recover(ctx context.Context) error {
	items, err := b.cfg.Store.Unsettled(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, it := range items {
		if err := b.settle(ctx, it); err != nil {
			errs = append(errs, fmt.Errorf("voicemail: %s: %w", it.ID, err))
		}
	}
	return errors.Join(errs...)
}

func (b *Boxes) settle(ctx context.Context, it Item) error {
	if it.State == StatePending && it.Kind == Message {
		access, err := b.access(it.Box)
		if err != nil {
			return err
		}
		report, err := access.Verify(ctx, it.ID)
		if err == nil && report.Duration >= b.cfg.Limits.Shortest {
			it.State, it.Length, it.Incomplete = StateNew, report.Duration, !report.Complete
			return b.cfg.Store.Update(ctx, it, StatePending)
		}
		if err != nil && !errors.Is(err, recording.ErrNotFound) && !errors.Is(err, recording.ErrDestroyed) && !errors.Is(err, recording.ErrTampered) &&
			!errors.Is(err, recording.ErrTruncated) && !errors.Is(err, recording.ErrKey) {
			return err // nothing is known: kept
		}
	}
	from := it.State
	it.State = StateDeleting
	if err := b.cfg.Store.Update(ctx, it, from); err != nil {
		return err
	}
	return b.shred(ctx, it, "left behind")
}

// shred destroys the recording of an item that is StateDeleting, and removes the item. What is held is removed from the box and kept in the vault, where
// retention finds it when the hold is over.
func (b *Boxes) shred(ctx context.Context, it Item, reason string) error {
	if b.cfg.Holds != nil {
		held, err := b.cfg.Holds.Held(ctx, it.Kind, it.ID)
		if err != nil {
			b.cfg.Logger.Error("voicemail: holds not known, so nothing is destroyed", "recording", it.ID, "err", err)
			held = true
		}
		if held {
			return b.cfg.Store.Remove(ctx, it.ID)
		}
	}
	access, err := b.access(it.Box)
	if err != nil {
		return err
	}
	if _, err := access.Destroy(ctx, it.ID, reason); err != nil && !errors.Is(err, recording.ErrNotFound) {
		return err
	}
	if err := b.cfg.Store.Remove(ctx, it.ID); err != nil {
		return err
	}
	if it.Kind == Message {
		b.observe(Event{Kind: EventDeleted, Box: it.Box, Recording: it.ID})
	}
	return nil
}

// Forget removes what is known of a recording that was destroyed by somebody else, such as retention. It is no error if nothing is.
func (b *Boxes) Forget(ctx context.Context, id string) error {
	it, err := b.cfg.Store.Item(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := b.cfg.Store.Remove(ctx, id); err != nil {
		return err
	}
	b.changed(ctx, it.Box)
	return nil
}

// Counts returns the messages of a box; zeros for one there is not.
func (b *Boxes) Counts(ctx context.Context, box string) (Counts, error) {
	return b.cfg.Store.Counts(ctx, box)
}

// DeleteBox destroys everything in a box and removes it, so that whoever gets its number next finds nothing of it. ErrNoBox if there is none; ErrConflict while
// somebody is leaving a message in it.
func (b *Boxes) DeleteBox(ctx context.Context, number string) error {
	if _, err := b.cfg.Store.Box(ctx, number); err != nil {
		return err
	}
	items, err := b.cfg.Store.Items(ctx, number)
	if err != nil {
		return err
	}
	for _, it := range items {
		if it.State == StatePending {
			return fmt.Errorf("%w: a message is being left", ErrConflict)
		}
		from := it.State
		it.State = StateDeleting
		if from != StateDeleting {
			if err := b.cfg.Store.Update(ctx, it, from); err != nil {
				return err
			}
		}
		if err := b.shred(ctx, it, "box deleted"); err != nil {
			return err
		}
	}
	return b.cfg.Store.DeleteBox(ctx, number)
}

func (b *Boxes) observe(e Event) {
	if b.cfg.Observer != nil {
		b.cfg.Observer(e)
	}
}

// changed tells whoever shows how many messages wait.
func (b *Boxes) changed(ctx context.Context, box string) Counts {
	c, err := b.cfg.Store.Counts(ctx, box)
	if err != nil {
		b.cfg.Logger.Error("voicemail: counts not known", "box", box, "err", err)
		return c
	}
	if b.cfg.Waiting != nil {
		b.cfg.Waiting.Changed(ctx, box, c)
	}
	return c
}

// announce tells of a message that is in its box.
func (b *Boxes) announce(ctx context.Context, it Item, call string) {
	b.observe(Event{Kind: EventLeft, Box: it.Box, Recording: it.ID, Call: call})
	c := b.changed(ctx, it.Box)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.notices == nil || b.closed {
		return
	}
	select {
	case b.notices <- Notice{Box: it.Box, Length: it.Length, New: c.New}:
	default:
		b.cfg.Logger.Warn("voicemail: notice dropped: too many wait", "box", it.Box)
	}
}
