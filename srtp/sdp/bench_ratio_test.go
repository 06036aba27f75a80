package sdp_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/sdp/v3"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/sdp"
)

// typical is an offer of 15 lines, as a carrier sends it.
var typical = []byte(strings.ReplaceAll(`v=0
o=- 6642 8441 IN IP4 203.0.113.10
s=call
c=IN IP4 203.0.113.10
t=0 0
m=audio 16510 RTP/SAVP 0 8 101
a=crypto:1 `+sdes80+`
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:60
a=rtcp-mux
a=sendrecv
`, "\n", "\r\n"))

func parseAndAnswer(t testing.TB, l sdp.Local) {
	s, err := sdp.Parse(typical)
	if err != nil {
		t.Fatal(err)
	}
	a, err := sdp.Agree(s, l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sdp.Answer(s, a, l).Marshal(); err != nil {
		t.Fatal(err)
	}
}

func parsePion(t testing.TB) {
	var s pion.SessionDescription
	if err := s.Unmarshal(typical); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sdp.Parse(typical); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAndAnswer(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		parseAndAnswer(b, ours)
	}
}

func BenchmarkPionParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		parsePion(b)
	}
}

// TestBenchRatios prints what we take against what pion/sdp takes to parse the same offer: to parse it, and to parse it, agree, answer and
// write the answer. Medians of nine alternating pairs.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	require.Equal(t, 15, strings.Count(string(typical), "\r\n"))
	run := func(step func()) func() time.Duration {
		return func() time.Duration {
			start := time.Now()
			for range 20000 {
				step()
			}
			return time.Since(start)
		}
	}
	theirs := run(func() { parsePion(t) })
	ratio("sdp-parse", run(func() {
		if _, err := sdp.Parse(typical); err != nil {
			t.Fatal(err)
		}
	}), theirs)
	ratio("sdp-parse-and-answer", run(func() { parseAndAnswer(t, ours) }), theirs)
}

func ratio(name string, ours, theirs func() time.Duration) {
	var rs []float64
	ours()
	theirs()
	for range 9 {
		a, b := ours(), theirs()
		rs = append(rs, float64(a)/float64(b))
	}
	slices.Sort(rs)
	fmt.Printf("ratio srtp/%s %.2f goal <= %.2f\n", name, rs[len(rs)/2], 1.0)
}
