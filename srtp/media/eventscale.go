package media

import "encoding/binary"

// eventScaler carries keys between two streams whose clocks differ, such as 48000 Hz beside opus and 8000 beside G.711. Durations have 16 bits: a key held
// longer than that is cut into segments, after 8 s at 8000 Hz and 1.4 s at 48000 Hz (RFC 4733 section 2.5.1.3). The segments of the source are put together and
// cut again for the destination, so that one key stays one.
type eventScaler struct {
	started bool
	event   byte
	ended   bool
	first   uint32 // source timestamp of the key
	segment uint32 // source timestamp of its last segment
	dur     uint16 // longest of that
	done    uint64 // destination ticks in segments that are complete
	full    bool   // the segment was sent with the longest duration
}

// begin takes a packet and returns the source timestamp at which its key began, and false for what is no event or a repeat of an older one.
func (s *eventScaler) begin(payload []byte, ts uint32) (uint32, bool) {
	if len(payload) < 4 {
		return 0, false
	}
	event, end, dur := payload[0], payload[1]&0x80 != 0, binary.BigEndian.Uint16(payload[2:])
	step := ts - s.segment
	switch {
	case s.started && step >= 1<<31:
		return 0, false
	case s.started && step == 0:
	case s.started && !s.ended && event == s.event && step <= 0xffff && s.dur >= 0xfc00:
		s.segment, s.dur = ts, 0
	default:
		*s = eventScaler{started: true, event: event, first: ts, segment: ts}
	}
	s.dur, s.ended = max(s.dur, dur), s.ended || end
	return s.first, true
}

// scale writes the duration for the destination and returns how far its timestamp is behind the one of the key's beginning.
func (s *eventScaler) scale(payload []byte, from, to uint32) uint32 {
	const longest = 0xffff
	held := (uint64(s.segment-s.first) + uint64(binary.BigEndian.Uint16(payload[2:]))) * uint64(to) / uint64(from)
	held -= min(held, s.done) // a packet the network held back may be older than the segment
	if end := payload[1]&0x80 != 0; held > longest && !end {
		if s.full {
			s.done += longest
			held -= longest
		}
		s.full = !s.full
	}
	binary.BigEndian.PutUint16(payload[2:], uint16(min(held, longest)))
	return uint32(s.done)
}
