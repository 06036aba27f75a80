package media

import "github.com/ringfence/ringfence/srtp/codec"

// transcoder decodes one direction of a bridge and encodes it again. A route has one only after the first packet that needs it. Packets are decoded as they arrive:
// the phone at the end of the line has the playout buffer.
type transcoder struct {
	from, to *codec.Codec
	dec      codec.Decoder
	enc      codec.Encoder
	rate     *codec.Resampler
	pcm      []int16 // one packet, decoded
	wait     []int16 // at the destination's rate, not sent yet
	n        int     // samples in wait
	next     uint32  // source timestamp that follows what is in wait
	mark     bool    // the next packet begins a talkspurt
	own      []byte  // a packet for a sender without an outbox
}

// maxPacketMillis is the longest packet that is decoded: Opus has no longer one (RFC 6716 section 3.2).
const maxPacketMillis = 120

func newTranscoder(from, to *codec.Codec) (*transcoder, error) {
	x := &transcoder{from: from, to: to}
	var err error
	if x.dec, err = from.NewDecoder(); err != nil {
		return nil, err
	}
	if x.enc, err = to.NewEncoder(); err != nil {
		return nil, err
	}
	if x.rate, err = codec.NewResampler(from.Rate, to.Rate); err != nil {
		return nil, err
	}
	x.pcm = make([]int16, from.Rate*maxPacketMillis/1000)
	x.wait = make([]int16, x.rate.Max(len(x.pcm))+to.Rate*60/1000)
	return x, nil
}

// drop forgets what waits to fill a packet. A nil transcoder has nothing.
func (x *transcoder) drop() {
	if x != nil {
		x.n = 0
	}
}

// take decodes a packet and appends it to what waits.
func (x *transcoder) take(p *packet) error {
	if p.ts != x.next {
		x.n = 0 // something is missing: what waits would be put together with what it does not belong to
	}
	n, err := x.dec.Decode(x.pcm, p.payload)
	if err != nil {
		return err
	}
	x.next = p.ts + uint32(n*x.from.ClockRate/x.from.Rate)
	n, err = x.rate.Process(x.wait[x.n:], x.pcm[:n])
	x.n += n
	return err
}

// transcode sends what a packet becomes: none, one or several of the length the destination asked for.
func (r *route) transcode(p *packet, t *transmitter, marker bool, seq uint16, ts uint32, box *outbox) {
	x := r.trans
	if x == nil || x.from != p.codec || x.to != t.codec {
		var err error
		if x, err = newTranscoder(p.codec, t.codec); err != nil {
			r.seqOff-- // cannot happen: checkCodecs made one of each
			return
		}
		r.trans = x
	}
	if p.ts != x.next {
		x.n = 0
	}
	ts -= uint32(x.n * t.codec.ClockRate / t.codec.Rate)
	if x.take(p) != nil {
		r.seqOff--
		return
	}
	size := t.codec.FrameSamples
	if even(t.codec) {
		size = t.codec.Rate / 1000 * t.ptime
	}
	x.mark = x.mark || marker
	at := 0
	for ; x.n-at >= size; at += size {
		pkt := x.room(box)
		n, err := x.enc.Encode(pkt[12:len(pkt)-headroom], x.wait[at:at+size])
		if err != nil {
			continue
		}
		t.send(box, pkt[:12+n], t.pt, x.mark, seq, ts, p.at)
		t.ticks = uint32(size * t.codec.ClockRate / t.codec.Rate)
		x.mark, seq, ts = false, seq+1, ts+t.ticks
	}
	x.n = copy(x.wait, x.wait[at:x.n])
	r.seqOff = seq - 1 - p.seq // the next packet follows the last one made of this one
}

// room is memory for a packet that stays untouched until it was sent.
func (x *transcoder) room(box *outbox) []byte {
	if box == nil {
		if x.own == nil {
			x.own = make([]byte, slotSize)
		}
		return x.own
	}
	if box.slots == nil {
		box.slots = make([]byte, batchSize*slotSize) // the first transcoding of this reader
	}
	return box.slot()
}
