package media_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// keyTone is a key as in-band audio, in frames of µ-law: 60 ms of it and 60 ms of silence.
func keyTone(t testing.TB, key byte) [][]byte {
	t.Helper()
	k, err := codec.DTMF(key, 60*time.Millisecond)
	require.NoError(t, err)
	pcm := make([]int16, 6*160)
	k.Fill(pcm[:480], 0, 8000, 0.3)
	coded := mulaw(pcm)
	var out [][]byte
	for i := range 6 {
		out = append(out, coded[i*160:(i+1)*160])
	}
	return out
}

func inbandLeg(t testing.TB, e *media.Engine, codecs ...string) *media.Leg {
	t.Helper()
	l, err := e.NewLeg(media.LegConfig{SignallingSecure: true, InbandDTMF: true, Codecs: codecs})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// press sends one key: as an event, as a tone, or as both at once. It returns when the leg has handled it.
func press(t testing.TB, p *barePhone, leg *media.Leg, key byte, event, inband bool) {
	t.Helper()
	before, sent := leg.Stats().Received, uint64(0)
	frames := keyTone(t, key)
	start := p.ts + 160
	for i := range 6 {
		if event && i < 5 {
			payload := []byte{key - '0', 10, 0, byte((i + 1) * 30)}
			p.seq++
			p.send(p.raw(96, p.seq, start, payload))
			sent++
		}
		p.ts += 160
		if inband {
			p.seq++
			p.send(p.raw(0, p.seq, p.ts, frames[i]))
			sent++
		}
	}
	require.Eventually(t, func() bool { return leg.Stats().Received == before+sent }, 5*time.Second, time.Millisecond)
}

func digitsOf(leg *media.Leg) (got string) {
	for {
		select {
		case d := <-leg.Digits():
			got += string(d)
		default:
			return got
		}
	}
}

func TestInbandKeysComeOnce(t *testing.T) {
	e := newEngine(t, media.Config{})
	for _, x := range []struct {
		name          string
		event, inband bool
	}{{"events", true, false}, {"tones", false, true}, {"both", true, true}} {
		t.Run(x.name, func(t *testing.T) {
			p, leg := newBarePhone(t), inbandLeg(t, e)
			p.call(leg)
			for _, k := range []byte("110") {
				press(t, p, leg, k, x.event, x.inband)
			}
			assert.Equal(t, "110", digitsOf(leg))
		})
	}
	t.Run("off by default", func(t *testing.T) {
		p, leg := newBarePhone(t), newLeg(t, e)
		p.call(leg)
		press(t, p, leg, '5', false, true)
		assert.Empty(t, digitsOf(leg))
	})
	t.Run("wideband", func(t *testing.T) {
		phone, leg := newLeg(t, e, sdp.G722), inbandLeg(t, e, sdp.G722)
		negotiate(t, phone, leg)
		k, err := codec.DTMF('7', 100*time.Millisecond)
		require.NoError(t, err)
		key, err := media.NewCallTone(k)
		require.NoError(t, err)
		pause, err := media.NewPrompt(make([]int16, 800))
		require.NoError(t, err)
		list, err := media.PlayList(pause, key, pause)
		require.NoError(t, err)
		require.NoError(t, phone.Play(within(t, 5*time.Second), list))
		d, err := leg.ReadDigit(within(t, 5*time.Second))
		require.NoError(t, err)
		assert.Equal(t, byte('7'), d)
	})
}

// While a caller enters a card's number, its own leg gets the keys and nobody else hears or learns anything: not the tap, not the agent over a bridge, not a conference.
func TestSecretInputReachesNobodyElse(t *testing.T) {
	e := newEngine(t, media.Config{})
	caller, agent := newBarePhone(t), newBarePhone(t)
	lc, la := inbandLeg(t, e), newLeg(t, e)
	caller.call(lc)
	agent.call(la)
	tape := newEar()
	lc.SetTap(tape)
	br, err := media.NewBridge(lc, la)
	require.NoError(t, err)
	caller.send(caller.packet(0, frame(1)))
	agent.receive()
	tape.wait(t, 1)

	lc.Secret(true)
	sent, heard := la.Stats().Sent, tape.frames()
	press(t, caller, lc, '4', true, true)
	press(t, caller, lc, '2', false, true)
	assert.Equal(t, "42", digitsOf(lc), "the leg's own digits")
	assert.Equal(t, sent, la.Stats().Sent, "nothing over the bridge")
	assert.Equal(t, heard, tape.frames(), "nothing on the tape")
	agent.send(agent.packet(0, frame(9)))
	assert.Equal(t, frame(9), caller.receive()[12:], "the caller hears the agent all the same")

	c, a, b, err := br.Conference(media.ConferenceConfig{RelayDigits: true})
	require.NoError(t, err)
	for range 3 {
		press(t, caller, lc, '7', true, true)
	}
	from := la.Stats().Sent
	for range 25 {
		pkt := agent.receive()
		require.Equal(t, byte(0), pkt[1]&0x7f, "no key")
		for _, v := range pkt[12:] {
			require.Equal(t, byte(codec.SilenceMulaw), v)
		}
		caller.send(caller.packet(0, toneFrame(700)))
	}
	assert.GreaterOrEqual(t, la.Stats().Sent, from)
	assert.Equal(t, "777", digitsOf(lc))
	require.NoError(t, c.Arrange(media.Among(a, b)), "an arrangement does not undo it")

	lc.Secret(false)
	loud := false
	for range 50 {
		caller.send(caller.packet(0, toneFrame(1100)))
		pcm := (&ear{}).decode(sdp.PCMU, agent.receive()[12:])
		require.Less(t, amplitude(pcm, 700), float64(leak), "what was said in secret stays there")
		loud = loud || amplitude(pcm, 1100) > full/2
	}
	assert.True(t, loud, "and then the agent hears the caller again")

	again, err := c.Bridge()
	require.NoError(t, err)
	lc.Secret(true)
	sent = la.Stats().Sent
	press(t, caller, lc, '9', true, true)
	assert.Equal(t, sent, la.Stats().Sent)
	lc.Secret(false)
	again.Close()
	heard = tape.frames()
	caller.send(caller.packet(0, frame(1)))
	require.Eventually(t, func() bool { return tape.frames() > heard }, 5*time.Second, time.Millisecond)
}
