package media

import (
	"time"
)

// part is what was gathered of a packet whose length is not the 20 ms audio comes in. A leg has one only if its peer asked for such packets.
type part struct {
	buf    [480]byte // 60 ms of an even codec
	n      int
	ts     uint32 // of the first byte
	marker bool
}

// emit sends 20 ms of coded audio that belong to from, a *job or a *Member, in packets of the length the peer asked for.
func (t *transmitter) emit(box *outbox, from any, payload []byte, now time.Time) {
	fresh := t.cur != from
	ts := t.ts + t.ticks
	if fresh {
		ts = t.spurt(now)
		t.cur = from
		if t.part != nil {
			t.part.n = 0 // of somebody the peer may not hear any more
		}
	}
	if t.ptime == frameMillis || !even(t.codec) {
		t.ticks = t.frameTicks()
		t.sendPayload(box, payload, t.pt, fresh, ts, now)
		return
	}
	if t.part == nil {
		t.part = &part{}
	}
	p := t.part
	if p.n == 0 {
		p.ts, p.marker = ts, fresh
	}
	for size := t.ptime * clockRate / 1000; len(payload) > 0; {
		k := copy(p.buf[p.n:size], payload)
		p.n, payload = p.n+k, payload[k:]
		if p.n == size {
			t.flushPart(box, now)
		}
	}
}

// flushPart sends what was gathered, if anything: an audio's end need not fill a packet.
func (t *transmitter) flushPart(box *outbox, now time.Time) {
	p := t.part
	if p == nil || p.n == 0 {
		return
	}
	t.ticks = uint32(p.n)
	t.sendPayload(box, p.buf[:p.n], t.pt, p.marker, p.ts, now)
	p.ts, p.n, p.marker = p.ts+uint32(p.n), 0, false
}

// quit forgets what was gathered: its source may not be heard any more.
func (t *transmitter) quit() {
	t.cur = nil
	if t.part != nil {
		t.part.n = 0
	}
}
