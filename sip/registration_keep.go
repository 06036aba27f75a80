package sip

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// RFC 5626 section 4.5: how long to wait after a failed registration. stableFlow is how long a connection must have stood for its end to be
// the first failure again.
const (
	backoffBase = 30 * time.Second
	backoffMax  = 30 * time.Minute
	stableFlow  = 2 * time.Minute
	pongTime    = 10 * time.Second // RFC 5626 section 4.4.1
)

// backoff is the wait after so many failures in a row. The first one is made good at once: a server that restarts, or a router that lost its
// table, costs a phone no calls. chance is 0 to 1.
func backoff(failures int, chance float64) time.Duration {
	if failures <= 1 {
		return 0
	}
	upper := backoffMax
	if n := failures - 2; n < 6 {
		upper = min(upper, backoffBase<<n)
	}
	return upper/2 + time.Duration(chance*float64(upper/2))
}

// keep holds the registration until Close.
func (r *Registration) keep(got grant) {
	defer r.wg.Done()
	defer close(r.done)
	defer func() { r.set(Closed, nil, grant{}) }()
	failures, since := 0, time.Now()
	for {
		err := r.stand(got)
		if err == nil {
			return
		}
		for refresh := errors.Is(err, errDue); ; refresh = false {
			if !refresh {
				if time.Since(since) >= stableFlow && r.State() == Registered {
					failures = 0
				}
				failures++
				r.set(Lost, err, grant{})
				wait := backoff(failures, rand.Float64())
				var said *StatusError
				if errors.As(err, &said) {
					wait = max(wait, min(said.RetryAfter, time.Hour))
				}
				r.ep.log.Warn("sip: registration lost", "err", err, "again", wait)
				if !r.pause(wait) {
					return
				}
			}
			ctx, cancel := context.WithTimeout(r.ep.life, 20*time.Second)
			next, failed := r.attempt(ctx)
			cancel()
			if failed == nil {
				if next.conn != got.conn {
					since = time.Now()
				}
				got = next
				r.set(Registered, nil, got)
				break
			}
			if err = failed; r.stopped() {
				return
			}
		}
	}
}

// attempt is one registration that Close interrupts.
func (r *Registration) attempt(ctx context.Context) (grant, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	r.ep.spawn(func() { // ends with this function
		select {
		case <-r.stop:
			cancel()
		case <-done:
		}
	})
	return r.register(ctx, r.cfg.Expires)
}

func (r *Registration) stopped() bool {
	select {
	case <-r.stop:
		return true
	case <-r.ep.done:
		return true
	default:
		return false
	}
}

// pause waits; false says that the registration is over.
func (r *Registration) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return !r.stopped()
	case <-r.stop:
	case <-r.ep.done:
	}
	return false
}

var (
	errDue    = errors.New("sip: registration is due")
	errNoPong = errors.New("sip: server does not answer keep-alives")
)

// stand waits while the registration stands, keeping its connection alive. It returns errDue when it is to be refreshed, another error when its
// connection is of no use any more, and nil when the registration is over.
func (r *Registration) stand(got grant) error {
	gone := make(chan struct{})
	defer r.ep.onFlowGone(got.conn, func() { close(gone) })()
	due := time.NewTimer(max(got.life/2, time.Second))
	defer due.Stop()
	ping := time.NewTimer(time.Hour)
	defer ping.Stop()
	ping.Stop()
	awaiting, heard := false, int64(0)
	next := func() { // RFC 5626 section 4.4.1: at a random 80 to 100 percent of the time, so that phones do not speak all at once
		ping.Reset(got.keepAlive*4/5 + rand.N(got.keepAlive/5))
	}
	if got.keepAlive > 0 {
		next()
	}
	for {
		select {
		case <-r.stop:
			return nil
		case <-r.ep.done:
			return nil
		case <-gone:
			return ErrFlowGone
		case <-due.C:
			return errDue
		case <-ping.C:
			switch {
			case awaiting && got.conn.heard.Load() == heard:
				got.conn.Close() // nobody is there; the calls on it will learn so too
				return errNoPong
			case awaiting:
				awaiting = false
				next()
			default:
				heard, awaiting = got.conn.heard.Load(), true
				if err := got.conn.ping(); err != nil {
					return err
				}
				ping.Reset(min(pongTime, got.keepAlive))
			}
		}
	}
}

// ping asks the other side for a sign of life (RFC 5626 section 3.5.1). Anything that is received afterwards is one.
func (c *conn) ping() error {
	_ = c.Conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, err := c.Conn.Write([]byte("\r\n\r\n"))
	return err
}
