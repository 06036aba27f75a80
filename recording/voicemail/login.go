package voicemail

import (
	"context"
	"errors"
	"fmt"
)

// Login checks a PIN and opens a session. own says that the caller is the box's own phone, proved by whoever admitted the call; its failures are counted
// apart. ErrRefused for an unknown box, a wrong PIN and a box that refuses for a while, after the same work; other errors mean that nothing could be checked.
// call names the call in events. The session is finished by the caller.
func (b *Boxes) Login(ctx context.Context, box string, pin PIN, own bool, call string) (*Session, error) {
	if err := b.check(ctx, box, pin, own); err != nil {
		if errors.Is(err, ErrRefused) {
			named := box
			if !ValidNumber(box) {
				named = "" // what a stranger typed does not go into a log as it is
			}
			b.observe(Event{Kind: EventRefused, Box: named, Call: call})
		}
		return nil, err
	}
	return b.session(ctx, box, call)
}

func (b *Boxes) check(ctx context.Context, number string, pin PIN, own bool) error {
	stored, err := b.count(ctx, number, own)
	if err != nil && !errors.Is(err, ErrRefused) {
		return err
	}
	select {
	case b.hashes <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("voicemail: %w", ctx.Err())
	}
	ok := pin.matches(stored) // an empty one costs the same
	<-b.hashes
	if !ok || err != nil {
		return ErrRefused
	}
	for {
		tries, err := b.cfg.Store.Tries(ctx, number, own)
		if err != nil {
			return err
		}
		if err = b.cfg.Store.SetTries(ctx, number, own, tries, Tries{}); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// count counts a try as failed before it is checked, and returns the hash to check it against. ErrRefused if there is none, or not now.
func (b *Boxes) count(ctx context.Context, number string, own bool) (stored string, err error) {
	if !ValidNumber(number) {
		return "", ErrRefused
	}
	box, err := b.cfg.Store.Box(ctx, number)
	if errors.Is(err, ErrNoBox) {
		return "", ErrRefused
	}
	if err != nil {
		return "", err
	}
	for {
		now := b.cfg.Now()
		old, err := b.cfg.Store.Tries(ctx, number, own)
		if err != nil {
			return "", err
		}
		if now.Before(old.Until) {
			return "", ErrRefused // not counted: who goes on trying does not lengthen it
		}
		next := Tries{Failed: old.Failed + 1}
		if d := lockout(next.Failed); d > 0 {
			next.Until = now.Add(d).UTC()
		}
		switch err := b.cfg.Store.SetTries(ctx, number, own, old, next); {
		case err == nil:
			return box.Hash, nil
		case !errors.Is(err, ErrConflict):
			return "", err
		}
	}
}
