package media_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

var mulawPhone = []string{"0 PCMU/8000"}

// room is a conference whose clock is the test's. Its phones have us on hold, so that a tick is what a conference costs without sending.
type room struct {
	conf    *media.Conference
	members []*media.Member
	buf     []byte
	payload [][]byte
	since   time.Duration
	seq     uint16
}

func newRoom(t testing.TB, n int, maps []string, extra ...string) *room {
	t.Helper()
	e := newEngine(t, media.Config{})
	c, err := media.NewConference(e, media.ConferenceConfig{Hears: media.Everybody})
	require.NoError(t, err)
	c.Manual()
	r := &room{conf: c, buf: make([]byte, 1500), since: time.Second}
	for i := range n {
		p, leg := newBarePhone(t), newLeg(t, e, sdp.PCMU, sdp.PCMA, sdp.G722)
		out, err := leg.Answer(context.Background(), p.offerOf(maps, extra...))
		require.NoError(t, err)
		p.take(out)
		m, err := c.Join(leg)
		require.NoError(t, err)
		r.members = append(r.members, m)
		r.payload = append(r.payload, toneFrame(float64(400+50*(i%40))))
	}
	for range 20 {
		r.feed()
		r.conf.Tick(r.since)
	}
	return r
}

func (r *room) feed() {
	r.seq++
	r.since += 20 * time.Millisecond
	for i, m := range r.members {
		m.Feed(r.buf, r.seq, r.payload[i], r.since)
	}
}

func (r *room) round(ticks int, tick func(time.Duration)) (sum time.Duration) {
	for range ticks {
		r.feed()
		start := time.Now()
		tick(r.since)
		sum += time.Since(start)
	}
	return sum
}

// BenchmarkConferenceTick reports what 20 ms of a conference cost in which everybody speaks, decoding and encoding G.711 included, without packets in and out.
func BenchmarkConferenceTick(b *testing.B) {
	for _, n := range []int{3, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newRoom(b, n, mulawPhone, "a=sendonly")
			b.ReportAllocs()
			var sum time.Duration
			for b.Loop() {
				sum += r.round(1, r.conf.Tick)
			}
			b.ReportMetric(float64(sum.Nanoseconds())/float64(b.N), "ns/tick")
		})
	}
}

// ratioOfTicks prints a tick of a conference of n against the naive one: the median of nine alternating pairs.
func ratioOfTicks(t *testing.T, n int, goal float64) {
	r := newRoom(t, n, mulawPhone, "a=sendonly")
	ticks := 20000 / n
	var rs []float64
	var ours time.Duration
	for i := range 10 {
		mine, naive := r.round(ticks, r.conf.Tick), r.round(ticks, r.conf.NaiveTick)
		if i > 0 {
			rs = append(rs, float64(mine)/float64(naive))
			ours += mine
		}
	}
	slices.Sort(rs)
	fmt.Printf("ratio srtp/conference-%d %.2f goal <= %.2f\n", n, rs[len(rs)/2], goal)
	t.Logf("%d members: %v a tick", n, ours/time.Duration(9*ticks))
}

// Members whose legs are up get one packet a tick each, and one that is silent still hears the others.
func TestTickSendsEveryMemberOnePacket(t *testing.T) {
	r := newRoom(t, 3, mulawPhone)
	for range 10 {
		before := r.members[1].Leg().Stats().Sent
		r.feed()
		r.conf.Tick(r.since)
		require.Equal(t, before+1, r.members[1].Leg().Stats().Sent)
	}
	for i := range r.payload[0] {
		r.payload[0][i] = codec.SilenceMulaw
	}
	before := r.members[0].Leg().Stats().Sent
	r.round(5, r.conf.Tick)
	require.Equal(t, before+5, r.members[0].Leg().Stats().Sent)
}
