package vectors

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Row is a row of the catalog.
type Row struct {
	ID, Class             string
	State                 int // 2 complete, 3 incomplete
	Created, Closed       time.Time
	KeyID                 string
	WrappedKey, Meta      []byte
	Segments, Samples     int64
	Manifest, Signature   []byte
	DEK                   []byte `json:"-"`
	Salt                  []byte `json:"-"`
	Owner, Purpose        string `json:"-"`
	Region, Environment   string `json:"-"`
	secret, stream, nonce []byte
}

// Case is one recording of four segments, and what an attack makes of it.
type Case struct {
	Expect string // "ok", "altered", "truncated" or "key": what a reader must say
	What   string // one sentence
	// Where it is read, if not where it was made.
	Owner, Purpose, Region, Environment, ID string

	Row      Row
	Header   []byte
	Segments [][]byte
	Plain    [][]byte
	Blob     []byte // instead of Header and Segments
	Resign   bool   // sign a manifest over what the attack left, as whoever has the signing key could
}

// New returns a sound case.
func New() *Case { return newCase("r1", 0x11) }

func newCase(id string, key byte) *Case {
	c := &Case{Expect: "altered", Owner: "acme", Purpose: "call", Region: "eu", Environment: "test", ID: id}
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	c.Row = Row{ID: id, Class: "recording", State: 2, Created: at, Closed: at, KeyID: "dek-1", Segments: 4, Samples: 24160, DEK: bytes.Repeat([]byte{key}, 32),
		Salt: bytes.Repeat([]byte{key ^ 0xff}, 32), Owner: "acme", Purpose: "call", Region: "eu", Environment: "test"}
	c.Row.derive()
	c.Header = c.Row.header()
	for i := range 3 {
		c.Plain = append(c.Plain, Audio(0, 0, uint32(8000*i), bytes.Repeat([]byte{byte(0x20 + i)}, 160)))
	}
	c.Plain = append(c.Plain, nil)
	c.Seal()
	c.Row.Meta = c.Row.sealMeta(`{"call":"c1","parties":["caller","agent"]}`)
	c.Row.WrappedKey = c.Row.Envelope(Stanza{Suite: 16, Wrapped: c.Row.Wrapped()})
	return c
}

// Seal makes all segments of c.Plain, index, directory and summary included. A nil last plaintext is replaced by the right one.
func (c *Case) Seal() {
	c.Segments = nil
	offset := len(c.Header)
	var index []byte
	for i, p := range c.Plain {
		final := i == len(c.Plain)-1
		if p == nil {
			p = slices.Concat(Record(5, 255, 0, 0, index), Audio(0, 0, uint32(8000*i), bytes.Repeat([]byte{byte(0x20 + i)}, 160)), Summary(uint32(8000*i+160), uint32(i+1), uint64(i+1), 0))
			c.Plain[i] = p
		}
		seg := c.Row.Segment(uint32(i), final, uint64(offset), p)
		c.Segments = append(c.Segments, seg)
		offset += len(seg)
		index = append(index, be32(uint32(len(seg)-4))...)
		index = append(index, be32(uint32(8000*i))...)
		index = append(index, be32(uint32(8000*i+160))...)
	}
}

// Final replaces the final segment by one with this plaintext.
func (c *Case) Final(plain []byte) {
	i := len(c.Segments) - 1
	offset := len(c.Header) + len(bytes.Join(c.Segments[:i], nil))
	c.Segments[i] = c.Row.Segment(uint32(i), true, uint64(offset), plain)
}

// Replace replaces segment i by one with this plaintext, of the same length as the one that was there, so that the index stays right.
func (c *Case) Replace(i int, plain []byte) {
	if len(plain) != len(c.Plain[i]) {
		panic(fmt.Sprintf("%d bytes, not %d", len(plain), len(c.Plain[i])))
	}
	c.Segments[i] = c.Row.Segment(uint32(i), false, 0, plain)
}

// bytes returns the blob.
func (c *Case) bytes() []byte {
	if c.Blob != nil {
		return c.Blob
	}
	return append(slices.Clone(c.Header), bytes.Join(c.Segments, nil)...)
}

func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func str(s string) []byte { return append(be32(uint32(len(s))), s...) }

func (r *Row) bind(label string) []byte {
	return slices.Concat([]byte(label), []byte{0}, str(r.Owner), str(r.ID), str(r.Purpose), str(r.Region), str(r.Environment))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (r *Row) derive() {
	r.secret = must(hkdf.Key(sha256.New, r.DEK, r.Salt, string(r.bind("ringfence recording v2 stream")), 32))
	okm := must(hkdf.Expand(sha256.New, r.secret, "ringfence recording v2 segments", 71))
	r.stream, r.nonce = okm[:39], okm[39:]
}

func (r *Row) header() []byte {
	return slices.Concat([]byte("RFRC"), []byte{2, 1, 0, 0}, r.Salt, r.nonce)
}

func gcm(key []byte) cipher.AEAD { return must(cipher.NewGCM(must(aes.NewCipher(key)))) }

// Segment encrypts one segment at its place.
func (r *Row) Segment(i uint32, final bool, offset uint64, plain []byte) []byte {
	n := uint32(len(plain) + 16)
	last := byte(0)
	if final {
		n |= 1 << 31
		last = 1
	}
	head := be32(n)
	nonce := slices.Concat(r.stream[32:39], be32(i), []byte{last})
	out := gcm(r.stream[:32]).Seal(slices.Clone(head), nonce, plain, slices.Concat(r.header(), r.bind("ringfence recording v2 stream"), be32(i), head))
	if final {
		out = append(out, be64(offset)...)
	}
	return out
}

func (r *Row) sealMeta(text string) []byte {
	salt := bytes.Repeat([]byte{0x5a}, 32)
	bound := r.bind("ringfence recording v2 meta")
	key := must(hkdf.Key(sha256.New, r.DEK, salt, string(bound), 32))
	return gcm(key).Seal(salt, make([]byte, 12), []byte(text), bound)
}

// Wrapped is the DEK as the key wrapper of these files wraps it: DEK ‖ SHA-256(DEK ‖ associated data). It protects nothing; everything is as plain as the rest.
func (r *Row) Wrapped() []byte { return Wrap(r.DEK, r.bind("ringfence recording v2 key")) }

// Wrap wraps a key.
func Wrap(dek, aad []byte) []byte {
	sum := sha256.Sum256(slices.Concat(dek, aad))
	return slices.Concat(dek, sum[:])
}

// Stanza is one of an envelope.
type Stanza struct {
	Suite   uint16
	Name    string
	Wrapped []byte
}

// Envelope encodes and signs an envelope, whatever is in it.
func (r *Row) Envelope(stanzas ...Stanza) []byte {
	b := append([]byte("RFEV"), 2, 0, 0, byte(len(stanzas)))
	for _, s := range stanzas {
		b = slices.Concat(b, []byte{byte(s.Suite >> 8), byte(s.Suite)}, str(s.Name), str(string(s.Wrapped)))
	}
	return r.mac(b)
}

func (r *Row) mac(b []byte) []byte {
	h := hmac.New(sha256.New, must(hkdf.Key(sha256.New, r.DEK, nil, string(r.bind("ringfence recording v2 envelope")), 32)))
	h.Write(b)
	return h.Sum(b)
}

// Record encodes one record.
func Record(kind, party, code byte, at uint32, data []byte) []byte {
	return slices.Concat([]byte{kind, party, code, 0}, be32(at), be32(uint32(len(data))), data)
}

// Audio encodes G.711.
func Audio(party, code byte, at uint32, data []byte) []byte { return Record(1, party, code, at, data) }

// Summary encodes the last record.
func Summary(at, segments uint32, frames, lost uint64) []byte {
	return Record(3, 255, 0, at, slices.Concat(be32(segments), be64(frames), be64(lost)))
}

// Seed is what the signing key is made of.
var Seed = bytes.Repeat([]byte{0x77}, ed25519.SeedSize)

// sign makes the manifest over what is there.
func (c *Case) sign() {
	leaves := make([][]byte, len(c.Segments))
	for i, s := range c.Segments {
		leaves[i] = hash(0, s)
	}
	r := &c.Row
	r.Manifest = fmt.Appendf(nil, `{"format":"ringfence-recording-manifest/2","id":%q,"owner":%q,"purpose":%q,"region":%q,"environment":%q,"state":%q,"closed":%q,"segments":%d,"samples":%d,"bytes":%d,"header":%q,"root":%q}`,
		r.ID, r.Owner, r.Purpose, r.Region, r.Environment, map[int]string{2: "complete", 3: "incomplete"}[r.State], r.Closed.Format(time.RFC3339Nano), r.Segments, r.Samples,
		len(c.bytes()), hex.EncodeToString(c.Header), hex.EncodeToString(root(leaves)))
	r.Sign()
}

// Sign signs the manifest.
func (r *Row) Sign() {
	r.Signature = ed25519.Sign(ed25519.NewKeyFromSeed(Seed), append([]byte("ringfence recording manifest v2\n"), r.Manifest...))
}

func hash(prefix byte, parts ...[]byte) []byte {
	sum := sha256.Sum256(append([]byte{prefix}, bytes.Join(parts, nil)...))
	return sum[:]
}

// root is the definition of RFC 9162 section 2.1.1.
func root(leaves [][]byte) []byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	return hash(1, root(leaves[:k]), root(leaves[k:]))
}

func wrapLines(s string) string {
	var b strings.Builder
	for ; len(s) > 120; s = s[120:] {
		b.WriteString(s[:120] + "\n")
	}
	return b.String() + s + "\n"
}
