package sip

import (
	"bytes"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ringfence/ringfence/sip/internal/guard"
	"github.com/ringfence/ringfence/sip/internal/websocket"
)

// webSocket puts a WebSocket between a conn and its TLS connection: what is written goes out as one message, what is read are frames, which
// conn.unwrap opens. The library sees an ordinary connection of its TLS transport.
type webSocket struct {
	net.Conn
	dec      *websocket.Decoder // touched by the one reader only
	interval time.Duration
	asked    bool // a ping is out and nothing came since; touched by the one reader only

	mu     sync.Mutex // one frame after the other
	closed bool       // a Close frame was sent: nothing may follow it (RFC 6455 section 5.5.1)
}

// Write sends b, which is one SIP message or one keep-alive, as one message (RFC 7118 section 5).
func (w *webSocket) Write(b []byte) (int, error) {
	op := websocket.Text
	if !utf8.Valid(b) {
		op = websocket.Binary
	}
	if err := w.send(websocket.Append(make([]byte, 0, len(b)+10), op, b), false); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (w *webSocket) send(frame []byte, last bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return net.ErrClosed
	}
	w.closed = last
	_, err := w.Conn.Write(frame)
	return err
}

func (w *webSocket) control(op websocket.Op, payload []byte) error {
	_ = w.SetWriteDeadline(time.Now().Add(writeTimeout))
	return w.send(websocket.Append(nil, op, payload), false)
}

// ping asks a silent peer whether it is there. It returns false if it was asked before: then it is not.
func (w *webSocket) ping() bool {
	if w.asked {
		return false
	}
	w.asked = true
	return w.control(websocket.Ping, nil) == nil
}

func (w *webSocket) sendClose(code uint16) {
	_ = w.SetWriteDeadline(time.Now().Add(writeTimeout))
	_ = w.send(websocket.AppendClose(nil, code), true) // who is gone needs no goodbye
}

// Close says goodbye if nobody is writing; a write that hangs must not hold it up.
func (w *webSocket) Close() error {
	if w.mu.TryLock() {
		if !w.closed {
			w.closed = true
			_ = w.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = w.Conn.Write(websocket.AppendClose(nil, websocket.GoingAway))
		}
		w.mu.Unlock()
	}
	return w.Conn.Close()
}

// unwrap takes frames as they arrived and appends the SIP messages in them that pass the screen to out, which may lie over b.
func (c *conn) unwrap(out, b []byte) []byte {
	w := c.web
	w.asked = w.asked && len(b) == 0 // anything that comes is a sign of life
	w.dec.Write(b)
	for !c.hangup {
		ev, ok, fault := w.dec.Next()
		if fault != nil {
			c.ep.stats.malformed.Add(1)
			c.ep.offence(c.source(), SecurityMalformed, fault.Why)
			w.sendClose(fault.Code)
			c.hangup = true
			break
		}
		if !ok {
			break
		}
		switch ev.Op {
		case websocket.Text, websocket.Binary: // RFC 7118 section 5: either
			out = c.open(out, ev.Payload)
		case websocket.Ping:
			if src := c.source(); !c.ep.proved(src) && c.ep.guards.rates.Admit(src.origin, c.ep.allowed(src.ip), time.Now()) != guard.Admitted {
				c.ep.stats.rateLimited.Add(1)
				c.hangup = true
				break
			}
			c.hangup = w.control(websocket.Pong, ev.Payload) != nil
		case websocket.Close:
			w.sendClose(ev.Code)
			c.hangup = true
		}
	}
	return out
}

// open screens the content of one WebSocket message, which is one SIP message or a keep-alive (RFC 7118 sections 5 and 6).
func (c *conn) open(out, payload []byte) []byte {
	text := bytes.TrimLeft(payload, "\r\n")
	if len(text) == 0 {
		if len(payload) >= 4 { // a ping of RFC 5626 section 3.5.1
			c.write([]byte("\r\n"))
		}
		return out
	}
	m, f := readWhole(text, true)
	if m == nil {
		c.ep.stats.malformed.Add(1)
		c.ep.offence(c.source(), SecurityMalformed, "no SIP message")
		return out
	}
	pass, answer, hangup := c.ep.screen(m, f, c.source())
	if pass {
		out = m.Append(out, false)
	}
	if answer != nil {
		c.write(answer)
	}
	c.hangup = c.hangup || hangup
	return out
}
