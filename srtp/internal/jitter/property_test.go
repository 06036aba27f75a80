package jitter_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/srtp/internal/jitter"
)

// Whatever numbers a peer chooses, memory and work stay bounded, every packet is accounted for, and the same input gives the same output.
func TestAnyNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := jitter.Config{Clock: rapid.SampledFrom([]int{8000, 48000}).Draw(t, "clock"), Frame: time.Duration(rapid.IntRange(1, 6).Draw(t, "frame")) * 10 * ms}
		type op struct {
			put bool
			p   jitter.Packet
			now time.Duration
		}
		var ops []op
		now := time.Duration(rapid.Int64Range(-1<<40, 1<<60).Draw(t, "begin"))
		seq, ts := rapid.Uint16().Draw(t, "seq"), rapid.Uint32().Draw(t, "ts")
		for range rapid.IntRange(1, 200).Draw(t, "ops") {
			now += time.Duration(rapid.SampledFrom([]int64{0, 1, 5, 20, 20, 20, 100, 5000, 1 << 32}).Draw(t, "step")) * ms
			if rapid.Bool().Draw(t, "get") {
				ops = append(ops, op{now: now})
				continue
			}
			seq += rapid.SampledFrom([]uint16{0, 1, 1, 1, 1, 2, 5, 63, 64, 65, 2999, 3001, 1 << 15, 65535, 65530}).Draw(t, "seq step")
			ts += rapid.SampledFrom([]uint32{0, 160, 160, 160, 160, 960, 1 << 31, 1<<32 - 160, 1 << 20}).Draw(t, "ts step")
			ops = append(ops, op{put: true, p: jitter.Packet{SSRC: rapid.SampledFrom([]uint32{1, 1, 1, 1, 2}).Draw(t, "ssrc"), Seq: seq, TS: ts,
				Ticks: rapid.SampledFrom([]int{0, 1, 80, 160, 160, 480, 5760}).Draw(t, "ticks"), Silent: rapid.IntRange(0, 5).Draw(t, "silent") == 0,
				Payload: make([]byte, rapid.SampledFrom([]int{0, 1, 80, 160, 160, 1500, 1501}).Draw(t, "size")), At: now}})
		}
		run := func() (out []jitter.Result, st jitter.Stats) {
			b, err := jitter.New(cfg)
			require.NoError(t, err)
			var lost, skipped uint64
			for _, o := range ops {
				if o.put {
					b.Put(o.p)
				} else {
					r := b.Get(o.now)
					require.Positive(t, r.Ticks)
					require.Equal(t, r.Kind != jitter.Frame, r.Payload == nil)
					r.Payload = slices.Clone(r.Payload)
					out = append(out, r)
					lost, skipped = lost+uint64(r.Missed), skipped+uint64(r.Skipped)
					if r.Kind == jitter.Lost {
						lost++
					}
				}
				st = b.Stats()
				require.LessOrEqual(t, st.Depth, 64)
				require.GreaterOrEqual(t, st.Target, 20*ms)
				require.LessOrEqual(t, st.Target, 200*ms)
				require.Equal(t, st.Received, st.Played+st.Late+st.Skipped+st.Duplicates+st.Refused+uint64(st.Depth))
				require.LessOrEqual(t, lost, st.Lost)
				require.LessOrEqual(t, skipped, st.Skipped)
				if n := len(out); !o.put && n > 0 && out[n-1].Kind == jitter.Frame {
					require.Equal(t, st.Lost, lost, "every loss is told by the time the next packet is played")
					require.Equal(t, st.Skipped, skipped)
				}
			}
			return out, st
		}
		first, st := run()
		again, same := run()
		require.Equal(t, first, again)
		require.Equal(t, st, same)
	})
}

// Over any network an honest stream plays in order, each packet once or given up. While the network's jitter is within the longest delay, none waits longer than
// that; beyond it the reference itself moves.
func TestAnyNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(50, 400).Draw(t, "packets")
		most := rapid.Int64Range(0, 500).Draw(t, "jitter")
		loss := rapid.IntRange(0, 40).Draw(t, "loss")
		at := make([]time.Duration, n)
		var order []int
		for i := range n {
			if rapid.IntRange(0, 99).Draw(t, "lost") < loss {
				continue
			}
			at[i] = time.Duration(i)*20*ms + time.Duration(rapid.Int64Range(0, most).Draw(t, "delay"))*ms
			for range rapid.SampledFrom([]int{1, 1, 1, 1, 2}).Draw(t, "copies") {
				order = append(order, i)
			}
		}
		slices.SortStableFunc(order, func(a, b int) int { return int(at[a] - at[b]) })
		b, err := jitter.New(jitter.Config{})
		require.NoError(t, err)
		last, k := -1, 0
		for now := time.Duration(0); now < time.Duration(n)*20*ms+time.Second; now += 20 * ms {
			for ; k < len(order) && at[order[k]] <= now; k++ {
				i := order[k]
				p := jitter.Packet{Seq: uint16(65500 + i), TS: uint32(i*160) - 8000, Ticks: 160, Payload: make([]byte, 160), At: at[i]}
				binary.BigEndian.PutUint32(p.Payload, uint32(i))
				b.Put(p)
			}
			r := b.Get(now)
			if r.Kind != jitter.Frame {
				continue
			}
			i := int(binary.BigEndian.Uint32(r.Payload))
			require.Greater(t, i, last, "never backwards, never twice")
			if last >= 0 {
				require.GreaterOrEqual(t, i-last-1, r.Missed+r.Skipped)
			}
			last = i
			if most <= 200 {
				require.LessOrEqual(t, now-at[i], 200*ms+40*ms, "waits no longer than the longest delay")
			}
		}
		st := b.Stats()
		require.Zero(t, st.Depth)
		require.Zero(t, st.Restarts)
		require.EqualValues(t, len(order), st.Played+st.Skipped+st.Late+st.Duplicates+st.Refused)
	})
}
