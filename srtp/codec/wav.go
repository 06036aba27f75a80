package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// The codings of a WAV file's fmt chunk.
const (
	wavPCM        = 1
	wavFloat      = 3
	wavALaw       = 6
	wavMuLaw      = 7
	wavExtensible = 0xfffe
)

const (
	// maxWAV is the longest audio ReadWAV takes, and maxSamples the most memory it takes: an hour at 48 kHz, in one channel.
	maxWAV     = time.Hour
	maxSamples = 3600 * 48000
)

// Audio is one channel of linear samples.
type Audio struct {
	// Rate is in samples a second.
	Rate int
	// PCM are the samples.
	PCM []int16
}

// Duration returns how long the audio plays.
func (a Audio) Duration() time.Duration {
	if a.Rate <= 0 {
		return 0
	}
	return time.Duration(len(a.PCM)) * time.Second / time.Duration(a.Rate)
}

type wavFormat struct {
	coding, channels, rate, bits int
}

func (f wavFormat) bytesPerFrame() int { return f.channels * f.bits / 8 }

// ReadWAV reads a RIFF WAVE stream of 8, 16, 24 or 32-bit PCM, 32 or 64-bit IEEE float or G.711, also as WAVE_FORMAT_EXTENSIBLE, from 8000 to
// 192000 Hz, with 1 to 8 channels, which it mixes to one. A size field that a streaming writer could not fill in (0 or near 2^31 and 2^32)
// means: until the end of r. It reads in pieces and keeps the mixed samples only. The errors wrap ErrWAV, ErrFormat, ErrTooLong or come from r.
func ReadWAV(r io.Reader) (Audio, error) {
	var h [12]byte
	if _, err := io.ReadFull(r, h[:]); err != nil || string(h[:4]) != "RIFF" || string(h[8:]) != "WAVE" {
		return Audio{}, fmt.Errorf("%w: no RIFF WAVE header", ErrWAV)
	}
	var f wavFormat
	for {
		var ch [8]byte
		if _, err := io.ReadFull(r, ch[:]); err != nil {
			return Audio{}, fmt.Errorf("%w: no data chunk", ErrWAV)
		}
		id, size := string(ch[:4]), int64(binary.LittleEndian.Uint32(ch[4:]))
		switch id {
		case "fmt ":
			var err error
			if f, err = readFormat(r, size); err != nil {
				return Audio{}, err
			}
		case "data":
			if f.rate == 0 {
				return Audio{}, fmt.Errorf("%w: data before format", ErrWAV)
			}
			return readData(r, f, size)
		default:
			if _, err := io.CopyN(io.Discard, r, size+size&1); err != nil { // chunks are padded to even sizes
				return Audio{}, fmt.Errorf("%w: cut off", ErrWAV)
			}
		}
	}
}

// wavGUID is what follows the coding in the sub-format of WAVE_FORMAT_EXTENSIBLE: KSDATAFORMAT_SUBTYPE_*.
const wavGUID = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"

func readFormat(r io.Reader, size int64) (wavFormat, error) {
	if size < 16 || size > 1024 {
		return wavFormat{}, fmt.Errorf("%w: format chunk", ErrWAV)
	}
	b := make([]byte, size+size&1)
	if _, err := io.ReadFull(r, b); err != nil {
		return wavFormat{}, fmt.Errorf("%w: cut off", ErrWAV)
	}
	f := wavFormat{
		coding:   int(binary.LittleEndian.Uint16(b)),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.coding == wavExtensible {
		if size < 40 || string(b[26:40]) != wavGUID {
			return wavFormat{}, fmt.Errorf("%w: unknown extensible format", ErrFormat)
		}
		f.coding = int(binary.LittleEndian.Uint16(b[24:]))
	}
	ok := false
	switch f.coding {
	case wavPCM:
		ok = f.bits == 8 || f.bits == 16 || f.bits == 24 || f.bits == 32
	case wavFloat:
		ok = f.bits == 32 || f.bits == 64
	case wavALaw, wavMuLaw:
		ok = f.bits == 8
	}
	if !ok {
		return wavFormat{}, fmt.Errorf("%w: coding %d with %d bits", ErrFormat, f.coding, f.bits)
	}
	if f.channels < 1 || f.channels > 8 {
		return wavFormat{}, fmt.Errorf("%w: %d channels", ErrFormat, f.channels)
	}
	if f.rate < 8000 || f.rate > 192000 {
		return wavFormat{}, fmt.Errorf("%w: %d Hz", ErrFormat, f.rate)
	}
	return f, nil
}

func readData(r io.Reader, f wavFormat, size int64) (Audio, error) {
	frame := f.bytesPerFrame()
	limit := min(int64(maxWAV/time.Second)*int64(f.rate), maxSamples)
	pcm := []int16(nil)
	if streaming := size == 0 || size >= 0x7ff00000; !streaming {
		if size/int64(frame) > limit {
			return Audio{}, ErrTooLong
		}
		r = io.LimitReader(r, size)
	}
	buf := make([]byte, 4096*frame)
	for {
		n, err := io.ReadFull(r, buf)
		// A file cut off inside its samples plays up to there; whole frames only.
		if int64(len(pcm)+n/frame) > limit {
			return Audio{}, ErrTooLong
		}
		pcm = f.mix(pcm, buf[:n/frame*frame])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return Audio{Rate: f.rate, PCM: pcm}, nil
		}
		if err != nil {
			return Audio{}, fmt.Errorf("codec: reading WAV: %w", err)
		}
	}
}

// mix appends whole frames, each mixed to one sample.
func (f wavFormat) mix(pcm []int16, b []byte) []int16 {
	width := f.bits / 8
	for len(b) > 0 {
		sum := 0
		for range f.channels {
			sum += f.sample(b)
			b = b[width:]
		}
		pcm = append(pcm, int16(sum/f.channels))
	}
	return pcm
}

// sample reads one sample on the 16-bit scale. 8-bit PCM is unsigned, all other is signed.
func (f wavFormat) sample(b []byte) int {
	switch {
	case f.coding == wavALaw:
		return int(alawToLinear[b[0]])
	case f.coding == wavMuLaw:
		return int(mulawToLinear[b[0]])
	case f.coding == wavFloat && f.bits == 32:
		return fromFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	case f.coding == wavFloat:
		return fromFloat(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case f.bits == 8:
		return (int(b[0]) - 128) << 8
	default: // the two highest bytes
		return int(int16(binary.LittleEndian.Uint16(b[f.bits/8-2:])))
	}
}

// fromFloat takes -1 to 1; what is beyond is clipped, and what is no number is silence.
func fromFloat(v float64) int {
	if math.IsNaN(v) {
		return 0
	}
	return int(math.Round(32767 * max(-1, min(1, v))))
}
