package codec_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
)

func TestReadWAVWidths(t *testing.T) {
	want := []int16{0, 256, -256, 12800, -32768, 32512}
	for _, v := range []struct {
		coding, bits int
		put          func(b []byte, s int16) []byte
	}{
		{1, 8, func(b []byte, s int16) []byte { return append(b, byte(int(s)>>8+128)) }},
		{1, 16, func(b []byte, s int16) []byte { return binary.LittleEndian.AppendUint16(b, uint16(s)) }},
		{1, 24, func(b []byte, s int16) []byte { return append(b, 0x7f, byte(s), byte(s>>8)) }},
		{1, 32, func(b []byte, s int16) []byte { return append(b, 1, 2, byte(s), byte(s>>8)) }},
		{3, 32, func(b []byte, s int16) []byte {
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(s)/32767))
		}},
		{3, 64, func(b []byte, s int16) []byte {
			return binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(s)/32767))
		}},
	} {
		var mono, stereo []byte
		for _, s := range want {
			mono = v.put(mono, s)
			stereo = v.put(v.put(stereo, s), s)
		}
		for name, file := range map[string][]byte{
			"mono": wav(v.coding, 1, 192000, v.bits, mono, 0), "stereo": wav(v.coding, 2, 44100, v.bits, stereo, 0),
			"extensible": extensible(wav(v.coding, 1, 8000, v.bits, mono, 0)),
		} {
			a, err := codec.ReadWAV(bytes.NewReader(file))
			require.NoError(t, err, "%s %d/%d", name, v.coding, v.bits)
			require.Len(t, a.PCM, len(want))
			for i, s := range want {
				assert.InDelta(t, s, a.PCM[i], 1, "%s %d/%d", name, v.coding, v.bits)
			}
		}
	}
	nan := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN())))
	nan = binary.LittleEndian.AppendUint32(nan, math.Float32bits(float32(math.Inf(-1))))
	a, err := codec.ReadWAV(bytes.NewReader(wav(3, 1, 8000, 32, nan, 0)))
	require.NoError(t, err)
	assert.Equal(t, []int16{0, -32767}, a.PCM)
}

// extensible turns the format chunk that wav writes into WAVE_FORMAT_EXTENSIBLE.
func extensible(file []byte) []byte {
	at := bytes.Index(file, []byte("fmt ")) + 4
	out := append([]byte(nil), file[:at]...)
	out = binary.LittleEndian.AppendUint32(out, 40)
	out = append(out, 0xfe, 0xff)
	out = append(out, file[at+6:at+20]...)
	out = append(out, 22, 0, file[at+18], file[at+19], 4, 0, 0, 0)
	out = append(out, file[at+4:at+6]...)
	out = append(out, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"...)
	return append(out, file[at+20:]...)
}

func TestWAVWriter(t *testing.T) {
	pcm := sine(440, 8000, 1001, 8000)
	for _, coding := range []codec.WAVCoding{codec.WAVPCM16, codec.WAVMulaw, codec.WAVAlaw} {
		for _, frames := range []int64{0, 1001} {
			var b bytes.Buffer
			w, err := codec.NewWAVWriter(&b, codec.WAVConfig{Rate: 8000, Coding: coding, Frames: frames})
			require.NoError(t, err)
			for i := 0; i < len(pcm); i += 160 {
				require.NoError(t, w.WriteSamples(pcm[i:min(i+160, len(pcm))]))
			}
			require.NoError(t, w.Close())
			require.NoError(t, w.Close())
			require.ErrorIs(t, w.WriteSamples(pcm), io.ErrClosedPipe)
			riff := binary.LittleEndian.Uint32(b.Bytes()[4:])
			if frames == 0 {
				assert.EqualValues(t, 0xffffffff, riff)
			} else {
				assert.EqualValues(t, b.Len()-8, riff)
			}
			a, err := codec.ReadWAV(bytes.NewReader(b.Bytes()))
			require.NoError(t, err)
			require.Len(t, a.PCM, len(pcm))
			for i := range pcm {
				require.InDelta(t, pcm[i], a.PCM[i], 300)
			}
		}
	}
	w, err := codec.NewWAVWriter(io.Discard, codec.WAVConfig{Rate: 8000, Channels: 2, Frames: 100})
	require.NoError(t, err)
	require.ErrorIs(t, w.WriteSamples(make([]int16, 201)), codec.ErrTooLong)
	require.NoError(t, w.WriteSamples(make([]int16, 198)))
	require.ErrorIs(t, w.Close(), io.ErrUnexpectedEOF)
	for _, bad := range []codec.WAVConfig{{}, {Rate: 8000, Channels: 9}, {Rate: 8000, Coding: 3}, {Rate: 8000, Frames: -1}} {
		_, err := codec.NewWAVWriter(io.Discard, bad)
		require.ErrorIs(t, err, codec.ErrFormat)
	}
	_, err = codec.NewWAVWriter(io.Discard, codec.WAVConfig{Rate: 8000, Frames: 1 << 31})
	require.ErrorIs(t, err, codec.ErrTooLong)
	_, err = codec.NewWAVWriter(full{}, codec.WAVConfig{Rate: 8000})
	require.ErrorIs(t, err, errFull)
}

var errFull = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// peer leaves the test out where a program is not installed, and fails it where it must be.
func peer(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("RINGFENCE_PEERS") == "required" {
			t.Fatal(name, " is not installed: run .ci/peers")
		}
		t.Skip(name, " is not installed")
	}
}

// sox reads what we write, and we read what sox writes, in every width.
func TestWAVAgainstSox(t *testing.T) {
	peer(t, "sox")
	dir := t.TempDir()
	ours := filepath.Join(dir, "ours.wav")
	file, err := os.Create(ours)
	require.NoError(t, err)
	pcm := sine(700, 16000, 16000, 9000)
	w, err := codec.NewWAVWriter(file, codec.WAVConfig{Rate: 16000}) // streaming
	require.NoError(t, err)
	require.NoError(t, w.WriteSamples(pcm))
	require.NoError(t, w.Close())
	require.NoError(t, file.Close())
	for _, bits := range []int{8, 16, 24, 32} {
		for _, coding := range []string{"", "floating-point", "u-law", "a-law"} {
			args := []string{"-V1", "--ignore-length", ours, "-D"}
			switch {
			case coding == "":
				args = append(args, "-b", strconv.Itoa(bits))
			case coding == "floating-point" && bits == 32:
				args = append(args, "-e", coding, "-b", "32")
			case coding != "floating-point" && bits == 8:
				args = append(args, "-e", coding)
			default:
				continue
			}
			theirs := filepath.Join(dir, coding+strconv.Itoa(bits)+".wav")
			out, err := exec.CommandContext(t.Context(), "sox", append(args, theirs)...).CombinedOutput()
			require.NoError(t, err, string(out))
			b, err := os.ReadFile(theirs)
			require.NoError(t, err)
			a, err := codec.ReadWAV(bytes.NewReader(b))
			require.NoError(t, err)
			require.Equal(t, 16000, a.Rate)
			require.Len(t, a.PCM, len(pcm))
			for i := range pcm {
				require.InDelta(t, pcm[i], a.PCM[i], 520, "%s %d", coding, bits)
			}
		}
	}
}
