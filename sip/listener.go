package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// door is what a connection must pass before the library sees it. The zero value lets plaintext in, under a waiver.
type door struct {
	tls TLSConfig
	web *webDoor // for WebSockets
}

// listener stands between a TCP listener and the library's accept loop, which would otherwise be stalled or filled by strangers: it bounds
// connections in all and per source, and hands over only connections that are through the door: TLS, and for browsers the upgrade to WebSocket.
type listener struct {
	ep     *Endpoint
	inner  net.Listener
	door   door
	ready  chan *conn
	ctx    context.Context // ends with the listener
	cancel context.CancelFunc
	wg     sync.WaitGroup
	half   chan struct{} // one token per handshake under way
}

func newListener(ep *Endpoint, inner net.Listener, d door) *listener {
	g := &listener{ep: ep, inner: inner, door: d, ready: make(chan *conn), half: make(chan struct{}, defaultMaxHalfOpen)}
	g.ctx, g.cancel = context.WithCancel(context.Background())
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
				g.cancel()
				return
			}
			select { // out of descriptors, most likely: wait for some to be closed instead of spinning
			case <-g.ctx.Done():
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
	ctx, cancel := context.WithTimeout(g.ctx, defaultHandshakeTimeout)
	err := g.pass(ctx, c)
	cancel()
	if g.ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)) {
		g.ep.offence(streamSource(c), SecurityHandshake, "handshake not finished") // it held a place that others need
	}
	<-g.half
	if err == nil && !g.ep.conns.add(c) {
		err = errFlowTaken
		g.ep.stats.refusedConns.Add(1)
	}
	if err != nil {
		g.ep.log.Debug("sip: connection refused", "err", err)
		g.ep.conns.release(raw)
		c.Conn.Close()
		return
	}
	select {
	case g.ready <- c:
	case <-g.ctx.Done():
		c.Close()
	}
}

// pass does what the door asks for. All of it is done when ctx ends.
func (g *listener) pass(ctx context.Context, c *conn) error {
	if g.door.tls.cfg == nil {
		return nil
	}
	t := tls.Server(c.raw, g.door.tls.cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		g.ep.stats.failedHandshakes.Add(1)
		g.ep.notice(streamSource(c), SecurityHandshake, "handshake failed")
		return err
	}
	state := t.ConnectionState()
	c.Conn, c.secure, c.serverName = t, true, canonicalHost(state.ServerName)
	if len(state.VerifiedChains) > 0 && g.door.tls.peer != nil {
		var err error
		if c.peer, err = g.door.tls.peer(state); err != nil {
			g.ep.stats.failedHandshakes.Add(1)
			g.ep.notice(streamSource(c), SecurityHandshake, "client certificate refused")
			return fmt.Errorf("sip: client certificate: %v", err) // not wrapped: a slow look-up of ours is no offence of the client
		}
		c.trusted.Store(c.peer != "") // no stranger any more: its limits are those of the application
	}
	if g.door.web == nil {
		return nil
	}
	return g.door.web.upgrade(ctx, c)
}

func (g *listener) Accept() (net.Conn, error) {
	select {
	case c := <-g.ready:
		return c, nil
	case <-g.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (g *listener) Addr() net.Addr { return g.inner.Addr() }
func (g *listener) Close() error {
	g.cancel()
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

var errFlowTaken = errors.New("sip: another listener has a connection of the same address and port")

// add makes c known by its flow, which the library knows connections by too. Two phones behind one address may come from one port to two
// listeners of ours (RFC 4787 section 4.1 lets a NAT do that); the second is refused, or one would get the calls of the other. On one
// listener a second can only be the successor of a connection that is dead.
func (t *connTable) add(c *conn) bool {
	c.settle()
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.byFlow[c.flow()]; old != nil && old.LocalAddr().String() != c.LocalAddr().String() {
		return false
	}
	t.byFlow[c.flow()] = c
	return true
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

// has reports whether there is a connection to addr, over TLS or TCP.
func (t *connTable) has(transport, addr string) bool {
	var room [80]byte
	key := append(room[:0], "tls/"...)
	if transport != "TLS" {
		key = append(append(room[:0], strings.ToLower(transport)...), '/')
	}
	key = append(key, addr...)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byFlow[string(key)] != nil
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
