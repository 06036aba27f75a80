package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Export writes the recording as a stereo WAV file, 16 bits at SampleRate: the first party left, the others right. It needs no temporary file, and writes
// nothing unless the whole recording was checked before. What Config.Flagger flags and nobody approved is silence and recorded with the Auditor. It returns
// the bytes written. Right: recording.export, with a reason.
func (a *Access) Export(ctx context.Context, id string, w io.Writer) (int64, error) {
	return a.ExportAs(ctx, id, w, Layout{})
}

// ExportAs is Export in another layout: one party alone, G.711, FLAC or Opus. ErrInvalid for a layout or a party there is not, or a format without an encoder.
func (a *Access) ExportAs(ctx context.Context, id string, w io.Writer, l Layout) (n int64, err error) {
	p, f, err := a.export(ctx, id, l)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return f.writeTo(w)
}

// export opens a recording, checks all of it and counts what is about to leave.
func (a *Access) export(ctx context.Context, id string, l Layout) (*Playback, exportFile, error) {
	p, err := a.open(ctx, ActionExport, id, true)
	if err != nil {
		return nil, nil, err
	}
	f, err := p.file(l)
	if err == nil {
		// All of it or nothing: half an export serves nobody but whoever takes many.
		err = a.spend(ctx, ActionExport, id, f.counts())
	}
	if err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return p, f, nil
}

// exportFile is a recording as a file.
type exportFile interface {
	// counts is what it counts for Config.Bulk: as much as the audio in it would as WAV.
	counts() int64
	// writeTo writes all of it, the same bytes each time.
	writeTo(w io.Writer) (int64, error)
}

func (a *Audio) counts() int64 { return a.size }

// file returns the recording as a file, or an error before a byte was written.
func (p *Playback) file(l Layout) (exportFile, error) {
	switch l.Format {
	case OggOpus:
		if _, err := (Layout{Stream: l.Stream}).shape(p.s.parties); err != nil {
			return nil, err
		}
		return newOggFile(p, l.Stream)
	case FLAC:
		audio, err := p.Audio(Layout{Stream: l.Stream})
		if err != nil {
			return nil, err
		}
		encode := p.encoders[l.Format]
		if encode == nil {
			return nil, fmt.Errorf("%w: no encoder for %v", ErrInvalid, l.Format)
		}
		return encoded{audio, encode}, p.playable(l.Stream)
	}
	audio, err := p.Audio(l)
	if err != nil {
		return nil, err
	}
	return audio, p.playable(l.Stream)
}

// playable returns ErrCodec, before a byte was written, for audio that somebody asked for and that cannot be decoded.
func (p *Playback) playable(s Stream) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	for code, parties := range p.framed {
		if p.decoders[codecName(code)] == nil && (s == Stereo || parties&(1<<(int(s)-1)) != 0) {
			return fmt.Errorf("%w: %s", ErrCodec, codecName(code))
		}
	}
	return nil
}

// encoded is a file that an Encoder writes.
type encoded struct {
	*Audio
	encode Encoder
}

func (e encoded) writeTo(w io.Writer) (int64, error) {
	c := &counter{w: w}
	err := e.encode(c, SampleRate, e.shape.channels, e.p.samples, e.readSamples)
	return c.n, wrap(err)
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

// Write writes on.
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// readSamples is what an Encoder reads with.
func (a *Audio) readSamples(dst []int16, at int64) error {
	n := int64(len(dst) / a.shape.channels)
	if at < 0 || len(dst)%a.shape.channels != 0 || at > a.p.samples || n > a.p.samples-at {
		return fmt.Errorf("%w: samples that there are not", ErrInvalid)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.room()
	defer func() { clear(a.left); clear(a.right); clear(a.other) }()
	for len(dst) > 0 {
		count := min(SampleRate, len(dst)/a.shape.channels)
		if err := a.fetch(count, at); err != nil {
			return err
		}
		for i := range count {
			dst[i*a.shape.channels] = a.left[i]
			if a.shape.channels == 2 {
				dst[2*i+1] = a.right[i]
			}
		}
		dst, at = dst[count*a.shape.channels:], at+int64(count)
	}
	return nil
}
