package jitter_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/internal/jitter"
)

const ms = time.Millisecond

// sim is a sender, a network and a player. Payloads begin with the index of the packet, so that the player knows what it hears.
type sim struct {
	cfg     jitter.Config
	n       int                                                    // packets sent
	ticks   int                                                    // of a packet; 0: 160
	every   time.Duration                                          // between packets on the sender's clock; 0: as long as the packet
	ppm     int                                                    // how much faster the sender's clock is
	seq     uint16                                                 // first
	ts      uint32                                                 // first
	network func(i int) (delay time.Duration, ok bool)             // nil: at once
	packet  func(i int, p *jitter.Packet)                          // changes packet i; nil: nothing
	pull    func(t testing.TB, now time.Duration, r jitter.Result) // sees every result; nil: nobody

	buf    *jitter.Buffer
	heard  []int
	kinds  map[jitter.Kind]int
	missed int
	late   time.Duration // longest wait in the buffer
	from   time.Duration // counters of heard, kinds and missed begin here
}

func (s *sim) run(t testing.TB) jitter.Stats {
	t.Helper()
	var err error
	s.buf, err = jitter.New(s.cfg)
	require.NoError(t, err)
	if s.ticks == 0 {
		s.ticks = 160
	}
	clock := s.cfg.Clock
	if clock == 0 {
		clock = 8000
	}
	length := time.Duration(s.ticks) * time.Second / time.Duration(clock)
	if s.every == 0 {
		s.every = length
	}
	frame := s.cfg.Frame
	if frame == 0 {
		frame = 20 * ms
	}
	var in []jitter.Packet
	arrived := make([]time.Duration, s.n)
	for i := range s.n {
		delay := time.Duration(0)
		if s.network != nil {
			var ok bool
			if delay, ok = s.network(i); !ok {
				continue
			}
		}
		sent := time.Duration(i) * s.every
		p := jitter.Packet{SSRC: 1, Seq: s.seq + uint16(i), TS: s.ts + uint32(i*s.ticks), Ticks: s.ticks, Payload: make([]byte, 160),
			At: sent - sent/1_000_000*time.Duration(s.ppm) + delay}
		binary.BigEndian.PutUint32(p.Payload, uint32(i))
		if s.packet != nil {
			s.packet(i, &p)
		}
		in = append(in, p)
		arrived[i] = p.At
	}
	slices.SortStableFunc(in, func(a, b jitter.Packet) int { return int(a.At - b.At) })
	s.kinds = map[jitter.Kind]int{}
	end := in[len(in)-1].At + 400*ms
	have := time.Duration(0) // decoded audio left
	for now, k := 7*ms, 0; now < end; now += frame {
		for ; k < len(in) && in[k].At <= now; k++ {
			s.buf.Put(in[k])
		}
		for have < frame {
			r := s.buf.Get(now)
			require.Positive(t, r.Ticks)
			have += time.Duration(r.Ticks) * time.Second / time.Duration(clock)
			if s.pull != nil {
				s.pull(t, now, r)
			}
			if now < s.from {
				continue
			}
			if now <= in[len(in)-1].At {
				s.kinds[r.Kind]++ // later the buffer runs dry for good
			}
			s.missed += r.Missed
			if r.Kind == jitter.Frame {
				i := int(binary.BigEndian.Uint32(r.Payload))
				s.heard = append(s.heard, i)
				s.late = max(s.late, now-arrived[i])
			}
		}
		have -= frame
	}
	for i := 1; i < len(s.heard); i++ {
		require.Greater(t, s.heard[i], s.heard[i-1], "audio went backwards or was repeated")
	}
	return s.buf.Stats()
}

func uniform(seed uint64, jitter time.Duration) func(int) (time.Duration, bool) {
	r := rand.New(rand.NewPCG(seed, 0))
	return func(int) (time.Duration, bool) { return 10*ms + time.Duration(r.Int64N(int64(jitter)+1)), true }
}
