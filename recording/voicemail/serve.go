package voicemail

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Caller says who calls Boxes.Serve, and for what.
type Caller struct {
	// Box is where a message is left. If empty, the caller logs in.
	Box string
	// Own is the caller's own box, proved by whoever admitted the call. If empty, the caller has none, or nothing is proved.
	Own string
	// Login lets star lead to logging in.
	Login bool
	// Name is whom the message's envelope names, such as a telephone number. It is kept in the recording's encrypted metadata only. If empty, it is not known.
	Name string
	// Call names the call in recordings and events. If empty, it is not known.
	Call string
}

// Serve leads a caller through the dialog until they hang up, ctx ends or it is over, and returns how it ended. A caller who hangs up is no error. What was
// recorded by then is settled and what was deleted is destroyed when Serve returns, within a minute. An error means that something broke; the caller has been
// told as far as that was possible.
func (b *Boxes) Serve(ctx context.Context, ph Phone, c Caller) (Result, error) {
	r := &runtime{b: b, phone: ph, caller: c, ctx: ctx}
	defer r.close()
	d := NewDialog(DialogConfig{Box: c.Box, Own: c.Own, Login: c.Login, Longest: b.cfg.Limits.Call})
	for cmd := d.Start(r.now()); ; {
		if cmd.Kind == End {
			return cmd.Result, r.err
		}
		in := r.carryOut(cmd)
		in.Now = r.now()
		cmd = d.Next(in)
	}
}

// runtime carries out the commands of one dialog.
type runtime struct {
	b       *Boxes
	phone   Phone
	caller  Caller
	ctx     context.Context // of the call; ended means hung up
	session *Session
	take    *take
	loaded  []int16 // the message that can be said
	unmask  func()
	err     error // the first that broke something
}

func (r *runtime) now() time.Time {
	t := r.b.cfg.Now()
	if r.session != nil {
		return t.In(r.session.box.location())
	}
	return t
}

// close is for a dialog that was left in the middle by a panic of the phone; otherwise there is nothing left to do.
func (r *runtime) close() {
	clear(r.loaded)
	if r.unmask != nil {
		r.unmask()
	}
	if r.take != nil {
		_ = r.take.drop(r.ctx)
	}
	if r.session != nil {
		_ = r.session.Finish(r.ctx)
	}
}

func (r *runtime) carryOut(cmd Command) Input {
	if !cmd.Secret && r.unmask != nil {
		r.unmask()
		r.unmask = nil
	}
	switch cmd.Kind {
	case Say:
		return r.say(cmd)
	case Record:
		return r.record(cmd)
	case Do:
		kind, in := r.do(cmd)
		in.Kind = kind
		return in
	}
	return r.failed(fmt.Errorf("voicemail: no such command: %d", cmd.Kind))
}

// failed turns an error of the phone or of a store into an input.
func (r *runtime) failed(err error) Input {
	if errors.Is(err, ErrHangup) || r.ctx.Err() != nil {
		return Input{Kind: HungUp}
	}
	if r.err == nil {
		r.err = err
	}
	r.b.cfg.Logger.Error("voicemail: call went wrong", "call", r.caller.Call, "err", err)
	return Input{Kind: Failed}
}

var errQuiet = errors.New("no key")

// say plays and waits for a key.
func (r *runtime) say(cmd Command) Input {
	if cmd.Secret && r.unmask == nil {
		unmask, err := r.phone.Mask(r.ctx)
		if err != nil {
			return r.failed(fmt.Errorf("voicemail: mask: %w", err))
		}
		r.unmask = unmask
	}
	if cmd.Stop == "" {
		for _, it := range cmd.Items {
			if err := r.play(r.ctx, it); err != nil {
				return r.failed(err)
			}
		}
		return Input{Kind: Silent, Item: len(cmd.Items)}
	}
	// A key typed ahead answers before anything is said, always and not only when it wins a race.
	ended, end := context.WithCancel(r.ctx)
	end()
	if key, err := r.readKey(ended, cmd.Stop); err == nil {
		return Input{Kind: Pressed, Key: key}
	} else if errors.Is(err, ErrHangup) {
		return Input{Kind: HungUp}
	}
	ctx, cancel := context.WithCancelCause(r.ctx)
	at := 0
	done := make(chan struct{})
	go func() { // ended by cancel, waited for by <-done, both below
		defer close(done)
		for _, it := range cmd.Items {
			if err := r.play(ctx, it); err != nil {
				cancel(err)
				return
			}
			at++
		}
		t := time.NewTimer(cmd.Wait)
		defer t.Stop()
		select {
		case <-t.C:
			cancel(errQuiet)
		case <-ctx.Done():
		}
	}()
	key, err := r.readKey(ctx, cmd.Stop)
	cause := context.Cause(ctx) // before cancel, which would hide it
	cancel(nil)
	<-done
	switch {
	case err == nil:
		return Input{Kind: Pressed, Key: key, Item: at}
	case cause != nil && r.ctx.Err() == nil:
		err = cause
	}
	if errors.Is(err, errQuiet) {
		return Input{Kind: Silent, Item: at}
	}
	return r.failed(err)
}

// readKey returns the next key of keys; others are dropped.
func (r *runtime) readKey(ctx context.Context, keys string) (byte, error) {
	for {
		key, err := r.phone.ReadDigit(ctx)
		if err != nil {
			return 0, err
		}
		for i := range len(keys) {
			if keys[i] == key {
				return key, nil
			}
		}
	}
}

func (r *runtime) play(ctx context.Context, it Spoken) error {
	switch {
	case it.Greeting != "":
		return r.greet(ctx, it.Greeting)
	case it.Message != "":
		return r.phone.PlayPCM(ctx, r.loaded)
	case it.Take:
		x, err := r.b.open(ctx, r.take.item.Box, r.take.item.ID, "the owner of the box hears a new greeting")
		if err != nil {
			return err
		}
		defer x.wipe()
		return r.phone.PlayPCM(ctx, x.pcm)
	}
	return r.phone.Play(ctx, it.Prompt)
}

// greet plays the greeting of a box that holds now. One that does not open, or that too many have heard within the hour, gives way to the standard one.
func (r *runtime) greet(ctx context.Context, number string) error {
	box, err := r.b.cfg.Store.Box(ctx, number)
	if err != nil {
		return err
	}
	items, err := r.b.cfg.Store.Items(ctx, number)
	if err != nil {
		return err
	}
	if it, ok := choose(items, r.b.cfg.Now().In(box.location())); ok {
		x, err := r.b.open(ctx, number, it.ID, "a caller is greeted")
		if err == nil {
			defer x.wipe()
			return r.phone.PlayPCM(ctx, x.pcm)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.b.cfg.Logger.Error("voicemail: greeting not played", "box", number, "recording", it.ID, "err", err)
	}
	return r.phone.Play(ctx, "vm-greeting")
}

// lookAgain is how often a recording is looked at for silence and length.
const lookAgain = 100 * time.Millisecond

var errTooLong = errors.New("longest message")

// record takes what the caller says until a key, silence or the limit.
func (r *runtime) record(cmd Command) Input {
	t, err := r.open(cmd)
	switch {
	case errors.Is(err, ErrFull), errors.Is(err, ErrNoBox):
		return Input{Kind: Full}
	case err != nil:
		return r.failed(err)
	}
	r.take = t
	ended, end := context.WithCancel(r.ctx)
	end()
	for err == nil { // keys from before the tone do not end it
		_, err = r.phone.ReadDigit(ended)
	}
	if errors.Is(err, ErrHangup) {
		return Input{Kind: HungUp}
	}
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	recorded := make(chan error, 1)
	began := time.Now()
	t.listen(began)
	go func() { // ended by cancel, waited for below
		err := r.phone.Record(ctx, t)
		if err != nil && ctx.Err() == nil {
			cancel(err)
		}
		recorded <- err
	}()
	watched := make(chan struct{})
	go func() { // as above
		defer close(watched)
		tick := time.NewTicker(lookAgain)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				if t.quiet(now) >= r.b.cfg.Limits.Silence {
					cancel(errQuiet)
				} else if now.Sub(began) >= r.b.cfg.Limits.Message {
					cancel(errTooLong)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	_, err = r.phone.ReadDigit(ctx)
	cause := context.Cause(ctx)
	cancel(nil)
	<-watched
	<-recorded
	if cmd.Purpose == ForGreeting { // it can be heard only once it is written
		sctx, stop := settling(r.ctx)
		defer stop()
		if cerr := t.close(sctx); cerr != nil {
			return r.failed(cerr)
		}
	}
	switch {
	case err == nil:
		return Input{Kind: Pressed}
	case errors.Is(cause, errQuiet) && r.ctx.Err() == nil:
		return Input{Kind: Silent}
	case errors.Is(cause, errTooLong) && r.ctx.Err() == nil:
		return Input{Kind: TooLong}
	case cause != nil && !errors.Is(err, ErrHangup):
		err = cause
	}
	return r.failed(err)
}

func (r *runtime) open(cmd Command) (*take, error) {
	switch cmd.Purpose {
	case ForMessage:
		return r.b.begin(r.ctx, cmd.Box, Message, r.caller.Name, r.caller.Call, Schedule{})
	case ForGreeting:
		return r.b.begin(r.ctx, r.session.Box(), Greeting, "", r.caller.Call, Schedule{})
	case ForIntro:
		return r.session.copy(r.ctx, cmd.Message, cmd.Box)
	}
	return nil, fmt.Errorf("%w: recording for nothing", ErrInvalid)
}
