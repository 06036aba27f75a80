package recording

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// A proof holds one segment of a signed recording and what leads from it to the signature: whoever has the signer's public key hears that part and knows
// that it was recorded just so, without the rest. FORMAT.md specifies it.
const (
	proofMagic = "RFPR"
	proofHead  = 8
)

type proof struct {
	manifest, signature []byte
	number              uint32
	secret              secret
	segment             []byte
	path                []digest
}

func (p proof) encode() []byte {
	b := append([]byte(proofMagic), version2, 0, 0, 0)
	b = appendString(b, string(p.manifest))
	b = appendString(b, string(p.signature))
	b = binary.BigEndian.AppendUint32(b, p.number)
	b = append(b, p.secret[:]...)
	b = appendString(b, string(p.segment))
	b = append(b, byte(len(p.path)))
	for _, d := range p.path {
		b = append(b, d[:]...)
	}
	return b
}

var errProof = fmt.Errorf("%w: not a proof", ErrInvalid)

// parseProof accepts only what encode writes.
func parseProof(b []byte) (p proof, err error) {
	if len(b) < proofHead || !bytes.Equal(b[:proofHead], append([]byte(proofMagic), version2, 0, 0, 0)) {
		return p, errProof
	}
	var ok bool
	if p.manifest, b, ok = cutBytes(b[proofHead:], maxManifest); !ok {
		return p, errProof
	}
	if p.signature, b, ok = cutBytes(b, ed25519.SignatureSize); !ok || len(b) < 4+keyBytes {
		return p, errProof
	}
	p.number = be32(b)
	copy(p.secret[:], b[4:])
	if p.segment, b, ok = cutBytes(b[4+keyBytes:], headBytes+maxPlaintext+tagBytes+trailerBytes); !ok || len(b) < 1 {
		return p, errProof
	}
	n := int(b[0])
	if b = b[1:]; n > segmentBits || len(b) != n*hashBytes {
		return p, errProof
	}
	for ; n > 0; n-- {
		p.path, b = append(p.path, digest(b[:hashBytes])), b[hashBytes:]
	}
	return p, nil
}

// Prove returns a proof of the part of a recording, about a second, in which something was heard at the given time from its start. The whole recording is
// checked before. The proof opens that part, and with the blob of the recording in hand the rest of its audio; it does not open the metadata.
// ErrUnsigned for a recording without a manifest or a Vault without a Signer, ErrOpen while it is being made, ErrNotFound if nothing was heard then,
// ErrRestricted if any part of the recording is flagged and nobody approved: the key in a proof opens all of its audio. Right: recording.export, with a reason.
func (a *Access) Prove(ctx context.Context, id string, at time.Duration) (out []byte, err error) {
	if err := a.permitOut(ctx, ActionExport, id); err != nil {
		return nil, err
	}
	r, err := a.v.read(ctx, id)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if _, err := a.decide(ctx, ActionExport, r, true); err != nil {
		return nil, err
	}
	switch {
	case r.entry.State == StateOpen:
		return nil, fmt.Errorf("%w: %s", ErrOpen, id)
	case a.v.cfg.Signer == nil || r.bound.version == version1 || len(r.entry.Manifest) == 0 || r.s.box == nil:
		return nil, fmt.Errorf("%w: %s", ErrUnsigned, id)
	}
	m, err := a.v.checkManifest(ctx, r.entry, r.bound)
	if err != nil {
		return nil, err
	}
	f, err := r.scan(wants{digest: true, leaves: true, play: true})
	if err != nil {
		return nil, err
	}
	if !m.covers(r.s.header, f) {
		return nil, r.s.bad(0, 0, ErrTampered, "the blob is not the one that was signed")
	}
	it, ok := f.atlas.at(int64(at / tick))
	if !ok {
		return nil, fmt.Errorf("%w: nothing was heard then", ErrNotFound)
	}
	segment := make([]byte, it.total(version2))
	if err := r.s.readAt(segment, it.offset); err != nil {
		return nil, err
	}
	p := proof{manifest: r.entry.Manifest, signature: r.entry.Signature, number: it.number, secret: r.secret, segment: segment,
		path: treePath(newHasher(), f.leaves, int(it.number))}.encode()
	if err := a.spend(ctx, ActionExport, id, int64(len(p))); err != nil {
		return nil, err
	}
	return p, nil
}

// at returns the first segment with audio at a tick. The atlas must be one that a scan filled.
func (a *atlas) at(t int64) (item, bool) {
	for _, g := range a.groups {
		for _, it := range g.items {
			if int64(it.from) <= t && t < int64(it.to) {
				return it, true
			}
		}
	}
	return item{}, false
}

// Part is a proved part of a recording.
type Part struct {
	ID       string
	Place    Place
	Purpose  string
	Complete bool      // the recording that it is part of ended well
	Closed   time.Time // when that recording ended, UTC
	Segment  int64     // which part it is, from 0
	Segments int64     // of how many
	Runs     []PartRun
	Marks    []Mark
}

// PartRun is a stretch of one party's audio.
type PartRun struct {
	Party  int           // from 0
	At     time.Duration // from the start of the recording
	Length time.Duration
	Codec  string   // its name in SDP
	Frames [][]byte // as they came off the wire; G.711 as one
	PCM    []int16  // the same at SampleRate; nil for codecs other than G.711
}

// VerifyProof checks a proof against the public key of whoever made the recording, got from somewhere else, and returns what it proves. ErrInvalid for
// something that is no proof, ErrTampered for one in which anything was changed or which another key signed.
func VerifyProof(b []byte, public ed25519.PublicKey) (*Part, error) {
	p, err := parseProof(b)
	if err != nil {
		return nil, err
	}
	m, why := verifyManifest(public, p.manifest, p.signature)
	bad := func(why string) (*Part, error) {
		return nil, &CorruptError{ID: m.ID, Segment: int64(p.number), Reason: why, Err: ErrTampered}
	}
	if why != "" {
		return bad(why)
	}
	h := newHasher()
	root, ok := pathRoot(h, h.leaf(p.segment), uint64(p.number), uint64(m.Segments), p.path)
	if m.Version != version2 || len(m.Header) != headerBytes || !ok || !bytes.Equal(root[:], m.Root) {
		return bad("the segment is not one of those that were signed")
	}
	bound := binding{version: version2, id: m.ID, purpose: m.Purpose, place: m.Place}
	box, err := p.secret.box(m.Header, bound) // the commitment in the signed header: no other key opens the segment to something else
	if err != nil {
		return bad(err.Error())
	}
	if len(p.segment) <= headBytes+tagBytes {
		return bad("impossible length")
	}
	seg := segment{head: be32(p.segment)}
	if int64(len(p.segment)) != seg.total(version2) {
		return bad("impossible length")
	}
	out := &Part{ID: m.ID, Place: m.Place, Purpose: m.Purpose, Complete: m.State == StateComplete.String(), Closed: m.Closed, Segment: int64(p.number), Segments: m.Segments}
	plain, err := box.open(nil, p.segment[headBytes:headBytes+seg.size()], p.number, seg.head)
	if err == nil {
		err = parseRecords(plain, place{version: version2, number: p.number, final: seg.final()}, out.add)
	}
	if err != nil {
		return bad("does not authenticate at this place")
	}
	return out, nil
}

func (p *Part) add(r record) error {
	switch r.kind {
	case kindMark:
		p.Marks = append(p.Marks, r.mark())
	case kindAudio, kindFrames:
		run := PartRun{Party: int(r.party), At: time.Duration(r.at) * tick, Length: time.Duration(r.ticks()) * tick, Codec: codecName(r.code)}
		if r.kind == kindAudio {
			run.Frames, run.PCM = [][]byte{r.data}, make([]int16, len(r.data))
			decode(run.PCM, r.data, r.code)
		}
		for b := r.data; r.kind == kindFrames && len(b) > 0; {
			_, payload, rest, err := cutFrame(b)
			if err != nil {
				return err
			}
			run.Frames, b = append(run.Frames, payload), rest
		}
		p.Runs = append(p.Runs, run)
	}
	return nil
}
