package sip

import (
	"context"
	"crypto/tls"
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

	mu   sync.Mutex
	open map[string]*conn // by remote address; nil while being dialed
	wait *sync.Cond
}

func newOutbox(ep *Endpoint) *outbox {
	o := &outbox{ep: ep, ready: make(chan net.Conn), done: make(chan struct{}), open: make(map[string]*conn)}
	o.wait = sync.NewCond(&o.mu)
	return o
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

// connect returns a live connection to address ("host:port") whose certificate is valid for serverName.
func (o *outbox) connect(ctx context.Context, address, serverName string) (*conn, error) {
	cfg := o.ep.cfg.Client.cfg
	if cfg == nil {
		return nil, errors.New("sip: this endpoint has no Config.Client and opens no connection")
	}
	o.mu.Lock()
	for {
		c, busy := o.open[address]
		if busy && c == nil {
			o.wait.Wait()
			continue
		}
		if c != nil && c.serverName == serverName && o.ep.conns.find(c.flow()) == c {
			o.mu.Unlock()
			return c, nil
		}
		if c != nil && o.ep.conns.find(c.flow()) == c {
			o.mu.Unlock()
			return nil, fmt.Errorf("sip: %s is connected under another name", address)
		}
		break
	}
	o.open[address] = nil
	o.mu.Unlock()

	c, err := o.dial(ctx, cfg, address, serverName)
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.wait.Broadcast()
	if err != nil {
		delete(o.open, address)
		return nil, err
	}
	o.open[address] = c
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
	o.ep.conns.add(c)
	select {
	case o.ready <- c:
		<-c.reading // the library lists a connection before it reads from it; a request sent earlier would not find it
		return c, nil
	case <-o.done:
		c.Close()
		return nil, ErrClosed
	}
}
