package webrtc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/webrtc"
)

// Tones and digits pass both ways, whoever offers, and the record says how they were protected.
func TestBrowserTalksToLeg(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	for _, c := range []struct {
		name    string
		connect func(*browser, *media.Leg)
	}{
		{"browser offers", func(b *browser, l *media.Leg) { b.call(l) }},
		{"leg offers", func(b *browser, l *media.Leg) { b.ring(l) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			leg, b := newLeg(t, e), newBrowser(t)
			require.ErrorIs(t, leg.Play(context.Background(), tone(t, 440, time.Second)), media.ErrNotReady)
			heard := newEar()
			leg.SetTap(heard)
			c.connect(b, leg)
			// Begun before the handshake: not a frame of it is lost.
			require.NoError(t, leg.Play(within(t, 20*time.Second), tone(t, 620, 500*time.Millisecond)))
			b.ear.wait(t, 25)
			assert.InDelta(t, 620, b.ear.pitch(), 3)
			b.mic.sing(440)
			heard.wait(t, 25)
			assert.InDelta(t, 440, heard.pitch(), 3)
			require.NoError(t, leg.SendDigits(within(t, 5*time.Second), "19#"))
			for _, want := range []byte("19#") {
				assert.Equal(t, string(want), string(<-b.seen))
			}
			b.mic.press(4)
			b.mic.press(11)
			for _, want := range []byte("4#") {
				d, err := leg.ReadDigit(within(t, 5*time.Second))
				require.NoError(t, err)
				assert.Equal(t, string(want), string(d))
			}
			assert.Equal(t, 1, b.sources(), "digits share the audio's source")
			assert.Equal(t, media.Security{Suite: "AEAD_AES_256_GCM", KeyMethod: "DTLS-SRTP", Profile: "UDP/TLS/RTP/SAVPF", FingerprintHash: "sha-256",
				PeerVerified: true, SignallingSecure: true, Authenticated: true}, leg.Security())
			s := leg.Stats()
			assert.NotZero(t, s.Received)
			assert.NotZero(t, s.Sent)
			assert.Zero(t, s.Unknown)
			assert.Equal(t, "PCMU", leg.Codec())
			require.NoError(t, leg.Close())
			assert.Equal(t, "AEAD_AES_256_GCM", leg.Security().Suite, "the record outlives the call")
			require.ErrorIs(t, leg.Play(context.Background(), tone(t, 440, time.Second)), media.ErrClosed)
			_, err := leg.Offer(context.Background())
			require.ErrorIs(t, err, media.ErrClosed)
		})
	}
}

// A browser hears itself.
func TestEcho(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg, b := newLeg(t, e), newBrowser(t)
	b.call(leg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- leg.Echo(ctx) }()
	b.mic.sing(500)
	b.ear.wait(t, 30)
	assert.InDelta(t, 500, b.ear.pitch(), 3)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

// phone returns a leg with SDES keys and the leg that talks to it, as two SIP phones' would.
func phone(t *testing.T, m *media.Engine, codecs ...string) (far, near *media.Leg) {
	t.Helper()
	far, err := m.NewLeg(media.LegConfig{SignallingSecure: true, Codecs: codecs})
	require.NoError(t, err)
	near, err = m.NewLeg(media.LegConfig{SignallingSecure: true})
	require.NoError(t, err)
	ctx := context.Background()
	offer, err := far.Offer(ctx)
	require.NoError(t, err)
	answer, err := near.Answer(ctx, offer)
	require.NoError(t, err)
	require.NoError(t, far.Accept(ctx, answer))
	return far, near
}

// A phone with SDES and a browser with DTLS-SRTP talk over the same bridge as two phones, with taps on both, and in two codecs.
func TestBridgeOfPhoneAndBrowser(t *testing.T) {
	e, m := setup(t, webrtc.Config{}, media.Config{})
	for _, codec := range []string{"PCMU", "PCMA"} {
		t.Run(codec, func(t *testing.T) {
			far, near := phone(t, m, codec)
			leg, b := newLeg(t, e), newBrowser(t)
			b.call(leg)
			b.connected()
			br, err := media.NewBridge(leg, near)
			require.NoError(t, err)
			fromBrowser, fromPhone, atPhone := newEar(), newEar(), newEar()
			leg.SetTap(fromBrowser)
			near.SetTap(fromPhone)
			far.SetTap(atPhone)
			stop := far.Loop(tone(t, 700, time.Second))
			b.mic.sing(450)
			for _, w := range []struct {
				*ear
				freq float64
			}{{fromBrowser, 450}, {fromPhone, 700}, {atPhone, 450}, {b.ear, 700}} {
				w.wait(t, 30)
				assert.InDelta(t, w.freq, w.pitch(), 3)
			}
			b.mic.sing(0)
			b.mic.press(7)
			d, err := far.ReadDigit(within(t, 5*time.Second))
			require.NoError(t, err)
			assert.Equal(t, "7", string(d))
			require.NoError(t, far.SendDigits(within(t, 5*time.Second), "8"))
			assert.Equal(t, "8", string(<-b.seen))
			stop()
			leg.WithholdTaps(true)
			silent := fromBrowser.count()
			b.mic.sing(450)
			atPhone.forget()
			atPhone.wait(t, 10)
			assert.Equal(t, silent, fromBrowser.count(), "withheld from the recording, not from the call")
			br.Close()
			require.NoError(t, leg.Close())
			require.NoError(t, near.Close())
			require.NoError(t, far.Close())
		})
	}
}

// Hold and resume are answered as RFC 3264 says, and the connection stays up.
func TestHoldAndResume(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{Timeout: 300 * time.Millisecond})
	leg, b := newLeg(t, e), newBrowser(t)
	offer := b.offer()
	answer, err := leg.Answer(within(t, 5*time.Second), []byte(offer))
	require.NoError(t, err)
	b.take(pion.SDPTypeAnswer, answer)
	stop := leg.Loop(tone(t, 620, time.Second))
	defer stop()
	b.ear.wait(t, 5)
	for _, hold := range []struct {
		offered, answered string
		hears             bool
	}{{"sendonly", "recvonly", false}, {"inactive", "inactive", false}, {"recvonly", "sendonly", true}} {
		out, err := leg.Answer(within(t, 5*time.Second), []byte(direction(offer, hold.offered)))
		require.NoError(t, err)
		assert.Contains(t, string(out), "a="+hold.answered+"\r\n")
		assert.Equal(t, !hold.hears, leg.Held())
		if !hold.hears {
			sent := leg.Stats().Sent
			require.NoError(t, leg.Play(within(t, 5*time.Second), tone(t, 900, 100*time.Millisecond)))
			assert.Equal(t, sent, leg.Stats().Sent, "nothing is sent to a peer on hold")
		}
		again, err := leg.Answer(within(t, 5*time.Second), []byte(offer))
		require.NoError(t, err)
		assert.Contains(t, string(again), "a=sendrecv\r\n")
		assert.Equal(t, origin(out)+1, origin(again), "each change raises the version")
		b.ear.forget()
		b.ear.wait(t, 5)
		assert.InDelta(t, 620, b.ear.pitch(), 20)
	}
	same, err := leg.Answer(within(t, 5*time.Second), []byte(offer))
	require.NoError(t, err)
	refreshed, err := leg.Answer(within(t, 5*time.Second), []byte(offer))
	require.NoError(t, err)
	assert.Equal(t, string(same), string(refreshed), "a refresh changes nothing")
	ours, err := leg.Offer(within(t, 5*time.Second))
	require.NoError(t, err)
	assert.Contains(t, string(ours), "a=setup:actpass\r\n")
	require.NoError(t, leg.Accept(within(t, 5*time.Second), []byte(strings.ReplaceAll(direction(offer, "recvonly"), "a=setup:actpass", "a=setup:active"))))
	assert.False(t, leg.Held())
	b.ear.forget()
	b.ear.wait(t, 5)
	// The browser sends nothing: on hold that is fine, afterwards it times out.
	_, err = leg.Answer(within(t, 5*time.Second), []byte(offer))
	require.NoError(t, err)
	select {
	case <-leg.TimedOut():
	case <-time.After(10 * time.Second):
		t.Fatal("a silent browser never timed out")
	}
}

// origin returns the version of the o= line.
func origin(body []byte) (v int) {
	for _, line := range strings.Split(string(body), "\r\n") {
		if strings.HasPrefix(line, "o=") {
			var user, id string
			_, _ = fmt.Sscanf(line, "o=%s %s %d", &user, &id, &v)
		}
	}
	return v
}

// An ICE restart keeps keys and source; media goes on over the new ports.
func TestICERestart(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg, b := newLeg(t, e), newBrowser(t)
	heard := newEar()
	leg.SetTap(heard)
	first := b.call(leg)
	b.mic.sing(440)
	stop := leg.Loop(tone(t, 620, time.Second))
	defer stop()
	heard.wait(t, 5)
	b.ear.wait(t, 5)
	d, err := b.pc.CreateOffer(&pion.OfferOptions{ICERestart: true})
	require.NoError(t, err)
	second, err := leg.Answer(within(t, 10*time.Second), []byte(b.describe(d)))
	require.NoError(t, err)
	assert.NotEqual(t, line(first, "a=ice-ufrag"), line(string(second), "a=ice-ufrag"))
	assert.Equal(t, line(first, "a=fingerprint"), line(string(second), "a=fingerprint"))
	b.take(pion.SDPTypeAnswer, second)
	heard.forget()
	heard.wait(t, 50)
	b.ear.forget()
	b.ear.wait(t, 50)
	assert.InDelta(t, 620, b.ear.pitch(), 3)
	assert.Equal(t, 1, b.sources())
}

func line(body, prefix string) string {
	for _, l := range strings.Split(body, "\r\n") {
		if strings.HasPrefix(l, prefix) {
			return l
		}
	}
	return ""
}

// A re-offer of another device is another connection: the leg, its tap and its music move there.
func TestAnotherDeviceTakesOver(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg, old, fresh := newLeg(t, e), newBrowser(t), newBrowser(t)
	heard := newEar()
	leg.SetTap(heard)
	stop := leg.Loop(tone(t, 620, time.Second))
	defer stop()
	old.call(leg)
	old.mic.sing(440)
	heard.wait(t, 5)
	old.ear.wait(t, 5)
	fresh.call(leg)
	fresh.mic.sing(800)
	fresh.ear.wait(t, 25)
	heard.forget()
	heard.wait(t, 25)
	assert.InDelta(t, 800, heard.pitch(), 3)
	assert.True(t, leg.Security().PeerVerified)
	old.reaches(pion.PeerConnectionStateClosed)
}

// Who does not have the certificate of the description is never heard, and the leg ends.
func TestWrongFingerprintEndsTheLeg(t *testing.T) {
	for _, offers := range []string{"browser", "leg"} {
		t.Run(offers+" offers", func(t *testing.T) {
			e, _ := setup(t, webrtc.Config{}, media.Config{})
			leg, b, other := newLeg(t, e), newBrowser(t), newBrowser(t)
			heard := newEar()
			leg.SetTap(heard)
			b.mic.sing(440)
			// The attacker in the signalling path: everything is the browser's but the fingerprint.
			stranger := line(other.offer(), "a=fingerprint")
			if offers == "browser" {
				offer := b.offer()
				offer = strings.ReplaceAll(offer, line(offer, "a=fingerprint"), stranger)
				answer, err := leg.Answer(within(t, 5*time.Second), []byte(offer))
				require.NoError(t, err)
				b.take(pion.SDPTypeAnswer, answer)
			} else {
				offer, err := leg.Offer(within(t, 5*time.Second))
				require.NoError(t, err)
				answer := b.answer(offer)
				answer = strings.ReplaceAll(answer, line(answer, "a=fingerprint"), stranger)
				require.NoError(t, leg.Accept(within(t, 5*time.Second), []byte(answer)))
			}
			stop := leg.Loop(tone(t, 620, time.Second))
			defer stop()
			select {
			case <-leg.Done():
			case <-time.After(20 * time.Second):
				t.Fatal("the leg lives on")
			}
			require.NoError(t, leg.Close())
			assert.Zero(t, heard.count())
			assert.Zero(t, leg.Stats().Received)
			assert.Zero(t, leg.Stats().Sent)
			assert.Zero(t, b.ear.count())
			s := leg.Security()
			assert.False(t, s.PeerVerified)
			assert.False(t, s.Authenticated)
		})
	}
}

// A verified peer that invents sources cannot fill our memory: its leg ends.
func TestTooManySources(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg, b := newLeg(t, e), newBrowser(t)
	b.call(leg)
	b.connected()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for ssrc := uint32(1000); ; ssrc++ {
		b.mic.mu.Lock()
		b.mic.head.SSRC = ssrc
		b.mic.send(0, false, 1, make([]byte, 160))
		b.mic.mu.Unlock()
		select {
		case <-leg.Done():
			require.NoError(t, leg.Close())
			return
		case <-deadline:
			t.Fatal("the leg takes any number of sources")
		case <-tick.C:
		}
	}
}

// A browser that hangs up without a word is noticed, even on hold.
func TestLostBrowser(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg, b := newLeg(t, e), newBrowser(t)
	offer := b.offer()
	answer, err := leg.Answer(within(t, 5*time.Second), []byte(offer))
	require.NoError(t, err)
	b.take(pion.SDPTypeAnswer, answer)
	b.connected()
	stop := leg.Loop(tone(t, 620, time.Second))
	defer stop()
	b.ear.wait(t, 3)
	_, err = leg.Answer(within(t, 5*time.Second), []byte(direction(offer, "sendonly")))
	require.NoError(t, err)
	b.hang()
	select {
	case <-leg.TimedOut():
	case <-time.After(20 * time.Second):
		t.Fatal("nobody noticed")
	}
	require.NoError(t, leg.Close())
}
