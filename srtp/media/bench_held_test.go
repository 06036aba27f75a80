package media_test

import (
	"testing"
	"time"
)

// callsHeld is how many calls the machine relays with less than 0.1 % of the packets lost and 99 % through within 5 ms. The phones run on the same cores, so it
// is less than the relay holds alone.
func callsHeld(t *testing.T, kind string) (held int) {
	for calls := 100; calls <= 2000; calls += 100 {
		f := runRelay(t, kind, calls, 4*time.Second)
		if float64(f.sent-f.received) > 0.001*float64(f.sent) || f.p99 > 5*time.Millisecond {
			t.Logf("%s, %d calls: p50 %v, p99 %v, %d of %d lost", kind, calls, f.p50, f.p99, f.sent-f.received, f.sent)
			break
		}
		held = calls
	}
	return held
}
