package sip

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/sieve"
)

// owner is a user that proved a password.
type owner struct{ realm, user string }

// conn is an accepted connection. Until a request on it has authenticated, it lives on borrowed time. What is read from it are whole
// messages that passed the sieve; what does not pass is answered here and costs the library nothing.
type conn struct {
	net.Conn
	raw        net.Conn
	ep         *Endpoint
	born       time.Time
	secure     bool
	dialed     bool // opened by us, to a peer whose certificate we verified
	serverName string
	alias      net.Addr // see outbox.aliasFor; nil: the real remote address names the connection
	key        string   // flow, made when the connection is added to the table, as are the next three, and never changed
	who        source
	localHost  string // and
	localPort  int
	name, here net.Addr              // RemoteAddr and LocalAddr
	owner      atomic.Pointer[owner] // the user that authenticated on it last; nil: none
	peer       string                // whom the client certificate names; empty without one
	web        *webSocket            // of a browser; Conn then
	trusted    atomic.Bool
	heard      atomic.Int64 // reads that brought something: signs of life
	once       sync.Once
	reading    chan struct{} // closed by the first Read, when the library knows the connection; nil for accepted ones
	readOnce   sync.Once

	// Touched by the one reader only.
	in, out []byte
	seen    int            // bytes of in that hold no end of a head
	head    *sieve.Message // of the message whose body is awaited
	fault   *sieve.Fault
	headLen int
	hangup  bool
}

func (c *conn) Read(b []byte) (int, error) {
	if c.reading != nil {
		c.readOnce.Do(func() { close(c.reading) })
	}
	for {
		if len(c.out) > 0 {
			n := copy(b, c.out)
			if c.out = c.out[n:]; len(c.out) == 0 {
				c.out = nil
			}
			return n, nil
		}
		if c.hangup {
			return 0, net.ErrClosed // an ordinary end to the library, not an error worth a line of log per stranger
		}
		n, err := c.receive(b)
		if err != nil {
			return 0, err
		}
		// What passes is written over b at the end; what does not fit there comes with the next Read.
		s := scratches.Get().(*scratch)
		if c.web != nil {
			s.out = c.unwrap(s.out[:0], b[:n])
		} else {
			s.out = c.sift(s, b[:n])
		}
		if n = copy(b, s.out); n < len(s.out) {
			c.out = append(c.out, s.out[n:]...)
		}
		scratches.Put(s)
		if n > 0 {
			return n, nil
		}
	}
}

// receive reads bytes as they come.
func (c *conn) receive(b []byte) (int, error) {
	var limit time.Time
	if !c.trusted.Load() {
		limit = c.born.Add(c.ep.cfg.AuthTimeout)
	} else if c.web != nil {
		limit = time.Now().Add(c.web.interval)
	}
	if !limit.IsZero() {
		if err := c.Conn.SetReadDeadline(limit); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.heard.Add(1)
	}
	if err == nil {
		return n, nil
	}
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		return n, err
	}
	switch {
	case !c.trusted.Load():
	case c.web == nil: // trusted while it waited: the deadline was for strangers
		return n, c.Conn.SetReadDeadline(time.Time{})
	case c.web.ping():
		return n, nil
	}
	return n, net.ErrClosed
}

// scratch is what is needed for the time of one Read: an idle connection holds no buffer.
type scratch struct {
	out  []byte
	head sieve.Message
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// sift cuts what was received into messages (RFC 3261 section 18.3), screens each and returns those that pass, in s.out. What is left of a message
// that is not whole stays in c.in, and its head, if that is whole, in c.head.
func (c *conn) sift(s *scratch, data []byte) []byte {
	out := s.out[:0]
	in := data // as long as a message is whole there is nothing to keep
	if len(c.in) > 0 {
		c.in = append(c.in, data...)
		in = c.in
	}
	for !c.hangup {
		if c.head == nil {
			for bytes.HasPrefix(in, []byte("\r\n")) { // keep-alives between messages; two in one are a ping (RFC 5626 section 3.5.1)
				if bytes.HasPrefix(in, []byte("\r\n\r\n")) {
					c.write([]byte("\r\n"))
					in = in[2:]
				}
				in = in[2:]
				c.seen = 0
			}
			if c.headLen = sieve.End(in, c.seen); c.headLen == 0 {
				if c.seen = len(in); c.seen > sieve.MaxMessage {
					c.ep.stats.malformed.Add(1)
					c.ep.offence(c.source(), SecurityMalformed, "endless head")
					c.hangup = true
				}
				break
			}
			c.fault = s.head.Read(in[:c.headLen])
			c.head = &s.head
			if c.head.Length == -1 && c.fault == nil {
				c.fault = &sieve.Fault{Code: 400, Why: "no Content-Length on a stream"}
				if c.head.Status != 0 || c.head.Method == "ACK" {
					c.fault.Code = 0
				}
			}
		}
		m, end := c.head, c.headLen
		lost := m.Length < 0 || m.Length > sieve.MaxBody // nobody can say, or wants to wait, where the next message begins
		if !lost {
			if end += m.Length; len(in) < end {
				break
			}
			m.Body = in[c.headLen:end]
		}
		pass, answer, hangup := c.ep.screen(m, c.fault, c.source())
		if pass {
			out = m.Append(out, false)
		}
		if answer != nil {
			c.write(answer)
		}
		c.hangup = hangup || lost
		in, c.seen, c.head, c.fault = in[end:], 0, nil, nil
	}
	switch {
	case len(in) == 0 || c.hangup:
		c.in, c.seen = nil, 0
	case len(c.in) == 0:
		c.in = append(c.in, in...) // data is the caller's
	default:
		c.in = in
	}
	if c.head == &s.head { // its body is awaited, and s is somebody else's by then
		head := s.head
		c.head, s.head = &head, sieve.Message{}
	}
	return out
}

// write sends bytes of ours between the library's. A Write is one record or segment, so the two do not mix.
func (c *conn) write(b []byte) {
	_ = c.Conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := c.Conn.Write(b); err != nil {
		c.hangup = true
	}
}

// settle notes what is asked for with each message. It is called once, before the connection is anybody's but its maker's.
func (c *conn) settle() {
	c.name, c.here = written(c.RemoteAddr()), written(c.Conn.LocalAddr())
	c.key = c.flow()
	c.localHost, c.localPort, _ = msg.ParseAddr(c.here.String()) // without either, as for a transport that has none, a Contact says 127.0.0.1
	c.who = streamSource(c)
}

// writtenAddr is an address as text: the library asks for that several times for each message.
type writtenAddr struct{ network, text string }

func written(a net.Addr) *writtenAddr { return &writtenAddr{a.Network(), a.String()} }

func (a *writtenAddr) Network() string { return a.network }
func (a *writtenAddr) String() string  { return a.text }

func (c *conn) source() source {
	if c.who.conn == nil { // it is not in the table yet
		return streamSource(c)
	}
	return c.who
}

// trust lifts the deadline. The reader may sit in a Read that still has it, which Read handles.
func (c *conn) trust() {
	if c.trusted.CompareAndSwap(false, true) {
		var limit time.Time
		if c.web != nil {
			limit = time.Now().Add(c.web.interval)
		}
		_ = c.Conn.SetReadDeadline(limit) // an error means the connection is gone, which its reader reports
	}
}

// RemoteAddr is what the library finds the connection by. Who is really there is c.raw.RemoteAddr.
func (c *conn) RemoteAddr() net.Addr {
	if c.name != nil {
		return c.name
	}
	if c.alias != nil {
		return c.alias
	}
	return c.Conn.RemoteAddr()
}

// LocalAddr is that of the connection.
func (c *conn) LocalAddr() net.Addr {
	if c.here != nil {
		return c.here
	}
	return c.Conn.LocalAddr()
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.ep.conns.remove(c) })
	return err
}

// flow is the key by which the library's pool knows this connection: network and remote address.
func (c *conn) flow() string {
	if c.key != "" {
		return c.key
	}
	network := "tcp"
	if c.secure {
		network = "tls"
	}
	return network + "/" + c.RemoteAddr().String()
}
