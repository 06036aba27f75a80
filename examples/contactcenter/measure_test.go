package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
)

// readStereo returns the channels of a 16-bit stereo WAV file at 8000 Hz.
func readStereo(t *testing.T, path string) (left, right []int16) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Greater(t, len(b), 44)
	require.Equal(t, "RIFF", string(b[:4]))
	require.EqualValues(t, 2, binary.LittleEndian.Uint16(b[22:]), "channels")
	require.EqualValues(t, 8000, binary.LittleEndian.Uint32(b[24:]), "rate")
	for i := 44; i+3 < len(b); i += 4 {
		left = append(left, int16(binary.LittleEndian.Uint16(b[i:])))
		right = append(right, int16(binary.LittleEndian.Uint16(b[i+2:])))
	}
	return left, right
}

// toneIn reports whether a tone of freq Hz fills a fifth of a second somewhere in pcm.
func toneIn(pcm []int16, freq float64) bool {
	const window = 1600
	for i := 0; i+window <= len(pcm); i += window {
		if codec.Goertzel(pcm[i:i+window], freq) > 0.8 {
			return true
		}
	}
	return false
}

// hears waits until a call's side has heard d more of audio.
func hears(t *testing.T, c *softcall, d time.Duration) {
	t.Helper()
	before, _ := c.ears.heard()
	eventually(t, "more is heard", func() bool { n, _ := c.ears.heard(); return n > before+int(d.Seconds()*8000) })
}

// heardOctets reports whether the last second heard has text in its octets of G.711 µ-law.
func (e *ears) heardOctets(text []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return bytes.Contains(mulaw(e.pcm), text)
}

// mulaw is samples as they were on the wire: G.711 to linear and back loses nothing.
func mulaw(pcm []int16) []byte {
	out := make([]byte, len(pcm))
	codec.EncodeMulaw(out, pcm)
	return out
}
