package sim

import (
	"fmt"
	"math"
	"time"
)

// Limits of the formulas.
const (
	// MaxAgents is the largest number of agents, and of erlangs, that Traffic.With and Staff take.
	MaxAgents = 200_000
	// MaxPatience is the largest mean patience, in handling times, of the formula with hang-ups; who is more patient never hangs up.
	MaxPatience = 1000
)

// ErlangB returns the probability that a work is blocked by a group of agents without a queue, offered so many erlangs of load
// (Erlang 1917). It is 1 without agents and 0 without load; a load above agents is as good as any. It is NaN if an argument is negative,
// infinite or not a number. The relative error is below 1e-10 up to 100 000 agents, as long as the result is above 1e-300; below that it is
// 0. It takes time in proportion to agents.
//
// It is the recursion 1/B(n) = 1 + n/load/B(n-1) (Jagerman 1974): all terms are positive, so nothing cancels and nothing overflows but a
// result that is 0.
func ErlangB(agents int, load float64) float64 {
	if agents < 0 || !(load >= 0) || math.IsInf(load, 1) {
		return math.NaN()
	}
	return 1 / inverseB(agents, load)
}

func inverseB(agents int, load float64) float64 {
	if load == 0 && agents > 0 {
		return math.Inf(1)
	}
	inv := 1.0
	for n := 1; n <= agents && !math.IsInf(inv, 1); n++ {
		inv = 1 + inv*(float64(n)/load)
	}
	return inv
}

// ErlangC returns the probability that a work waits if nobody hangs up (Erlang 1917). It is 1 if the load is not below agents, where the
// queue grows without bound, and 1 without agents. Arguments and accuracy are as of ErlangB.
func ErlangC(agents int, load float64) float64 {
	b := ErlangB(agents, load)
	if math.IsNaN(b) || load >= float64(agents) {
		return math.Max(b, 1) // NaN stays NaN
	}
	n := float64(agents)
	return b / ((n-load)/n + load/n*b)
}

// Traffic is what comes to one queue: a Poisson stream of works, each of which keeps an agent busy for an exponentially distributed time.
type Traffic struct {
	// PerHour is the mean number of works per hour. If 0, nothing comes.
	PerHour float64
	// Handle is the mean time that one work keeps an agent: ringing, conversation and wrap-up. Required.
	Handle time.Duration
	// Patience is the mean of exponentially distributed patience, at most MaxPatience times Handle. If 0, nobody hangs up.
	Patience time.Duration
}

// Erlangs returns the load: the mean number of agents that would be busy if nobody had to wait.
func (t Traffic) Erlangs() float64 { return t.PerHour * t.Handle.Hours() }

func (t Traffic) check() error {
	load := t.Erlangs()
	switch {
	case t.Handle <= 0:
		return fmt.Errorf("%w: the handling time must be positive, it is %v", ErrInvalid, t.Handle)
	case !(t.PerHour >= 0) || math.IsInf(t.PerHour, 1):
		return fmt.Errorf("%w: %v works per hour", ErrInvalid, t.PerHour)
	case load > MaxAgents:
		return fmt.Errorf("%w: %.0f erlangs, at most %d", ErrInvalid, load, MaxAgents)
	case t.Patience < 0 || t.Patience/MaxPatience > t.Handle:
		return fmt.Errorf("%w: a patience of %v with a handling time of %v; it is at most %d times as long, and 0 if nobody hangs up", ErrInvalid,
			t.Patience, t.Handle, MaxPatience)
	}
	return nil
}

// Steady is what the formulas say of a queue in its steady state. Shares are from 0 to 1 and of all works. The zero Steady is not
// usable; Traffic.With makes one.
type Steady struct {
	Agents int
	// Wait is the probability that a work has to wait.
	Wait float64
	// Abandoned is the share of works that hang up. 0 if nobody does.
	Abandoned float64
	// Occupancy is the share of agents that is busy; 1 for a queue that grows without bound, 0 without agents.
	Occupancy float64
	// Queue is the mean number of works that wait; +Inf if it grows without bound.
	Queue float64
	// MeanWait is the mean wait in seconds of all works, those included that did not wait or hung up; +Inf if it grows without bound.
	MeanWait float64
	// ASA, the average speed of answer, is the mean wait in seconds of the works that are answered; NaN if none ever is.
	ASA float64

	mu    float64 // works an agent ends per second
	spare float64 // Erlang C: rate at which the wait's tail decays, per second

	theta, kappa, eta float64 // Erlang A, see erlangA
	free, served      float64 // probability of no wait; of an answer after some wait
	logJ              float64 // logarithm of series(kappa+1, eta)
}

// With returns what so many agents, from 0 to MaxAgents, make of the traffic: by Erlang C if nobody hangs up, else by Erlang A (Palm 1957;
// Garnett, Mandelbaum and Reiman 2002). The relative error of every figure above 1e-300 is below 1e-9 up to 100 000 agents and a patience of
// 10 handling times. An error wraps ErrInvalid.
func (t Traffic) With(agents int) (Steady, error) {
	if err := t.check(); err != nil {
		return Steady{}, err
	}
	if agents < 0 || agents > MaxAgents {
		return Steady{}, fmt.Errorf("%w: %d agents; from 0 to %d", ErrInvalid, agents, MaxAgents)
	}
	if t.Patience == 0 {
		return t.erlangC(agents), nil
	}
	return t.erlangA(agents), nil
}

func (t Traffic) erlangC(agents int) Steady {
	load, mu := t.Erlangs(), 1/t.Handle.Seconds()
	s := Steady{Agents: agents, Wait: ErlangC(agents, load), mu: mu, spare: (float64(agents) - load) * mu}
	if load >= float64(agents) {
		s.Occupancy, s.Queue, s.MeanWait, s.ASA = 1, math.Inf(1), math.Inf(1), math.Inf(1)
		if agents == 0 {
			s.Occupancy, s.ASA = 0, math.NaN()
		}
		if load == 0 { // nobody comes, so nobody waits for long
			s.Queue, s.MeanWait = 0, 0
		}
		return s
	}
	s.Occupancy = load / float64(agents)
	s.MeanWait = s.Wait / s.spare
	s.ASA, s.Queue = s.MeanWait, s.MeanWait*load*mu
	return s
}

// erlangA uses the density of the wait that a work would have if it stayed (Baccelli and Hebuterne 1981), which for exponential patience is
//
//	lambda pi(c-1) exp(eta (1-u) - kappa theta x)   with u = exp(-theta x), eta = lambda/theta, kappa = c mu/theta,
//
// so that every figure is an integral over u of a power and an exponential. All are sums of the positive series J(k) = sum of
// eta^j / (k (k+1) ... (k+j)), so nothing cancels. pi(c-1) is set to 1 and normalised at the end.
func (t Traffic) erlangA(agents int) Steady {
	load, mu, theta := t.Erlangs(), 1/t.Handle.Seconds(), 1/t.Patience.Seconds()
	s := Steady{Agents: agents, mu: mu, theta: theta, kappa: float64(agents) * mu / theta, eta: load * mu / theta}
	if agents == 0 {
		s.Wait, s.Abandoned, s.Queue, s.MeanWait, s.ASA = 1, 1, s.eta, 1/theta, math.NaN()
		return s
	}
	inv := inverseB(agents-1, load)
	if math.IsInf(inv, 1) {
		s.free, s.Occupancy = 1, load/float64(agents)
		return s
	}
	j := series(s.kappa+1, s.eta)
	scaled := math.Exp(-j.log) // every sum below is in units of exp(j.log)
	j0 := (scaled + s.eta*j.sum) / s.kappa
	all := inv*scaled + s.eta*j0
	s.free, s.Wait, s.served = inv*scaled/all, s.eta*j0/all, s.eta*j.sum/all
	s.logJ = j.log + math.Log(j.sum)
	s.Abandoned = s.eta * j.counted / s.kappa / all
	s.MeanWait = s.Abandoned / theta
	s.Queue = s.MeanWait * load * mu
	answered := s.free + s.served
	s.ASA = s.eta * j.harmonic / all / theta / answered
	s.Occupancy = load * answered / float64(agents)
	return s
}

// Within returns the share of all works that are answered within a time, those that hang up counted against. The absolute error is below
// 1e-9. It is the share that does not wait if the time is 0, and 0 if it is negative.
func (s Steady) Within(limit time.Duration) float64 {
	x := limit.Seconds()
	switch {
	case x < 0 || s.Agents == 0 || s.mu == 0:
		return 0
	case s.theta == 0 && s.spare <= 0:
		return 0
	case s.theta == 0:
		return 1 - s.Wait*math.Exp(-s.spare*x)
	case x == 0 || s.served == 0:
		return s.free
	}
	// The part of the integral beyond x, relative to the whole.
	u := math.Exp(-s.theta * x)
	beyond := series(s.kappa+1, s.eta*u)
	exponent := -s.eta*math.Expm1(-s.theta*x) - (s.kappa+1)*s.theta*x
	return s.free - s.served*math.Expm1(math.Min(0, exponent+beyond.log+math.Log(beyond.sum)-s.logJ))
}

// sums are three sums over the terms s(j) = eta^j / (k (k+1) ... (k+j)), in units of exp(log).
type sums struct {
	sum      float64 // of s(j)
	counted  float64 // of (j+1) s(j)
	harmonic float64 // of s(j) (1/k + ... + 1/(k+j))
	log      float64
}

func series(k, eta float64) sums {
	const small, shift = 0x1p-900, 900
	term := 1 / k
	h := term
	out := sums{sum: term, counted: term, harmonic: term * h}
	for j := 1.0; ; j++ {
		next := 1 / (k + j)
		r := eta * next
		term *= r
		h += next
		out.sum += term
		out.counted += term * (j + 1)
		out.harmonic += term * h
		if term > 1/small {
			term, out.sum, out.counted, out.harmonic = term*small, out.sum*small, out.counted*small, out.harmonic*small
			out.log += shift * math.Ln2
		}
		// What follows is less than a geometric series of ratio r.
		if r < 1 && term*r*(j+1+1/(1-r)) < 1e-17*(1-r)*out.counted {
			return out
		}
	}
}
