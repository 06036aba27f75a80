package codec_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
)

// Values of ITU-T G.711 tables 1 and 2 on the 16-bit scale.
func TestG711KnownValues(t *testing.T) {
	one := func(f func([]int16, []byte) int, c byte) int16 {
		var out [1]int16
		f(out[:], []byte{c})
		return out[0]
	}
	for c, want := range map[byte]int16{0xff: 0, 0x7f: 0, 0x80: 32124, 0x00: -32124, 0xfe: 8, 0x7e: -8, 0xef: 132, 0xf0: 120, 0x8f: 16764} {
		assert.Equal(t, want, one(codec.DecodeMulaw, c), "µ %#x", c)
	}
	for c, want := range map[byte]int16{0xd5: 8, 0x55: -8, 0xaa: 32256, 0x2a: -32256, 0xd4: 24, 0xc5: 264, 0x80: 5504} {
		assert.Equal(t, want, one(codec.DecodeAlaw, c), "A %#x", c)
	}
	silence := []int16{0}
	var b [1]byte
	codec.EncodeMulaw(b[:], silence)
	assert.EqualValues(t, codec.SilenceMulaw, b[0])
	codec.EncodeAlaw(b[:], silence)
	assert.EqualValues(t, codec.SilenceAlaw, b[0])
}

func TestG711RoundTrip(t *testing.T) {
	codes := make([]byte, 256)
	for i := range codes {
		codes[i] = byte(i)
	}
	pcm, back := make([]int16, 256), make([]byte, 256)
	codec.DecodeMulaw(pcm, codes)
	codec.EncodeMulaw(back, pcm)
	for i := range codes {
		if i != 0x7f { // minus zero becomes plus zero
			assert.Equal(t, codes[i], back[i], "µ %#x", i)
		}
	}
	codec.DecodeAlaw(pcm, codes)
	codec.EncodeAlaw(back, pcm)
	assert.Equal(t, codes, back)
	// Every sample comes back within half a step: 1/32 of its size, and 16 near zero.
	all := make([]int16, 1<<16)
	for i := range all {
		all[i] = int16(i - 1<<15)
	}
	enc, dec := make([]byte, len(all)), make([]int16, len(all))
	for name, f := range map[string][2]any{
		"µ": {codec.EncodeMulaw, codec.DecodeMulaw}, "A": {codec.EncodeAlaw, codec.DecodeAlaw},
	} {
		f[0].(func([]byte, []int16) int)(enc, all)
		f[1].(func([]int16, []byte) int)(dec, enc)
		last := int16(math.MinInt16)
		for i, s := range all {
			d := math.Abs(float64(dec[i]) - float64(s))
			require.LessOrEqual(t, d, math.Abs(float64(s))/28+17, "%s %d", name, s)
			require.GreaterOrEqual(t, dec[i], last, "%s is monotonic at %d", name, s)
			last = dec[i]
		}
	}
}

func TestTranscode(t *testing.T) {
	pcm := codec.Tone(700, time.Second, 0.5)
	u, a := make([]byte, len(pcm)), make([]byte, len(pcm))
	codec.EncodeMulaw(u, pcm)
	codec.MulawToAlaw(a, u)
	codec.AlawToMulaw(u, a) // in place elsewhere: dst may be src
	codec.MulawToAlaw(u, u)
	out := make([]int16, len(pcm))
	codec.DecodeAlaw(out, u)
	assert.Greater(t, codec.Goertzel(out, 700), 0.99)
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		codec.EncodeMulaw(u, pcm)
		codec.MulawToAlaw(u, u)
		codec.DecodeAlaw(out, u)
	}))
}

func TestResample(t *testing.T) {
	for _, from := range []int{8000, 11025, 16000, 22050, 24000, 44100, 48000} {
		in := make([]int16, from)
		for i := range in {
			x := math.Sin(2*math.Pi*1000*float64(i)/float64(from)) + 0.3*math.Sin(2*math.Pi*300*float64(i)/float64(from))
			if from > 12000 {
				x += math.Sin(2 * math.Pi * 5500 * float64(i) / float64(from)) // would fold back to 2500 Hz
			}
			in[i] = int16(8000 * x)
		}
		out, err := codec.Resample(in, from, 8000)
		require.NoError(t, err)
		assert.Len(t, out, 8000)
		mid := out[400:7600]
		assert.InDelta(t, 1/1.09, codec.Goertzel(mid, 1000), 0.01, "%d", from)
		assert.Less(t, codec.Goertzel(mid, 2500), 1e-5, "%d folds", from)
	}
	up, err := codec.Resample(codec.Tone(1000, time.Second, 0.5), 8000, 48000)
	require.NoError(t, err)
	down, err := codec.Resample(up, 48000, 8000)
	require.NoError(t, err)
	assert.Greater(t, codec.Goertzel(down, 1000), 0.99)
	for _, r := range [][2]int{{0, 8000}, {8000, 1 << 20}} {
		_, err := codec.Resample(nil, r[0], r[1])
		require.ErrorIs(t, err, codec.ErrRate)
	}
}

// wav writes a file; size -1 is what streaming writers put there.
func wav(coding, channels, rate, bits int, data []byte, size int64) []byte {
	var b bytes.Buffer
	b.WriteString("RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00")
	for _, v := range []any{uint16(coding), uint16(channels), uint32(rate), uint32(rate * channels * bits / 8),
		uint16(channels * bits / 8), uint16(bits)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	if size == 0 {
		size = int64(len(data))
	}
	_ = binary.Write(&b, binary.LittleEndian, uint32(size))
	b.Write(data)
	return b.Bytes()
}

func TestReadWAV(t *testing.T) {
	pcm := make([]byte, 0, 400)
	for i := range 100 {
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(i*100))
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(i*300))
	}
	a, err := codec.ReadWAV(bytes.NewReader(wav(1, 2, 22050, 16, pcm, 0)))
	require.NoError(t, err)
	assert.Equal(t, 22050, a.Rate)
	require.Len(t, a.PCM, 100)
	assert.EqualValues(t, 7*200, a.PCM[7], "two channels are mixed")
	for _, size := range []int64{0xffffffff, 0x7ffff000} { // espeak-ng and others write to a pipe
		a, err = codec.ReadWAV(bytes.NewReader(wav(1, 1, 8000, 16, pcm, size)))
		require.NoError(t, err)
		assert.Len(t, a.PCM, 200)
	}
	a, err = codec.ReadWAV(bytes.NewReader(wav(7, 1, 8000, 8, []byte{0xff, 0x80}, 0)))
	require.NoError(t, err)
	assert.Equal(t, []int16{0, 32124}, a.PCM)
	a, err = codec.ReadWAV(bytes.NewReader(wav(6, 1, 8000, 8, []byte{0xd5}, 0)))
	require.NoError(t, err)
	assert.Equal(t, []int16{8}, a.PCM)
	assert.Equal(t, 125*time.Microsecond, a.Duration())
	for name, v := range map[string]struct {
		in   []byte
		want error
	}{
		"no riff":     {[]byte("hello hello hello"), codec.ErrWAV},
		"no data":     {wav(1, 1, 8000, 16, nil, 0)[:40], codec.ErrWAV},
		"12 bits":     {wav(1, 1, 8000, 12, pcm, 0), codec.ErrFormat},
		"no bits":     {wav(1, 1, 8000, 0, pcm, 0), codec.ErrFormat},
		"16-bit µ":    {wav(7, 1, 8000, 16, pcm, 0), codec.ErrFormat},
		"half floats": {wav(3, 1, 8000, 16, pcm, 0), codec.ErrFormat},
		"unknown ext": {wav(0xfffe, 1, 8000, 16, pcm, 0), codec.ErrFormat},
		"mp3":         {wav(0x55, 1, 8000, 16, pcm, 0), codec.ErrFormat},
		"no channels": {wav(1, 0, 8000, 16, pcm, 0), codec.ErrFormat},
		"rate":        {wav(1, 1, 4000, 16, pcm, 0), codec.ErrFormat},
		"too long":    {wav(1, 1, 8000, 16, pcm, 8000*2*3601), codec.ErrTooLong},
	} {
		_, err := codec.ReadWAV(bytes.NewReader(v.in))
		require.ErrorIs(t, err, v.want, name)
	}
}

func TestTone(t *testing.T) {
	pcm := codec.Tone(440, time.Second, 2)
	assert.Len(t, pcm, 8000)
	assert.Greater(t, codec.Goertzel(pcm, 440), 0.98)
	assert.Less(t, codec.Goertzel(pcm, 480), 0.01)
	assert.Less(t, int(pcm[1]), 2000, "it fades in")
	assert.Empty(t, codec.Tone(440, -1, 1))
	assert.Zero(t, codec.Goertzel(nil, 440))
}

// FuzzReadWAV: an error comes with no audio, and audio has a rate to play it at.
func FuzzReadWAV(f *testing.F) {
	f.Add(wav(1, 2, 22050, 16, make([]byte, 64), 0))
	f.Add(wav(7, 1, 8000, 8, make([]byte, 9), -1))
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := codec.ReadWAV(bytes.NewReader(in))
		if err != nil {
			require.Empty(t, a.PCM)
			return
		}
		require.GreaterOrEqual(t, a.Rate, 8000)
		require.LessOrEqual(t, len(a.PCM), len(in))
	})
}
