package webrtc_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	pion "github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/webrtc"
)

// TestBenchRatios prints the round trip of a packet through a leg, its tap and its relay against the round trip through the library alone:
// the median of nine alternating pairs.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg, ours := newLeg(t, e), newBrowser(t)
	leg.SetTap(newEar())
	ours.call(leg)
	ours.connected()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- leg.Echo(ctx) }()
	bare := newBrowser(t)
	bareEcho(t, bare)
	bare.connected()
	const packets = 400
	ours.bounce(packets)
	bare.bounce(packets)
	var rs []float64
	for range 9 {
		a, b := ours.bounce(packets), bare.bounce(packets)
		rs = append(rs, float64(a)/float64(b))
	}
	cancel()
	<-done
	slices.Sort(rs)
	fmt.Printf("ratio srtp/webrtc-echo %.2f goal <= %.2f\n", rs[len(rs)/2], 1.3)
}

// bareEcho lets the browser call a peer that sends back what it reads.
func bareEcho(t *testing.T, b *browser) {
	t.Helper()
	far := newBrowser(t)
	back, err := pion.NewTrackLocalStaticRTP(pion.RTPCodecCapability{MimeType: "audio/PCMU", ClockRate: 8000}, "a", "b")
	require.NoError(t, err)
	require.NoError(t, far.pc.GetSenders()[0].ReplaceTrack(back))
	far.pc.OnTrack(func(in *pion.TrackRemote, _ *pion.RTPReceiver) {
		buf := make([]byte, 1500)
		for {
			n, _, err := in.Read(buf)
			if err != nil {
				return
			}
			if _, err := back.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	b.take(pion.SDPTypeAnswer, []byte(far.answer([]byte(b.offer()))))
}

// bounce sends packets one by one, each when the one before came back. A lost one costs a second.
func (b *browser) bounce(packets int) time.Duration {
	payload := make([]byte, 160)
	b.ear.forget()
	start := time.Now()
	for range packets {
		b.mic.mu.Lock()
		b.mic.head.Timestamp += 160
		b.mic.send(0, false, b.mic.head.Timestamp, payload)
		b.mic.mu.Unlock()
		select {
		case <-b.ear.heard:
		case <-time.After(time.Second):
		}
	}
	return time.Since(start)
}
