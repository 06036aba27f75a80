package sim_test

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd/sim"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// far is the relative distance of a figure from what is right.
func far(got float64, want *big.Float) float64 {
	if want.Sign() == 0 {
		return math.Abs(got)
	}
	d := new(big.Float).SetPrec(160).SetFloat64(got)
	d.Sub(d, want).Quo(d, want)
	f, _ := d.Float64()
	return math.Abs(f)
}

func bigly(x float64) *big.Float { return new(big.Float).SetPrec(160).SetFloat64(x) }

// chain solves the birth and death process of c agents by its balance equations in 160 bits: nothing in it is shared with the formulas.
// theta 0 is a queue in which nobody hangs up, which needs lambda < c mu.
func chain(c int, lambda, mu, theta float64) (wait, queue, abandoned *big.Float) {
	l := bigly(lambda)
	p, all, waiting, length, tmp := bigly(1), bigly(1), bigly(0), bigly(0), bigly(0)
	if c == 0 {
		waiting = bigly(1)
	}
	for n := 1; ; n++ {
		// The rate out of n is exact: products of small integers and given floats.
		rate := new(big.Float).SetPrec(160).Mul(bigly(float64(min(n, c))), bigly(mu))
		if n > c {
			rate.Add(rate, new(big.Float).SetPrec(160).Mul(bigly(float64(n-c)), bigly(theta)))
		}
		p.Quo(tmp.Mul(p, l), rate)
		all.Add(all, p)
		if n >= c {
			waiting.Add(waiting, p)
			length.Add(length, tmp.Mul(p, bigly(float64(n-c))))
		}
		down, _ := rate.Float64()
		if r := lambda / down; n > c && n%16 == 0 && r < 1 { // the rest is less than a geometric series
			rest := new(big.Float).SetPrec(160).Quo(p, bigly((1-r)*(1-r)))
			rest.Mul(rest, bigly(float64(n)*1e25))
			if rest.Cmp(waiting) < 0 {
				break
			}
		}
	}
	wait, queue = waiting.Quo(waiting, all), length.Quo(length, all)
	abandoned = new(big.Float).SetPrec(160).Mul(queue, bigly(theta))
	return wait, queue, abandoned.Quo(abandoned, l)
}

func TestErlangBIsExact(t *testing.T) {
	for _, load := range []*big.Rat{big.NewRat(1, 100), big.NewRat(1, 2), big.NewRat(5, 1), big.NewRat(17, 2), big.NewRat(40, 1), big.NewRat(300, 1)} {
		a, _ := load.Float64()
		term, sum := big.NewRat(1, 1), big.NewRat(1, 1) // a^n/n! and its sum: the definition, in exact fractions
		require.Equal(t, 1.0, sim.ErlangB(0, a))
		for n := 1; n <= 60; n++ {
			term = new(big.Rat).Mul(term, new(big.Rat).Quo(new(big.Rat).SetFloat64(a), new(big.Rat).SetInt64(int64(n))))
			sum = new(big.Rat).Add(sum, term)
			want := new(big.Float).SetPrec(160).SetRat(new(big.Rat).Quo(term, sum))
			require.Less(t, far(sim.ErlangB(n, a), want), 1e-14, "%d agents, %v erlangs", n, a)
		}
	}
}

// Tables of traffic engineering, as printed since Brockmeyer, Halstrom and Jensen 1948 and in every book after it.
func TestPublishedTables(t *testing.T) {
	for _, c := range []struct {
		trunks        int
		load, blocked float64
	}{{1, 0.0101, 0.01}, {5, 1.3608, 0.01}, {10, 4.4612, 0.01}, {100, 84.064, 0.01}, {10, 6.2157, 0.05}, {20, 15.249, 0.05}, {50, 37.901, 0.01}} {
		require.InEpsilon(t, c.blocked, sim.ErlangB(c.trunks, c.load), 2e-3, "%d trunks", c.trunks)
	}
	for _, c := range []struct {
		agents int
		load   float64
		wait   float64
	}{{2, 1, .333333}, {5, 4, .554113}, {10, 8, .409180}, {20, 18, .550769}, {50, 45, .363864}, {100, 95, .506457}} {
		require.InDelta(t, c.wait, sim.ErlangC(c.agents, c.load), 1e-6, "%d agents", c.agents)
	}
	// The textbook's 200 calls of three minutes an hour.
	s, err := sim.Traffic{PerHour: 200, Handle: 3 * time.Minute}.With(14)
	require.NoError(t, err)
	require.InDelta(t, .1741, s.Wait, 5e-5)
	require.InDelta(t, .8884, s.Within(20*time.Second), 5e-5)
	require.InDelta(t, 7.8, s.ASA, .05)
	// With hang-ups: 4.2 a minute, handled in 2, patience of 1.
	s, err = sim.Traffic{PerHour: 252, Handle: 2 * time.Minute, Patience: time.Minute}.With(12)
	require.NoError(t, err)
	require.InDelta(t, .12737, s.Wait, 5e-6)
	require.InDelta(t, .02968, s.Abandoned, 5e-6)
	require.InDelta(t, .6792, s.Occupancy, 5e-5)
}

// Every figure against the balance equations in 160 bits.
func TestFormulasAgreeWithBalanceEquations(t *testing.T) {
	worst := map[string]float64{}
	see := func(name string, got float64, want *big.Float, c int, load float64) {
		d := far(got, want)
		worst[name] = max(worst[name], d)
		if d > 1e-9 {
			t.Errorf("%s of %d agents at %v erlangs: %v, off by %v", name, c, load, got, d)
		}
	}
	for _, c := range []int{1, 2, 3, 10, 37, 200, 1000, 10_000, 100_000} {
		for _, rho := range []float64{.01, .5, .9, .99, .9999, 1, 1.1, 2} {
			if c == 100_000 && (testing.Short() || race || rho != .99 && rho != 1.1) || c == 10_000 && (rho < .9 || rho == 1) || race && c > 200 {
				continue
			}
			handle := 200 * time.Second
			load := rho * float64(c)
			traffic := sim.Traffic{PerHour: load * 18, Handle: handle}
			lambda, mu := traffic.PerHour/3600, 1/handle.Seconds()
			if rho <= .99 && (rho <= .9 || c < 10_000) { // nearer to full load the balance equations need millions of states
				wait, queue, _ := chain(c, lambda, mu, 0)
				s, err := traffic.With(c)
				require.NoError(t, err)
				if w, _ := wait.Float64(); w > 1e-290 {
					see("C wait", s.Wait, wait, c, load)
					see("C queue", s.Queue, queue, c, load)
				}
			}
			for _, patience := range []float64{.1, 1, 10} {
				traffic.Patience = time.Duration(patience * float64(handle))
				wait, queue, abandoned := chain(c, lambda, mu, 1/traffic.Patience.Seconds())
				if w, _ := wait.Float64(); w < 1e-290 {
					continue
				}
				s, err := traffic.With(c)
				require.NoError(t, err)
				see("A wait", s.Wait, wait, c, load)
				see("A queue", s.Queue, queue, c, load)
				see("A abandoned", s.Abandoned, abandoned, c, load)
				if testing.Short() || c >= 10_000 && patience < 10 {
					break
				}
			}
		}
	}
	t.Logf("largest relative errors: %v", worst)
}

// tagged follows one customer through the chain by uniformisation: an account of the wait's distribution that knows nothing of densities.
// It returns the share answered within x, and the mean wait of those answered at all.
func tagged(c int, lambda, mu, theta, x float64) (within, asa float64) {
	most := c + 400
	p := make([]float64, most+1) // who finds n others
	p[0] = 1
	var all float64
	for n := 0; n <= most; n++ {
		if n > 0 {
			p[n] = p[n-1] * lambda / (float64(min(n, c))*mu + float64(max(0, n-c))*theta)
		}
		all += p[n]
	}
	ahead := make([]float64, most-c+1) // probability that so many wait before the customer
	for n := range p {
		if p[n] /= all; n < c {
			within += p[n]
		} else {
			ahead[n-c] = p[n]
		}
	}
	// The mean: with k before, the next of c mu + (k+1) theta events is the customer's own hanging up with theta's part.
	direct := within
	var answered, waited float64
	reach, spent := 1.0, 0.0 // probability of being answered from k, and E[time; answered]
	for k := range ahead {
		total := float64(c)*mu + float64(k+1)*theta
		if k == 0 {
			reach = float64(c) * mu / total
			spent = reach / total
		} else {
			on := (float64(c)*mu + float64(k)*theta) / total
			spent = on * (reach/total + spent)
			reach *= on
		}
		answered += ahead[k] * reach
		waited += ahead[k] * spent
	}
	asa = waited / (answered + direct)
	rate := float64(c)*mu + float64(len(ahead)+1)*theta
	// P(n steps of the uniformised chain by x) mixes the states after n steps.
	steps := int(rate*x + 12*math.Sqrt(rate*x) + 40)
	served, state := 0.0, ahead
	logWeight := -rate * x
	for n := 0; n <= steps; n++ {
		within += math.Exp(logWeight) * served
		logWeight += math.Log(rate*x) - math.Log(float64(n+1))
		next := make([]float64, len(state))
		for k, w := range state {
			down := (float64(c)*mu + float64(k)*theta) / rate
			if k == 0 {
				served += w * float64(c) * mu / rate
			} else {
				next[k-1] += w * down
			}
			next[k] += w * (1 - down - theta/rate)
			if k == 0 {
				next[0] += w * (down - float64(c)*mu/rate)
			}
		}
		state = next
	}
	return within, asa
}

func TestServiceLevelAgreesWithOneTaggedCustomer(t *testing.T) {
	for _, c := range []int{1, 5, 14, 60} {
		for _, rho := range []float64{.3, .8, 1, 1.3} {
			for _, patience := range []time.Duration{30 * time.Second, 3 * time.Minute} {
				traffic := sim.Traffic{PerHour: rho * float64(c) * 20, Handle: 3 * time.Minute, Patience: patience}
				s, err := traffic.With(c)
				require.NoError(t, err)
				for _, within := range []time.Duration{time.Millisecond, 5 * time.Second, 20 * time.Second, 2 * time.Minute, 10 * time.Minute} {
					level, asa := tagged(c, traffic.PerHour/3600, 1/180., 1/patience.Seconds(), within.Seconds())
					require.InDelta(t, level, s.Within(within), 1e-10, "%d agents, %v, %v, %v", c, rho, patience, within)
					require.InEpsilon(t, asa, s.ASA, 1e-10, "%d agents, %v, %v", c, rho, patience)
				}
			}
		}
	}
}

func TestFormulasAtTheirEdges(t *testing.T) {
	require.Equal(t, 1.0, sim.ErlangB(0, 0))
	require.Equal(t, 1.0, sim.ErlangB(0, 5))
	require.Zero(t, sim.ErlangB(3, 0))
	require.Zero(t, sim.ErlangB(100_000, 1), "below the smallest float")
	require.InDelta(t, .5, sim.ErlangB(100_000, 200_000), 1e-4)
	require.Equal(t, 1.0, sim.ErlangC(5, 5))
	require.Equal(t, 1.0, sim.ErlangC(5, 50))
	require.Equal(t, 1.0, sim.ErlangC(0, 0))
	require.Zero(t, sim.ErlangC(5, 0))
	for _, bad := range []float64{math.NaN(), math.Inf(1), -1} {
		require.True(t, math.IsNaN(sim.ErlangB(3, bad)) && math.IsNaN(sim.ErlangC(3, bad)), "%v", bad)
	}
	require.True(t, math.IsNaN(sim.ErlangB(-1, 1)))

	over, err := sim.Traffic{PerHour: 100, Handle: time.Hour}.With(100)
	require.NoError(t, err)
	require.True(t, math.IsInf(over.ASA, 1) && math.IsInf(over.Queue, 1) && over.Wait == 1 && over.Occupancy == 1 && over.Within(time.Hour) == 0)
	none, err := sim.Traffic{PerHour: 60, Handle: time.Minute, Patience: 2 * time.Minute}.With(0)
	require.NoError(t, err)
	require.True(t, none.Wait == 1 && none.Abandoned == 1 && none.Occupancy == 0 && none.Within(time.Hour) == 0 && math.IsNaN(none.ASA))
	require.InDelta(t, 2, none.Queue, 1e-12, "who comes waits for two minutes and goes")
	idle, err := sim.Traffic{Handle: time.Minute, Patience: time.Minute}.With(3)
	require.NoError(t, err)
	require.True(t, idle.Wait == 0 && idle.Abandoned == 0 && idle.Within(0) == 1 && idle.Queue == 0 && idle.ASA == 0)
	huge, err := sim.Traffic{PerHour: 3600 * 2000, Handle: 100 * time.Second, Patience: 100 * time.Second}.With(100_000)
	require.NoError(t, err)
	require.InDelta(t, .5, huge.Abandoned, 1e-6, "twice the load: half go")

	for _, bad := range []sim.Traffic{{PerHour: 1}, {PerHour: -1, Handle: 1}, {PerHour: math.NaN(), Handle: 1}, {PerHour: math.Inf(1), Handle: 1},
		{PerHour: 1, Handle: -1}, {PerHour: 1, Handle: time.Second, Patience: -1}, {PerHour: 1, Handle: time.Second, Patience: time.Hour},
		{PerHour: 1e9, Handle: time.Hour}} {
		_, err := bad.With(1)
		require.ErrorIs(t, err, sim.ErrInvalid, "%+v", bad)
	}
	for _, n := range []int{-1, sim.MaxAgents + 1} {
		_, err = sim.Traffic{PerHour: 1, Handle: time.Minute}.With(n)
		require.ErrorIs(t, err, sim.ErrInvalid)
	}
}

// What must hold between figures, whatever they are.
func TestIdentities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.IntRange(1, 300).Draw(t, "agents")
		traffic := sim.Traffic{PerHour: rapid.Float64Range(.1, 10_000).Draw(t, "rate"), Handle: time.Duration(rapid.Int64Range(1e9, 1200e9).Draw(t, "handle"))}
		traffic.Patience = min(time.Duration(rapid.Int64Range(1e8, 3600e9).Draw(t, "patience")), 100*traffic.Handle)
		load := traffic.Erlangs()
		near := func(what string, a, b float64) {
			if math.Abs(a-b) > 1e-9*max(math.Abs(a), math.Abs(b))+1e-12 {
				t.Fatalf("%s: %v and %v", what, a, b)
			}
		}
		// The recursion as printed, against which ours is turned upside down.
		b := sim.ErlangB(c-1, load)
		near("B(n) = a B(n-1) / (n + a B(n-1))", sim.ErlangB(c, load), load*b/(float64(c)+load*b))
		s, err := traffic.With(c)
		if err != nil {
			t.Fatal(err)
		}
		next, _ := traffic.With(c + 1)
		near("conservation of works", s.Occupancy*float64(c), load*(1-s.Abandoned))
		near("Little", s.Queue, s.MeanWait*traffic.PerHour/3600)
		near("abandoned = theta E[wait]", s.Abandoned, s.MeanWait/traffic.Patience.Seconds())
		near("not at once", s.Within(0), 1-s.Wait)
		near("in the end", s.Within(400*time.Hour), 1-s.Abandoned)
		before := -1.0
		for _, x := range []time.Duration{-1, 0, 1, time.Second, 20 * time.Second, time.Minute, time.Hour} {
			l := s.Within(x)
			if l < before-1e-9 || l > 1+1e-9 {
				t.Fatalf("level falls from %v to %v at %v", before, l, x)
			}
			before = l
			if next.Within(x) < l-1e-9 {
				t.Fatalf("an agent more makes the level worse")
			}
		}
		if next.Wait > s.Wait+1e-12 || next.Abandoned > s.Abandoned+1e-12 || next.ASA > s.ASA*(1+1e-9)+1e-12 || next.Occupancy > s.Occupancy+1e-12 {
			t.Fatalf("an agent more makes it worse: %+v then %+v", s, next)
		}
		if load < .99*float64(c) { // the patient limit
			patient := traffic
			patient.Patience = sim.MaxPatience * traffic.Handle
			a, _ := patient.With(c)
			patient.Patience = 0
			e, _ := patient.With(c)
			if a.Wait > e.Wait+1e-12 || e.Wait > 1e-9 && load < .8*float64(c) && a.Wait < .9*e.Wait {
				t.Fatalf("with great patience %v wait, without hanging up %v", a.Wait, e.Wait)
			}
			near("C Little", e.Queue, e.MeanWait*traffic.PerHour/3600)
			near("C mean wait", e.MeanWait, sim.ErlangC(c, load)*traffic.Handle.Seconds()/(float64(c)-load))
		}
	})
}
