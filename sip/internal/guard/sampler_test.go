package guard

import (
	"net/netip"
	"testing"
	"time"
)

func TestSamplerTellsOfEachSourceOnceAndCountsTheRest(t *testing.T) {
	s := NewSampler(time.Minute, 3, 100)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	now := time.Unix(1e9, 0)
	told := func(kind string, src netip.Addr, want int) {
		t.Helper()
		n, tell := s.Count(kind, src, now)
		if (want > 0) != tell || n != want {
			t.Fatalf("%s: %d, %v; want %d", kind, n, tell, want)
		}
	}
	told("malformed", a, 1)
	for range 9 {
		told("malformed", a, 0)
	}
	told("malformed", b, 1)
	told("scan", a, 1)
	told("scan", b, 0) // three in a minute are enough, whoever they are of
	now = now.Add(time.Minute)
	told("malformed", a, 10)
	told("scan", b, 2)
}
