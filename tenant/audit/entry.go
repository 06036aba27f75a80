package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"
)

const hashDomain = "ringfence audit v1\n"

// Hash is the SHA-256 of an entry.
type Hash [sha256.Size]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Head names the last entry of a log at some moment. The zero Head is the empty log.
type Head struct {
	Seq  uint64 // entries so far
	Hash Hash   // of the last one
}

// Entry is one line of the log.
type Entry struct {
	Seq    uint64          `json:"seq"`    // from 1, without gaps
	Time   time.Time       `json:"time"`   // UTC
	Actor  string          `json:"actor"`  // who
	Action string          `json:"action"` // did what
	Object string          `json:"object"` // to what
	Attrs  json.RawMessage `json:"attrs"`  // an object, in the order the caller gave
	Prev   string          `json:"prev"`   // hash of the entry before, in hexadecimal; zeros for the first
	Hash   string          `json:"hash"`   // hash of this entry, in hexadecimal
}

// The hash is always the last member, so what it covers is the line up to here.
const hashMember = `,"hash":"`

// encode returns the line of e, newline included, and its hash. Prev and Hash of e are ignored.
func encode(e Entry, prev Hash) ([]byte, Hash, error) {
	if e.Actor == "" || e.Action == "" || e.Object == "" {
		return nil, Hash{}, fmt.Errorf("%w: actor, action and object are required", ErrInvalid)
	}
	for _, s := range []string{e.Actor, e.Action, e.Object} {
		if !utf8.ValidString(s) {
			return nil, Hash{}, fmt.Errorf("%w: not UTF-8", ErrInvalid)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"seq":%d,"time":%q,"actor":%s,"action":%s,"object":%s,"attrs":%s,"prev":%q`,
		e.Seq, e.Time.UTC().Format(time.RFC3339Nano), quote(e.Actor), quote(e.Action), quote(e.Object), e.Attrs, prev.String())
	h := hashLine(b.Bytes())
	fmt.Fprintf(&b, "%s%s\"}\n", hashMember, h)
	if b.Len() > MaxEntry {
		return nil, Hash{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, b.Len(), MaxEntry)
	}
	return b.Bytes(), h, nil
}

func hashLine(covered []byte) Hash {
	s := sha256.New()
	s.Write([]byte(hashDomain))
	s.Write(covered)
	return Hash(s.Sum(nil))
}

// decode reads a line without its newline and checks its own hash, not its place in the chain. Only what encode writes is accepted: the line
// must re-encode to itself.
func decode(line []byte) (Entry, Hash, error) {
	i := bytes.LastIndex(line, []byte(hashMember))
	if i < 0 {
		return Entry{}, Hash{}, fmt.Errorf("%w: no hash", ErrBroken)
	}
	var e Entry
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return Entry{}, Hash{}, fmt.Errorf("%w: not an entry", ErrBroken)
	}
	prev, err := parseHash(e.Prev)
	if err != nil {
		return Entry{}, Hash{}, err
	}
	h := hashLine(line[:i])
	if e.Hash != h.String() {
		return Entry{}, Hash{}, fmt.Errorf("%w: hash does not match", ErrBroken)
	}
	again, _, err := encode(e, prev)
	if err != nil || !bytes.Equal(again[:len(again)-1], line) {
		return Entry{}, Hash{}, fmt.Errorf("%w: not in the form this log writes", ErrBroken)
	}
	return e, h, nil
}

func parseHash(s string) (Hash, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(Hash{}) {
		return Hash{}, fmt.Errorf("%w: malformed hash", ErrBroken)
	}
	return Hash(b), nil
}

// quote is a JSON string; s is valid UTF-8.
func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic("audit: internal error: " + err.Error()) // a string always marshals
	}
	return b
}

// attrsJSON writes attributes as one JSON object in their order. Secret types answer LogValue with REDACTED, so they stay secret here.
func attrsJSON(attrs []slog.Attr) (json.RawMessage, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	seen := make(map[string]bool, len(attrs))
	for _, a := range attrs {
		if a.Equal(slog.Attr{}) {
			continue // slog's own rule for empty attributes
		}
		if seen[a.Key] {
			return nil, fmt.Errorf("%w: attribute %q twice", ErrInvalid, a.Key)
		}
		if len(seen) > 0 {
			b.WriteByte(',')
		}
		seen[a.Key] = true
		value, err := valueJSON(a.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: attribute %q: %w", ErrInvalid, a.Key, err)
		}
		b.Write(quote(a.Key))
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func valueJSON(v slog.Value) ([]byte, error) {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		return attrsJSON(v.Group())
	case slog.KindDuration:
		return json.Marshal(v.Duration().String())
	case slog.KindTime:
		return json.Marshal(v.Time().UTC().Format(time.RFC3339Nano))
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			return json.Marshal(err.Error())
		}
		return json.Marshal(v.Any())
	default:
		return json.Marshal(v.Any())
	}
}
