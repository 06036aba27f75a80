// Package memnet is a network in memory: listeners and connections that never touch a socket, for tests in synctest bubbles.
package memnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Listener accepts the connections made by its Dial. It is safe for concurrent use.
type Listener struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	port  atomic.Int32
}

// Listen returns a Listener whose address is 127.0.0.1:port. Nothing is bound, so any number of listeners may have one address.
func Listen(port int) *Listener {
	return &Listener{addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, conns: make(chan net.Conn), done: make(chan struct{})}
}

// Accept waits for the next Dial.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, fmt.Errorf("memnet: accept: %w", net.ErrClosed)
	}
}

// Close ends Accept and Dial. Connections stay.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr returns the made-up address.
func (l *Listener) Addr() net.Addr { return l.addr }

// Dial connects to the listener from a made-up address of its own. It waits until the connection is accepted.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 20000 + int(l.port.Add(1))}
	a2b, b2a := newPipe(), newPipe()
	client := &conn{r: b2a, w: a2b, local: from, remote: l.addr}
	server := &conn{r: a2b, w: b2a, local: l.addr, remote: from}
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, errors.New("memnet: connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// conn is one end of two pipes.
type conn struct {
	r, w          *pipe
	local, remote net.Addr
}

func (c *conn) Read(b []byte) (int, error)  { return c.r.read(b) }
func (c *conn) Write(b []byte) (int, error) { return c.w.write(b) }
func (c *conn) Close() error {
	c.r.close()
	c.w.close()
	return nil
}
func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }
func (c *conn) SetDeadline(t time.Time) error {
	c.r.setDeadline(t)
	return nil
}
func (c *conn) SetReadDeadline(t time.Time) error {
	c.r.setDeadline(t)
	return nil
}

// SetWriteDeadline does nothing: a write never blocks, the pipe is unbounded.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// pipe is an unbounded buffer with a deadline for its reader.
type pipe struct {
	mu     sync.Mutex
	buf    []byte
	closed bool
	wake   chan struct{} // closed and replaced when something changes
	limit  time.Time
	timer  *time.Timer
}

func newPipe() *pipe { return &pipe{wake: make(chan struct{})} }

func (p *pipe) changedLocked() {
	close(p.wake)
	p.wake = make(chan struct{})
}

func (p *pipe) read(b []byte) (int, error) {
	for {
		p.mu.Lock()
		if len(p.buf) > 0 {
			n := copy(b, p.buf)
			p.buf = p.buf[n:]
			p.mu.Unlock()
			return n, nil
		}
		if p.closed {
			p.mu.Unlock()
			return 0, io.EOF
		}
		if !p.limit.IsZero() && !time.Now().Before(p.limit) {
			p.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		wake := p.wake
		p.mu.Unlock()
		<-wake
	}
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, net.ErrClosed
	}
	p.buf = append(p.buf, b...)
	p.changedLocked()
	return len(b), nil
}

func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if !p.closed {
		p.closed = true
		p.changedLocked()
	}
}

func (p *pipe) setDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.limit = t
	if !t.IsZero() && !p.closed {
		p.timer = time.AfterFunc(time.Until(t), func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.changedLocked()
		})
	}
	p.changedLocked()
}
