package media_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
)

func TestPlayListPlaysOneAfterTheOther(t *testing.T) {
	e := newEngine(t, media.Config{})
	phone, leg := newBarePhone(t), newLeg(t, e)
	phone.call(leg)
	list, err := media.PlayList(tone(t, 400, 100*time.Millisecond), nil, &media.Prompt{}, tone(t, 700, 110*time.Millisecond), tone(t, 1100, 100*time.Millisecond))
	require.NoError(t, err)
	assert.Equal(t, 320*time.Millisecond, list.Duration(), "each begins with a packet")
	done := make(chan error, 1)
	go func() { done <- leg.Play(within(t, 5*time.Second), list) }()
	for i := range 16 {
		want := []float64{400, 400, 400, 400, 400, 700, 700, 700, 700, 700, 700, 1100, 1100, 1100, 1100, 1100}[i]
		b := phone.receive()
		assert.Equal(t, i == 0, b[1]&0x80 != 0, "one talkspurt")
		if i == 10 {
			continue // 10 ms of the second and the silence that fills it up
		}
		assert.Greater(t, amplitude((&ear{}).decode("PCMU", b[12:]), want), float64(full/2), "packet %d", i)
	}
	require.NoError(t, <-done)
	long := tone(t, 400, time.Hour)
	_, err = media.PlayList(long, long)
	require.ErrorIs(t, err, media.ErrConfig)
	_, err = media.Tone(400, time.Hour+time.Second)
	require.ErrorIs(t, err, media.ErrConfig)
}

// Music on hold is where the shared clock says, also as a list, and after an interruption.
func TestLoopOfAListGoesOn(t *testing.T) {
	e := newEngine(t, media.Config{})
	phone, leg := newBarePhone(t), newLeg(t, e)
	phone.call(leg)
	list, err := media.PlayList(tone(t, 400, 60*time.Millisecond), tone(t, 700, 60*time.Millisecond))
	require.NoError(t, err)
	stop := leg.Loop(list)
	defer stop()
	last, runs, n := 0.0, []int{}, 0
	for range 24 {
		pcm := (&ear{}).decode("PCMU", phone.receive()[12:])
		f := 400.0
		if amplitude(pcm, 700) > amplitude(pcm, 400) {
			f = 700
		}
		if f != last && last != 0 {
			runs = append(runs, n)
			n = 0
		}
		last, n = f, n+1
	}
	for _, r := range runs[1:] {
		assert.Equal(t, 3, r)
	}
}

func TestCallTones(t *testing.T) {
	e := newEngine(t, media.Config{})
	set, known := media.CountryTones("DE")
	require.True(t, known)
	for name, p := range map[string]*media.Prompt{"dial": set.Dial, "ringback": set.Ringback, "busy": set.Busy, "congestion": set.Congestion,
		"waiting": set.CallWaiting, "sit": set.SIT, "beep": set.Beep} {
		assert.Positive(t, p.Duration(), name)
	}
	assert.Equal(t, 5*time.Second, set.Ringback.Duration(), "1 s of tone, 4 s of silence")
	phone, leg := pair(t, e)
	heard := newEar()
	phone.SetTap(heard)
	stop := leg.Loop(set.Dial)
	heard.wait(t, 25)
	stop()
	assert.InDelta(t, 425, heard.pitch(), 3)
	_, known = media.CountryTones("XX")
	assert.False(t, known)
	_, err := media.NewCallTone(codec.CallTone{Parts: []codec.TonePart{{F1: 400, For: 2 * time.Hour}}})
	require.ErrorIs(t, err, media.ErrConfig)
}

func TestPromptsFromWAVOfAnyRate(t *testing.T) {
	e := newEngine(t, media.Config{})
	for _, rate := range []int{8000, 16000, 22050, 44100} {
		for _, name := range []string{"PCMU", "G722"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				pcm, err := codec.CallTone{Parts: []codec.TonePart{{F1: 620}}}.PCM(rate, 500*time.Millisecond, 0.25)
				require.NoError(t, err)
				var file bytes.Buffer
				w, err := codec.NewWAVWriter(&file, codec.WAVConfig{Rate: rate})
				require.NoError(t, err)
				require.NoError(t, w.WriteSamples(pcm))
				require.NoError(t, w.Close())
				p, err := media.LoadWAV(&file)
				require.NoError(t, err)
				assert.InDelta(t, float64(500*time.Millisecond), float64(p.Duration()), float64(time.Millisecond))
				phone, leg := pair(t, e, name)
				heard := newEar()
				phone.SetTap(heard)
				require.NoError(t, leg.Play(within(t, 5*time.Second), p))
				heard.wait(t, 25)
				assert.InDelta(t, 620, heard.pitch(), 3)
			})
		}
	}
}
