package opus_test

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/codec/opus"
)

func packets(t testing.TB, name string) (out [][]byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".packets"))
	require.NoError(t, err)
	for len(b) > 2 {
		n := int(binary.BigEndian.Uint16(b))
		out, b = append(out, b[2:2+n]), b[2+n:]
	}
	require.Greater(t, len(out), 25)
	return out
}

func decode(t *testing.T, c codec.Codec, in [][]byte) (pcm []int16) {
	t.Helper()
	d, err := c.NewDecoder()
	require.NoError(t, err)
	buf := make([]int16, 6*c.FrameSamples)
	for _, p := range in {
		n, err := d.Decode(buf, p)
		require.NoError(t, err)
		require.Equal(t, c.FrameSamples, n)
		pcm = append(pcm, buf[:n]...)
	}
	return pcm
}

// loudest returns the frequency within 20 Hz of near that holds most, and its share of all power.
func loudest(pcm []int16, rate int, near float64) (freq, share float64) {
	var total float64
	for _, v := range pcm {
		total += float64(v) * float64(v)
	}
	for f := near - 20; f <= near+20; f++ {
		var re, im float64
		for i, v := range pcm {
			s, c := math.Sincos(2 * math.Pi * f * float64(i) / float64(rate))
			re, im = re+float64(v)*c, im+float64(v)*s
		}
		if p := (re*re + im*im) * 2 / (float64(len(pcm)) * total); p > share {
			freq, share = f, p
		}
	}
	return freq, share
}

func TestCodec(t *testing.T) {
	c, err := opus.Codec(opus.Config{})
	require.NoError(t, err)
	assert.Equal(t, "opus/48000/2", c.RTPMap(), "RFC 7587 section 7")
	assert.False(t, c.Static)
	assert.Equal(t, 320, c.FrameSamples)
	assert.Equal(t, 960, c.FrameTicks)
	found, ok := codec.ByName([]codec.Codec{codec.PCMU(), c}, "OPUS")
	assert.True(t, ok)
	assert.Equal(t, c.Name, found.Name)
	_, err = opus.Codec(opus.Config{Rate: 44100})
	require.ErrorIs(t, err, codec.ErrRate)
	_, err = opus.Codec(opus.Config{Bitrate: 1})
	require.ErrorIs(t, err, codec.ErrFrame)
}

// What another encoder made comes out as it went in, at every rate of ours.
func TestDecode(t *testing.T) {
	for _, rate := range []int{8000, 16000, 24000, 48000} {
		c, err := opus.Codec(opus.Config{Rate: rate})
		require.NoError(t, err)
		for name, freq := range map[string]float64{"tone1000-voip": 1000, "tone440-audio": 440} {
			pcm := decode(t, c, packets(t, name))
			f, share := loudest(pcm[rate/5:rate/2], rate, freq)
			assert.InDelta(t, freq, f, 3, "%s at %d", name, rate)
			assert.Greater(t, share, 0.95, "%s at %d", name, rate)
		}
		speech := decode(t, c, packets(t, "speech-voip"))
		assert.Greater(t, codec.Level(speech), -35.0)
	}
}

func TestDecodeErrors(t *testing.T) {
	c, err := opus.Codec(opus.Config{})
	require.NoError(t, err)
	d, err := c.NewDecoder()
	require.NoError(t, err)
	buf := make([]int16, 6*c.FrameSamples)
	for _, bad := range [][]byte{nil, {3}, {0x03, 0}, {0x1b, 63}, {0x79, 1}} {
		_, err := d.Decode(buf, bad)
		require.ErrorIs(t, err, codec.ErrFrame, "%x", bad)
	}
	good := packets(t, "tone1000-voip")
	_, err = d.Decode(buf[:319], good[0])
	require.ErrorIs(t, err, codec.ErrShort)
	n, err := d.Decode(buf, good[1])
	require.NoError(t, err, "the stream goes on")
	assert.Equal(t, 320, n)
}

func TestEncode(t *testing.T) {
	c, err := opus.Codec(opus.Config{Loss: 5})
	require.NoError(t, err)
	if !opus.Available() {
		_, err := c.NewEncoder()
		require.ErrorIs(t, err, opus.ErrNoEncoder)
		return
	}
	enc, err := c.NewEncoder()
	require.NoError(t, err)
	pcm, payload := make([]int16, 320), make([]byte, c.MaxPayload)
	var coded [][]byte
	for i := range 50 {
		for k := range pcm {
			pcm[k] = int16(8000 * math.Sin(2*math.Pi*700*float64(i*320+k)/16000))
		}
		n, err := enc.Encode(payload, pcm)
		require.NoError(t, err)
		coded = append(coded, append([]byte(nil), payload[:n]...))
	}
	f, share := loudest(decode(t, c, coded)[6400:], 16000, 700)
	assert.InDelta(t, 700, f, 3)
	assert.Greater(t, share, 0.95)
	_, err = enc.Encode(payload, pcm[:300])
	require.ErrorIs(t, err, codec.ErrFrame)
	_, err = enc.Encode(payload[:100], pcm)
	require.ErrorIs(t, err, codec.ErrShort)
	assert.Zero(t, testing.AllocsPerRun(20, func() { _, _ = enc.Encode(payload, pcm) }))
}

// The encoder is behind a build tag: this runs the tests of this package with it where libopus is installed.
func TestWithLibopus(t *testing.T) {
	if opus.Available() {
		return
	}
	if err := exec.CommandContext(t.Context(), "pkg-config", "--exists", "opus").Run(); err != nil {
		if os.Getenv("RINGFENCE_PEERS") == "required" {
			t.Fatal("libopus-dev and pkg-config are not installed: run .ci/peers")
		}
		t.Skip("libopus-dev and pkg-config are not installed")
	}
	out, err := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-tags", "opus", "-run", "^Test(Encode|Codec|OpusLegs)$", "-v", ".", "../../media").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: TestEncode")
	require.Contains(t, string(out), "--- PASS: TestOpusLegs", "Opus in legs and bridges")
}

// FuzzDecode: whatever a peer sends, a packet is decoded to the length its first bytes say or refused, and the next good one is decoded.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"tone1000-voip", "tone440-audio", "speech-voip"} {
		for _, p := range packets(f, name)[:6] {
			f.Add(p)
		}
	}
	f.Add([]byte{0x78})
	f.Add([]byte{0xff, 0x3f})
	f.Add([]byte{0x03, 0x81, 1, 2, 3})
	good := packets(f, "speech-voip")[0]
	c, err := opus.Codec(opus.Config{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := c.NewDecoder()
		require.NoError(t, err)
		buf := make([]int16, 6*c.FrameSamples)
		n, err := d.Decode(buf, in)
		if err == nil {
			want, err := opus.Samples(in, c.Rate)
			require.NoError(t, err)
			require.Equal(t, want, n)
		} else {
			require.Zero(t, n)
			require.ErrorIs(t, err, codec.ErrFrame)
		}
		_, err = d.Decode(buf, good)
		require.NoError(t, err)
	})
}

func BenchmarkDecode(b *testing.B) {
	in := packets(b, "speech-voip")
	c, _ := opus.Codec(opus.Config{})
	d, err := c.NewDecoder()
	require.NoError(b, err)
	buf := make([]int16, 6*c.FrameSamples)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, _ = d.Decode(buf, in[i%len(in)])
	}
}
