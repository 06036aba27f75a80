package guard_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/sip/internal/guard"
)

var (
	start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	here  = netip.MustParseAddr("192.0.2.1")
	there = netip.MustParseAddr("192.0.2.2")
)

func nth(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }

func TestSource(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "fe80::1%eth0": "fe80::",
	} {
		require.Equal(t, want, guard.Source(netip.MustParseAddr(in)).String())
	}
	require.False(t, guard.Source(netip.Addr{}).IsValid())
}

func TestRates(t *testing.T) {
	r := guard.NewRates(10, 20, 1000, 50, 100)
	count := func(src netip.Addr, n int, exempt bool, now time.Time) (ok int, last guard.Verdict) {
		for range n {
			if last = r.Admit(src, exempt, now); last == guard.Admitted {
				ok++
			}
		}
		return ok, last
	}
	n, v := count(here, 100, false, start)
	require.Equal(t, 20, n)
	require.Equal(t, guard.SourceFull, v)
	n, _ = count(here, 100, false, start.Add(time.Second))
	require.Equal(t, 10, n, "ten a second")
	n, v = count(there, 100, true, start.Add(time.Second))
	require.Equal(t, guard.AllFull, v)
	require.Equal(t, 40, n, "exempt of its own limit, not of that for all")
	r.Refund(here, 2)
	n, _ = count(here, 100, false, start.Add(time.Second))
	require.Equal(t, 2, n)
	require.Equal(t, guard.SourceFull, r.Admit(here, false, start), "a clock that goes back gives nothing")
}

// TestRatesHold: over any history, what one source was admitted never exceeds burst + rate * time, and memory is bounded.
func TestRatesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rate, burst, size = 5, 8, 16
		r := guard.NewRates(rate, burst, 1e6, 1e6, size)
		now, admitted := start, map[netip.Addr]float64{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 500).Draw(t, "ms")) * time.Millisecond)
			src := nth(rapid.IntRange(0, size-1).Draw(t, "src"))
			if r.Admit(src, false, now) == guard.Admitted {
				admitted[src]++
			}
			if limit := burst + rate*now.Sub(start).Seconds(); admitted[src] > limit+1e-6 {
				t.Fatalf("%v admitted of %v", admitted[src], limit)
			}
		}
		for i := range 1000 {
			r.Admit(nth(i), false, now)
		}
		if r.Sources() > size {
			t.Fatalf("%d sources", r.Sources())
		}
	})
}

func locks() *guard.Locks {
	return guard.NewLocks(guard.LockConfig{After: 5, SourceAfter: 50, First: time.Second, Max: 15 * time.Minute, Forget: time.Hour, Size: 1000})
}

func TestLockGrows(t *testing.T) {
	l := locks()
	now := start
	for range 4 {
		l.Fail("r", "u", here, now)
		require.False(t, l.Locked("r", "u", here, false, now))
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
		l.Fail("r", "u", here, now)
		end := now.Add(want * time.Second)
		require.True(t, l.Locked("r", "u", here, false, end.Add(-time.Millisecond)))
		require.False(t, l.Locked("r", "u", here, false, end))
		now = end
	}
	require.False(t, l.Locked("r", "u", there, false, now), "the phone elsewhere")
	require.False(t, l.Locked("r", "v", here, false, now))
	l.Fail("r", "u", here, now)
	l.Succeed("r", "u", there)
	require.True(t, l.Locked("r", "u", here, false, now), "a success elsewhere clears nothing here")
	l.Succeed("r", "u", here)
	require.False(t, l.Locked("r", "u", here, false, now))
}

func TestSpraySlowsTheSource(t *testing.T) {
	l := locks()
	for i := range 50 {
		l.Fail("r", string(rune('a'+i)), here, start)
	}
	require.True(t, l.Locked("r", "fresh", here, false, start))
	require.False(t, l.Locked("r", "fresh", here, true, start), "a connection that proved a password before")
	require.False(t, l.Locked("r", "fresh", there, false, start))
	// A single phone with an old password that tries whenever it may does not lock its office, in a day.
	l = locks()
	for now := start; now.Before(start.Add(24 * time.Hour)); now = now.Add(time.Second) {
		if !l.Locked("r", "old", here, false, now) {
			l.Fail("r", "old", here, now)
		}
		require.False(t, l.Locked("r", "neighbour", here, false, now))
	}
}

// TestNobodyLocksOutAnother: whatever strangers do from elsewhere, a phone whose own source never failed is never locked.
func TestNobodyLocksOutAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := locks()
		now := start
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "ms")) * time.Millisecond)
			src := nth(rapid.IntRange(0, 50).Draw(t, "src"))
			if rapid.Bool().Draw(t, "fail") {
				l.Fail("r", "u", src, now)
			} else {
				l.Succeed("r", "u", src)
			}
			if l.Locked("r", "u", here, false, now) {
				t.Fatal("locked out by others")
			}
		}
		for i := range 5000 {
			l.Fail("r", "u", nth(i), now)
		}
		if u, s := l.Entries(); u > 1000 || s > 1000 {
			t.Fatalf("%d users, %d sources", u, s)
		}
	})
}

func bans() *guard.Bans {
	return guard.NewBans(guard.BanConfig{After: 100, Window: 10 * time.Minute, First: 10 * time.Minute, Max: 24 * time.Hour, Size: 1000})
}

func TestBanGrowsAndExpires(t *testing.T) {
	b := bans()
	now := start
	for _, want := range []time.Duration{10, 20, 40, 80} {
		var d time.Duration
		for i := 0; d == 0; i++ {
			require.Less(t, i, 101)
			d = b.Count(here, guard.Offence, now)
		}
		require.Equal(t, want*time.Minute, d)
		require.True(t, b.Banned(here, now.Add(d-time.Second)))
		require.False(t, b.Banned(there, now))
		require.Zero(t, b.Count(here, guard.Offence, now), "a ban does not grow by what is sent during it")
		now = now.Add(d)
		require.False(t, b.Banned(here, now))
	}
}

// TestOfficesSurvive: challenges and the odd wrong password of an office are paid off by its successes; a scan of extensions is not.
func TestOfficesSurvive(t *testing.T) {
	b := bans()
	for i := range 2000 { // every phone is challenged and answers; each tenth has a wrong password first
		require.Zero(t, b.Count(here, guard.Asked, start))
		if i%10 == 0 {
			require.Zero(t, b.Count(here, guard.Offence, start))
		}
		b.Pay(here)
	}
	n := 0
	for d := time.Duration(0); d == 0; n++ {
		d = b.Count(there, guard.Asked, start)
	}
	require.Equal(t, 500, n)
}

func TestBansAreBounded(t *testing.T) {
	b := bans()
	for i := range 5000 {
		for range 101 {
			b.Count(nth(i), guard.Offence, start)
		}
	}
	require.LessOrEqual(t, b.Sources(), 2000)
}

func TestKnown(t *testing.T) {
	k := guard.NewKnown(time.Hour, 10)
	require.False(t, k.Has("a", start))
	k.Add("a", start)
	require.True(t, k.Has("a", start.Add(time.Hour)))
	require.True(t, k.Has("a", start.Add(2*time.Hour)), "kept by use")
	require.False(t, k.Has("a", start.Add(3*time.Hour+time.Second)))
	for i := range 100 {
		k.Add(nth(i).String(), start)
	}
	require.Equal(t, 10, k.Len())
}
