package media_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/media"
)

// A key that nears its end is replaced by a re-INVITE, again and again, and the music never stops: with an MKI not a packet is lost.
func TestKeysAreReplacedBeforeTheyWearOut(t *testing.T) {
	const lifetime = 320 // packets; the last eighth is 0.8 s
	for _, mki := range []int{0, 4} {
		t.Run(fmt.Sprintf("mki %d", mki), func(t *testing.T) {
			t.Parallel()
			policy := srtp.Policy{Announce: srtp.Announce{Lifetime: lifetime, MKILength: mki}}
			e := newEngine(t, media.Config{Policy: policy})
			phone, leg := newLeg(t, e), newLeg(t, e)
			negotiate(t, leg, phone)
			heard := newEar()
			phone.SetTap(heard)
			stop, stop2 := leg.Loop(tone(t, 440, 2*time.Second)), phone.Loop(tone(t, 440, 2*time.Second))
			defer stop()
			defer stop2()
			for heard.frames() < 2*lifetime {
				select {
				case <-leg.RekeyDue():
					negotiate(t, leg, phone)
				case <-phone.RekeyDue():
					negotiate(t, phone, leg)
				case <-heard.heard:
				case <-time.After(5 * time.Second):
					t.Fatalf("silent after %d frames", heard.frames())
				}
			}
			for _, l := range []*media.Leg{leg, phone} {
				s := l.Stats()
				assert.Zero(t, s.Lost)
				assert.Zero(t, s.SendErrors, "no packet met a worn key")
				// Without an MKI the answerer's first packets under its new key may come before its answer.
				assert.LessOrEqual(t, s.AuthFailures, uint64(5*(4-mki)/4))
			}
			assert.InDelta(t, 440, heard.pitch(), 3)
		})
	}
}

// Nobody answers the call for a new key: packets are refused when the lifetime is over, not sent under a worn key.
func TestWornKeysProtectNothing(t *testing.T) {
	policy := srtp.Policy{Announce: srtp.Announce{Lifetime: 60}}
	e := newEngine(t, media.Config{Policy: policy})
	phone, leg := newLeg(t, e), newLeg(t, e)
	negotiate(t, leg, phone)
	require.NoError(t, leg.Play(within(t, 10*time.Second), tone(t, 440, 2*time.Second)))
	assert.LessOrEqual(t, leg.Stats().Sent, uint64(60))
	assert.Positive(t, leg.Stats().SendErrors)
	select {
	case <-leg.RekeyDue():
	default:
		t.Fatal("nobody was told")
	}
}

func TestRekeyOnDemand(t *testing.T) {
	e := newEngine(t, media.Config{})
	phone, leg := pair(t, e)
	ctx := context.Background()
	same, err := leg.Offer(ctx)
	require.NoError(t, err)
	leg.Rekey()
	fresh, err := leg.Offer(ctx)
	require.NoError(t, err)
	again, err := leg.Offer(ctx)
	require.NoError(t, err)
	key := func(desc []byte) string { return lineOf(t, desc, "a=crypto:") }
	assert.NotEqual(t, key(same), key(fresh))
	assert.Equal(t, key(fresh), key(again), "one new key, however often it is offered")
	answer, err := phone.Answer(ctx, again)
	require.NoError(t, err)
	require.NoError(t, leg.Accept(ctx, answer))
	heard := newEar()
	phone.SetTap(heard)
	require.NoError(t, leg.Play(within(t, 5*time.Second), tone(t, 440, 200*time.Millisecond)))
	heard.wait(t, 10)
	after, err := leg.Offer(ctx)
	require.NoError(t, err)
	assert.Equal(t, key(fresh), key(after), "afterwards it stays")
}
