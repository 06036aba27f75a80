package codec

import (
	"encoding/binary"
	"fmt"
	"io"
)

// WAVCoding is how a WAVWriter stores samples. The zero value is WAVPCM16.
type WAVCoding int

// The codings of a WAVWriter.
const (
	// WAVPCM16 is linear, 16 bits, little-endian.
	WAVPCM16 WAVCoding = iota
	// WAVMulaw and WAVAlaw are G.711, 8 bits.
	WAVMulaw
	WAVAlaw
)

// WAVConfig describes a WAV file to be written.
type WAVConfig struct {
	// Rate is in samples a second, 8000 to 192000. Required.
	Rate int
	// Channels are interleaved, 1 to 8. If zero, one.
	Channels int
	// Coding is how samples are stored. If zero, WAVPCM16.
	Coding WAVCoding
	// Frames is how many samples each channel will have. If zero, that is not known yet: the header says 0xFFFFFFFF, which players take for "until
	// the end", and no one needs to seek back.
	Frames int64
}

// unknownSize is what streaming writers put where a size belongs.
const unknownSize = 0xffffffff

// WAVWriter writes a RIFF WAVE file to a stream that cannot seek: an encrypted export, a pipe, a response. It is used by one goroutine at a time.
type WAVWriter struct {
	w      io.Writer
	cfg    WAVConfig
	buf    []byte
	left   int64 // bytes still announced; -1: unknown
	total  int64
	closed bool
}

// NewWAVWriter writes the header to w. The error wraps ErrFormat, ErrTooLong if the file would not fit its 32-bit sizes, or comes from w.
func NewWAVWriter(w io.Writer, cfg WAVConfig) (*WAVWriter, error) {
	if cfg.Channels == 0 {
		cfg.Channels = 1
	}
	if cfg.Rate < 8000 || cfg.Rate > 192000 || cfg.Channels < 1 || cfg.Channels > 8 || cfg.Coding < WAVPCM16 || cfg.Coding > WAVAlaw || cfg.Frames < 0 {
		return nil, fmt.Errorf("%w: %d Hz, %d channels, coding %d", ErrFormat, cfg.Rate, cfg.Channels, cfg.Coding)
	}
	coding, width := wavPCM, 2
	switch cfg.Coding {
	case WAVMulaw:
		coding, width = wavMuLaw, 1
	case WAVAlaw:
		coding, width = wavALaw, 1
	}
	frame := width * cfg.Channels
	f := &WAVWriter{w: w, cfg: cfg, left: -1}
	riff, data := uint32(unknownSize), uint32(unknownSize)

	h := make([]byte, 0, 64)
	h = append(h, "RIFF\x00\x00\x00\x00WAVEfmt "...)
	fmtSize := uint32(16)
	if coding != wavPCM {
		fmtSize = 18 // with the size of an extension, which is empty
	}
	h = binary.LittleEndian.AppendUint32(h, fmtSize)
	h = binary.LittleEndian.AppendUint16(h, uint16(coding))
	h = binary.LittleEndian.AppendUint16(h, uint16(cfg.Channels))
	h = binary.LittleEndian.AppendUint32(h, uint32(cfg.Rate))
	h = binary.LittleEndian.AppendUint32(h, uint32(cfg.Rate*frame))
	h = binary.LittleEndian.AppendUint16(h, uint16(frame))
	h = binary.LittleEndian.AppendUint16(h, uint16(8*width))
	if coding != wavPCM {
		h = append(h, 0, 0)
	}
	h = append(h, "data"...)
	if cfg.Frames > 0 {
		if cfg.Frames > (unknownSize-64)/int64(frame) {
			return nil, fmt.Errorf("%w: %d samples", ErrTooLong, cfg.Frames)
		}
		f.left = cfg.Frames * int64(frame)
		data = uint32(f.left)
		riff = uint32(int64(len(h)) - 8 + 4 + f.left + f.left&1)
	}
	h = binary.LittleEndian.AppendUint32(h, data)
	binary.LittleEndian.PutUint32(h[4:], riff)
	if _, err := w.Write(h); err != nil {
		return nil, fmt.Errorf("codec: writing WAV: %w", err)
	}
	return f, nil
}

// Write writes samples that are coded already, channels interleaved. The error wraps ErrTooLong for more than was announced, of which nothing is written,
// is io.ErrClosedPipe after Close, or comes from the stream.
func (f *WAVWriter) Write(coded []byte) (int, error) {
	if f.closed {
		return 0, io.ErrClosedPipe
	}
	if f.left >= 0 && int64(len(coded)) > f.left {
		return 0, fmt.Errorf("%w: %d bytes more than announced", ErrTooLong, int64(len(coded))-f.left)
	}
	n, err := f.w.Write(coded)
	f.total += int64(n)
	if f.left >= 0 {
		f.left -= int64(n)
	}
	if err != nil {
		return n, fmt.Errorf("codec: writing WAV: %w", err)
	}
	return n, nil
}

// WriteSamples codes samples, channels interleaved, and writes them. It allocates only for a longer slice than ever before. The errors are those of Write.
func (f *WAVWriter) WriteSamples(pcm []int16) error {
	b := f.buf[:0]
	switch f.cfg.Coding {
	case WAVMulaw:
		for _, v := range pcm {
			b = append(b, linearToMulaw[uint16(v)>>2])
		}
	case WAVAlaw:
		for _, v := range pcm {
			b = append(b, linearToAlaw[uint16(v)>>2])
		}
	default:
		for _, v := range pcm {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		}
	}
	f.buf = b
	_, err := f.Write(b)
	return err
}

// Close pads a file of announced length to an even size. It does not close the stream. The error is io.ErrUnexpectedEOF if less was written than announced, or comes from
// the stream. Close after Close does nothing.
func (f *WAVWriter) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	if f.left > 0 {
		return fmt.Errorf("codec: WAV lacks %d bytes: %w", f.left, io.ErrUnexpectedEOF)
	}
	if f.left == 0 && f.total%2 == 1 {
		if _, err := f.w.Write([]byte{0}); err != nil {
			return fmt.Errorf("codec: writing WAV: %w", err)
		}
	}
	return nil
}
