package recording

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Bulk bounds what one actor lets out of a Vault in a while, by listening, downloading, exporting, sealing or proving: somebody who takes everything with
// them is stopped and reported although each single read was allowed. Actors are told apart by Named. Bounds hold for one Vault in one process.
type Bulk struct {
	// Recordings is how many different ones. If zero, 100. It cannot be unlimited; take a large number and know why.
	Recordings int
	// Bytes is how much audio, as it leaves. If zero, 2 GiB.
	Bytes int64
	// Window is the while. If zero, one hour.
	Window time.Duration
}

func (b Bulk) withDefaults() Bulk {
	if b.Recordings == 0 {
		b.Recordings = 100
	}
	if b.Bytes == 0 {
		b.Bytes = 2 << 30
	}
	if b.Window == 0 {
		b.Window = time.Hour
	}
	return b
}

func (b Bulk) validate() error {
	if b.Recordings < 1 || b.Bytes < 1 || b.Window < time.Second {
		return fmt.Errorf("%w: Bulk under one recording, one byte or one second", ErrConfig)
	}
	return nil
}

// Alarm is what an Alarmer is told.
type Alarm struct {
	Actor      string // as Named says; empty for actors without a name
	Action     string // what was stopped
	Object     string // the recording
	Recordings int    // read within the window, this one not counted
	Bytes      int64  // read within the window
	Window     time.Duration
}

// slots is how many parts the window has: what was read counts until its part has left the window.
const slots = 16

// bulk counts. Safe for concurrent use.
type bulk struct {
	limit Bulk

	mu     sync.Mutex
	actors map[string]*reads
}

// reads is what one actor read: at most Bulk.Recordings different recordings in each slot.
type reads struct {
	seen    []read
	bytes   int64          // of all seen
	ids     map[string]int // how often seen
	alarmed time.Time
}

type read struct {
	slot  int64
	id    string
	bytes int64
}

func newBulk(b Bulk) bulk { return bulk{limit: b, actors: map[string]*reads{}} }

// take counts bytes of a recording. It returns false, with the counts, if that would be more than the limit; nothing is counted then. first says that nobody
// was told within the window.
func (b *bulk) take(actor, id string, bytes int64, now time.Time) (ok, first bool, recordings int, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	slot := now.UnixNano() / int64(b.limit.Window/slots)
	r := b.actors[actor]
	if r == nil {
		b.forgetLocked(slot)
		r = &reads{ids: map[string]int{}}
		b.actors[actor] = r
	}
	r.expire(slot)
	recordings, total = len(r.ids), r.bytes
	if (r.ids[id] == 0 && recordings+1 > b.limit.Recordings) || total+bytes > b.limit.Bytes {
		first = r.alarmed.IsZero() || now.Sub(r.alarmed) >= b.limit.Window
		if first {
			r.alarmed = now
		}
		return false, first, recordings, total
	}
	r.bytes += bytes
	for i := len(r.seen) - 1; i >= 0 && r.seen[i].slot == slot; i-- {
		if r.seen[i].id == id {
			r.seen[i].bytes += bytes
			return true, false, recordings, total
		}
	}
	r.seen = append(r.seen, read{slot: slot, id: id, bytes: bytes})
	r.ids[id]++
	return true, false, recordings, total
}

// expire forgets what left the window: whole slots, so a little later than the window, never sooner.
func (r *reads) expire(slot int64) {
	n := 0
	for n < len(r.seen) && r.seen[n].slot < slot-slots {
		s := r.seen[n]
		r.bytes -= s.bytes
		if r.ids[s.id]--; r.ids[s.id] == 0 {
			delete(r.ids, s.id)
		}
		n++
	}
	r.seen = append(r.seen[:0], r.seen[n:]...)
}

// forgetLocked drops actors that read nothing lately.
func (b *bulk) forgetLocked(slot int64) {
	for name, r := range b.actors {
		if r.expire(slot); len(r.seen) == 0 {
			delete(b.actors, name)
		}
	}
}

func actorName(a Authorizer) string {
	if n, ok := a.(Named); ok {
		return n.Name()
	}
	return ""
}

// spend counts what is about to leave. What is too much does not leave; it is recorded, and whoever watches is told.
func (a *Access) spend(ctx context.Context, action, id string, bytes int64) error {
	v := a.v
	ok, first, recordings, total := v.bulk.take(a.name, id, bytes, v.cfg.Now())
	if ok {
		return nil
	}
	err := fmt.Errorf("%w: %s", ErrBulk, id)
	ctx = context.WithoutCancel(ctx) // whoever hangs up is reported all the same
	if first && v.cfg.Alarm != nil {
		alarm := Alarm{Actor: a.name, Action: action, Object: id, Recordings: recordings, Bytes: total, Window: v.bulk.limit.Window}
		if aerr := v.cfg.Alarm.Alarm(ctx, alarm); aerr != nil {
			err = errors.Join(err, fmt.Errorf("recording: alarm: %w", aerr))
		}
	}
	if aerr := a.audit.Audit(ctx, action, id, slog.Bool("allowed", false), slog.Bool("bulk", true), slog.Int("recordings", recordings), slog.Int64("bytes", total)); aerr != nil {
		err = errors.Join(err, fmt.Errorf("recording: audit: %w", aerr))
	}
	return err
}
