package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Export writes the recording as a stereo WAV file, 16 bits at SampleRate: the first party left, the others right. It needs no temporary file, and writes
// nothing unless the whole recording was checked before. It returns the bytes written. Right: recording.export, with a reason.
func (a *Access) Export(ctx context.Context, id string, w io.Writer) (int64, error) {
	return a.ExportAs(ctx, id, w, Layout{})
}

// ExportAs is Export in another layout: one party alone, or G.711. ErrInvalid for a layout or a party there is not.
func (a *Access) ExportAs(ctx context.Context, id string, w io.Writer, l Layout) (n int64, err error) {
	p, err := a.open(ctx, ActionExport, id, true)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	audio, err := p.Audio(l)
	if err != nil {
		return 0, err
	}
	if err := p.playable(l.Stream); err != nil {
		return 0, err
	}
	// All of it or nothing: half an export serves nobody but whoever takes many.
	if err := a.spend(ctx, ActionExport, id, audio.Size()); err != nil {
		return 0, err
	}
	return audio.writeTo(w)
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
