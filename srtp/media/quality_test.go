package media_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
)

// Loss is heard in the rating, and a burst worse than the same loss spread out.
func TestLossLowersTheRating(t *testing.T) {
	e := newEngine(t, media.Config{})
	rated := map[string]media.Quality{}
	for name, lost := range map[string]func(i int) bool{
		"clean":  func(int) bool { return false },
		"random": func(i int) bool { return i%20 == 7 },
		"burst":  func(i int) bool { return i%100 >= 50 && i%100 < 55 },
	} {
		leg, phone := newLeg(t, e), newBarePhone(t)
		assert.Zero(t, leg.Stats().Heard, "nothing is known yet")
		phone.call(leg)
		heard := newEar()
		leg.SetTap(heard)
		for i := range 300 {
			if pkt := phone.packet(0, frame(1)); !lost(i) {
				phone.send(pkt)
				heard.wait(t, 1)
			}
		}
		rated[name] = leg.Stats().Heard
	}
	assert.Greater(t, rated["clean"].MOS, 4.2)
	assert.Zero(t, rated["clean"].Loss)
	assert.InDelta(t, 0.05, rated["random"].Loss, 0.005)
	assert.InDelta(t, rated["random"].Loss, rated["burst"].Loss, 0.005)
	assert.Less(t, rated["random"].MOS, rated["clean"].MOS-0.2)
	assert.Less(t, rated["burst"].MOS, rated["random"].MOS)
	assert.False(t, rated["clean"].Wideband)
}

func TestReportsFlow(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for RTCP")
	}
	t.Parallel()
	e := newEngine(t, media.Config{})
	phone, leg := pair(t, e)
	defer leg.Loop(tone(t, 300, time.Second))()
	defer phone.Loop(tone(t, 300, time.Second))()
	// Each learns the round trip and, by RFC 3611, how the other one hears it.
	require.Eventually(t, func() bool {
		a, b := leg.Stats(), phone.Stats()
		return a.RoundTrip+b.RoundTrip > 0 && a.HeardByPeer.R > 90 && b.HeardByPeer.R > 90
	}, 25*time.Second, 100*time.Millisecond)
	s := leg.Stats()
	assert.Greater(t, s.HeardByPeer.MOS, 4.2)
	assert.Zero(t, s.HeardByPeer.Loss)
	assert.Zero(t, s.AuthFailures)
	assert.False(t, s.OneWay)
}
