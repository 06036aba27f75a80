package codec_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
)

func TestLevel(t *testing.T) {
	square := make([]int16, 160)
	for i := range square {
		square[i] = 32767
	}
	assert.InDelta(t, 0, codec.Level(square), 0.001, "the overload point")
	assert.InDelta(t, -3.01, codec.Level(sine(1000, 8000, 160, 32767)), 0.01)
	assert.EqualValues(t, -127, codec.Level(nil))
	assert.EqualValues(t, -127, codec.Level(make([]int16, 10)))
}

func TestComfortNoise(t *testing.T) {
	pcm := make([]int16, 8000)
	for _, db := range []float64{-25, -40, -55, -70} {
		p := codec.AppendNoise(nil, db)
		require.Len(t, p, 1)
		g := codec.NewNoise(7)
		require.NoError(t, g.Set(append(p, 10, 20, 30))) // with a spectrum
		g.Fill(pcm)
		assert.InDelta(t, db, codec.Level(pcm), 0.5)
		for f := 200.0; f < 4000; f += 200 {
			assert.Less(t, codec.Goertzel(pcm, f), 0.01, "it is no tone")
		}
	}
	g := codec.NewNoise(1)
	g.Fill(pcm)
	assert.EqualValues(t, -127, codec.Level(pcm), "silent until it is told")
	require.NoError(t, g.Set([]byte{0}))
	g.Fill(pcm)
	assert.InDelta(t, -20, codec.Level(pcm), 0.5, "a peer cannot ask for a roar")
	require.NoError(t, g.Set([]byte{127}))
	g.Fill(pcm)
	g.Fill(pcm)
	assert.EqualValues(t, -127, codec.Level(pcm))
	for _, bad := range [][]byte{nil, {0x80}, make([]byte, 1025)} {
		require.ErrorIs(t, g.Set(bad), codec.ErrFrame)
	}
	assert.Zero(t, testing.AllocsPerRun(10, func() { g.Fill(pcm) }))
	assert.Equal(t, []byte{127}, codec.AppendNoise(nil, -300))
	assert.Equal(t, []byte{0}, codec.AppendNoise(nil, 3))
	assert.Equal(t, "CN/8000", codec.CN().RTPMap())
	_, err := codec.CN().NewDecoder()
	require.ErrorIs(t, err, codec.ErrFrame)
}

func TestVAD(t *testing.T) {
	for _, background := range []float64{-75, -60, -48, -40} {
		v, err := codec.NewVAD(8000, codec.VADConfig{})
		require.NoError(t, err)
		g := codec.NewNoise(3)
		g.SetLevel(background)
		frame := make([]int16, 160)
		for range 500 { // ten seconds of an empty room
			g.Fill(frame)
			v.Voice(frame)
		}
		require.False(t, v.Voice(frame), "%v dBov is background", background)
		assert.InDelta(t, background, v.Noise(), 2)
		talk := sine(300, 8000, 160, 32767*0.1) // -23 dBov
		for range 25 {
			require.True(t, v.Voice(talk))
		}
		for range 12 { // 240 ms
			g.Fill(frame)
			require.True(t, v.Voice(frame), "the end of a word")
		}
		g.Fill(frame)
		require.False(t, v.Voice(frame))
		assert.InDelta(t, background, v.Noise(), 3, "half a second of talk is not taken for background")
	}
	v, err := codec.NewVAD(8000, codec.VADConfig{Hangover: time.Millisecond})
	require.NoError(t, err)
	talk := sine(300, 8000, 160, 3000)
	for range 50 * 60 { // a minute without a pause
		require.True(t, v.Voice(talk))
	}
	assert.True(t, v.Voice(nil))
	r := rand.New(rand.NewPCG(1, 2))
	assert.Zero(t, testing.AllocsPerRun(10, func() { talk[0] = int16(r.Int()); v.Voice(talk) }))
	_, err = codec.NewVAD(0, codec.VADConfig{})
	require.ErrorIs(t, err, codec.ErrRate)
}

// FuzzComfortNoise: a payload never makes more than -20 dBov, and an error changes nothing.
func FuzzComfortNoise(f *testing.F) {
	f.Add([]byte{40})
	f.Add([]byte{0, 1, 2})
	f.Add([]byte{200})
	f.Fuzz(func(t *testing.T, in []byte) {
		g := codec.NewNoise(5)
		err := g.Set(in)
		pcm := make([]int16, 800)
		g.Fill(pcm)
		require.Less(t, codec.Level(pcm), -19.0)
		if err != nil {
			require.EqualValues(t, -127, codec.Level(pcm))
		}
	})
}
