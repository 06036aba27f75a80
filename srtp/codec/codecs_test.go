package codec_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
)

func all() []codec.Codec { return []codec.Codec{codec.G722(), codec.PCMU(), codec.PCMA()} }

func TestByName(t *testing.T) {
	c, ok := codec.ByName(all(), "pcmu")
	require.True(t, ok)
	assert.Equal(t, "PCMU/8000", c.RTPMap())
	c, ok = codec.ByName(all(), "G722")
	require.True(t, ok)
	assert.Equal(t, "G722/8000", c.RTPMap(), "RFC 3551 section 4.5.2")
	assert.Equal(t, 16000, c.Rate)
	_, ok = codec.ByName(all(), "opus")
	assert.False(t, ok)
}

// sine makes n samples of a sine at rate; peak is in samples.
func sine(freq float64, rate, n int, peak float64) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(math.Round(peak * math.Sin(2*math.Pi*freq*float64(i)/float64(rate))))
	}
	return pcm
}

// fit returns frequency, amplitude and signal-to-noise ratio in dB of the sine nearest to freq: a least-squares fit of sine and cosine, refined
// by the phase between both halves.
func fit(pcm []int16, rate int, freq float64) (f, amp, snr float64) {
	phase := func(x []int16, off int, f float64) (float64, float64) {
		var re, im float64
		for i, v := range x {
			// A Hann window keeps other components out.
			w := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(x)))
			a := 2 * math.Pi * f * float64(i+off) / float64(rate)
			re += w * float64(v) * math.Cos(a)
			im += w * float64(v) * math.Sin(a)
		}
		return re, im
	}
	f = freq
	h := len(pcm) / 2
	for range 3 {
		r1, i1 := phase(pcm[:h], 0, f)
		r2, i2 := phase(pcm[h:2*h], h, f)
		d := math.Atan2(i2, r2) - math.Atan2(i1, r1)
		d = math.Remainder(d, 2*math.Pi)
		f -= d / (2 * math.Pi) * float64(rate) / float64(h)
	}
	var cc, ss, cs, xc, xs, e float64
	for i, v := range pcm {
		s, c := math.Sincos(2 * math.Pi * f * float64(i) / float64(rate))
		x := float64(v)
		cc, ss, cs, xc, xs, e = cc+c*c, ss+s*s, cs+c*s, xc+x*c, xs+x*s, e+x*x
	}
	det := cc*ss - cs*cs
	a, b := (xc*ss-xs*cs)/det, (xs*cc-xc*cs)/det
	signal := a*xc + b*xs
	return f, math.Hypot(a, b), 10 * math.Log10(signal/max(1e-9, e-signal))
}

// A tone comes through every codec at its frequency and level, with the noise its bits allow.
func TestToneThroughCodecs(t *testing.T) {
	for _, c := range all() {
		top := 3400.0
		if c.Rate == 16000 {
			top = 7000
		}
		for _, freq := range []float64{50, 100, 300, 440, 1000, 1700, 2500, 3400, 3900, 4100, 5000, 6000, 7000} {
			if freq > top {
				continue
			}
			enc, err := c.NewEncoder()
			require.NoError(t, err)
			dec, err := c.NewDecoder()
			require.NoError(t, err)
			in := sine(freq, c.Rate, c.Rate, 10000)
			var out []int16
			payload, pcm := make([]byte, c.MaxPayload), make([]int16, c.FrameSamples)
			for i := 0; i < len(in); i += c.FrameSamples {
				n, err := enc.Encode(payload, in[i:i+c.FrameSamples])
				require.NoError(t, err)
				require.Equal(t, c.MaxPayload, n)
				n, err = dec.Decode(pcm, payload[:n])
				require.NoError(t, err)
				require.Equal(t, c.FrameSamples, n)
				out = append(out, pcm...)
			}
			f, amp, snr := fit(out[c.Rate/5:], c.Rate, freq)
			assert.InDelta(t, freq, f, 3, "%s %v Hz", c.Name, freq)
			assert.InDelta(t, 10000, amp, 1200, "%s %v Hz", c.Name, freq)
			bound := 33.0 // G.711
			if c.Rate == 16000 {
				bound = 30
				if freq > 3400 {
					bound = 16 // two bits a sample, and both bands at the seam of the mirror filter
				}
			}
			assert.Greater(t, snr, bound, "%s %v Hz", c.Name, freq)
		}
	}
}

func TestCodecErrors(t *testing.T) {
	for _, c := range all() {
		enc, err := c.NewEncoder()
		require.NoError(t, err)
		dec, err := c.NewDecoder()
		require.NoError(t, err)
		_, err = enc.Encode(make([]byte, c.MaxPayload-1), make([]int16, c.FrameSamples))
		require.ErrorIs(t, err, codec.ErrShort)
		_, err = dec.Decode(make([]int16, c.FrameSamples-1), make([]byte, c.MaxPayload))
		require.ErrorIs(t, err, codec.ErrShort)
		n, err := dec.Decode(nil, nil)
		require.NoError(t, err)
		assert.Zero(t, n)
	}
	enc, err := codec.G722().NewEncoder()
	require.NoError(t, err)
	_, err = enc.Encode(make([]byte, 200), make([]int16, 319))
	require.ErrorIs(t, err, codec.ErrFrame)
}

func TestCodecsDoNotAllocate(t *testing.T) {
	for _, c := range all() {
		enc, _ := c.NewEncoder()
		dec, _ := c.NewDecoder()
		pcm, payload := sine(440, c.Rate, c.FrameSamples, 9000), make([]byte, c.MaxPayload)
		assert.Zero(t, testing.AllocsPerRun(20, func() {
			_, _ = enc.Encode(payload, pcm)
			_, _ = dec.Decode(pcm, payload)
		}), c.Name)
	}
}

func readS16(t *testing.T, path ...string) []int16 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	pcm := make([]int16, len(b)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return pcm
}

// Another implementation's bits and samples; testdata/g722/README.md says where they come from.
func TestG722AgainstVectors(t *testing.T) {
	in, out := readS16(t, "testdata", "g722", "in.s16"), readS16(t, "testdata", "g722", "out.s16")
	coded, err := os.ReadFile(filepath.Join("testdata", "g722", "coded.g722"))
	require.NoError(t, err)
	require.Greater(t, len(coded), 4000)
	for _, frame := range []int{2, 158, 320, 960, len(in)} { // frames of any size join
		enc, _ := codec.G722().NewEncoder()
		dec, _ := codec.G722().NewDecoder()
		var code []byte
		var pcm []int16
		buf, lin := make([]byte, len(in)), make([]int16, 2*len(in))
		for i := 0; i < len(in); i += frame {
			n, err := enc.Encode(buf, in[i:min(i+frame, len(in))])
			require.NoError(t, err)
			code = append(code, buf[:n]...)
		}
		for i := 0; i < len(coded); i += frame / 2 {
			n, err := dec.Decode(lin, coded[i:min(i+frame/2, len(coded))])
			require.NoError(t, err)
			pcm = append(pcm, lin[:n]...)
		}
		require.Equal(t, coded, code, "encoder, frames of %d", frame)
		require.Equal(t, out, pcm, "decoder, frames of %d", frame)
	}
}

// FuzzG722: whatever comes in, the decoder gives two samples a byte, and cutting the payload in two changes nothing.
func FuzzG722(f *testing.F) {
	f.Add([]byte{0, 1, 2, 0xff, 0x80}, uint8(2))
	f.Add(make([]byte, 200), uint8(160))
	f.Fuzz(func(t *testing.T, in []byte, at uint8) {
		a, _ := codec.G722().NewDecoder()
		b, _ := codec.G722().NewDecoder()
		whole, parts := make([]int16, 2*len(in)), make([]int16, 2*len(in))
		n, err := a.Decode(whole, in)
		require.NoError(t, err)
		require.Equal(t, 2*len(in), n)
		cut := min(int(at), len(in))
		n, err = b.Decode(parts, in[:cut])
		require.NoError(t, err)
		_, err = b.Decode(parts[n:], in[cut:])
		require.NoError(t, err)
		require.Equal(t, whole, parts)
	})
}
