package branch

import (
	"context"
	"errors"
	"sync"

	"github.com/ringfence/ringfence/sip"
)

var (
	errNoOffer = errors.New("branch: a description of the other side is needed first")
	errGlare   = errors.New("branch: the other side is offering something itself")
)

// bridge connects the call that came in with the one that is placed for it. Descriptions go through as they are.
type bridge struct {
	in *sip.Call
	// place calls the other side with the offer, and returns its answer.
	place func(ctx context.Context, offer []byte) (*sip.Call, *back, error)
	// answered runs before the caller is told of the answer; an error has the call refused.
	answered func() error

	mu        sync.Mutex
	out       *sip.Call
	far       *back
	exchange  bool   // one side is being asked about what the other offers
	offered   []byte // by out, while in is asked
	inAnswers []byte
}

// front is the media of the call that came in.
type front struct{ *bridge }

// back is the media of the call that is placed: its offer is that of the other side.
type back struct {
	mu     sync.Mutex
	b      *bridge // nil until the call is one of a bridge
	offer  []byte
	answer []byte
}

// begin starts an exchange in the middle of the call. Both sides at once cannot be: each would wait for the other (RFC 3264 section 4).
func (b *bridge) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.out == nil:
		return errNoOffer
	case b.exchange:
		return errGlare
	}
	b.exchange = true
	return nil
}

func (b *bridge) done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.exchange, b.offered = false, nil
}

// Answer takes an offer of the caller to the other side: the first places the call, those that follow hold, resume or move it.
func (f front) Answer(ctx context.Context, offer []byte) ([]byte, error) {
	b := f.bridge
	b.mu.Lock()
	out, far := b.out, b.far
	b.mu.Unlock()
	if out == nil {
		return b.connect(ctx, offer)
	}
	if err := b.begin(); err != nil {
		return nil, err
	}
	defer b.done()
	far.set(offer)
	if err := out.Reoffer(ctx); err != nil {
		return nil, err
	}
	return far.taken()
}

func (b *bridge) connect(ctx context.Context, offer []byte) ([]byte, error) {
	out, far, err := b.place(ctx, offer)
	if err != nil {
		return nil, err
	}
	answer, err := far.taken()
	if err == nil {
		err = b.answered()
	}
	if err != nil {
		hangup(out)
		return nil, err
	}
	far.mu.Lock()
	far.b = b
	far.mu.Unlock()
	b.mu.Lock()
	b.out, b.far = out, far
	b.mu.Unlock()
	return answer, nil
}

// Offer is asked for what out offers in the middle of a call. An INVITE without an offer asks for one of ours, and there is none.
func (f front) Offer(context.Context) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.offered) == 0 {
		return nil, errNoOffer
	}
	return f.offered, nil
}

// Accept takes the caller's answer to what out offers.
func (f front) Accept(_ context.Context, answer []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inAnswers = answer
	return nil
}

func (k *back) set(offer []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.offer, k.answer = offer, nil
}

func (k *back) taken() ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.answer) == 0 {
		return nil, errNoOffer
	}
	return k.answer, nil
}

// Offer is the caller's.
func (k *back) Offer(context.Context) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.offer) == 0 {
		return nil, errNoOffer
	}
	return k.offer, nil
}

// Accept takes the answer for the caller.
func (k *back) Accept(_ context.Context, answer []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = answer
	return nil
}

// Answer takes an offer of the called side to the caller.
func (k *back) Answer(ctx context.Context, offer []byte) ([]byte, error) {
	k.mu.Lock()
	b := k.b
	k.mu.Unlock()
	if b == nil {
		return nil, errNoOffer
	}
	if err := b.begin(); err != nil {
		return nil, err
	}
	defer b.done()
	b.mu.Lock()
	b.offered, b.inAnswers = offer, nil
	b.mu.Unlock()
	if err := b.in.Reoffer(ctx); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.inAnswers) == 0 {
		return nil, errNoOffer
	}
	return b.inAnswers, nil
}

// run answers the caller and returns when one of both sides has ended, or ctx; what is left is still there then, so that the end can be written down first.
func (b *bridge) run(ctx context.Context) error {
	err := b.in.Answer(ctx, front{b})
	b.mu.Lock()
	out := b.out
	b.mu.Unlock()
	if err != nil || out == nil {
		return err
	}
	var digits sync.WaitGroup
	relay := func(from, to *sip.Call) {
		queue := make(chan byte, 32)
		from.OnDigit(func(d byte) {
			select {
			case queue <- d:
			default: // faster than anybody dials
			}
		})
		digits.Add(1)
		go func() { // ends with either call, waited for below
			defer digits.Done()
			for {
				select {
				case d := <-queue:
					_ = to.SendDigit(ctx, d) // who does not take digits this way takes them in the media
				case <-from.Done():
					return
				case <-to.Done():
					return
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	relay(b.in, out)
	relay(out, b.in)
	select {
	case <-b.in.Done():
	case <-out.Done():
	case <-ctx.Done():
	}
	digits.Wait()
	return nil
}

// end ends what is left of both sides.
func (b *bridge) end() {
	b.mu.Lock()
	out := b.out
	b.mu.Unlock()
	if out != nil {
		hangup(out)
	}
	hangup(b.in)
}
