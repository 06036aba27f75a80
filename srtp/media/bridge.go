package media

import (
	"context"
	"sync"
)

// Bridge joins two legs: what one receives, the other sends. Packets are decrypted and encrypted again. The payload is not touched when the other leg's peer takes the codec, and
// changed in place between µ-law and A-law; anything else is decoded, resampled and encoded, in packets of the length the other peer asked for, as it arrives and without a playout
// buffer. Digits (telephone-event) pass with the other leg's payload type and clock, comfort noise if the other peer takes it. Each leg
// keeps its own SSRC, numbering and clock. A prompt or digits sent to one leg silence the bridge towards it for as long as they last.
// A Bridge needs no goroutine and is safe for concurrent use. Bridge.Conference makes room for a third.
type Bridge struct {
	a, b   *Leg
	mu     sync.Mutex
	ab, ba *route
}

// NewBridge joins two legs that have negotiated media. The errors are ErrNotReady, ErrBusy for a leg that is bridged, echoes or is in a
// conference or for one leg given twice, and ErrClosed.
func NewBridge(a, b *Leg) (*Bridge, error) {
	if a == b {
		return nil, ErrBusy
	}
	br := &Bridge{a: a, b: b}
	br.mu.Lock() // a leg that closes meanwhile waits until the bridge is whole or gone
	defer br.mu.Unlock()
	if !a.bridge.CompareAndSwap(nil, br) {
		return nil, ErrBusy
	}
	if !b.bridge.CompareAndSwap(nil, br) {
		a.bridge.CompareAndSwap(br, nil)
		return nil, ErrBusy
	}
	var err error
	if br.ab, err = connect(a, b, false); err == nil {
		br.ba, err = connect(b, a, false)
	}
	if err == nil && (a.ended() || b.ended()) {
		err = ErrClosed // it closed before it could see the bridge
	}
	if err != nil {
		br.part()
		return nil, err
	}
	return br, nil
}

// Close parts the legs; they stay open. No packet passes after it returns. It is safe to call again. Closing a leg closes its bridge.
func (br *Bridge) Close() {
	br.mu.Lock()
	defer br.mu.Unlock()
	br.part()
}

// part undoes whatever of the bridge is there. The caller holds mu.
func (br *Bridge) part() {
	if br.ab != nil {
		disconnect(br.a, br.ab)
	}
	if br.ba != nil {
		disconnect(br.b, br.ba)
	}
	br.ab, br.ba = nil, nil
	br.a.bridge.CompareAndSwap(br, nil)
	br.b.bridge.CompareAndSwap(br, nil)
}

// Echo sends the leg's own audio back until ctx ends, and returns ctx's error. It returns ErrClosed when the leg ends, ErrBusy while the leg is
// bridged or echoes, and ErrNotReady before negotiation.
func (l *Leg) Echo(ctx context.Context) error {
	r, err := connect(l, l, true)
	if err != nil {
		return err
	}
	defer disconnect(l, r)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.done:
		return ErrClosed
	}
}

func (l *Leg) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}
