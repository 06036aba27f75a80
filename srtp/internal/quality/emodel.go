package quality

import (
	"math"
	"time"
)

// Scale says what R is measured against.
type Scale uint8

// The scales. Zero is Narrowband.
const (
	Narrowband Scale = iota // ITU-T G.107: R up to 93.2
	Wideband                // ITU-T G.107.1: R up to 129
)

// String returns the scale's name.
func (s Scale) String() string {
	if s == Wideband {
		return "wideband"
	}
	return "narrowband"
}

// best is R without any impairment, with the default values of G.107 and G.107.1.
func (s Scale) best() float64 {
	if s == Wideband {
		return 129
	}
	return 93.2
}

// Codec is how a codec sounds and how it stands loss.
type Codec struct {
	Name string
	// Scale is what Ie and Bpl are measured on.
	Scale Scale
	// Ie is the impairment without loss. Bpl is the robustness against loss, above 0: the greater, the better.
	Ie, Bpl float64
	// Estimate says that the values are not from a recommendation.
	Estimate bool
}

// The codecs.
var (
	// G711 is G.711 that plays silence for a lost packet, G711PLC with concealment (G.711 Appendix I); values of ITU-T G.113 Appendix I.
	G711    = Codec{Name: "G.711", Bpl: 4.3}
	G711PLC = Codec{Name: "G.711 with concealment", Bpl: 25.1}
	// G722 is G.722 at 64 kbit/s on the wideband scale. Ie is that of ITU-T G.113 Appendix IV; Bpl is an estimate.
	G722 = Codec{Name: "G.722", Scale: Wideband, Ie: 13, Bpl: 4.9, Estimate: true}
	// Opus is opus at 24 kbit/s or more with its own concealment, on the wideband scale. No recommendation has values for it.
	Opus = Codec{Name: "opus", Scale: Wideband, Ie: 8, Bpl: 12, Estimate: true}
)

// Path is what one direction of a call did to the packets.
type Path struct {
	// Loss is the share of packets that were not played, lost on the way or discarded, 0 to 1.
	Loss float64
	// BurstRatio is how much longer the runs of loss are than random loss makes them, from 1. If zero, 1: random loss.
	BurstRatio float64
	// OneWay is the delay from mouth to ear: packetisation, half the round trip, playout buffer, devices. If zero, none.
	OneWay time.Duration
}

// Rating is what a listener heard.
type Rating struct {
	// R is the transmission rating, 0 to 93.2 on the narrowband scale and to 129 on the wideband scale.
	R float64
	// MOS is the estimated mean opinion score of a conversation (MOS-CQE), 1 to 4.5, on the same scale: 4.41 is the best narrowband call.
	MOS float64
	// Listening is the score without the delay (MOS-LQE).
	Listening float64
	// Scale is what both are measured against.
	Scale Scale
	// Estimate says that the codec's values are not from a recommendation.
	Estimate bool
}

// Rate estimates the quality of one direction. Values out of range count as the nearest in range.
func Rate(c Codec, p Path) Rating {
	loss := c.Scale.best() - c.effective(p)
	r := max(loss-delayImpairment(p.OneWay), 0)
	loss = max(loss, 0)
	return Rating{R: r, MOS: score(r, c.Scale), Listening: score(loss, c.Scale), Scale: c.Scale, Estimate: c.Estimate}
}

// effective is Ie,eff of G.107 section 7.5. The 95 of the narrowband formula is the rating that loss can take away; it is 129 on the
// wideband scale (G.107.1 section 7.5).
func (c Codec) effective(p Path) float64 {
	ppl := 100 * clamp(p.Loss, 0, 1)
	burst := p.BurstRatio
	if !(burst > 1) {
		burst = 1
	}
	most := 95.0
	if c.Scale == Wideband {
		most = c.Scale.best()
	}
	return c.Ie + (most-c.Ie)*ppl/(ppl/burst+max(c.Bpl, 0.1))
}

// delayImpairment is Id of G.107 section 7.4 for an echo loss of 65 dB: talker echo and absolute delay. Listener echo is nothing with the default values.
func delayImpairment(oneWay time.Duration) float64 {
	t := clamp(float64(oneWay)/float64(time.Millisecond), 0, 10_000)
	const (
		telr = 65.0
		no   = -61.18 // noise sum of the default values, dBm0p
		rlr  = 2.0
	)
	terv := telr - 40*math.Log10((1+t/10)/(1+t/150)) + 6*math.Exp(-0.3*t*t)
	half := (-1.5*(no-rlr) - (80 + 2.5*(terv-14))) / 2
	echo := (half + math.Sqrt(half*half+100) - 1) * (1 - math.Exp(-t))
	return max(echo, 0) + absoluteDelay(t)
}

// absoluteDelay is Idd: nothing up to 100 ms.
func absoluteDelay(t float64) float64 {
	if t <= 100 {
		return 0
	}
	x := math.Log2(t / 100)
	return 25 * (math.Pow(1+math.Pow(x, 6), 1.0/6) - 3*math.Pow(1+math.Pow(x/3, 6), 1.0/6) + 2)
}

// MOS returns the mean opinion score of a narrowband R (G.107 Annex B).
func MOS(r float64) float64 {
	switch {
	case !(r > 0):
		return 1
	case r >= 100:
		return 4.5
	}
	// The formula dips below 1 for R under 6.5, where nobody would notice.
	return max(1+0.035*r+r*(r-60)*(100-r)*7e-6, 1)
}

// score is MOS on either scale: the wideband scale is the narrowband one, longer by 1.29 (G.107.1 Annex A).
func score(r float64, s Scale) float64 {
	if s == Wideband {
		r /= 1.29
	}
	return MOS(r)
}

func clamp(v, low, high float64) float64 {
	if !(v > low) { // NaN as well
		return low
	}
	return min(v, high)
}
