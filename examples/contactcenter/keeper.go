package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/consent"
	"github.com/ringfence/ringfence/srtp/media"
)

// Where media and recordings meet: what stands between a leg and its side of a recording is a tap of the leg.
var _ media.Tap = (*consent.Tap)(nil)

// keyPause is how long the keys of one sequence may lie apart.
const keyPause = 3 * time.Second

// keeper keeps the recording of one conversation: it stores nothing that the place of the tenant does not allow, and pauses when the agent's keys say so,
// whoever the agent is by then. All methods may be called on nil, for a queue that is not recorded.
type keeper struct {
	p     *phone
	queue string
	gate  *consent.Gate
	who   map[string]int // numbers of people in the gate
	stop  chan struct{}  // closed by close
	wg    sync.WaitGroup // of what watches keys

	mu     sync.Mutex
	id     string // of the recording; empty while there is none
	paused bool

	withdrawn bool // the caller wants no recording
}

// keep starts the recording of a conversation, if its queue is recorded. Without one the conversation goes on: a full disk must not cut callers off, but it is
// an error in the log and an event.
func (p *phone) keep(ctx context.Context, s *session, queue string) *keeper {
	if !p.site.cfg.records(queue) {
		return nil
	}
	rules := p.site.cfg.Recording
	k := &keeper{p: p, queue: queue, who: map[string]int{}, stop: make(chan struct{})}
	var err error
	k.gate, err = consent.NewGate(consent.Config{Rules: consent.Defaults(), Parties: 2, Create: func(ctx context.Context) (*recording.Track, error) { return k.create(ctx, s) },
		Decided: func(d consent.Decision) {
			p.site.log.Info("recording decided", "call", p.id, "allowed", d.Allowed, "need", d.Need.String(), "place", d.Place, "reason", d.Reason)
		}})
	if err != nil {
		k.failed(err)
		return nil
	}
	caller := consent.Nothing
	if rules.CallersTold && !p.untold {
		caller = consent.Told
	}
	k.join(ctx, "caller", caller)
	k.join(ctx, "agent", consent.Agreed) // who works here has agreed in writing
	p.leg.SetTap(k.gate.Tap(0))
	k.watch(p.leg, rules.WithdrawKeys, func() { k.withdraw(ctx) })
	return k
}

func (k *keeper) create(ctx context.Context, s *session) (*recording.Track, error) {
	p := k.p
	track, err := p.site.vault.Create(context.WithoutCancel(ctx), recording.Meta{
		Call: p.id, Parties: []string{"caller", "agent"},
		Attributes: map[string]string{"queue": k.queue, "agent": s.agent, "caller": cleanNumber(p.caller), "dialed": cleanNumber(p.from.called), "secure": strconv.FormatBool(p.call.Secure()),
			"suite": p.leg.Security().Suite},
	})
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.id = track.ID(); k.paused {
		err = track.Pause()
	}
	return track, err
}

func (k *keeper) failed(err error) {
	k.p.site.log.Error("not recorded", "call", k.p.id, "err", err)
	k.p.site.emit(event{Event: "recording", Call: k.p.id, Queue: k.queue, Cause: "failed"})
}

func (k *keeper) join(ctx context.Context, name string, said consent.Said) {
	n, err := k.gate.Join(ctx, consent.Person{Name: name, Place: k.p.site.cfg.Recording.Place, Said: said})
	if err != nil {
		k.failed(err)
		return
	}
	k.who[name] = n
}

// hear takes an agent's leg as the second party, and their keys. It is called again for whoever the call is handed to.
func (k *keeper) hear(leg *media.Leg) {
	if k == nil {
		return
	}
	leg.SetTap(k.gate.Tap(1))
	k.watch(leg, k.p.site.cfg.Recording.PauseKeys, k.pause)
}

// watch calls do whenever keys are pressed one after the other.
func (k *keeper) watch(leg *media.Leg, keys string, do func()) {
	if keys == "" {
		return
	}
	k.wg.Add(1)
	go func() { // ends with the leg or close, which waits for it
		defer k.wg.Done()
		got, last := "", time.Time{}
		for {
			select {
			case d := <-leg.Digits():
				if time.Since(last) > keyPause {
					got = ""
				}
				got, last = got+string(d), time.Now()
				if strings.HasSuffix(got, keys) {
					got = ""
					do()
				}
			case <-leg.Done():
				return
			case <-k.stop:
				return
			}
		}
	}()
}

// pause pauses the recording, or resumes it.
func (k *keeper) pause() {
	k.mu.Lock()
	k.paused = !k.paused
	paused := k.paused
	k.mu.Unlock()
	cause, err := "resumed", error(nil)
	track := k.gate.Track()
	if track == nil {
		return // begins as it is to be, if it begins
	}
	if paused {
		cause, err = "paused", track.Pause()
	} else {
		err = track.Resume()
	}
	if err != nil {
		if !errors.Is(err, recording.ErrClosed) {
			k.p.site.log.Error("recording not "+cause, "call", k.p.id, "recording", track.ID(), "err", err)
		}
		return
	}
	k.p.site.emit(event{Event: "recording", Call: k.p.id, Recording: track.ID(), Cause: cause})
}

// withdraw ends and purges the recording, because the caller wants so.
func (k *keeper) withdraw(ctx context.Context) {
	k.mu.Lock()
	id := k.id
	again := k.withdrawn
	k.withdrawn = true
	k.mu.Unlock()
	if again {
		return // what failed is tried again by close
	}
	if err := k.gate.Withdraw(context.WithoutCancel(ctx), k.who["caller"]); err != nil {
		k.p.site.log.Error("recording not purged", "call", k.p.id, "recording", id, "err", err)
		return
	}
	if id == "" {
		return // there was none to purge, and there will be none
	}
	k.p.site.emit(event{Event: "recording", Call: k.p.id, Recording: id, Cause: "withdrawn"})
}

// close ends the recording.
func (k *keeper) close() {
	if k == nil {
		return
	}
	close(k.stop)
	k.wg.Wait()
	track := k.gate.Track()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := k.gate.Close(ctx)
	if track == nil {
		return
	}
	cause := "complete"
	switch {
	case err == nil && k.gate.Track() == nil:
		cause = "withdrawn" // purged now
	case err != nil:
		if cause = "incomplete"; !errors.Is(err, recording.ErrClosed) {
			k.p.site.log.Error("recording not complete", "call", k.p.id, "recording", track.ID(), "err", err)
		}
	}
	if st := track.Stats(); st.Lost > 0 {
		k.p.site.log.Warn("frames not recorded", "call", k.p.id, "recording", track.ID(), "lost", st.Lost)
	}
	k.p.site.emit(event{Event: "recording", Call: k.p.id, Recording: track.ID(), Cause: cause})
}
