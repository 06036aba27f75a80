package media_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

func TestToneReachesTheOtherSideWithin3Hz(t *testing.T) {
	leaktest.Check(t)
	e := newEngine(t, media.Config{})
	for _, name := range []string{sdp.PCMU, sdp.PCMA, sdp.G722, sdp.Opus} {
		t.Run(name, func(t *testing.T) {
			phone, leg := pair(t, e, name)
			heard := newEar()
			phone.SetTap(heard)
			require.NoError(t, leg.Play(within(t, 10*time.Second), tone(t, 440, 500*time.Millisecond)))
			heard.wait(t, 25)
			assert.InDelta(t, 440, heard.pitch(), 3)
			assert.Equal(t, map[string]int{name: 25}, heard.codecs)
			back := newEar()
			leg.SetTap(back)
			require.NoError(t, phone.Play(within(t, 10*time.Second), tone(t, 1000, 500*time.Millisecond)))
			back.wait(t, 25)
			assert.InDelta(t, 1000, back.pitch(), 3)
			assert.Equal(t, name, leg.Codec())
			assert.Equal(t, "AEAD_AES_256_GCM", leg.Security().Suite)
			assert.True(t, leg.Security().Authenticated)
		})
	}
}

func TestTapTimesFollowTheMedia(t *testing.T) {
	e := newEngine(t, media.Config{})
	leg := newLeg(t, e)
	phone := newBarePhone(t)
	phone.call(leg)
	heard := newEar()
	leg.SetTap(heard)
	first := phone.packet(0, frame(1))
	phone.next() // two packets that never come
	phone.next()
	late := phone.packet(0, frame(2))
	for _, b := range [][]byte{first, late} {
		phone.send(b)
		heard.wait(t, 1)
	}
	assert.Equal(t, 60*time.Millisecond, heard.at[1]-heard.at[0], "the gap is in the times")
}

func TestDigitsBothWays(t *testing.T) {
	e := newEngine(t, media.Config{})
	phone, leg := pair(t, e)
	ctx := within(t, 20*time.Second)
	for _, way := range []struct{ from, to *media.Leg }{{phone, leg}, {leg, phone}} {
		done := make(chan error, 1)
		go func() { done <- way.from.SendDigits(ctx, "1199*#d") }()
		got := ""
		for range 7 {
			d, err := way.to.ReadDigit(ctx)
			require.NoError(t, err)
			got += string(d)
		}
		require.NoError(t, <-done)
		assert.Equal(t, "1199*#D", got)
	}
	require.NoError(t, leg.InjectDigit('5'))
	d, err := leg.ReadDigit(ctx)
	require.NoError(t, err)
	assert.Equal(t, byte('5'), d)
	assert.ErrorIs(t, leg.InjectDigit('x'), media.ErrDigit)
	assert.ErrorIs(t, leg.SendDigits(ctx, "1x"), media.ErrDigit)
}

func TestPlayStopsWithItsContext(t *testing.T) {
	e := newEngine(t, media.Config{})
	phone, leg := pair(t, e)
	heard := newEar()
	phone.SetTap(heard)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- leg.Play(ctx, tone(t, 440, time.Minute)) }()
	heard.wait(t, 3)
	assert.ErrorIs(t, leg.Play(within(t, time.Second), tone(t, 500, time.Second)), media.ErrBusy)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	sent := leg.Stats().Sent
	require.NoError(t, leg.Play(within(t, 5*time.Second), tone(t, 500, 60*time.Millisecond)))
	assert.Equal(t, sent+3, leg.Stats().Sent, "nothing of the first prompt came after it was stopped")
}

func TestMusicGivesWayAndComesBack(t *testing.T) {
	e := newEngine(t, media.Config{})
	phone, leg := pair(t, e)
	heard := newEar()
	phone.SetTap(heard)
	stop := leg.Loop(tone(t, 300, 200*time.Millisecond))
	heard.wait(t, 15)
	require.NoError(t, leg.Play(within(t, 5*time.Second), tone(t, 900, 100*time.Millisecond)))
	heard.wait(t, 15)
	stop()
	stop()
	assert.InDelta(t, 300, heard.pitch(), 3)
}

func TestEcho(t *testing.T) {
	e := newEngine(t, media.Config{})
	phone, leg := pair(t, e)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- leg.Echo(ctx) }()
	heard := newEar()
	phone.SetTap(heard)
	require.NoError(t, phone.Play(within(t, 10*time.Second), tone(t, 700, 600*time.Millisecond)))
	heard.wait(t, 25)
	assert.InDelta(t, 700, heard.pitch(), 3)
	cancel()
	assert.ErrorIs(t, <-done, context.Canceled)
}

func TestMediaTimeout(t *testing.T) {
	e := newEngine(t, media.Config{Timeout: 200 * time.Millisecond})
	_, leg := pair(t, e)
	select {
	case <-leg.TimedOut():
	case <-time.After(5 * time.Second):
		t.Fatal("dead media was not noticed")
	}
	assert.NoError(t, leg.Close())
}

func TestNoTimeoutOnHold(t *testing.T) {
	e := newEngine(t, media.Config{Timeout: 200 * time.Millisecond})
	held, dead := newLeg(t, e), newLeg(t, e)
	newBarePhone(t).call(held, "a=recvonly")
	newBarePhone(t).call(dead)
	<-dead.TimedOut() // the same clock that would have ended the held one
	select {
	case <-held.TimedOut():
		t.Fatal("a held call timed out")
	default:
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	leaktest.Check(t)
	e := newEngine(t, media.Config{})
	_, leg := pair(t, e)
	done := make(chan error, 3)
	go func() { done <- leg.Play(context.Background(), tone(t, 440, time.Minute)) }()
	go func() { done <- leg.Echo(context.Background()) }()
	go func() { _, err := leg.ReadDigit(context.Background()); done <- err }()
	assert.Equal(t, 2, e.Stats().Legs)
	require.NoError(t, e.Close())
	for range 3 {
		err := <-done
		if err != nil { // a verb that started after the end says so as well
			assert.ErrorIs(t, err, media.ErrClosed)
		}
	}
	assert.Equal(t, 0, e.Stats().Legs)
	_, err := e.NewLeg(media.LegConfig{SignallingSecure: true})
	require.ErrorIs(t, err, media.ErrClosed)
	_, err = leg.Offer(context.Background())
	require.ErrorIs(t, err, media.ErrClosed)
}
