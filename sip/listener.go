package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// listener stands between a TCP listener and the library's accept loop, which would otherwise be stalled or filled by strangers: it bounds
// connections in all and per source, and hands over only connections whose TLS handshake is done.
type listener struct {
	ep    *Endpoint
	inner net.Listener
	tls   *tls.Config // nil: plaintext under a waiver
	ready chan *conn
	done  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
	half  chan struct{} // one token per handshake under way
}

func newListener(ep *Endpoint, inner net.Listener, cfg *tls.Config) *listener {
	g := &listener{ep: ep, inner: inner, tls: cfg, ready: make(chan *conn), done: make(chan struct{}), half: make(chan struct{}, defaultMaxHalfOpen)}
	g.wg.Add(1)
	go g.run() // stopped by Close, waited for by Close
	return g
}

func (g *listener) run() {
	defer g.wg.Done()
	for {
		raw, err := g.inner.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				g.stop()
				return
			}
			select { // out of descriptors, most likely: wait for some to be closed instead of spinning
			case <-g.done:
				return
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		// Before the handshake: a banned source must not cost us a private key operation.
		if g.ep.banned(ipOf(raw.RemoteAddr())) {
			g.ep.stats.refusedBanned.Add(1)
			raw.Close()
			continue
		}
		if !g.ep.conns.admit(raw) {
			g.ep.stats.refusedConns.Add(1)
			raw.Close()
			continue
		}
		select {
		case g.half <- struct{}{}:
		default: // a flood of half-open handshakes; the newest lose, those under way have a deadline
			g.ep.stats.refusedConns.Add(1)
			g.ep.conns.release(raw)
			raw.Close()
			continue
		}
		g.wg.Add(1)
		go g.handshake(raw) // ends by its deadline, waited for by Close
	}
}

func (g *listener) handshake(raw net.Conn) {
	defer g.wg.Done()
	c := &conn{Conn: raw, raw: raw, ep: g.ep, born: time.Now()}
	if g.tls != nil {
		t := tls.Server(raw, g.tls)
		ctx, cancel := context.WithTimeout(context.Background(), defaultHandshakeTimeout)
		err := t.HandshakeContext(ctx)
		cancel()
		if err != nil {
			<-g.half
			g.ep.stats.failedHandshakes.Add(1)
			g.ep.conns.release(raw)
			raw.Close()
			return
		}
		c.Conn, c.secure, c.serverName = t, true, canonicalHost(t.ConnectionState().ServerName)
	}
	<-g.half
	g.ep.conns.add(c)
	select {
	case g.ready <- c:
	case <-g.done:
		c.Close()
	}
}

func (g *listener) Accept() (net.Conn, error) {
	select {
	case c := <-g.ready:
		return c, nil
	case <-g.done:
		return nil, net.ErrClosed
	}
}

func (g *listener) stop()          { g.once.Do(func() { close(g.done) }) }
func (g *listener) Addr() net.Addr { return g.inner.Addr() }
func (g *listener) Close() error {
	g.stop()
	err := g.inner.Close()
	g.wg.Wait()
	return err
}

// connTable counts connections and finds them by flow.
type connTable struct {
	mu             sync.Mutex
	total          int
	perSource      map[string]int
	byFlow         map[string]*conn
	max, maxSource int
	closed         bool
	onGone         func(c *conn)
}

func hostOf(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.IP.String()
	}
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return h
}

func (t *connTable) admit(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	src := hostOf(c.RemoteAddr())
	if t.closed || t.total >= t.max || t.perSource[src] >= t.maxSource {
		return false
	}
	t.total++
	t.perSource[src]++
	return true
}

func (t *connTable) release(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	src := hostOf(c.RemoteAddr())
	t.total--
	if t.perSource[src]--; t.perSource[src] <= 0 {
		delete(t.perSource, src)
	}
}

func (t *connTable) add(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byFlow[c.flow()] = c
}

func (t *connTable) remove(c *conn) {
	t.release(c.raw)
	t.mu.Lock()
	if t.byFlow[c.flow()] == c {
		delete(t.byFlow, c.flow())
	}
	t.mu.Unlock()
	t.onGone(c)
}

func (t *connTable) find(flow string) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byFlow[flow]
}

// closeAll closes every connection, for Endpoint.Close.
func (t *connTable) closeAll() {
	t.mu.Lock()
	t.closed = true
	all := make([]*conn, 0, len(t.byFlow))
	for _, c := range t.byFlow {
		all = append(all, c)
	}
	t.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}
