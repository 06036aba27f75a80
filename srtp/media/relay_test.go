package media_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
)

// relay is a bridge whose packets come from the test, one by one: front is read in place of the leg's own socket.
type relay struct {
	engine *media.Engine
	in     *barePhone
	leg    *media.Leg
	front  *net.UDPConn
	sink   *barePhone
	src    netip.AddrPort
	buf    []byte
	out    []byte
}

func newRelay(t testing.TB) *relay {
	t.Helper()
	e := newEngine(t, media.Config{})
	r := &relay{engine: e, in: newBarePhone(t), sink: newBarePhone(t), leg: newLeg(t, e), buf: make([]byte, 1500), out: make([]byte, media.DatagramBuffer)}
	r.in.call(r.leg)
	other := newLeg(t, e)
	r.sink.call(other)
	_, err := media.NewBridge(r.leg, other)
	require.NoError(t, err)
	r.front = newBarePhone(t).conn
	r.src = r.in.addr()
	r.in.seq = 0
	return r
}

// fill puts n packets into the front socket.
func (r *relay) fill(n int, payload []byte) {
	to := r.front.LocalAddr().(*net.UDPAddr).AddrPort()
	for range n {
		if _, err := r.in.conn.WriteToUDPAddrPort(r.in.packet(0, payload), to); err != nil {
			panic(err)
		}
	}
}

// steps reads, decrypts, encrypts and sends n packets.
func (r *relay) steps(n int) time.Duration {
	start := time.Now()
	for range n {
		k, src, err := r.front.ReadFromUDPAddrPort(r.buf)
		if err != nil {
			panic(err)
		}
		r.leg.Datagram(r.buf[:k], r.out, src)
	}
	return time.Since(start)
}

// plainSteps is the baseline: it reads and sends n packets of the same size.
func (r *relay) plainSteps(n int) time.Duration {
	to := r.sink.addr()
	start := time.Now()
	for range n {
		k, _, err := r.front.ReadFromUDPAddrPort(r.buf)
		if err != nil {
			panic(err)
		}
		if _, err := r.in.conn.WriteToUDPAddrPort(r.buf[:k], to); err != nil {
			panic(err)
		}
	}
	return time.Since(start)
}

const batch = 50 // fits the kernel's smallest default buffer

func (r *relay) round(batches int, payload []byte, steps func(int) time.Duration) (sum time.Duration) {
	for range batches {
		r.fill(batch, payload)
		sum += steps(batch)
	}
	return sum
}

// BenchmarkRelayStep reports one SRTP relay step (GCM-256) as a ratio to a plain UDP relay step of the same packet in the same run.
func BenchmarkRelayStep(b *testing.B) {
	r := newRelay(b)
	payload := frame(1)
	var ours, plain time.Duration
	b.ReportAllocs()
	for b.Loop() {
		ours += r.round(1, payload, r.steps)
		plain += r.round(1, payload, r.plainSteps)
	}
	b.ReportMetric(float64(ours)/float64(plain), "ratio")
	b.ReportMetric(float64(ours)/float64(b.N*batch), "ns/relay")
	b.ReportMetric(float64(plain)/float64(b.N*batch), "ns/plain")
}

func TestRelayKeepsUpWithItsReader(t *testing.T) {
	r := newRelay(t)
	r.round(3, frame(9), r.steps)
	s := r.leg.Stats()
	assert.EqualValues(t, 3*batch, s.Received)
	assert.Equal(t, frame(9), r.sink.receive()[12:])
}
