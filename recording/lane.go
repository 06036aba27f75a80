package recording

import (
	"encoding/binary"
	"sync"
)

// lane is one party of a track: what is pending of it, and whether frames are taken. It fills one cache line.
type lane struct {
	mu     sync.Mutex
	gate   byte // why frames are not taken; zero if they are
	code   byte // of the run that is being extended
	party  byte
	whole  bool   // another frame like the last would make the segment too long
	run    int32  // where on the sheet the header of that run is; -1 if there is none
	sheet  *sheet // of two parties, each with its half; nil after a mark, until something comes
	n      int32  // where on the sheet the next record goes
	limit  int32  // and where the last must end
	end    int64  // tick at which the party's audio ends so far
	since  int64  // tick of the last resume or unmask: frames that claim to be older are withheld
	first  int64  // tick of the first audio on the sheet
	frames uint32 // on the sheet
	span   int32  // ticks that the segment may last
}

// Why frames are not taken.
const (
	gateClosed = 1 << iota
	gatePaused
	gateMasked
)

// outcome is what became of a frame.
type outcome int

const (
	stored    outcome = iota
	completes         // stored, and the party's part of the segment is whole
	needsRoom
	full
	late
	withheld
	repeated
	unsupported
)

// store puts a frame behind what the party has said so far, if it can. Audio of a party never overlaps, so that any of it can be found without reading the
// rest. The caller holds the lane.
func (l *lane) store(pos, ticks int64, code byte, payload []byte) outcome {
	switch {
	case l.gate&gateClosed != 0:
		return late
	case ticks == 0 || pos > int64(MaxLength/tick):
		return unsupported
	case l.gate != 0 || pos < l.since:
		// A frame that comes after the resume and claims to be from before it may be from the pause: a delayed packet must not smuggle in what the
		// pause was for.
		return withheld
	}
	if over := l.end - pos; over > 0 {
		switch {
		case over <= overlapSlack: // jitter
			pos = l.end
		case over >= ticks || framed(code):
			return repeated
		default: // one tick, one byte
			payload = payload[over:]
			pos, ticks = l.end, ticks-over
		}
	}
	follows := l.run >= 0 && l.code == code && pos-l.end < runSlack
	size := len(payload)
	if follows {
		pos = l.end
	} else {
		size += recordHeader
	}
	if framed(code) {
		size += frameHead
	}
	switch {
	case pos+ticks > maxTick:
		return unsupported
	case l.sheet == nil:
		return needsRoom
	case l.frames > 0 && (pos+ticks-l.first > int64(l.span) || int(l.n)+size > int(l.limit)):
		return full
	}
	if !follows {
		l.begin(pos, code)
	}
	n := int(l.n)
	if framed(code) {
		n = len(appendFrame(l.sheet.data[:n], ticks, payload)) // there is room
	} else {
		n += copy(l.sheet.data[n:], payload)
	}
	l.n, l.end = int32(n), pos+ticks
	l.frames++
	if l.whole = l.end+ticks-l.first > int64(l.span); l.whole {
		return completes
	}
	return stored
}

// begin starts a run. Its length is filled in when it is over: a run lasts for many frames, and its header is far from where they go.
func (l *lane) begin(pos int64, code byte) {
	l.finish()
	kind := byte(kindAudio)
	if framed(code) {
		kind = kindFrames
	}
	if l.frames == 0 {
		l.first = pos
	}
	l.run, l.code = l.n, code
	l.n = int32(len(appendRecord(l.sheet.data[:l.n], record{kind: kind, party: l.party, code: code, at: uint32(pos)})))
}

// finish fills in the length of the run.
func (l *lane) finish() {
	if l.run >= 0 {
		binary.BigEndian.PutUint32(l.sheet.data[l.run+8:], uint32(l.n-l.run-recordHeader))
	}
}

// lay gives the party its half of a sheet.
func (l *lane) lay(s *sheet) {
	l.sheet, l.run, l.frames, l.whole, l.span = s, -1, 0, false, int32(segmentTicks)
	l.n, l.limit = bounds(l.party)
}

// take notes on the sheet what the party has there and leaves it without one.
func (l *lane) take() {
	l.finish()
	from, _ := bounds(l.party)
	l.sheet.half[l.party&1] = half{n: l.n - from, frames: l.frames, first: l.first, end: l.end}
	l.sheet, l.run, l.frames = nil, -1, 0
}

// phases is how many different lengths first segments have. Calls that begin together, as when a line comes back, would otherwise end their seconds together
// for as long as they last, and the writer would keep a processor from whoever has the next frame. Neighbours stay together, because their memory does.
const (
	phases     = 10
	neighbours = 100
)

// firstSpan returns how long the first segment of the nth recording may last, in ticks.
func firstSpan(n uint32) int32 {
	return int32(segmentTicks - int64(n/neighbours%phases)*(segmentTicks/phases))
}
