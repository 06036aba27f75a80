package media

import (
	"context"
	"encoding/binary"
	"strings"
	"time"
)

// eventDigits are the digits by their event number (RFC 4733 section 3.2).
const eventDigits = "0123456789*#ABCD"

// eventReader finds the digits in telephone-event packets. A digit is reported with its first packet that arrives, so a lost start or a lost end
// costs nothing, and once, however often its packets are repeated.
type eventReader struct {
	seen  bool
	ts    uint32 // of the digit, or of its last segment
	event byte
	dur   uint16
	ended bool
}

// read returns the digit an event packet begins, or 0. The payload is
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	|     event     |E|R| volume    |          duration             |
func (e *eventReader) read(payload []byte, ts uint32) byte {
	if len(payload) < 4 || int(payload[0]) >= len(eventDigits) {
		return 0
	}
	event, end, dur := payload[0], payload[1]&0x80 != 0, binary.BigEndian.Uint16(payload[2:])
	if e.seen {
		switch step := int32(ts - e.ts); {
		case step < 0:
			return 0 // a repeat the network held back
		case step == 0:
			e.dur, e.ended = max(e.dur, dur), e.ended || end
			return 0
		case step > 0 && !e.ended && event == e.event && step <= 0xffff && e.dur >= 0xfc00:
			// A digit held over 8 s goes on in a new segment with the next timestamp (section 2.5.1.3); it is the same digit.
			e.ts, e.dur, e.ended = ts, dur, end
			return 0
		}
	}
	*e = eventReader{seen: true, ts: ts, event: event, dur: dur, ended: end}
	return eventDigits[event]
}

// pushDigit queues a digit. When nobody reads, the latest is dropped: what the caller typed first comes first.
func (l *Leg) pushDigit(d byte) {
	select {
	case l.digits <- d:
	default:
		l.rx.mu.Lock()
		l.rx.lostDigits++
		l.rx.mu.Unlock()
	}
}

// Digits returns the channel of digits the peer pressed, '0' to '9', '*', '#', 'A' to 'D'. It holds 32; later ones are dropped and counted. It is never closed:
// wait for Done as well, or use ReadDigit.
func (l *Leg) Digits() <-chan byte { return l.digits }

// ReadDigit returns the next digit, or ctx's error, or ErrClosed when the leg has ended.
func (l *Leg) ReadDigit(ctx context.Context) (byte, error) {
	select {
	case d := <-l.digits:
		return d, nil
	default:
	}
	select {
	case d := <-l.digits:
		return d, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-l.done:
		return 0, ErrClosed
	}
}

// FlushDigits drops the digits that wait to be read, such as those pressed while the leg was bridged.
func (l *Leg) FlushDigits() {
	for {
		select {
		case <-l.digits:
		default:
			return
		}
	}
}

// InjectDigit queues a digit that came another way, such as SIP INFO. The error is ErrDigit or ErrClosed.
func (l *Leg) InjectDigit(d byte) error {
	if _, ok := eventOf(d); !ok {
		return ErrDigit
	}
	if l.ended() {
		return ErrClosed
	}
	if d >= 'a' && d <= 'd' {
		d -= 'a' - 'A'
	}
	l.pushDigit(d)
	return nil
}

func eventOf(d byte) (byte, bool) {
	if d >= 'a' && d <= 'd' {
		d -= 'a' - 'A'
	}
	i := strings.IndexByte(eventDigits, d)
	return byte(max(i, 0)), i >= 0
}

// The shape of a digit we send, in frames of 20 ms: 100 ms of tone and 60 ms of pause, which every receiver tells apart.
const (
	digitFrames = 5
	pauseFrames = 3
	endRepeats  = 3
)

// digitSender sends digits frame by frame.
type digitSender struct {
	events []byte
	n      int    // frame of the current digit
	ts     uint32 // start of the current digit
}

// step sends what is due and returns false after the last pause.
func (d *digitSender) step(t *transmitter, box *outbox, now time.Time) bool {
	if t.open() && t.eventPT >= 0 {
		d.send(t, box, now)
	}
	if d.n++; d.n == digitFrames+pauseFrames {
		d.n, d.events = 0, d.events[1:]
	}
	return len(d.events) > 0
}

func (d *digitSender) send(t *transmitter, box *outbox, now time.Time) {
	if d.n == 0 {
		d.ts = t.spurt(now)
	}
	if d.n >= digitFrames {
		return
	}
	payload := [4]byte{d.events[0], 10} // 10 dB below full scale
	binary.BigEndian.PutUint16(payload[2:], uint16((d.n+1)*int(t.frameTicks())))
	repeats := 1
	if d.n == digitFrames-1 {
		payload[1] |= 0x80
		repeats = endRepeats // the end is sent three times, in case it gets lost (section 2.5.1.4)
	}
	for range repeats {
		t.sendPayload(box, payload[:], uint8(t.eventPT), d.n == 0, d.ts, now)
	}
	if d.n == digitFrames-1 {
		t.ts, t.ticks = d.ts+(digitFrames-1)*t.frameTicks(), t.frameTicks() // what follows comes behind the digit's end
	}
}

// SendDigits sends digits as telephone-event and returns when the last is out: 160 ms each. The errors are ErrDigit, ErrNoDigits, ErrBusy, ErrNotReady,
// ErrClosed and ctx's.
func (l *Leg) SendDigits(ctx context.Context, digits string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	events := make([]byte, 0, len(digits))
	for i := range len(digits) {
		e, ok := eventOf(digits[i])
		if !ok {
			return ErrDigit
		}
		events = append(events, e)
	}
	if len(events) == 0 {
		return nil
	}
	l.tx.mu.Lock()
	ready, takes := l.tx.agreed(), l.tx.eventPT >= 0
	l.tx.mu.Unlock()
	if ready && !takes {
		return ErrNoDigits
	}
	return l.foreground(ctx, &job{digits: &digitSender{events: events}, done: make(chan struct{})})
}
