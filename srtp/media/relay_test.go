package media_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
)

// relay is a bridge whose packets come from the test, one by one, in place of the port's reader.
type relay struct {
	engine *media.Engine
	in     *barePhone
	leg    *media.Leg
	sink   *barePhone
	src    netip.AddrPort
	out    []byte
}

func newRelay(t testing.TB) *relay {
	t.Helper()
	e := newEngine(t, media.Config{})
	r := &relay{engine: e, in: newBarePhone(t), sink: newBarePhone(t), leg: newLeg(t, e), out: make([]byte, media.DatagramBuffer)}
	r.in.call(r.leg)
	other := newLeg(t, e)
	r.sink.call(other)
	_, err := media.NewBridge(r.leg, other)
	require.NoError(t, err)
	r.src = r.in.addr()
	r.in.seq = 0
	return r
}

// BenchmarkRelayStep is one packet through a bridge without the system's part of receiving it.
func BenchmarkRelayStep(b *testing.B) {
	r := newRelay(b)
	payload := frame(1)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		pkt := r.in.packet(0, payload)
		b.StartTimer()
		r.leg.Datagram(pkt, r.out, r.src)
	}
}

func TestRelayPassesEveryPacket(t *testing.T) {
	r := newRelay(t)
	for range 150 {
		r.leg.Datagram(r.in.packet(0, frame(9)), r.out, r.src)
		require.Equal(t, frame(9), r.sink.receive()[12:])
	}
	assert.EqualValues(t, 150, r.leg.Stats().Received)
}
