package recording_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// This file is a second reader, written from FORMAT.md with nothing but cryptographic primitives. It shares no code with package recording, so that where the
// two disagree the text is wrong or the program is.

type bound struct{ owner, id, purpose, region, environment string }

func lv(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }

func (b bound) to(label string) []byte {
	return slices.Concat([]byte(label), []byte{0}, lv(b.owner), lv(b.id), lv(b.purpose), lv(b.region), lv(b.environment))
}

// cursor reads lengths and values and remembers whether it ran out.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.b, c.bad = nil, true
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) num(n int) (v uint64) {
	for _, x := range c.take(uint64(n)) {
		v = v<<8 | uint64(x)
	}
	return v
}

func (c *cursor) str() []byte { return c.take(c.num(4)) }

// streamKeys returns stream key and nonce prefix if the header was made for this secret.
func streamKeys(secret, header []byte) (key, prefix []byte, err error) {
	okm, err := hkdf.Expand(sha256.New, secret, "ringfence recording v2 segments", 71)
	if err != nil {
		return nil, nil, err
	}
	if len(header) != 72 || !bytes.Equal(header[:8], []byte{'R', 'F', 'R', 'C', 2, 1, 0, 0}) || !hmac.Equal(okm[39:], header[40:]) {
		return nil, nil, errors.New("header")
	}
	return okm[:32], okm[32:39], nil
}

func blobSecret(dek, header []byte, b bound) ([]byte, error) {
	if len(header) < 72 {
		return nil, errors.New("header is cut")
	}
	return hkdf.Key(sha256.New, dek, header[8:40], string(b.to("ringfence recording v2 stream")), 32)
}

func openSegment(secret, header []byte, b bound, i uint32, seg []byte) (plain []byte, final bool, err error) {
	key, prefix, err := streamKeys(secret, header)
	if err != nil {
		return nil, false, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, false, err
	}
	last := seg[0] >> 7
	nonce := append(binary.BigEndian.AppendUint32(slices.Clone(prefix), i), last)
	aad := slices.Concat(header, b.to("ringfence recording v2 stream"), binary.BigEndian.AppendUint32(nil, i), seg[:4])
	end := len(seg)
	if last == 1 {
		end -= 8
	}
	plain, err = aead.Open(nil, nonce, seg[4:end], aad)
	return plain, last == 1, err
}

// rec is one record, flat is one blob read to the end.
type rec struct {
	kind, party, code byte
	at                uint32
	data              []byte
}

type flat struct {
	segs    [][]byte
	plain   [][]byte
	records []rec
	final   bool
	torn    int
	length  uint32
}

// readFlat is the section "Reading" of FORMAT.md, the row having state "open", "complete" or "incomplete" and so many segments.
func readFlat(dek, blob []byte, b bound, parties int, state string, segments int) (f flat, err error) {
	secret, err := blobSecret(dek, blob[:min(72, len(blob))], b)
	if err != nil {
		return f, err
	}
	header := blob[:72]
	if _, _, err := streamKeys(secret, header); err != nil {
		return f, err
	}
	ends := map[byte]uint64{}
	var list, dir []byte // entries since the last index; blocks
	var span [3]uint64   // of list: from, to, marks
	for offset := 72; offset < len(blob); {
		if f.final {
			return f, errors.New("bytes after the final segment")
		}
		c := cursor{b: blob[offset:]}
		n := c.num(4)
		size := 4 + n&^(1<<31)
		if n>>31 == 1 {
			size += 8
		}
		if n&^(1<<31) < 16 || n&^(1<<31) > 262_144+16 {
			if len(blob)-offset >= 4 {
				return f, errors.New("length")
			}
		}
		if size > uint64(len(blob)-offset) || len(blob)-offset < 4 {
			f.torn = len(blob) - offset
			break
		}
		i := uint32(len(f.segs))
		seg := blob[offset:][:size]
		plain, final, err := openSegment(secret, header, b, i, seg)
		if err != nil {
			return f, fmt.Errorf("segment %d: %w", i, err)
		}
		if final && binary.BigEndian.Uint64(seg[len(seg)-8:]) != uint64(offset) {
			return f, errors.New("trailer")
		}
		rs, err := readRecords(plain, parties, final, i, list, dir, ends)
		if err != nil {
			return f, fmt.Errorf("segment %d: %w", i, err)
		}
		if i > 0 && i%128 == 0 && !final {
			at := uint64(offset) | span[2]<<63
			dir = binary.BigEndian.AppendUint64(dir, at)
			dir = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dir, uint32(span[0])), uint32(span[1]))
			list, span = nil, [3]uint64{}
		}
		from, to, marks := uint64(0), uint64(0), uint64(0)
		for _, r := range rs {
			end := uint64(r.at) + ticksOf(r)
			switch r.kind {
			case 1, 4:
				if to == 0 {
					from, to = uint64(r.at), end
				}
				from, to = min(from, uint64(r.at)), max(to, end)
				f.length = max(f.length, uint32(end))
			case 2:
				marks = 1
				f.length = max(f.length, r.at)
			case 3:
				if r.at < f.length || uint64(binary.BigEndian.Uint32(r.data)) != uint64(i+1) {
					return f, errors.New("summary")
				}
				f.length = r.at
			}
		}
		list = binary.BigEndian.AppendUint32(list, uint32(n&^(1<<31)|marks<<31))
		list = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(list, uint32(from)), uint32(to))
		if to > 0 && span[1] == 0 {
			span[0], span[1] = from, to
		} else if to > 0 {
			span[0], span[1] = min(span[0], from), max(span[1], to)
		}
		span[2] |= marks
		f.segs, f.plain, f.records, f.final = append(f.segs, seg), append(f.plain, plain), append(f.records, rs...), final
		offset += int(size)
	}
	switch {
	case state == "complete" && !f.final:
		return f, errors.New("no final segment")
	case state != "open" && len(f.segs) != segments:
		return f, errors.New("another number of segments")
	}
	return f, nil
}

// ticksOf is how long a record of audio lasts.
func ticksOf(r rec) (n uint64) {
	if r.kind == 1 {
		return uint64(len(r.data))
	}
	if r.kind == 4 {
		for c := (cursor{b: r.data}); len(c.b) > 0; {
			n += c.num(2)
			c.take(c.num(2))
		}
	}
	return n
}

func readRecords(plain []byte, parties int, final bool, i uint32, list, dir []byte, ends map[byte]uint64) (out []rec, err error) {
	bad := func(why string) ([]rec, error) { return nil, errors.New(why) }
	hasIndex, hasDir := i > 0 && (i%128 == 0 || final), final && i > 128
	c := cursor{b: plain}
	if len(plain) == 0 {
		return bad("empty")
	}
	for n := 0; len(c.b) > 0; n++ {
		r := rec{kind: byte(c.num(1)), party: byte(c.num(1)), code: byte(c.num(1))}
		zero := c.num(1)
		r.at, r.data = uint32(c.num(4)), c.str()
		if c.bad || zero != 0 || (r.kind == 3) != (final && len(c.b) == 0) || (r.kind == 5) != (n == 0 && hasIndex) || (r.kind == 6) != (n == 1 && hasDir) {
			return bad("record")
		}
		switch r.kind {
		case 1, 4:
			if r.kind == 1 && r.code != 0 && r.code != 8 || r.kind == 4 && r.code != 9 && r.code != 111 || int(r.party) >= parties || len(r.data) == 0 {
				return bad("audio")
			}
			for f := (cursor{b: r.data}); r.kind == 4 && len(f.b) > 0; {
				ticks, length := f.num(2), f.num(2)
				if f.take(length); f.bad || ticks < 1 || ticks > 2048 || length < 1 || length > 2048 {
					return bad("frame")
				}
			}
			end := uint64(r.at) + ticksOf(r)
			if uint64(r.at) < ends[r.party] || end > 1<<32-1 {
				return bad("audio at the wrong time")
			}
			ends[r.party] = end
		case 2:
			if r.party > 7 && r.party != 255 || r.code == 0 || r.code > 13 || r.code == 3 && len(r.data) != 12 || r.code != 3 && (len(r.data) > 256 || !utf8.Valid(r.data)) {
				return bad("mark")
			}
		case 3:
			if r.party != 255 || r.code != 0 || len(r.data) != 20 {
				return bad("summary")
			}
		case 5, 6:
			want := list
			if r.kind == 6 {
				want = dir
			}
			if r.party != 255 || r.code != 0 || r.at != 0 || !bytes.Equal(r.data, want) {
				return bad("index")
			}
		default:
			return bad("kind")
		}
		out = append(out, r)
	}
	return out, nil
}

// envelopeOf returns the stanzas by name, and the DEK if unwrap opens one. The MAC is checked with it.
func envelopeOf(env []byte, b bound, unwrap func(suite uint64, name string, wrapped []byte) []byte) (dek []byte, err error) {
	if len(env) < 40 || string(env[:6]) != "RFEV\x02\x00" {
		return nil, errors.New("envelope")
	}
	body, mac := env[:len(env)-32], env[len(env)-32:]
	c := cursor{b: body[6:]}
	last := ""
	n := c.num(2)
	if n < 1 || n > 17 {
		return nil, errors.New("envelope")
	}
	for i := range n {
		suite, name, wrapped := c.num(2), string(c.str()), c.str()
		if c.bad || len(wrapped) == 0 || (i == 0) != (suite == 16) || (i == 0) != (name == "") || i > 0 && name <= last || len(name) > 64 {
			return nil, errors.New("envelope")
		}
		last = name
		if dek == nil {
			dek = unwrap(suite, name, wrapped)
		}
	}
	if len(c.b) > 0 || len(dek) != 32 {
		return nil, errors.New("envelope")
	}
	key, err := hkdf.Key(sha256.New, dek, nil, string(b.to("ringfence recording v2 envelope")), 32)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, key)
	h.Write(body)
	if !hmac.Equal(h.Sum(nil), mac) {
		return nil, errors.New("envelope MAC")
	}
	return dek, nil
}

// hpkeUnwrap opens stanzas for a secret key as text.
func hpkeUnwrap(secret string, b bound) func(uint64, string, []byte) []byte {
	parts := strings.Split(secret, ":")
	raw, _ := base64.RawURLEncoding.DecodeString(parts[2])
	suite, kem := uint64(17), hpke.DHKEM(ecdh.X25519())
	if parts[1] == "mlkem768-x25519" {
		suite, kem = 18, hpke.MLKEM768X25519()
	}
	return func(s uint64, name string, wrapped []byte) []byte {
		key, err := kem.NewPrivateKey(raw)
		if err != nil || s != suite {
			return nil
		}
		dek, _ := hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), append(b.to("ringfence recording v2 recipient"), lv(name)...), wrapped)
		return dek
	}
}

func openMetadata(dek, meta []byte, b bound) (map[string]any, error) {
	if len(meta) < 48 {
		return nil, errors.New("metadata")
	}
	aad := b.to("ringfence recording v2 meta")
	key, err := hkdf.Key(sha256.New, dek, meta[:32], string(aad), 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	text, err := aead.Open(nil, make([]byte, 12), meta[32:], aad)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(text, &out)
}

func merkle(leaves [][]byte) []byte {
	if len(leaves) == 0 {
		sum := sha256.Sum256(nil)
		return sum[:]
	}
	if len(leaves) == 1 {
		sum := sha256.Sum256(append([]byte{0}, leaves[0]...))
		return sum[:]
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	sum := sha256.Sum256(slices.Concat([]byte{1}, merkle(leaves[:k]), merkle(leaves[k:])))
	return sum[:]
}

type claim struct {
	Format      string `json:"format"`
	ID          string `json:"id"`
	Owner       string `json:"owner"`
	Purpose     string `json:"purpose"`
	Region      string `json:"region"`
	Environment string `json:"environment"`
	State       string `json:"state"`
	Closed      string `json:"closed"`
	Segments    int    `json:"segments"`
	Samples     int    `json:"samples"`
	Bytes       int    `json:"bytes"`
	Header      string `json:"header"`
	Root        string `json:"root"`
}

// checkClaim verifies a manifest and returns it.
func checkClaim(public ed25519.PublicKey, text, signature []byte, b bound) (m claim, err error) {
	if len(signature) != 64 || !ed25519.Verify(public, append([]byte("ringfence recording manifest v2\n"), text...), signature) {
		return m, errors.New("signature")
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, err
	}
	if again, err := json.Marshal(m); err != nil || !bytes.Equal(again, text) {
		return m, errors.New("manifest is spelled otherwise")
	}
	if m.Format != "ringfence-recording-manifest/2" || (bound{m.Owner, m.ID, m.Purpose, m.Region, m.Environment}) != b {
		return m, errors.New("manifest of another recording")
	}
	return m, nil
}

// covers holds a manifest against what was read.
func (m claim) covers(blob []byte, f flat, state string) error {
	if m.State != state || m.Segments != len(f.segs) || m.Bytes != len(blob)-f.torn || m.Header != hex.EncodeToString(blob[:72]) || m.Root != hex.EncodeToString(merkle(f.segs)) {
		return errors.New("not what was signed")
	}
	return nil
}

// proofOf checks a proof and returns the plaintext of the segment.
func proofOf(proof []byte, public ed25519.PublicKey, b bound) (plain []byte, err error) {
	c := cursor{b: proof}
	if string(c.take(8)) != "RFPR\x02\x00\x00\x00" {
		return nil, errors.New("no proof")
	}
	text, signature, i, secret, seg := c.str(), c.str(), c.num(4), c.take(32), c.str()
	m, err := checkClaim(public, text, signature, b)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte{0}, seg...))
	r, fn, sn := sum[:], i, uint64(m.Segments-1)
	for n := c.num(1); n > 0; n-- {
		p := c.take(32)
		if fn&1 == 1 || fn == sn {
			sum = sha256.Sum256(slices.Concat([]byte{1}, p, r))
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			sum = sha256.Sum256(slices.Concat([]byte{1}, r, p))
		}
		r = slices.Clone(sum[:])
		fn, sn = fn>>1, sn>>1
	}
	if c.bad || len(c.b) > 0 || sn != 0 || hex.EncodeToString(r) != m.Root {
		return nil, errors.New("path")
	}
	header, err := hex.DecodeString(m.Header)
	if err != nil {
		return nil, err
	}
	plain, _, err = openSegment(secret, header, b, uint32(i), seg)
	return plain, err
}
