package media_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// TestBenchRatios prints the SRTP relay step against a plain UDP relay step: the median of nine alternating pairs.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	r := newRelay(t)
	payload := frame(1)
	const batches = 60
	var rs []float64
	r.round(batches, payload, r.steps)
	r.round(batches, payload, r.plainSteps)
	for range 9 {
		ours, plain := r.round(batches, payload, r.steps), r.round(batches, payload, r.plainSteps)
		rs = append(rs, float64(ours)/float64(plain))
	}
	slices.Sort(rs)
	fmt.Printf("ratio srtp/relay-step %.2f goal <= %.2f\n", rs[len(rs)/2], 1.5)
}
