package media

import (
	"slices"
	"sync"
	"time"
)

// pacer is the engine's only clock: it sends the next frame of every playing leg and of every conference each 20 ms and runs housekeeping twice a second. With
// nothing to play it sleeps until either is due.
type pacer struct {
	mu       sync.Mutex
	incoming []ticker
	wake     chan struct{}
	stop     chan struct{}
	once     sync.Once

	sending sync.Mutex // held from making packets until they have left
	box     *outbox
}

func (p *pacer) init() {
	p.wake = make(chan struct{}, 1)
	p.stop = make(chan struct{})
	p.box = newOutbox(true)
}

// barrier returns when nothing made before the call waits to be sent.
func (p *pacer) barrier() {
	p.sending.Lock()
	//lint:ignore SA2001 the empty section is the point
	p.sending.Unlock()
}

// each calls f for every one of list; what f puts into the box leaves soon after.
func each[T any](p *pacer, list []T, f func(T, *outbox)) {
	for part := range slices.Chunk(list, batchSize/2) {
		p.sending.Lock()
		for _, x := range part {
			f(x, p.box)
		}
		p.box.flush()
		p.sending.Unlock()
	}
}

// ticker is what has something to send every 20 ms: a leg that plays, a conference.
type ticker interface {
	// tick sends the next 20 ms and returns false when there is nothing more to come.
	tick(now time.Time, box *outbox) bool
}

// add makes the pacer tick t until its tick returns false. The caller sees to it that it is added once.
func (p *pacer) add(t ticker) {
	p.mu.Lock()
	p.incoming = append(p.incoming, t)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // the pacer knows already
	}
}

func (p *pacer) halt() { p.once.Do(func() { close(p.stop) }) }

// run returns after halt.
func (p *pacer) run(housekeep func(time.Time)) {
	var active []ticker
	now := time.Now()
	frame, house := now, now.Add(houseEvery)
	timer := time.NewTimer(houseEvery)
	defer timer.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-p.wake:
		case <-timer.C:
		}
		now = time.Now()
		p.mu.Lock()
		if len(p.incoming) > 0 {
			if len(active) == 0 {
				frame = now // the grid starts with the first player
			}
			active = append(active, p.incoming...)
			clear(p.incoming)
			p.incoming = p.incoming[:0]
		}
		p.mu.Unlock()
		if now.Sub(frame) > maxBehind*frameTime {
			frame = now // the machine slept; a burst of old audio helps nobody
		}
		for len(active) > 0 && !now.Before(frame) {
			kept := active[:0]
			each(p, active, func(t ticker, box *outbox) {
				if t.tick(now, box) {
					kept = append(kept, t)
				}
			})
			clear(active[len(kept):])
			active = kept
			frame = frame.Add(frameTime)
		}
		if !now.Before(house) {
			housekeep(now)
			house = now.Add(houseEvery)
		}
		next := house
		if len(active) > 0 && frame.Before(next) {
			next = frame
		}
		timer.Reset(time.Until(next))
	}
}
