package recording

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const wavHeader = 44

// writeWAV writes the first party left and the others, added, right: 16-bit stereo at SampleRate. The header states the true size at once.
func writeWAV(w io.Writer, p *Playback) (int64, error) {
	size := p.f.samples * 4
	if size > 1<<32-1-wavHeader {
		return 0, ErrTooLong
	}
	h := make([]byte, 0, wavHeader)
	h = append(h, "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, uint32(wavHeader-8+size))
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, 1) // PCM
	h = binary.LittleEndian.AppendUint16(h, 2)
	h = binary.LittleEndian.AppendUint32(h, SampleRate)
	h = binary.LittleEndian.AppendUint32(h, SampleRate*4)
	h = binary.LittleEndian.AppendUint16(h, 4)
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	h = binary.LittleEndian.AppendUint32(h, uint32(size))
	var written int64
	write := func(b []byte) error {
		n, err := w.Write(b)
		written += int64(n)
		if err != nil {
			return fmt.Errorf("recording: export: %w", err)
		}
		return nil
	}
	if err := write(h); err != nil {
		return written, err
	}
	var (
		left, right, other = make([]int16, SampleRate), make([]int16, SampleRate), make([]int16, SampleRate)
		out                = make([]byte, 0, SampleRate*4)
	)
	defer func() { clear(left); clear(right); clear(other); clear(out[:cap(out)]) }()
	for at := int64(0); at < p.f.samples; at += SampleRate {
		n, err := p.ReadPCM(0, left, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return written, err
		}
		clear(right)
		for party := 1; party < len(p.f.runs); party++ {
			if _, err := p.ReadPCM(party, other, at); err != nil && !errors.Is(err, io.EOF) {
				return written, err
			}
			for i := range n {
				right[i] = int16(max(-1<<15, min(1<<15-1, int32(right[i])+int32(other[i]))))
			}
		}
		out = out[:0]
		for i := range n {
			out = binary.LittleEndian.AppendUint16(out, uint16(left[i]))
			out = binary.LittleEndian.AppendUint16(out, uint16(right[i]))
		}
		if err := write(out); err != nil {
			return written, err
		}
	}
	return written, nil
}
