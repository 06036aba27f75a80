package load_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
)

// world is a server with its phones.
type world struct {
	*server
	t   *testing.T
	air *air
}

func newWorld(t *testing.T, agents, phones int, recorded bool) *world {
	return &world{t: t, air: newAir(t), server: startServer(t, agents, phones, recorded)}
}

// phone is a phone with a connection of its own.
type phone struct {
	w    *world
	user string
	ep   *sip.Endpoint
	// invited is told of each incoming call before it is answered, if not nil.
	invited func(at time.Time, caller string)

	mu   sync.Mutex
	talk *talk // the incoming call that is answered now
}

// talk is an answered call.
type talk struct {
	call *sip.Call
	line *line
}

// hangup ends the call and returns when the server has confirmed.
func (k *talk) hangup() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = k.call.Hangup(ctx) // the other side may have been first
	k.line.close()
}

const domain = "load.localhost"

// phone makes and registers a phone; it answers whatever comes, at once, and stays until the other side ends it.
func (w *world) phone(user int, invited func(time.Time, string)) *phone {
	w.t.Helper()
	client, err := sip.ClientTLS(nil, w.roots)
	require.NoError(w.t, err)
	p := &phone{w: w, user: strconv.Itoa(user), invited: invited}
	p.ep, err = sip.New(sip.Config{Client: client, Trusted: true, OnCall: p.onCall, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { p.ep.Close() })
	return p
}

// phones makes n phones from first on.
func (w *world) phones(first, n int) []*phone {
	out := make([]*phone, n)
	for i := range out {
		out[i] = w.phone(first+i, nil)
	}
	return out
}

// register registers all phones, a few at a time.
func (w *world) register(phones ...*phone) {
	w.t.Helper()
	each(w.t, phones, 8, func(p *phone) error {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_, err := p.ep.Register(ctx, sip.RegisterConfig{AOR: "sip:" + p.user + "@" + domain, Address: w.addr, Password: w.passwords[p.user], Expires: time.Hour})
		return err // the registration ends with the endpoint
	})
}

// each runs f for all phones, some at a time and no more than 80 a second, since they share an address and a server bounds what one address may ask for before it has
// authenticated. It fails the test with the first error.
func each(t *testing.T, phones []*phone, some int, f func(*phone) error) {
	t.Helper()
	work, errs := make(chan *phone), make(chan error, len(phones))
	var wg sync.WaitGroup
	for range some {
		wg.Add(1)
		go func() { // ends with work, waited for below
			defer wg.Done()
			for p := range work {
				if err := f(p); err != nil {
					errs <- err
				}
			}
		}()
	}
	tick := time.NewTicker(time.Second / 80)
	defer tick.Stop()
	for _, p := range phones {
		work <- p
		<-tick.C
	}
	close(work)
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

// dial calls the queue; the result is answered by the server.
func (p *phone) dial() (*talk, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	l := p.w.air.newLine()
	call, err := p.ep.Dial(ctx, sip.DialConfig{Target: "sip:9001@" + domain, Address: p.w.addr, From: "sip:" + p.user + "@" + domain, Password: p.w.passwords[p.user]}, l)
	if err != nil {
		return nil, err
	}
	return &talk{call, l}, nil
}

func (p *phone) onCall(ctx context.Context, c *sip.Call) {
	if p.invited != nil {
		p.invited(time.Now(), c.ClaimedFrom())
	}
	k := &talk{c, p.w.air.newLine()}
	defer k.line.close()
	if err := c.Answer(ctx, k.line); err != nil {
		return
	}
	p.mu.Lock()
	p.talk = k
	p.mu.Unlock()
	<-ctx.Done()
}

// talking is the call the phone has answered last, or nil.
func (p *phone) talking() *talk {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.talk
}

// eventually waits for what happens in other processes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, time.Minute, 20*time.Millisecond, what)
}
