package media

import (
	"slices"
	"sync"
	"time"
)

// pacer is the engine's only clock: it sends the next frame of every playing leg each 20 ms and runs housekeeping twice a second. With
// nothing to play it sleeps until either is due.
type pacer struct {
	mu       sync.Mutex
	incoming []*Leg
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

// each calls f for every leg; what f puts into the box leaves soon after.
func (p *pacer) each(legs []*Leg, f func(*Leg, *outbox)) {
	for part := range slices.Chunk(legs, batchSize/2) {
		p.sending.Lock()
		for _, l := range part {
			f(l, p.box)
		}
		p.box.flush()
		p.sending.Unlock()
	}
}

// add makes the pacer tick the leg until its tick returns false. The caller sees to it that a leg is added once.
func (p *pacer) add(l *Leg) {
	p.mu.Lock()
	p.incoming = append(p.incoming, l)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // the pacer knows already
	}
}

func (p *pacer) halt() { p.once.Do(func() { close(p.stop) }) }

// run returns after halt.
func (p *pacer) run(housekeep func(time.Time)) {
	var active []*Leg
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
			p.each(active, func(l *Leg, box *outbox) {
				if l.tick(now, box) {
					kept = append(kept, l)
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
