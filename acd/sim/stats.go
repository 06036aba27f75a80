package sim

import (
	"fmt"
	"math"
)

// Estimate is a figure of a simulation with its confidence interval.
type Estimate struct {
	// Value is NaN if there was nothing to count.
	Value float64
	// Half is half the width of the interval; +Inf if fewer than two batches or replications say anything.
	Half float64
}

// Low returns the lower end of the interval.
func (e Estimate) Low() float64 { return e.Value - e.Half }

// High returns the upper end of the interval.
func (e Estimate) High() float64 { return e.Value + e.Half }

// Contains reports whether x lies in the interval. A figure of nothing contains nothing.
func (e Estimate) Contains(x float64) bool { return x >= e.Low() && x <= e.High() }

// String writes value and half width, such as "0.174 ±0.003".
func (e Estimate) String() string { return fmt.Sprintf("%.4g ±%.2g", e.Value, e.Half) }

// sample is what one batch or replication contributes to a ratio.
type sample struct{ y, x float64 }

// ratio estimates sum(y)/sum(x) with the interval of the ratio estimator over independent samples (Law and Kelton, chapter 9): the
// residuals y - ratio x are as good as normal.
func ratio(samples []sample, confidence float64) Estimate {
	var sy, sx float64
	for _, s := range samples {
		sy, sx = sy+s.y, sx+s.x
	}
	n := float64(len(samples))
	if sx == 0 {
		return Estimate{math.NaN(), math.Inf(1)}
	}
	e := Estimate{sy / sx, math.Inf(1)}
	if n < 2 {
		return e
	}
	var square float64
	for _, s := range samples {
		d := s.y - e.Value*s.x
		square += d * d
	}
	e.Half = studentT(confidence, len(samples)-1) * math.Sqrt(square/(n-1)/n) / (sx / n)
	return e
}

// studentT returns the half width, in standard errors, of a two-sided interval by Student's distribution.
func studentT(confidence float64, freedom int) float64 {
	low, high := 0.0, 1e9
	for range 200 {
		mid := (low + high) / 2
		if inside(mid, float64(freedom)) < confidence {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// inside is the probability that a Student variable lies between -t and t. It is 1 - I(n/(n+t^2); n/2, 1/2), an incomplete beta.
func inside(t, n float64) float64 {
	if t == 0 {
		return 0
	}
	x := n / (n + t*t)
	lg := func(v float64) float64 { y, _ := math.Lgamma(v); return y }
	front := math.Exp(lg(n/2+.5) - lg(n/2) - lg(.5) + n/2*math.Log(x) + .5*math.Log1p(-x))
	if x < (n/2+1)/(n/2+2.5) {
		return 1 - front*betaFraction(n/2, .5, x)/(n/2)
	}
	return front * betaFraction(.5, n/2, 1-x) / .5
}

// betaFraction is the continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
func betaFraction(a, b, x float64) float64 {
	const tiny = 1e-300
	c, d := 1.0, 1-(a+b)*x/(a+1)
	if math.Abs(d) < tiny {
		d = tiny
	}
	d = 1 / d
	out := d
	for m := 1.0; m < 10_000; m++ {
		before := out
		for _, k := range []float64{m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)), -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))} {
			if d = 1 + k*d; math.Abs(d) < tiny {
				d = tiny
			}
			if c = 1 + k/c; math.Abs(c) < tiny {
				c = tiny
			}
			d = 1 / d
			out *= c * d
		}
		if math.Abs(out-before) < 1e-15*math.Abs(out) {
			break
		}
	}
	return out
}
