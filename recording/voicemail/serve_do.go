package voicemail

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// do carries out an action. What the caller must not know the reason of is Refused; what broke is Failed.
func (r *runtime) do(cmd Command) (InputKind, Input) {
	in, err := r.act(cmd)
	switch {
	case err == nil:
		return Done, in
	case errors.Is(err, ErrRefused), errors.Is(err, ErrPIN), errors.Is(err, ErrInvalid), errors.Is(err, ErrForbidden):
		return Refused, in
	case errors.Is(err, ErrFull):
		return Full, in
	case errors.Is(err, errShort):
		return TooShort, in
	case cmd.Action == CheckBox && errors.Is(err, ErrNoBox):
		return Refused, in
	}
	if r.err == nil && cmd.Action != Load && r.ctx.Err() == nil { // a message that does not open is passed over
		r.err = err
	}
	r.b.cfg.Logger.Error("voicemail: call went wrong", "call", r.caller.Call, "message", cmd.Message, "err", err)
	if r.ctx.Err() != nil && !settles(cmd.Action) {
		return HungUp, in
	}
	return Failed, in
}

// settles reports whether an action ends something and so is done for a caller who is gone, too.
func settles(a Action) bool { return a == Keep || a == Drop || a == Finish || a == ForwardMessage }

func (r *runtime) act(cmd Command) (in Input, err error) {
	ctx := r.ctx
	switch cmd.Action {
	case CheckRoom:
		return in, r.b.room(ctx, cmd.Box)
	case Keep:
		return in, r.keep(ctx, cmd.Purpose)
	case Drop:
		t := r.take
		if r.take = nil; t == nil {
			return in, nil
		}
		return in, t.drop(ctx)
	case LogIn:
		own := cmd.Box == r.caller.Own
		if r.session, err = r.b.Login(ctx, cmd.Box, cmd.PIN, own, r.caller.Call); err != nil {
			return in, err
		}
		for _, it := range r.session.items {
			in.Messages = append(in.Messages, Listed{ID: it.ID, Saved: it.State == StateSaved})
		}
		return in, nil
	}
	if r.session == nil {
		return in, ErrForbidden
	}
	switch cmd.Action {
	case Load:
		clear(r.loaded)
		var e Envelope
		if r.loaded, e, err = r.session.Hear(ctx, cmd.Message); err != nil {
			return in, err
		}
		in.At, in.Caller = e.At, e.Caller
		return in, nil
	case SaveMessage:
		return in, r.session.Save(ctx, cmd.Message)
	case DeleteMessage:
		return in, r.session.Delete(cmd.Message)
	case UndeleteMessage:
		return in, r.session.Undelete(cmd.Message)
	case CheckBox:
		if cmd.Box == r.session.Box() {
			return in, ErrInvalid
		}
		_, err := r.b.cfg.Store.Box(ctx, cmd.Box)
		return in, err
	case ForwardMessage:
		t := r.take
		if r.take = nil; t != nil {
			return in, r.session.deliver(ctx, t, cmd.Message)
		}
		return in, r.session.Forward(ctx, cmd.Message, cmd.Box)
	case SetPIN:
		return in, r.session.ChangePIN(ctx, cmd.PIN)
	case UseStandardGreeting:
		return in, r.session.StandardGreeting(ctx)
	case Finish:
		s := r.session
		r.session = nil
		return in, s.Finish(ctx)
	}
	return in, fmt.Errorf("%w: no such action: %d", ErrInvalid, cmd.Action)
}

// keep puts the take where it belongs.
func (r *runtime) keep(ctx context.Context, p Purpose) error {
	t := r.take
	if r.take = nil; t == nil {
		return errShort // nothing was recorded
	}
	if p == ForMessage {
		return r.b.delivered(ctx, t, r.caller.Call)
	}
	if t.length() < r.b.cfg.Limits.Shortest {
		return errors.Join(errShort, t.drop(ctx))
	}
	return t.accept(ctx)
}

// room is ErrFull if a box has no room for the longest message now. Only adding one reserves it.
func (b *Boxes) room(ctx context.Context, box string) error {
	if _, err := b.cfg.Store.Box(ctx, box); err != nil {
		return err
	}
	items, err := b.cfg.Store.Items(ctx, box)
	if err != nil {
		return err
	}
	if !b.cfg.Limits.Quota.Fits(items, b.cfg.Limits.Message) {
		return ErrFull
	}
	return nil
}

// Fits reports whether a message of a length has room beside what is in a box. Stores decide by it when they add one.
func (q Quota) Fits(items []Item, length time.Duration) bool {
	n := 0
	for _, it := range items {
		if it.Kind == Message && it.State != StateDeleting {
			n++
			length += it.Length
		}
	}
	return (q.Messages == 0 || n < q.Messages) && (q.Length == 0 || length <= q.Length)
}
