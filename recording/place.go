package recording

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Place says whose recordings a Vault makes and where. It is bound into every key and every segment, so what was made in one place does not open in
// another: not for another owner, not from another region, not in a test environment.
type Place struct {
	// Owner is who the recordings belong to, such as the customer of a hosted service. Required: recordings that belong to nobody in particular could be
	// passed from one customer to another.
	Owner string
	// Region is where they are kept, such as "eu-central". If zero, the region without a name, which no named one can read.
	Region string
	// Environment is what they were made in, such as "production". If zero, the environment without a name, which no named one can read.
	Environment string
}

// maxPlace is the longest part of a Place, in bytes.
const maxPlace = 128

func (p Place) validate() error {
	if p.Owner == "" {
		return fmt.Errorf("%w: Place.Owner is required", ErrConfig)
	}
	for _, s := range []string{p.Owner, p.Region, p.Environment} {
		if len(s) > maxPlace || !utf8.ValidString(s) {
			return fmt.Errorf("%w: a part of Place is longer than %d bytes or not UTF-8", ErrConfig, maxPlace)
		}
	}
	return nil
}

// binding is what a recording is bound to: the same key with another binding is another key.
type binding struct {
	version byte // of the container
	id      string
	purpose string
	place   Place // not bound by version 1
}

// to encodes a label and what the recording is bound to without ambiguity: no two lists of strings have one encoding.
func (b binding) to(label string) []byte {
	out := append([]byte(label), 0)
	parts := []string{b.id, b.purpose}
	if b.version != version1 {
		parts = []string{b.place.Owner, b.id, b.purpose, b.place.Region, b.place.Environment}
	}
	for _, s := range parts {
		out = appendString(out, s)
	}
	return out
}

// label returns the label of one use of the key: the version is in it, so versions share no key.
func (b binding) label(use string) string {
	return fmt.Sprintf("ringfence recording v%d %s", b.version, use)
}

// bytes returns label and binding of one use.
func (b binding) bytes(use string) []byte { return b.to(b.label(use)) }

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// cutString takes off a string of at most limit bytes.
func cutString(b []byte, limit int) (s string, rest []byte, ok bool) {
	raw, rest, ok := cutBytes(b, limit)
	return string(raw), rest, ok
}

func cutBytes(b []byte, limit int) (data, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if b = b[4:]; uint64(n) > uint64(len(b)) || uint64(n) > uint64(limit) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
