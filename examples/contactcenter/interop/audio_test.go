package interop

import (
	"encoding/binary"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
)

// writeTone makes a WAV file of one frequency, long enough for any call here: baresip hangs up at its end.
func writeTone(t *testing.T, path string, freq float64) {
	t.Helper()
	pcm := codec.Tone(freq, 90*time.Second, 0.5)
	b := make([]byte, 0, 44+2*len(pcm))
	le := binary.LittleEndian
	b = append(b, "RIFF"...)
	b = le.AppendUint32(b, uint32(36+2*len(pcm)))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1) // PCM
	b = le.AppendUint16(b, 1) // channel
	b = le.AppendUint32(b, 8000)
	b = le.AppendUint32(b, 16000)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(2*len(pcm)))
	for _, v := range pcm {
		b = le.AppendUint16(b, uint16(v))
	}
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

// readWAV returns the samples of each channel.
func readWAV(t *testing.T, path string) [][]int16 {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Greater(t, len(b), 44, path)
	require.Equal(t, "RIFF", string(b[:4]))
	le := binary.LittleEndian
	channels := 0
	for at := 12; at+8 <= len(b); {
		id, size := string(b[at:at+4]), int(le.Uint32(b[at+4:]))
		body := b[at+8 : min(at+8+size, len(b))]
		switch id {
		case "fmt ":
			require.EqualValues(t, 1, le.Uint16(body), "PCM")
			require.EqualValues(t, 8000, le.Uint32(body[4:]))
			require.EqualValues(t, 16, le.Uint16(body[14:]))
			channels = int(le.Uint16(body[2:]))
		case "data":
			require.Positive(t, channels)
			out := make([][]int16, channels)
			for i := 0; i+1 < len(body); i += 2 {
				c := i / 2 % channels
				out[c] = append(out[c], int16(le.Uint16(body[i:])))
			}
			return out
		}
		at += 8 + size + size%2
	}
	t.Fatalf("%s has no samples", path)
	return nil
}

// middle is the second before the last half: the end of a call is silence or a cut.
func middle(t *testing.T, pcm []int16) []int16 {
	t.Helper()
	require.Greater(t, len(pcm), 12000, "too short to tell a tone")
	return pcm[len(pcm)-12000 : len(pcm)-4000]
}

// loudest is the frequency with the most power in a second of audio, and its share of all power.
func loudest(pcm []int16) (freq, share float64) {
	for f := 300.0; f <= 3400; f++ {
		if p := codec.Goertzel(pcm, f); p > share {
			freq, share = f, p
		}
	}
	return freq, share
}

func requireTone(t *testing.T, pcm []int16, freq float64, what string) {
	t.Helper()
	got, share := loudest(pcm)
	require.LessOrEqual(t, math.Abs(got-freq), 3.0, "%s: %.0f Hz", what, got)
	require.Greater(t, share, 0.8, "%s: not much else than the tone", what)
}
