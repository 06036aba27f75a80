package sip

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// outbox opens connections of ours and hands them to the library as if they had been accepted. Dialing here, not in the library, is what
// makes each connection carry its own server name and verify it, at every reconnect too.
type outbox struct {
	ep    *Endpoint
	ready chan net.Conn
	done  chan struct{}
	once  sync.Once

	mu      sync.Mutex
	open    map[route]*conn
	dialing map[route]chan struct{} // closed when it is over, well or not
	alias   uint64                  // of the last connection that needed one
}

// route is what connections are shared by: a tenant's trunk must not speak over a connection that showed another tenant's certificate.
type route struct {
	address, serverName string
	cfg                 *tls.Config
}

func newOutbox(ep *Endpoint) *outbox {
	return &outbox{ep: ep, ready: make(chan net.Conn), done: make(chan struct{}), open: make(map[route]*conn), dialing: make(map[route]chan struct{})}
}

func (o *outbox) Accept() (net.Conn, error) {
	select {
	case c := <-o.ready:
		return c, nil
	case <-o.done:
		return nil, net.ErrClosed
	}
}

func (o *outbox) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (o *outbox) Close() error   { o.close(); return nil }
func (o *outbox) close()         { o.once.Do(func() { close(o.done) }) }

// connect returns a live connection to how.address whose certificate is valid for how.serverName, made with how.client.
func (o *outbox) connect(ctx context.Context, how dialed) (*conn, error) {
	cfg := how.client.cfg
	if cfg == nil {
		cfg = o.ep.cfg.Client.cfg
	}
	if cfg == nil || how.client.server {
		return nil, errors.New("sip: no client configuration for a connection of ours")
	}
	key := route{how.address, how.serverName, cfg}
	for {
		o.mu.Lock()
		if c := o.open[key]; c != nil && o.ep.conns.find(c.flow()) == c {
			o.mu.Unlock()
			return c, nil
		}
		over, busy := o.dialing[key]
		if !busy {
			break
		}
		o.mu.Unlock()
		select { // somebody else connects; if that fails, it is our turn to try
		case <-over:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-o.done:
			return nil, ErrClosed
		}
	}
	over := make(chan struct{})
	o.dialing[key] = over
	o.mu.Unlock()

	c, err := o.dial(ctx, cfg, how.address, how.serverName)
	o.mu.Lock()
	defer o.mu.Unlock()
	defer close(over)
	delete(o.dialing, key)
	if err != nil {
		delete(o.open, key)
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	o.open[key] = c
	return c, nil
}

func (o *outbox) dial(ctx context.Context, base *tls.Config, address, serverName string) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("sip: dial: %w", err)
	}
	cfg := base.Clone()
	cfg.ServerName = serverName
	t := tls.Client(raw, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("sip: TLS to %s as %q: %w", address, serverName, err)
	}
	if !o.ep.conns.admit(raw) {
		t.Close()
		return nil, errors.New("sip: too many connections")
	}
	c := &conn{Conn: t, raw: raw, ep: o.ep, born: time.Now(), secure: true, dialed: true, serverName: serverName, reading: make(chan struct{})}
	c.trusted.Store(true)
	c.alias = o.aliasFor(raw.RemoteAddr())
	if !o.ep.conns.add(c) {
		o.ep.conns.release(raw)
		t.Close()
		return nil, errFlowTaken
	}
	select {
	case o.ready <- c:
		<-c.reading // the library lists a connection before it reads from it; a request sent earlier would not find it
		return c, nil
	case <-o.done:
		c.Close()
		return nil, ErrClosed
	}
}

// aliasFor returns an address by which the library knows a second connection to a remote address that has one already: it finds connections by
// remote address, and would use the wrong certificate, or the wrong tenant's. The addresses are of the discard prefix (RFC 6666), so none is real.
// If the address is free, it returns nil.
func (o *outbox) aliasFor(remote net.Addr) net.Addr {
	if o.ep.conns.find("tls/"+remote.String()) == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.alias++
	ip := net.ParseIP("100::")
	binary.BigEndian.PutUint64(ip[8:], o.alias)
	return &net.TCPAddr{IP: ip, Port: 5061}
}
