//go:build opus && cgo

package media_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/codec/opus"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// Opus on one side and G.711 on the other: both hear the other's tone through a bridge. The tests of srtp/codec/opus run this with the tag.
func TestOpusLegs(t *testing.T) {
	oc, err := opus.Codec(opus.Config{})
	require.NoError(t, err)
	e := newEngine(t, media.Config{Codecs: []codec.Codec{codec.PCMU(), codec.PCMA(), oc}})
	wide, toWide := newLeg(t, e, sdp.Opus), newLeg(t, e, sdp.Opus, sdp.PCMU)
	negotiate(t, wide, toWide)
	require.Equal(t, sdp.Opus, toWide.Codec())
	narrow, toNarrow := newLeg(t, e, sdp.PCMU), newLeg(t, e, sdp.PCMU)
	negotiate(t, narrow, toNarrow)
	br, err := media.NewBridge(toWide, toNarrow)
	require.NoError(t, err)
	defer br.Close()
	heard := newEar()
	narrow.SetTap(heard)
	require.NoError(t, wide.Play(within(t, 10*time.Second), tone(t, 440, time.Second)))
	heard.wait(t, 40)
	assert.InDelta(t, 440, heard.pitch(), 3)

	// The other way the ear has to decode Opus.
	dec, err := oc.NewDecoder()
	require.NoError(t, err)
	back := &wideEar{t: t, dec: dec, rate: oc.Rate, done: make(chan struct{})}
	wide.SetTap(back)
	go func() { _ = narrow.Play(within(t, 10*time.Second), tone(t, 700, time.Second)) }()
	select {
	case <-back.done:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came back")
	}
	best, power := 0.0, 0.0
	pcm, err := codec.Resample(back.pcm, back.rate, 8000)
	require.NoError(t, err)
	for f := 400.0; f < 1200; f++ {
		if p := codec.Goertzel(pcm[800:4800], f); p > power {
			best, power = f, p
		}
	}
	assert.InDelta(t, 700, best, 3)
}

// wideEar is a tap that decodes 40 packets.
type wideEar struct {
	t    *testing.T
	dec  codec.Decoder
	rate int
	pcm  []int16
	n    int
	done chan struct{}
}

func (w *wideEar) WriteFrame(_ time.Duration, name string, payload []byte) {
	if w.n == 40 {
		return
	}
	assert.Equal(w.t, sdp.Opus, name)
	frame := make([]int16, w.rate/50*6)
	n, err := w.dec.Decode(frame, payload)
	assert.NoError(w.t, err)
	w.pcm = append(w.pcm, frame[:n]...)
	if w.n++; w.n == 40 {
		close(w.done)
	}
}
