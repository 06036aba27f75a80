package recording

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A sealed recording is one stream that holds all an outside recipient needs besides the private key: what the recording is bound to, the envelope, the
// metadata, the manifest and the blob, everything but the binding's names still encrypted.
const (
	sealedMagic = "RFSX"
	sealedHead  = 24

	maxManifest   = 8 << 10
	maxSealedMeta = maxMeta + saltBytes + tagBytes
	maxSealedHead = sealedHead + 5*(4+maxPlace) + 4 + maxEnvelope + 4 + maxSealedMeta + 4 + maxManifest + 4 + ed25519.SignatureSize + 8
)

// sealedFront is everything before the blob.
type sealedFront struct {
	entry Entry
	bound binding
	blob  int64 // its length
}

var errSealed = fmt.Errorf("%w: not a sealed recording", ErrInvalid)

func (f sealedFront) encode() []byte {
	b := append([]byte(sealedMagic), version2, byte(f.entry.State), 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(f.entry.Segments))
	b = binary.BigEndian.AppendUint64(b, uint64(f.entry.Samples))
	for _, s := range []string{f.bound.place.Owner, f.bound.id, f.bound.purpose, f.bound.place.Region, f.bound.place.Environment,
		string(f.entry.WrappedKey), string(f.entry.Meta), string(f.entry.Manifest), string(f.entry.Signature)} {
		b = appendString(b, s)
	}
	return binary.BigEndian.AppendUint64(b, uint64(f.blob))
}

// parseSealedFront accepts only what encode writes, followed by a blob of the right length. It returns where the blob begins.
func parseSealedFront(b []byte, size int64) (f sealedFront, offset int64, err error) {
	if len(b) < sealedHead || string(b[:4]) != sealedMagic || b[4] != version2 || b[6] != 0 || b[7] != 0 {
		return f, 0, errSealed
	}
	f.bound.version = version2
	f.entry.State = State(b[5])
	f.entry.Segments, f.entry.Samples = int64(be64(b[8:])), int64(be64(b[16:]))
	rest, ok := b[sealedHead:], true
	for _, s := range []struct {
		to  *string
		max int
	}{{&f.bound.place.Owner, maxPlace}, {&f.bound.id, maxID}, {&f.bound.purpose, maxPlace}, {&f.bound.place.Region, maxPlace}, {&f.bound.place.Environment, maxPlace}} {
		if *s.to, rest, ok = cutString(rest, s.max); !ok {
			return f, 0, errSealed
		}
	}
	for _, s := range []struct {
		to  *[]byte
		max int
	}{{&f.entry.WrappedKey, maxEnvelope}, {&f.entry.Meta, maxSealedMeta}, {&f.entry.Manifest, maxManifest}, {&f.entry.Signature, ed25519.SignatureSize}} {
		if *s.to, rest, ok = cutBytes(rest, s.max); !ok {
			return f, 0, errSealed
		}
	}
	if len(rest) < 8 || !ValidID(f.bound.id) || f.bound.place.validate() != nil || (f.entry.State != StateComplete && f.entry.State != StateIncomplete) ||
		f.entry.Segments < 0 || f.entry.Segments > maxSegments || f.entry.Samples < 0 || f.entry.Samples > maxTick {
		return f, 0, errSealed
	}
	offset = int64(len(b) - len(rest) + 8)
	f.entry.ID, f.entry.Class, f.blob = f.bound.id, DefaultClass, int64(be64(rest))
	if f.blob < 0 || f.blob != size-offset {
		return f, 0, fmt.Errorf("%w: cut off, or with bytes after it", errSealed)
	}
	return f, offset, nil
}

// Seal writes a finished recording as one stream that its recipients open with their own keys and OpenSealed, without this Vault. The audio in it stays
// encrypted, and nothing is written unless all of it was checked before. It returns the bytes written.
//
// A sealed recording is a copy that holds wrapped keys: Destroy does not reach it. ErrRecipient if the recording has no recipients, ErrOpen while it is
// being made, ErrInvalid for container version 1, ErrRestricted if a part of it is flagged and nobody approved. Right: recording.export, with a reason.
func (a *Access) Seal(ctx context.Context, id string, w io.Writer) (n int64, err error) {
	if err := a.permitOut(ctx, ActionExport, id); err != nil {
		return 0, err
	}
	r, err := a.v.read(ctx, id)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if _, err := a.decide(ctx, ActionExport, r, true); err != nil {
		return 0, err
	}
	switch {
	case r.entry.State == StateOpen:
		return 0, fmt.Errorf("%w: %s", ErrOpen, id)
	case r.bound.version == version1:
		return 0, fmt.Errorf("%w: container version 1 has no recipients", ErrInvalid)
	}
	if env, err := parseEnvelope(r.entry.WrappedKey); err != nil || len(env.stanzas) < 2 {
		return 0, fmt.Errorf("%w: %s has no recipients: nobody could open it", ErrRecipient, id)
	}
	f, err := r.scan(wants{})
	if err != nil {
		return 0, err
	}
	front := sealedFront{entry: r.entry, bound: r.bound, blob: f.bytes}.encode()
	if err := a.spend(ctx, ActionExport, id, int64(len(front))+f.bytes); err != nil {
		return 0, err
	}
	m, err := w.Write(front)
	if n = int64(m); err != nil || r.s.blob == nil {
		return n, wrap(err)
	}
	c, err := io.Copy(w, io.NewSectionReader(r.s.blob, 0, f.bytes)) // without the torn end that a crash left
	return n + c, wrap(err)
}

// Sealed is a sealed recording opened by a recipient. Safe for concurrent use. Close it.
type Sealed struct {
	front sealedFront
	meta  Meta
	blob  *io.SectionReader

	mu     sync.Mutex
	key    *dek
	closed bool
}

// OpenSealed opens what Access.Seal wrote, size bytes of it, with a recipient's key. It reads no audio. r must stay readable until Close.
// ErrInvalid for something else or something cut off, ErrKey if it was sealed for others or what it says of itself was altered.
func OpenSealed(r io.ReaderAt, size int64, identity *Identity) (*Sealed, error) {
	if identity == nil {
		return nil, fmt.Errorf("%w: none", ErrRecipient)
	}
	b := make([]byte, min(max(size, 0), maxSealedHead))
	if n, err := r.ReadAt(b, 0); n < len(b) {
		return nil, wrap(err)
	}
	front, offset, err := parseSealedFront(b, size)
	if err != nil {
		return nil, err
	}
	env, err := parseEnvelope(front.entry.WrappedKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKey, front.bound.id, err)
	}
	k, err := identity.unwrap(env, front.bound)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKey, front.bound.id, err)
	}
	s := &Sealed{front: front, key: k, blob: io.NewSectionReader(r, offset, front.blob)}
	if err := env.check(k, front.bound); err != nil {
		s.Close()
		return nil, err
	}
	text, err := openMeta(k, front.entry.Meta, front.bound)
	if err == nil {
		s.meta, err = parseMeta(text, front.entry)
		clear(text)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("%w: %s: metadata", ErrKey, front.bound.id)
	}
	return s, nil
}

// Info returns what the recording says of itself. State and Duration are proved by Verify only.
func (s *Sealed) Info() Info { return s.front.entry.info().with(s.meta) }

// Place returns whose recording it is and from where.
func (s *Sealed) Place() Place { return s.front.bound.place }

// Recipients returns for whom it was sealed, by name.
func (s *Sealed) Recipients() []string {
	var out []string
	if env, err := parseEnvelope(s.front.entry.WrappedKey); err == nil { // parsed before
		for _, st := range env.stanzas[1:] {
			out = append(out, st.name)
		}
	}
	return out
}

// Close forgets the key. Playbacks that were opened stay open.
func (s *Sealed) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.key.close()
}

// unclosed is a blob that nobody has to close.
type unclosed struct{}

func (unclosed) Close() error { return nil }

func (s *Sealed) read() (*reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	r := &reading{entry: s.front.entry, meta: s.meta, bound: s.front.bound, s: &scanner{id: s.front.bound.id, parties: len(s.meta.Parties)}, blob: unclosed{}}
	if err := r.open(s.key, s.blob); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// Verify reads the recording to the end and says what it is, as Access.Verify does. public is the key of whoever made the recording, got from somewhere
// else; with it, a recording that this key did not sign just so is refused. If nil, nothing is known of who made it, nor whether an incomplete recording was
// cut shorter still.
func (s *Sealed) Verify(public ed25519.PublicKey) (Report, error) {
	rep := Report{ID: s.front.bound.id, FirstBad: -1}
	r, err := s.read()
	if err != nil {
		return rep.blame(err)
	}
	f, err := r.scan(wants{digest: public != nil})
	if cerr := r.close(); err == nil {
		err = cerr
	}
	rep.found(s.front.entry, f)
	if err != nil {
		return rep.blame(err)
	}
	if public != nil {
		m, reason := verifyManifest(public, s.front.entry.Manifest, s.front.entry.Signature)
		if reason == "" {
			reason = m.matches(s.front.entry, s.front.bound)
		}
		if reason == "" && !m.covers(r.s.header, f) {
			reason = "the blob is not the one that was signed"
		}
		if reason != "" {
			return rep.blame(r.s.bad(0, 0, ErrTampered, reason))
		}
		rep.Signed = true
	}
	return rep.conclude(f), nil
}

// Open opens the recording for listening, with decoders as in Config.
func (s *Sealed) Open(decoders map[string]func() Decoder) (*Playback, error) {
	return s.open(decoders, false)
}

func (s *Sealed) open(decoders map[string]func() Decoder, whole bool) (*Playback, error) {
	r, err := s.read()
	if err != nil {
		return nil, err
	}
	p, err := r.playback(whole)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	p.decoders = decoders
	return p, nil
}

// Export writes the recording after checking all of it, as Access.ExportAs does, in formats that need no Encoder.
func (s *Sealed) Export(w io.Writer, l Layout, decoders map[string]func() Decoder) (n int64, err error) {
	p, err := s.open(decoders, true)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	file, err := p.file(l)
	if err != nil {
		return 0, err
	}
	return file.writeTo(w)
}
