package quality_test

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/srtp/internal/quality"
)

const ms = time.Millisecond

// ITU-T G.107 Annex B, table B.1: the rating and the score at the bounds of user satisfaction.
func TestScoreOfG107(t *testing.T) {
	for r, mos := range map[float64]float64{93.2: 4.41, 90: 4.34, 80: 4.03, 70: 3.60, 60: 3.10, 50: 2.58, 0: 1, -5: 1, 100: 4.5, 120: 4.5} {
		assert.InDelta(t, mos, quality.MOS(r), 0.011, "R %v", r)
	}
	assert.InDelta(t, 1, quality.MOS(math.NaN()), 0)
	best := quality.Rate(quality.G711PLC, quality.Path{})
	assert.InDelta(t, 93.2, best.R, 1e-9)
	assert.InDelta(t, 4.41, best.MOS, 0.005)
	assert.Equal(t, quality.Narrowband, best.Scale)
}

// ITU-T G.113 Appendix I, the table of impairments by random loss for G.711 with concealment, in percent of loss. The formula of G.107 is a fit
// of such measurements, so it comes near.
func TestRandomLossOfG711(t *testing.T) {
	for ppl, ie := range map[float64]float64{0: 0, 1: 5, 2: 7, 3: 10, 5: 15, 7: 20, 10: 25, 15: 35, 20: 45} {
		r := quality.Rate(quality.G711PLC, quality.Path{Loss: ppl / 100})
		assert.InDelta(t, ie, 93.2-r.R, 3, "%v %%", ppl)
	}
	// The formula itself, worked by hand: 95 * Ppl / (Ppl + Bpl).
	for _, c := range []struct {
		codec quality.Codec
		ppl   float64
		want  float64
	}{{quality.G711, 1, 17.92}, {quality.G711, 2, 30.16}, {quality.G711, 5, 51.08}, {quality.G711PLC, 1, 3.64}, {quality.G711PLC, 5, 15.78}} {
		assert.InDelta(t, c.want, 93.2-quality.Rate(c.codec, quality.Path{Loss: c.ppl / 100}).R, 0.01)
	}
	// Twice as long runs of loss, worked by hand: 95 * 2 / (2/2 + 25.1).
	assert.InDelta(t, 7.28, 93.2-quality.Rate(quality.G711PLC, quality.Path{Loss: 0.02, BurstRatio: 2}).R, 0.01)
}

// The well-known fit of Id by Cole and Rosenbluth (Voice over IP performance monitoring, 2001): 0.024 d + 0.11 (d - 177.3) above 177.3 ms.
// It is itself within a few points of the model.
func TestDelay(t *testing.T) {
	for d := 0.0; d <= 350; d += 10 {
		fit := 0.024*d + 0.11*max(d-177.3, 0)
		r := quality.Rate(quality.G711, quality.Path{OneWay: time.Duration(d) * ms})
		assert.InDelta(t, fit, 93.2-r.R, 3, "%v ms", d)
		assert.InDelta(t, 4.41, r.Listening, 0.005, "who only listens hears no delay")
	}
	// Idd of G.107 at 400 ms is 24.07 by hand (X = 2); with the echo of the default loss the rating is in the sixties.
	assert.InDelta(t, 63.3, quality.Rate(quality.G711, quality.Path{OneWay: 400 * ms}).R, 1)
	// ITU-T G.114: up to 150 ms nearly everybody is very satisfied.
	assert.GreaterOrEqual(t, quality.Rate(quality.G711, quality.Path{OneWay: 150 * ms}).R, 89.0)
}

func TestWideband(t *testing.T) {
	g := quality.Rate(quality.G722, quality.Path{})
	assert.Equal(t, quality.Wideband, g.Scale)
	assert.InDelta(t, 116, g.R, 1e-9, "129 - 13 (G.113 Appendix IV)")
	assert.InDelta(t, 4.34, g.MOS, 0.01)
	assert.True(t, g.Estimate, "its robustness is")
	o := quality.Rate(quality.Opus, quality.Path{})
	assert.True(t, o.Estimate)
	assert.Greater(t, o.MOS, g.MOS)
	assert.Equal(t, "wideband", o.Scale.String())
	assert.Equal(t, "narrowband", quality.Narrowband.String())
}

// More loss, longer runs and more delay are never better, and no rating leaves its range.
func TestRatingsAreMonotone(t *testing.T) {
	codecs := []quality.Codec{quality.G711, quality.G711PLC, quality.G722, quality.Opus, {}}
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(codecs).Draw(t, "codec")
		p := quality.Path{Loss: rapid.Float64Range(-1, 2).Draw(t, "loss"), BurstRatio: rapid.Float64Range(0, 10).Draw(t, "burst"),
			OneWay: time.Duration(rapid.Int64().Draw(t, "delay"))}
		worse := p
		switch rapid.IntRange(0, 2).Draw(t, "what") {
		case 0:
			worse.Loss += rapid.Float64Range(0, 1).Draw(t, "more")
		case 1:
			worse.BurstRatio += rapid.Float64Range(0, 5).Draw(t, "more")
		case 2:
			if more := time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "more")); worse.OneWay+more > worse.OneWay {
				worse.OneWay += more
			}
		}
		a, b := quality.Rate(c, p), quality.Rate(c, worse)
		const rounding = 1e-9
		require.LessOrEqual(t, b.R, a.R+rounding)
		require.LessOrEqual(t, b.MOS, a.MOS+rounding)
		require.LessOrEqual(t, b.Listening, a.Listening+rounding)
		require.LessOrEqual(t, a.MOS, a.Listening+rounding)
		for _, r := range []quality.Rating{a, b} {
			require.GreaterOrEqual(t, r.R, 0.0)
			require.LessOrEqual(t, r.R, 129.0)
			require.GreaterOrEqual(t, r.MOS, 1.0)
			require.LessOrEqual(t, r.MOS, 4.5)
		}
	})
	for _, p := range []quality.Path{{Loss: math.NaN()}, {BurstRatio: math.NaN()}, {BurstRatio: math.Inf(1), Loss: 0.1}} {
		r := quality.Rate(quality.G711, p)
		require.False(t, math.IsNaN(r.R) || math.IsNaN(r.MOS))
	}
}

func bursts(fates string) *quality.Bursts {
	var b quality.Bursts
	for _, f := range fates {
		switch f {
		case '1':
			b.Received()
		case '0':
			b.Lost()
		case '-': // a row that ends a burst
			for range quality.Gmin {
				b.Received()
			}
		}
	}
	return &b
}

// RFC 3611 section 4.7.2 by example.
func TestBurstsAndGaps(t *testing.T) {
	for fates, want := range map[string]quality.Measure{
		"":           {},
		"-":          {Gap: 16},
		"-0-":        {GapDensity: 1.0 / 33, Gap: 33},
		"-00-":       {BurstDensity: 1, Burst: 2, Gap: 16},
		"-0110-":     {BurstDensity: 0.5, Burst: 4, Gap: 16},
		"-01-0-":     {GapDensity: 2.0 / 51, Gap: 51},
		"-0-00-010-": {BurstDensity: 4.0 / 5, Burst: 2.5, GapDensity: 1.0 / 65, Gap: 65.0 / 3},
		"-00":        {BurstDensity: 1, Burst: 2, Gap: 8},
	} {
		got := bursts(fates).Measure()
		assert.InDelta(t, want.BurstDensity, got.BurstDensity, 1e-9, fates)
		assert.InDelta(t, want.GapDensity, got.GapDensity, 1e-9, fates)
		assert.InDelta(t, want.Burst, got.Burst, 1e-9, fates)
		assert.InDelta(t, want.Gap, got.Gap, 1e-9, fates)
	}
	b := bursts("-000-0-")
	assert.InDelta(t, 4.0/52, b.Loss(), 1e-9)
	assert.InDelta(t, 2*(1-4.0/52), b.Ratio(), 1e-9, "runs of 3 and 1")
	assert.InDelta(t, 1, bursts("-").Ratio(), 0)
	assert.InDelta(t, 0, bursts("").Loss(), 0)
	var random quality.Bursts
	r := rand.New(rand.NewPCG(1, 1))
	for range 200000 {
		if r.IntN(20) == 0 {
			random.Lost()
		} else {
			random.Received()
		}
	}
	assert.InDelta(t, 1, random.Ratio(), 0.02, "random loss has a burst ratio of 1")
}

// The fields of RFC 3611 section 4.7, byte by byte.
func TestBlock(t *testing.T) {
	m := quality.Metrics{SSRC: 0x01020304, Loss: 0.5, Discard: 1, Bursts: quality.Measure{BurstDensity: 0.25, GapDensity: 0.125, Burst: 3, Gap: 1000},
		Packet: 20 * ms, RoundTrip: 120 * ms, EndSystem: 90 * ms, R: 82, ExtR: quality.Unknown, MOSLQ: 4.12, MOSCQ: 3.96, Concealed: true,
		Nominal: 40 * ms, Maximum: 80 * ms, AbsoluteMax: 200 * ms}
	b := m.AppendBlock([]byte{0xee})
	require.Equal(t, "ee"+"07000008"+"01020304"+"80ff4020"+"003c4e20"+"0078005a"+"7f7f7f10"+"527f2928"+"f0000028"+"005000c8", hex.EncodeToString(b))
	require.Len(t, b, 1+quality.BlockSize)
	back, err := quality.ParseBlock(b[1:])
	require.NoError(t, err)
	require.InDelta(t, 255.0/256, back.Discard, 1e-9)
	require.Equal(t, b[1:], back.AppendBlock(nil))
	require.InDelta(t, 60, back.Bursts.Burst, 0, "milliseconds")

	odd := quality.Metrics{Loss: -1, Discard: math.NaN(), RoundTrip: time.Hour, EndSystem: -1, R: 129, MOSLQ: 9, MOSCQ: math.NaN()}.AppendBlock(nil)
	require.Equal(t, "07000008"+"00000000"+"00000000"+"00000000"+"ffff0000"+"7f7f7f10"+"7f007f7f"+"70000000"+"00000000", hex.EncodeToString(odd))
	for _, bad := range [][]byte{nil, b, b[1:30], append([]byte{4}, b[2:]...)} {
		_, err := quality.ParseBlock(bad)
		require.ErrorIs(t, err, quality.ErrBlock)
	}
}

// FuzzParseBlock: whatever is read is in range, and is written as it reads.
func FuzzParseBlock(f *testing.F) {
	f.Add(quality.Metrics{R: 90, MOSLQ: 4.4, MOSCQ: 4.3, Packet: 20 * ms}.AppendBlock(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := quality.ParseBlock(b)
		if err != nil {
			return
		}
		require.True(t, m.R == quality.Unknown || m.R >= 0 && m.R <= 100)
		require.True(t, m.MOSCQ == 0 || m.MOSCQ >= 1 && m.MOSCQ <= 5)
		again, err := quality.ParseBlock(m.AppendBlock(nil))
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}
