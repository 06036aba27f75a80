//go:build !race

package media_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
)

// A relayed packet costs no allocation, with a tap and with transcoding. The race detector makes pools forget on purpose, so this is
// counted without it.
func TestRelayDoesNotAllocate(t *testing.T) {
	r := newRelay(t)
	r.leg.SetTap(deafTap{})
	const runs = 200
	var packets [][]byte
	for i := range runs + 2 {
		pt := uint8(i % 2 * 8) // every other packet is A-law and must be transcoded
		packets = append(packets, r.in.packet(pt, frame(codec.SilenceMulaw)))
	}
	i := 0
	allocs := testing.AllocsPerRun(runs, func() {
		r.leg.Datagram(packets[i], r.out, r.src)
		i++
	})
	assert.Zero(t, allocs)
	assert.EqualValues(t, runs+1, r.leg.Stats().Received)
}

// A stranger's flood costs no allocation either.
func TestStrangersDoNotAllocate(t *testing.T) {
	r := newRelay(t)
	r.leg.Datagram(r.in.packet(0, frame(1)), r.out, r.src)
	junk := make([]byte, 200)
	junk[0] = 0x80
	src := newBarePhone(t).addr()
	assert.Zero(t, testing.AllocsPerRun(100, func() { r.leg.Datagram(junk, r.out, src) }))
	assert.EqualValues(t, 101, r.engine.Stats().Strangers)
	assert.Zero(t, r.leg.Stats().Strangers, "a stranger who posed as nobody is counted by the engine alone")
}

// Nor does a tick of a conference, with what is sent, nor a packet that a bridge decodes and encodes.
func TestTicksAndTranscodingDoNotAllocate(t *testing.T) {
	for _, maps := range [][]string{basicPhone, {"9 G722/8000"}} {
		r := newRoom(t, 4, maps)
		assert.Zero(t, testing.AllocsPerRun(200, func() {
			r.feed()
			r.conf.Tick(r.since)
		}))
	}
	from, _, la, _ := relayPair(t, []string{"9 G722/8000"}, basicPhone)
	const runs = 200
	var packets [][]byte
	for range runs + 10 {
		packets = append(packets, from.packet(9, frame(0x55)))
	}
	out := make([]byte, media.DatagramBuffer)
	i := 0
	step := func() {
		la.Datagram(packets[i], out, from.addr())
		i++
	}
	for range 5 {
		step()
	}
	assert.Zero(t, testing.AllocsPerRun(runs, step))
}
