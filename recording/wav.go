package recording

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Format is what audio is written as.
type Format int

// The formats there are. Playback.Audio and PlaybackHandler have those of WAV, ExportAs and ExportSigned have all.
const (
	WAV     Format = iota // 16-bit linear PCM (format tag 1)
	WAVALaw               // G.711 A-law (format tag 6), half the size
	WAVULaw               // G.711 µ-law (format tag 7), half the size
	FLAC                  // lossless (RFC 9639), about half the size, by Config.Encoders
	OggOpus               // Opus in Ogg (RFC 7845): packets that were recorded as Opus, as they are; anything else by Config.OpusEncoder
)

var formatNames = [...]string{"wav", "wav-alaw", "wav-ulaw", "flac", "ogg-opus"}

// String returns the format's name.
func (f Format) String() string {
	if f >= 0 && int(f) < len(formatNames) {
		return formatNames[f]
	}
	return "unknown"
}

// Stream chooses whose audio.
type Stream int

// Stereo has the first party left and the others, added, right; in OggOpus each party is a stream of its own. It is the zero Stream.
const Stereo Stream = 0

// Only is the audio of one party (from 0) alone, mono.
func Only(party int) Stream { return Stream(party + 1) }

// Encoder writes a file of linear 16-bit audio to w: samples of each of the channels, at rate in Hz. read fills dst with interleaved samples from sample at on
// (of each channel, so len(dst) is a multiple of channels); any part can be read, and again, such as for a header that says something of the whole. It must
// write the same file for the same audio. Called concurrently for several exports.
type Encoder func(w io.Writer, rate, channels int, samples int64, read func(dst []int16, at int64) error) error

// OpusEncoder turns the audio of one party, in its order, into packets of Opus. It keeps state between frames. It is used by one goroutine at a time.
type OpusEncoder interface {
	// Encode writes one packet of 20 ms to dst, which has room for MaxFrame bytes, and returns its length. pcm is mono at SampleRate. It keeps neither slice,
	// and must write the same packets for the same audio.
	Encode(dst []byte, pcm []int16) (n int, err error)
}

// Layout is how audio leaves a recording. The zero Layout is stereo WAV of 16 bits.
type Layout struct {
	Format Format // If zero, WAV
	Stream Stream // If zero, Stereo
}

// wavShape is what follows from a Layout.
type wavShape struct {
	channels, width int // width is bytes of a sample
	tag             int
	code            byte
}

func (l Layout) shape(parties int) (wavShape, error) {
	s := wavShape{channels: 1, width: 2, tag: 1}
	switch l.Format {
	case WAV:
	case WAVALaw:
		s = wavShape{channels: 1, width: 1, tag: 6, code: codePCMA}
	case WAVULaw:
		s = wavShape{channels: 1, width: 1, tag: 7, code: codePCMU}
	default:
		return s, fmt.Errorf("%w: format %d", ErrInvalid, l.Format)
	}
	if l.Stream == Stereo {
		s.channels = 2
	} else if l.Stream < 0 || int(l.Stream) > parties {
		return s, fmt.Errorf("%w: party %d", ErrInvalid, int(l.Stream)-1)
	}
	return s, nil
}

// header writes the header for so many samples, true sizes at once.
func (s wavShape) header(samples int64) []byte {
	le := binary.LittleEndian
	format := 16
	if s.tag != 1 {
		format = 18 // with the length of an extension that there is not, and a fact chunk, as whatever is not PCM has
	}
	data := samples * int64(s.frame())
	pad := data & 1
	h := append([]byte("RIFF"), 0, 0, 0, 0)
	h = append(h, "WAVEfmt "...)
	h = le.AppendUint32(h, uint32(format))
	h = le.AppendUint16(h, uint16(s.tag))
	h = le.AppendUint16(h, uint16(s.channels))
	h = le.AppendUint32(h, SampleRate)
	h = le.AppendUint32(h, uint32(SampleRate*s.frame()))
	h = le.AppendUint16(h, uint16(s.frame()))
	h = le.AppendUint16(h, uint16(8*s.width))
	if s.tag != 1 {
		h = le.AppendUint16(h, 0)
		h = append(h, "fact"...)
		h = le.AppendUint32(h, 4)
		h = le.AppendUint32(h, uint32(samples))
	}
	h = append(h, "data"...)
	h = le.AppendUint32(h, uint32(data))
	le.PutUint32(h[4:], uint32(int64(len(h))-8+data+pad))
	return h
}

func (s wavShape) frame() int { return s.channels * s.width }

// Audio is a recording as a WAV file that is made while it is read: an io.ReadSeeker and an io.ReaderAt. ReadAt may be called concurrently, Read and Seek by
// one goroutine at a time. It ends with its Playback.
type Audio struct {
	p      *Playback
	stream Stream
	shape  wavShape
	header []byte
	size   int64

	pos int64 // of Read

	mu                 sync.Mutex
	left, right, other []int16
}

// Audio returns the recording in a layout. ErrInvalid for a layout there is not or a party there is not, ErrTooLong if it does not fit a WAV file.
func (p *Playback) Audio(l Layout) (*Audio, error) {
	shape, err := l.shape(p.s.parties)
	if err != nil {
		return nil, err
	}
	if p.samples*int64(shape.frame()) > 1<<32-1-64 { // 64: more than any header
		return nil, ErrTooLong
	}
	a := &Audio{p: p, stream: l.Stream, shape: shape, header: shape.header(p.samples)}
	data := p.samples * int64(shape.frame())
	a.size = int64(len(a.header)) + data + data&1
	return a, nil
}

// Size returns the length of the file in bytes.
func (a *Audio) Size() int64 { return a.size }

// Read reads on from where Read and Seek left off.
func (a *Audio) Read(b []byte) (int, error) {
	n, err := a.ReadAt(b, a.pos)
	a.pos += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Seek sets where Read reads on.
func (a *Audio) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += a.pos
	case io.SeekEnd:
		offset += a.size
	case io.SeekStart:
	default:
		return 0, fmt.Errorf("%w: whence", ErrInvalid)
	}
	if offset < 0 {
		return 0, fmt.Errorf("%w: negative position", ErrInvalid)
	}
	a.pos = offset
	return offset, nil
}

// ReadAt reads the file from off on, with the errors of Playback.ReadPCM. What it read before an error is right.
func (a *Audio) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("%w: negative position", ErrInvalid)
	}
	if a.p.spend != nil && off < a.size {
		if err := a.p.spend(min(int64(len(b)), a.size-off)); err != nil {
			return 0, err
		}
	}
	return a.read(b, off)
}

// read is ReadAt for what was counted.
func (a *Audio) read(b []byte, off int64) (n int, err error) {
	if off < int64(len(a.header)) {
		n = copy(b, a.header[off:])
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.room()
	defer func() { clear(a.left); clear(a.right); clear(a.other) }()
	frame := int64(a.shape.frame())
	var part [4]byte
	for n < len(b) {
		pos := off + int64(n) - int64(len(a.header))
		first := pos / frame
		if first >= a.p.samples {
			break
		}
		skip := int(pos % frame)
		count := min(SampleRate, a.p.samples-first, int64(len(b)-n+skip)/frame+1)
		if err := a.fetch(int(count), first); err != nil {
			return n, err
		}
		for i := range int(count) {
			p := a.put(part[:0], i)[skip:]
			skip = 0
			n += copy(b[n:], p)
		}
	}
	if end := a.size - off; n < len(b) && int64(n) < end { // the byte that makes the length even
		b[n] = 0
		n++
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// room makes room for what fetch reads.
func (a *Audio) room() {
	if a.left == nil {
		a.left, a.right, a.other = make([]int16, SampleRate), make([]int16, SampleRate), make([]int16, SampleRate)
	}
}

// fetch reads count samples of all channels.
func (a *Audio) fetch(count int, at int64) error {
	p := a.p
	if a.stream != Stereo {
		return p.fill(int(a.stream)-1, a.left[:count], at)
	}
	if err := p.fill(0, a.left[:count], at); err != nil {
		return err
	}
	clear(a.right)
	for party := 1; party < p.s.parties; party++ {
		into := a.right
		if party > 1 {
			into = a.other
		}
		if err := p.fill(party, into[:count], at); err != nil {
			return err
		}
		if party > 1 {
			for i, s := range a.other[:count] {
				a.right[i] = int16(max(-1<<15, min(1<<15-1, int32(a.right[i])+int32(s))))
			}
		}
	}
	return nil
}

// put appends sample i of all channels.
func (a *Audio) put(b []byte, i int) []byte {
	channels := [2]int16{a.left[i], a.right[i]}
	for _, s := range channels[:a.shape.channels] {
		if a.shape.width == 1 {
			b = append(b, encode(s, a.shape.code))
		} else {
			b = binary.LittleEndian.AppendUint16(b, uint16(s))
		}
	}
	return b
}

// writeTo writes the whole file.
func (a *Audio) writeTo(w io.Writer) (int64, error) {
	buf := make([]byte, 32<<10)
	defer clear(buf)
	var written int64
	for written < a.size {
		n, err := a.read(buf, written)
		if err != nil && !errors.Is(err, io.EOF) {
			return written, err
		}
		m, err := w.Write(buf[:n])
		written += int64(m)
		if err != nil {
			return written, fmt.Errorf("recording: export: %w", err)
		}
	}
	return written, nil
}
