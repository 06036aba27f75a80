package websocket

import (
	"encoding/binary"
	"unicode/utf8"
)

// Op is the opcode of a frame (RFC 6455 section 5.2).
type Op byte

// The opcodes that there are. Others are reserved.
const (
	Continuation Op = 0
	Text         Op = 1
	Binary       Op = 2
	Close        Op = 8
	Ping         Op = 9
	Pong         Op = 10
)

// Status codes of a Close frame (RFC 6455 section 7.4.1).
const (
	Normal    = 1000
	GoingAway = 1001
	Protocol  = 1002
	NoStatus  = 1005 // stands for a Close without one; never on the wire
	NotUTF8   = 1007
	TooBig    = 1009
)

const maxControl = 125 // bytes of payload of a control frame (RFC 6455 section 5.5)

// Fault is a violation of the protocol. Code is the status that a Close frame says it with.
type Fault struct {
	Code uint16
	Why  string // a fixed text, never a part of what was received
}

// Event is a whole message (Text or Binary) or a control frame.
type Event struct {
	Op      Op
	Payload []byte // valid until the next call of Next or Write
	Code    uint16 // of a Close
}

// Decoder takes what a client sends, in pieces of any size. Its memory is at most its limit, the header of a frame and the last piece written,
// and nothing between messages. It is not safe for concurrent use.
type Decoder struct {
	max  int
	buf  []byte // [:have] is payload of the message under way, [pos:] was not looked at yet
	have int
	pos  int
	op   Op // of the message under way, Continuation if there is none
	over bool
}

// NewDecoder returns a Decoder that takes messages of up to max bytes.
func NewDecoder(max int) *Decoder { return &Decoder{max: max} }

// Write adds bytes as they arrived. It keeps no reference to b.
func (d *Decoder) Write(b []byte) {
	if d.pos > d.have {
		d.buf = d.buf[:d.have+copy(d.buf[d.have:], d.buf[d.pos:])]
		d.pos = d.have
	}
	d.buf = append(d.buf, b...)
}

// Next returns the next event. Without one, ok is false: more bytes are needed. After a Fault or a Close there is nothing more.
func (d *Decoder) Next() (ev Event, ok bool, fault *Fault) {
	for !d.over {
		op, fin, head, n, fault := d.header()
		if fault != nil {
			d.over, d.buf = true, nil
			return Event{}, false, fault
		}
		if head == 0 || len(d.buf)-d.pos < head+n {
			break
		}
		payload := d.buf[d.pos+head : d.pos+head+n]
		unmask(payload, d.buf[d.pos+head-4:d.pos+head])
		d.pos += head + n
		if op >= Close {
			return d.control(op, payload)
		}
		if op != Continuation {
			d.op = op
		}
		d.have += copy(d.buf[d.have:], payload) // it moves towards the front: a message in fragments lies in one piece
		if !fin {
			continue
		}
		ev = Event{Op: d.op, Payload: d.buf[:d.have]}
		d.op, d.have = Continuation, 0
		if ev.Op == Text && !utf8.Valid(ev.Payload) {
			d.over, d.buf = true, nil
			return Event{}, false, &Fault{NotUTF8, "text is not UTF-8"}
		}
		return ev, true, nil
	}
	if d.have == 0 && d.pos == len(d.buf) {
		d.buf, d.pos = nil, 0 // an idle connection holds no buffer
	}
	return Event{}, false, nil
}

// header reads the header of a frame, the masking key included. head is 0 if it is not complete yet. What cannot be is refused as soon as
// it shows, before any payload is waited for.
func (d *Decoder) header() (op Op, fin bool, head, n int, fault *Fault) {
	b := d.buf[d.pos:]
	if len(b) < 2 {
		return 0, false, 0, 0, nil
	}
	protocol := func(why string) (Op, bool, int, int, *Fault) { return 0, false, 0, 0, &Fault{Protocol, why} }
	fin, op, n = b[0]&0x80 != 0, Op(b[0]&0x0f), int(b[1]&0x7f)
	switch {
	case b[0]&0x70 != 0:
		return protocol("reserved bit: no extension was agreed on")
	case b[1]&0x80 == 0:
		return protocol("frame without mask") // RFC 6455 section 5.1
	case op > Binary && op < Close || op > Pong:
		return protocol("reserved opcode")
	case op >= Close && (!fin || n > maxControl):
		return protocol("control frame in fragments or too long")
	case op == Continuation && d.op == Continuation:
		return protocol("continuation of nothing")
	case (op == Text || op == Binary) && d.op != Continuation:
		return protocol("new message inside another")
	}
	head = 2
	switch n { // RFC 6455 section 5.2: the shortest form must be used, or two readers may see two lengths
	case 126:
		if head = 4; len(b) < head {
			return 0, false, 0, 0, nil
		}
		if n = int(binary.BigEndian.Uint16(b[2:])); n < 126 {
			return protocol("length in a longer form than needed")
		}
	case 127:
		if head = 10; len(b) < head {
			return 0, false, 0, 0, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long < 1<<16 || long > 1<<63-1 {
			return protocol("length in a longer form than needed")
		}
		n = int(min(long, 1<<30)) // far over any limit, and an int everywhere
	}
	if op < Close && n > d.max-d.have {
		return 0, false, 0, 0, &Fault{TooBig, "message too long"}
	}
	if head += 4; len(b) < head {
		return 0, false, 0, 0, nil
	}
	return op, fin, head, n, nil
}

func (d *Decoder) control(op Op, payload []byte) (Event, bool, *Fault) {
	ev := Event{Op: op, Payload: payload}
	if op != Close {
		return ev, true, nil
	}
	d.over = true
	if len(payload) == 0 {
		ev.Code = NoStatus
		return ev, true, nil
	}
	if len(payload) == 1 {
		return Event{}, false, &Fault{Protocol, "half a status"}
	}
	ev.Code, ev.Payload = binary.BigEndian.Uint16(payload), payload[2:]
	if !validCode(ev.Code) {
		return Event{}, false, &Fault{Protocol, "status that may not be sent"}
	}
	if !utf8.Valid(ev.Payload) {
		return Event{}, false, &Fault{NotUTF8, "reason is not UTF-8"}
	}
	return ev, true, nil
}

// validCode says which status codes may stand in a Close frame (RFC 6455 section 7.4).
func validCode(c uint16) bool {
	return c >= 1000 && c <= 1003 || c >= 1007 && c <= 1014 || c >= 3000 && c <= 4999
}

func unmask(b, key []byte) {
	for i := range b {
		b[i] ^= key[i&3]
	}
}

// Append writes an unmasked frame that is a whole message, or a control frame, to dst. The payload of a control frame must have at most 125 bytes.
func Append(dst []byte, op Op, payload []byte) []byte {
	dst = append(dst, 0x80|byte(op))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, payload...)
}

// AppendClose writes a Close frame with a status. NoStatus is written as none.
func AppendClose(dst []byte, code uint16) []byte {
	if code == NoStatus {
		return Append(dst, Close, nil)
	}
	return Append(dst, Close, binary.BigEndian.AppendUint16(nil, code))
}
