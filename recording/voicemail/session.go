package voicemail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// Session is an owner at their box, from Login to Finish. It is used by one goroutine at a time.
type Session struct {
	b        *Boxes
	box      Box
	call     string
	items    []Item // messages as of the log-in: new ones first, each oldest first
	deleted  map[string]bool
	finished bool
}

func (b *Boxes) session(ctx context.Context, number, call string) (*Session, error) {
	box, err := b.cfg.Store.Box(ctx, number)
	if err != nil {
		return nil, err
	}
	items, err := b.cfg.Store.Items(ctx, number)
	if err != nil {
		return nil, err
	}
	s := &Session{b: b, box: box, call: call, deleted: map[string]bool{}}
	for _, state := range []State{StateNew, StateSaved} {
		for _, it := range items {
			if it.Kind == Message && it.State == state {
				s.items = append(s.items, it)
			}
		}
	}
	return s, nil
}

// Box returns the number of the box.
func (s *Session) Box() string { return s.box.Number }

// Messages returns the messages as of the log-in: new ones first, each oldest first.
func (s *Session) Messages() []Item { return slices.Clone(s.items) }

// Envelope says when a message came, in the time zone of the box, and from whom; empty if that is not known.
type Envelope struct {
	At     time.Time
	Caller string
}

// Hear returns a message as 16-bit mono samples at 8000 Hz, with its envelope. The caller zeroes the samples. The errors are ErrForbidden, ErrClosed and those
// of recording.Access.Open and Playback.ReadPCM.
func (s *Session) Hear(ctx context.Context, id string) ([]int16, Envelope, error) {
	it, err := s.find(id)
	if err != nil {
		return nil, Envelope{}, err
	}
	x, err := s.b.open(ctx, s.box.Number, id, "the owner of the box listens")
	if err != nil {
		return nil, Envelope{}, err
	}
	s.b.observe(Event{Kind: EventRetrieved, Box: s.box.Number, Recording: id, Call: s.call})
	return x.pcm, Envelope{At: it.Created.In(s.box.location()), Caller: x.caller}, nil
}

func (s *Session) find(id string) (Item, error) {
	if s.finished {
		return Item{}, ErrClosed
	}
	for _, it := range s.items {
		if it.ID == id {
			return it, nil
		}
	}
	return Item{}, ErrForbidden
}

// Save makes a new message a saved one. It stays until it is deleted or its time is over.
func (s *Session) Save(ctx context.Context, id string) error {
	it, err := s.find(id)
	if err != nil {
		return err
	}
	delete(s.deleted, id)
	if it.State == StateSaved {
		return nil
	}
	it.State = StateSaved
	if err := s.b.cfg.Store.Update(ctx, it, StateNew); err != nil {
		return err
	}
	for i := range s.items {
		if s.items[i].ID == id {
			s.items[i].State = StateSaved
		}
	}
	s.b.changed(ctx, s.box.Number)
	return nil
}

// Delete marks a message; its key is destroyed when the session finishes, and not if Undelete comes before. After a crash in between the message is still there.
func (s *Session) Delete(id string) error {
	if _, err := s.find(id); err != nil {
		return err
	}
	s.deleted[id] = true
	return nil
}

// Undelete takes Delete back.
func (s *Session) Undelete(id string) error {
	if _, err := s.find(id); err != nil {
		return err
	}
	delete(s.deleted, id)
	return nil
}

// Forward puts a copy of a message into another box: a recording of its own, with a key of its own. It is new there. ErrNoBox, ErrFull.
func (s *Session) Forward(ctx context.Context, id, to string) error {
	t, err := s.copy(ctx, id, to)
	if err != nil {
		return err
	}
	return s.deliver(ctx, t, id)
}

// copy begins the copy of a message, still empty. Its envelope names who forwards it.
func (s *Session) copy(ctx context.Context, id, to string) (*take, error) {
	if _, err := s.find(id); err != nil {
		return nil, err
	}
	if to == s.box.Number {
		return nil, fmt.Errorf("%w: the box it is in", ErrInvalid)
	}
	if _, err := s.b.cfg.Store.Box(ctx, to); err != nil {
		return nil, err
	}
	return s.b.begin(ctx, to, Message, s.box.Number, s.call, Schedule{})
}

// deliver puts the message behind what the copy holds, such as an introduction, and the copy into its box.
func (s *Session) deliver(ctx context.Context, t *take, id string) error {
	x, err := s.b.open(ctx, s.box.Number, id, "the owner of the box forwards")
	if err != nil {
		return errors.Join(err, t.drop(ctx))
	}
	t.append(x.pcm)
	x.wipe()
	return s.b.delivered(ctx, t, s.call)
}

// delivered accepts a message and tells of it.
func (b *Boxes) delivered(ctx context.Context, t *take, call string) error {
	kept, err := t.keep(ctx)
	if err == nil && kept {
		b.announce(context.WithoutCancel(ctx), t.item, call)
	}
	if err == nil && !kept {
		return errShort
	}
	return err
}

// errShort says that a message was too short to be kept.
var errShort = errors.New("voicemail: too short")

// ChangePIN sets a new PIN: ErrPIN for one that is not acceptable.
func (s *Session) ChangePIN(ctx context.Context, pin PIN) error {
	if s.finished {
		return ErrClosed
	}
	return s.b.SetPIN(ctx, s.box.Number, pin)
}

// SetPIN gives a box a new PIN and forgets failed tries, for whoever administers boxes. ErrPIN, ErrNoBox.
func (b *Boxes) SetPIN(ctx context.Context, number string, pin PIN) error {
	if err := pin.Check(number); err != nil {
		return err
	}
	return b.cfg.Store.SetHash(ctx, number, pin.hash())
}

// StandardGreeting destroys the box's own greeting that is played always; scheduled ones stay.
func (s *Session) StandardGreeting(ctx context.Context) error {
	if s.finished {
		return ErrClosed
	}
	items, err := s.b.cfg.Store.Items(ctx, s.box.Number)
	if err != nil {
		return err
	}
	for _, it := range items {
		if it.Kind != Greeting || it.State != StateActive || it.Schedule != (Schedule{}) {
			continue
		}
		it.State = StateDeleting
		if err := s.b.cfg.Store.Update(ctx, it, StateActive); err != nil {
			return err
		}
		if err := s.b.shred(ctx, it, "standard greeting"); err != nil {
			return err
		}
	}
	return nil
}

// Finish ends the session and destroys what was deleted in it. It does so even if ctx has ended, within half a minute. It is safe to call again.
func (s *Session) Finish(ctx context.Context) error {
	if s.finished {
		return nil
	}
	s.finished = true
	if len(s.deleted) == 0 {
		return nil
	}
	ctx, cancel := settling(ctx)
	defer cancel()
	var errs []error
	for _, it := range s.items {
		if !s.deleted[it.ID] {
			continue
		}
		from := it.State
		it.State = StateDeleting
		err := s.b.cfg.Store.Update(ctx, it, from)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) { // another session, or retention, has dealt with it
			continue
		}
		if err == nil {
			err = s.b.shred(ctx, it, "deleted by the owner of the box")
		}
		errs = append(errs, err)
	}
	s.b.changed(ctx, s.box.Number)
	return errors.Join(errs...)
}

// SetGreeting stores a greeting of linear audio, 16-bit mono samples at 8000 Hz, for a schedule; it replaces the one of the same schedule. ErrNoBox,
// ErrInvalid for a schedule there is not or for audio longer than Limits.Message or shorter than Limits.Shortest.
func (b *Boxes) SetGreeting(ctx context.Context, box string, pcm []int16, when Schedule) error {
	length := time.Duration(len(pcm)) * time.Second / recording.SampleRate
	if err := when.Validate(); err != nil {
		return err
	}
	if length > b.cfg.Limits.Message || length < b.cfg.Limits.Shortest {
		return fmt.Errorf("%w: a greeting of %v", ErrInvalid, length)
	}
	t, err := b.begin(ctx, box, Greeting, "", "", when)
	if err != nil {
		return err
	}
	t.append(pcm)
	return t.accept(ctx)
}
