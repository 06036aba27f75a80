package codec

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// The codings of a WAV file's fmt chunk.
const (
	wavPCM        = 1
	wavALaw       = 6
	wavMuLaw      = 7
	wavExtensible = 0xfffe
)

// maxWAV is the longest audio ReadWAV takes.
const maxWAV = time.Hour

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

// ReadWAV reads a RIFF WAVE stream of 16-bit PCM or G.711 with 1 to 8 channels, which it mixes to one. A size field that a streaming
// writer could not fill in (0 or near 2^31 and 2^32) means: until the end of r. The errors wrap ErrWAV, ErrFormat, ErrTooLong or come from r.
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
	if f.coding == wavExtensible && size >= 26 {
		f.coding = int(binary.LittleEndian.Uint16(b[24:])) // the first two bytes of the sub-format GUID
	}
	want := 8
	switch f.coding {
	case wavPCM:
		want = 16
	case wavALaw, wavMuLaw:
	default:
		return wavFormat{}, fmt.Errorf("%w: coding %d", ErrFormat, f.coding)
	}
	if f.bits != want {
		return wavFormat{}, fmt.Errorf("%w: %d bits", ErrFormat, f.bits)
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
	limit := int64(maxWAV/time.Second) * int64(f.rate) * int64(f.bytesPerFrame())
	streaming := size == 0 || size >= 0x7ff00000
	if !streaming {
		if size > limit {
			return Audio{}, ErrTooLong
		}
		r = io.LimitReader(r, size)
	}
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return Audio{}, fmt.Errorf("codec: reading WAV: %w", err)
	}
	if int64(len(raw)) > limit {
		return Audio{}, ErrTooLong
	}
	// A file cut off inside its samples plays up to there; whole frames only.
	frames := len(raw) / f.bytesPerFrame()
	pcm := make([]int16, frames)
	for i := range pcm {
		sum := 0
		for c := range f.channels {
			k := i*f.channels + c
			switch f.coding {
			case wavPCM:
				sum += int(int16(binary.LittleEndian.Uint16(raw[2*k:])))
			case wavALaw:
				sum += int(alawToLinear[raw[k]])
			default:
				sum += int(mulawToLinear[raw[k]])
			}
		}
		pcm[i] = int16(sum / f.channels)
	}
	return Audio{Rate: f.rate, PCM: pcm}, nil
}
