package media_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

func TestCodecsAreCheckedBeforeACallNeedsThem(t *testing.T) {
	broken := codec.PCMU()
	broken.NewEncoder = func() (codec.Encoder, error) { return nil, codec.ErrRate }
	stereo := codec.PCMU()
	stereo.Channels = 2
	for name, list := range map[string][]codec.Codec{
		"twice": {codec.PCMU(), codec.PCMU()}, "no encoder": {broken}, "stereo": {stereo}, "unknown": {{Name: "G729"}}, "comfort noise": {codec.CN()},
	} {
		_, err := media.New(media.Config{Addr: loopback, Codecs: list})
		assert.ErrorIs(t, err, media.ErrConfig, name)
	}
	e := newEngine(t, media.Config{Codecs: []codec.Codec{codec.PCMU()}})
	for _, names := range [][]string{{sdp.G722}, {sdp.PCMU, sdp.PCMU}, {sdp.CN}} {
		_, err := e.NewLeg(media.LegConfig{Codecs: names})
		assert.ErrorIs(t, err, media.ErrConfig, names)
	}
	_, err := e.NewLeg(media.LegConfig{Codecs: []string{sdp.PCMU, sdp.CN}})
	assert.NoError(t, err)
}

// What a peer asks for with a=ptime is what it gets, without a gap or an overlap.
func TestPacketsHaveTheLengthThePeerAskedFor(t *testing.T) {
	e := newEngine(t, media.Config{})
	for _, name := range []string{"0 PCMU/8000", "9 G722/8000"} {
		for _, ms := range []int{10, 20, 30, 40, 60} {
			t.Run(fmt.Sprintf("%s %d ms", name, ms), func(t *testing.T) {
				t.Parallel()
				p, leg := newBarePhone(t), newLeg(t, e, sdp.PCMU, sdp.G722)
				out, err := leg.Answer(within(t, time.Second), p.offerOf([]string{name}, fmt.Sprintf("a=ptime:%d", ms)))
				require.NoError(t, err)
				p.take(out)
				done := make(chan error, 1)
				go func() { done <- leg.Play(within(t, 5*time.Second), tone(t, 440, 260*time.Millisecond)) }()
				got, next, seq := 0, uint32(0), uint16(0)
				for n := 0; got < 260*8; n++ {
					b := p.receive()
					ts := binary.BigEndian.Uint32(b[4:])
					if n > 0 {
						require.Equal(t, next, ts, "packet %d", n)
						require.Equal(t, seq+1, binary.BigEndian.Uint16(b[2:]))
					}
					if got+ms*8 <= 260*8 {
						require.Len(t, b[12:], ms*8)
					}
					got += len(b[12:])
					next, seq = ts+uint32(len(b[12:])), binary.BigEndian.Uint16(b[2:])
				}
				assert.Equal(t, 260*8, got, "the last packet is shorter, and nothing is missing")
				require.NoError(t, <-done)
			})
		}
	}
}

// relayPair is two bare phones with bridged legs.
func relayPair(t *testing.T, a, b []string) (pa, pb *barePhone, la, lb *media.Leg) {
	t.Helper()
	e := newEngine(t, media.Config{})
	all := []string{sdp.PCMU, sdp.PCMA, sdp.G722, sdp.Opus, sdp.CN}
	pa, la = newBarePhone(t), newLeg(t, e, all...)
	pb, lb = newBarePhone(t), newLeg(t, e, all...)
	for _, x := range []struct {
		p    *barePhone
		l    *media.Leg
		maps []string
	}{{pa, la, a}, {pb, lb, b}} {
		out, err := x.l.Answer(within(t, time.Second), x.p.offerOf(x.maps))
		require.NoError(t, err)
		x.p.take(out)
	}
	_, err := media.NewBridge(la, lb)
	require.NoError(t, err)
	return pa, pb, la, lb
}

var (
	opusPhone  = []string{"111 opus/48000/2", "110 telephone-event/48000"}
	basicPhone = []string{"8 PCMA/8000", "101 telephone-event/8000"}
)

// Keys keep their number and their length between clocks, also those longer than the 16 bits of a duration.
func TestKeysPassBetweenClocks(t *testing.T) {
	for _, x := range []struct {
		name     string
		from, to []string
		pt, want uint8
		src, dst int
		hold     int // in 20 ms
	}{
		{"8000 to 48000", basicPhone, opusPhone, 101, 110, 8000, 48000, 5},
		{"48000 to 8000", opusPhone, basicPhone, 110, 101, 48000, 8000, 5},
		{"8000 to 48000, 4 s", basicPhone, opusPhone, 101, 110, 8000, 48000, 200},
		{"48000 to 8000, 4 s", opusPhone, basicPhone, 110, 101, 48000, 8000, 200},
	} {
		t.Run(x.name, func(t *testing.T) {
			from, to, _, _ := relayPair(t, x.from, x.to)
			frame := uint32(x.src / 50)
			ts, seq := uint32(7000), uint16(10)
			total, segment, first, last, began := 0, uint32(0), uint32(0), uint32(0), false
			event := func(ts uint32, dur int, end bool) {
				payload := []byte{5, 10, byte(dur >> 8), byte(dur)}
				if end {
					payload[1] |= 0x80
				}
				seq++
				from.send(from.raw(x.pt, seq, ts, payload))
				b := to.receive()
				require.Equal(t, x.want, b[1]&0x7f)
				require.Equal(t, byte(5), b[12])
				require.Equal(t, end, b[13]&0x80 != 0)
				got := binary.BigEndian.Uint32(b[4:])
				if !began {
					first, last, began = got, got, true
				}
				if got != last {
					require.EqualValues(t, 0xffff, got-last, "a new segment follows a full one")
					require.Equal(t, 0xffff, total)
					last = got
				}
				total = int(binary.BigEndian.Uint16(b[14:]))
			}
			dur := 0
			for i := range x.hold {
				if dur += int(frame); dur > 0xffff {
					ts, segment, dur = ts+0xffff, segment+0xffff, dur-0xffff
				}
				event(ts, dur, i == x.hold-1)
			}
			held := time.Duration(last-first+uint32(total)) * time.Second / time.Duration(x.dst)
			assert.InDelta(t, time.Duration(x.hold)*20*time.Millisecond, held, float64(25*time.Millisecond))
			for range 2 {
				event(ts, dur, true)
			}
			if x.hold > 50 {
				return // 4 s in a moment: audio is put in step with the wall clock again
			}
			audio := make([]byte, 161)
			from.send(from.raw(map[int]uint8{8000: 8, 48000: 111}[x.src], seq+1, ts+uint32(dur)+frame, audio[:map[int]int{8000: 160, 48000: 161}[x.src]]))
			b := to.receive()
			assert.Greater(t, int32(binary.BigEndian.Uint32(b[4:])-last), int32(total)-int32(x.dst/20), "audio goes on behind the key")
		})
	}
}

func TestComfortNoisePassesOnlyToWhoTakesIt(t *testing.T) {
	withNoise := []string{"0 PCMU/8000", "13 CN/8000"}
	for _, x := range []struct {
		name string
		to   []string
		want bool
	}{{"takes it", withNoise, true}, {"does not", basicPhone, false}, {"other clock", opusPhone, false}} {
		t.Run(x.name, func(t *testing.T) {
			from, to, la, _ := relayPair(t, withNoise, x.to)
			from.send(from.packet(0, frame(200)))
			first := to.receive()
			from.send(from.packet(13, []byte{50}))
			from.send(from.packet(0, frame(200)))
			next := to.receive()
			if x.want {
				assert.Equal(t, byte(13), next[1]&0x7f)
				assert.Equal(t, []byte{50}, next[12:])
			} else {
				assert.Equal(t, first[1]&0x7f, next[1]&0x7f)
				assert.EqualValues(t, 1, binary.BigEndian.Uint16(next[2:])-binary.BigEndian.Uint16(first[2:]), "no packet seems lost")
			}
			assert.Zero(t, la.Stats().Unknown)
		})
	}
}

// A peer that takes the sender's codec as well gets it as it is, though it prefers another.
func TestBridgeDecodesOnlyWhatItMust(t *testing.T) {
	e := newEngine(t, media.Config{})
	from, la := newBarePhone(t), newLeg(t, e, sdp.G722)
	to, lb := newBarePhone(t), newLeg(t, e, sdp.PCMU, sdp.G722)
	out, err := la.Answer(within(t, time.Second), from.offerOf([]string{"9 G722/8000"}))
	require.NoError(t, err)
	from.take(out)
	to.answerTo(lb, "0 PCMU/8000", "9 G722/8000")
	require.Equal(t, sdp.PCMU, lb.Codec())
	_, err = media.NewBridge(la, lb)
	require.NoError(t, err)
	payload := frame(0)
	for i := range payload {
		payload[i] = byte(i)
	}
	from.send(from.packet(9, payload))
	b := to.receive()
	assert.Equal(t, byte(9), b[1]&0x7f)
	assert.Equal(t, payload, b[12:])
}

// What is lost before a transcoding bridge is missing behind it, in the numbers and in the times; what comes late is dropped.
func TestTranscodingKeepsGapsAndOrder(t *testing.T) {
	from, to, _, lb := relayPair(t, []string{"9 G722/8000"}, basicPhone)
	var packets [][]byte
	for range 6 {
		packets = append(packets, from.packet(9, frame(0x55)))
	}
	var got [][]byte
	for _, i := range []int{0, 1, 3, 2, 5} {
		from.send(packets[i])
		if i != 2 {
			got = append(got, to.receive())
		}
	}
	for i, want := range []uint32{0, 1, 3, 5} {
		assert.Equal(t, want, uint32(binary.BigEndian.Uint16(got[i][2:])-binary.BigEndian.Uint16(got[0][2:])))
		assert.Equal(t, want*160, binary.BigEndian.Uint32(got[i][4:])-binary.BigEndian.Uint32(got[0][4:]))
		assert.Len(t, got[i][12:], 160)
		assert.Equal(t, byte(8), got[i][1]&0x7f)
	}
	assert.EqualValues(t, 1, lb.Stats().LateRelayed)
}

// A transcoding bridge makes packets of the length the listener asked for out of whatever comes.
func TestTranscodingCutsPackets(t *testing.T) {
	e := newEngine(t, media.Config{})
	from, la := newBarePhone(t), newLeg(t, e, sdp.G722)
	to, lb := newBarePhone(t), newLeg(t, e)
	out, err := la.Answer(within(t, time.Second), from.offerOf([]string{"9 G722/8000"}))
	require.NoError(t, err)
	from.take(out)
	out, err = lb.Answer(within(t, time.Second), to.offerOf(basicPhone, "a=ptime:20"))
	require.NoError(t, err)
	to.take(out)
	_, err = media.NewBridge(la, lb)
	require.NoError(t, err)
	ts, seq := uint32(1000), uint16(1)
	next := uint32(0)
	n := 0
	for _, ms := range []int{60, 30, 30, 10, 10, 60} {
		from.send(from.raw(9, seq, ts, make([]byte, ms*8)))
		seq, ts = seq+1, ts+uint32(ms*8)
	}
	for range 200 / 20 {
		b := to.receive()
		require.Len(t, b[12:], 160)
		if n++; n > 1 {
			assert.Equal(t, next, binary.BigEndian.Uint32(b[4:]), "packet %d", n)
		}
		next = binary.BigEndian.Uint32(b[4:]) + 160
	}
}

func TestWidePromptsKeepTheirBandwidth(t *testing.T) {
	pcm := make([]int16, 16000)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*5000*float64(i)/16000)) // above what 8000 Hz can hold
	}
	p, err := media.NewWidePrompt(pcm)
	require.NoError(t, err)
	assert.Equal(t, time.Second, p.Duration())
	e := newEngine(t, media.Config{})
	for name, heard := range map[string]bool{sdp.G722: true, sdp.PCMU: false} {
		phone, leg := newBarePhone(t), newLeg(t, e, name)
		c, _ := codec.ByName(everyCodec(), name)
		out, err := leg.Answer(within(t, time.Second), phone.offerOf([]string{fmt.Sprintf("%d %s", c.PayloadType, c.RTPMap())}))
		require.NoError(t, err)
		phone.take(out)
		stop := leg.Loop(p)
		dec, _ := c.NewDecoder()
		out16 := make([]int16, c.FrameSamples)
		loud := 0
		for i := range 20 {
			n, err := dec.Decode(out16, phone.receive()[12:])
			require.NoError(t, err)
			if i >= 5 && codec.Level(out16[:n]) > -30 {
				loud++
			}
		}
		stop()
		assert.Equal(t, heard, loud == 15, name)
	}
}
