package branch

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/registrar"
)

// Branch is a node at a site. New makes one. All methods are safe for concurrent use.
type Branch struct {
	cfg       Config
	phones    *sip.Endpoint // where phones register
	outer     *sip.Endpoint // opens connections to the upstream and to nobody else, so whoever calls over one is the upstream
	registrar *registrar.Registrar
	ctx       context.Context
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	reconcile chan struct{} // registrations are to be looked at
	flush     chan struct{} // the journal is to be sent

	mu     sync.Mutex
	link   *Link
	wanted map[string]bool // users with a phone that can be reached
	closed bool
	calls  sync.WaitGroup // added to under mu, and not after closed
}

// New returns a Branch that looks for its upstream and serves no phone yet. The caller must Close it.
func New(cfg Config) (*Branch, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	link, err := NewLink(cfg.Link)
	if err != nil {
		return nil, err
	}
	b := &Branch{cfg: cfg, link: link, wanted: make(map[string]bool), reconcile: make(chan struct{}, 1), flush: make(chan struct{}, 1)}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.registrar = registrar.New(registrar.Config{OnChange: b.onReachable})
	realm := sip.Realm{Name: cfg.Domain, Algorithms: cfg.Algorithms, Credentials: cfg.Credentials.HA1}
	b.phones, err = sip.New(sip.Config{
		Realm: func(domain, serverName string) (sip.Realm, error) {
			switch {
			case domain != cfg.Domain:
				return sip.Realm{}, sip.ErrUnknownRealm
			case serverName != "" && serverName != domain:
				return sip.Realm{}, sip.ErrRealmMismatch
			}
			return realm, nil
		},
		Registrar: b.registrar, OnCall: b.fromPhone, Emergency: cfg.Emergency, MaxCalls: cfg.MaxCalls, Logger: cfg.Logger,
	})
	if err != nil {
		b.cancel()
		return nil, err
	}
	b.outer, err = sip.New(sip.Config{Client: cfg.Client, Trusted: true, OnCall: b.fromUpstream, MaxCalls: cfg.MaxCalls, Logger: cfg.Logger})
	if err != nil {
		b.cancel()
		return nil, errors.Join(err, b.phones.Close())
	}
	b.wg.Add(3)
	go b.watch()            // stopped and waited for by Close
	go b.keepRegistered()   // stopped and waited for by Close
	go b.keepJournalEmpty() // stopped and waited for by Close
	return b, nil
}

// ServeTLS serves phones on l until ctx ends or the Branch is closed; see sip.Endpoint.ServeTLS.
func (b *Branch) ServeTLS(ctx context.Context, l net.Listener, cfg sip.TLSConfig) error {
	return b.phones.ServeTLS(ctx, l, cfg)
}

// Up reports whether the upstream is taken to be there.
func (b *Branch) Up() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.link.Up()
}

// Reachable is how many users have a phone that can be reached here.
func (b *Branch) Reachable() int { return b.registrar.Len() }

// Drain refuses new calls and registrations of phones with 503 from now on, but for emergencies; calls in progress go on.
func (b *Branch) Drain() { b.phones.Drain() }

// Calls is how many calls of phones, and to phones from the upstream, are in progress.
func (b *Branch) Calls() int { return b.phones.Stats().LiveCalls + b.outer.Stats().LiveCalls }

// Close ends every call with BYE on both sides, which takes 5 s at most for each side that does not answer, writes it down, and waits for all goroutines.
func (b *Branch) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.calls.Wait() // before the endpoints: they would write a BYE only for what nobody here is ending
	b.wg.Wait()
	return errors.Join(b.phones.Close(), b.outer.Close())
}

// join counts a call whose context ends with the Branch as well. leave must be called when it is over. It fails when the Branch is closed.
func (b *Branch) join(ctx context.Context) (_ context.Context, leave func(), ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, nil, false
	}
	b.calls.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
		b.calls.Done()
	}, true
}

// watch asks the upstream for signs of life. The first question is asked at once.
func (b *Branch) watch() {
	defer b.wg.Done()
	tick := time.NewTicker(b.cfg.PingInterval)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(b.ctx, b.cfg.Patience)
		status, err := b.outer.Ping(ctx, sip.PingConfig{Target: "sip:" + b.cfg.Domain, Address: b.cfg.Upstream})
		cancel()
		if b.ctx.Err() != nil {
			return
		}
		b.observe(err == nil && serves(status))
		signal(b.reconcile) // users who were refused are tried again some time
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			return
		}
	}
}

// observe tells the link what happened, and whoever must act what follows.
func (b *Branch) observe(alive bool) {
	b.mu.Lock()
	defer b.mu.Unlock() // while telling too: OnLink hears of changes in order
	changed := false
	if now := time.Now(); alive {
		changed = b.link.Alive(now)
	} else {
		changed = b.link.Failed(now)
	}
	up := b.link.Up()
	if changed {
		b.cfg.Logger.Warn("branch: upstream", "up", up)
		b.cfg.OnLink(up)
		signal(b.reconcile)
	}
	if alive && up {
		signal(b.flush)
	}
}

// keepJournalEmpty sends what is in the journal whenever the upstream shows itself.
func (b *Branch) keepJournalEmpty() {
	defer b.wg.Done()
	for {
		select {
		case <-b.flush:
		case <-b.ctx.Done():
			return
		}
		if b.cfg.Sink == nil || b.cfg.Journal.Pending() == 0 || !b.Up() {
			continue
		}
		if err := b.cfg.Journal.Send(b.ctx, b.cfg.Sink); err != nil && b.ctx.Err() == nil {
			b.cfg.OnError(err) // it is sent again after the next sign of life
		}
	}
}

// signal wakes a loop; if it is awake, it looks once more.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
