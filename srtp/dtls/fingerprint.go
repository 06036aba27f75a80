package dtls

import (
	"bytes"
	"crypto"
	_ "crypto/md5"  // recognised, never trusted
	_ "crypto/sha1" // recognised, never trusted
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"
)

// Hash is a hash function of RFC 8122 section 5. The zero value is none. A greater Hash is a stronger one.
type Hash uint8

// The hash functions, weakest first. Only those from HashSHA256 on can be what an association trusts.
const (
	HashNone Hash = iota
	HashMD2
	HashMD5
	HashSHA1
	HashSHA224
	HashSHA256
	HashSHA384
	HashSHA512
)

type hashInfo struct {
	name string
	size int
	impl crypto.Hash // 0 for none
}

func (h Hash) info() hashInfo {
	switch h {
	case HashNone:
	case HashMD2:
		return hashInfo{"md2", 16, 0}
	case HashMD5:
		return hashInfo{"md5", 16, crypto.MD5}
	case HashSHA1:
		return hashInfo{"sha-1", 20, crypto.SHA1}
	case HashSHA224:
		return hashInfo{"sha-224", 28, crypto.SHA224}
	case HashSHA256:
		return hashInfo{"sha-256", 32, crypto.SHA256}
	case HashSHA384:
		return hashInfo{"sha-384", 48, crypto.SHA384}
	case HashSHA512:
		return hashInfo{"sha-512", 64, crypto.SHA512}
	}
	return hashInfo{}
}

// String returns the name as a description writes it, or "none".
func (h Hash) String() string {
	if in := h.info(); in.name != "" {
		return in.name
	}
	return "none"
}

// Trusted reports whether a fingerprint of this hash is enough to know a peer by: SHA-256 and what is stronger.
func (h Hash) Trusted() bool { return h >= HashSHA256 && h <= HashSHA512 }

// Fingerprint is the hash of a certificate, as a description tells it (RFC 8122). It is public. The zero value matches nothing. It is comparable.
type Fingerprint struct {
	hash Hash
	sum  string
}

// ParseFingerprint reads the value of a=fingerprint, such as "sha-256 AB:CD:...". The case of both parts matters not, and colons may be
// missing. The error is ErrFingerprintSyntax, also for a hash function nobody knows and for a value of the wrong length.
func ParseFingerprint(v string) (Fingerprint, error) {
	fields := strings.Fields(v)
	if len(v) > 512 || len(fields) != 2 {
		return Fingerprint{}, fmt.Errorf("%w: want a hash function and a value", ErrFingerprintSyntax)
	}
	for h := HashMD2; h <= HashSHA512; h++ {
		in := h.info()
		if !strings.EqualFold(fields[0], in.name) {
			continue
		}
		sum, ok := parseSum(fields[1])
		if !ok || len(sum) != in.size {
			return Fingerprint{}, fmt.Errorf("%w: %s is %d bytes in hexadecimal", ErrFingerprintSyntax, h, in.size)
		}
		return Fingerprint{h, string(sum)}, nil
	}
	return Fingerprint{}, fmt.Errorf("%w: unknown hash function", ErrFingerprintSyntax)
}

// parseSum reads pairs of digits, with a colon between all of them or between none.
func parseSum(s string) ([]byte, bool) {
	if strings.Contains(s, ":") {
		for _, pair := range strings.Split(s, ":") {
			if len(pair) != 2 {
				return nil, false
			}
		}
		s = strings.ReplaceAll(s, ":", "")
	}
	sum, err := hex.DecodeString(s)
	return sum, err == nil
}

// FingerprintOf returns the fingerprint of a certificate in DER. With a hash that cannot be computed, which is HashNone and HashMD2, it is the zero
// Fingerprint.
func FingerprintOf(h Hash, der []byte) Fingerprint {
	impl := h.info().impl
	if impl == 0 {
		return Fingerprint{}
	}
	d := impl.New()
	d.Write(der)
	return Fingerprint{h, string(d.Sum(nil))}
}

// Hash returns the hash function, HashNone for the zero Fingerprint.
func (f Fingerprint) Hash() Hash { return f.hash }

// Bytes returns a copy of the value.
func (f Fingerprint) Bytes() []byte { return []byte(f.sum) }

// Matches reports whether the certificate in DER has the fingerprint.
func (f Fingerprint) Matches(der []byte) bool {
	return len(der) > 0 && f.sum != "" && bytes.Equal([]byte(FingerprintOf(f.hash, der).sum), []byte(f.sum))
}

// String writes the fingerprint as a description does, in upper case with colons.
func (f Fingerprint) String() string {
	var b strings.Builder
	b.WriteString(f.hash.String())
	for i := range len(f.sum) {
		sep := byte(':')
		if i == 0 {
			sep = ' '
		}
		fmt.Fprintf(&b, "%c%02X", sep, f.sum[i])
	}
	return b.String()
}

// trusted returns the fingerprints to hold a peer to: those of the strongest hash it told, of which its certificate must match one (RFC 8122
// section 5). A weak hash next to a strong one is not looked at, so that forging the weak one helps nobody.
func trusted(told []Fingerprint) ([]Fingerprint, error) {
	var best []Fingerprint
	for _, f := range told {
		switch {
		case !f.hash.Trusted():
		case len(best) == 0 || f.hash > best[0].hash:
			best = []Fingerprint{f}
		case f.hash == best[0].hash:
			best = append(best, f)
		}
	}
	switch {
	case len(told) == 0:
		return nil, ErrNoFingerprint
	case len(best) == 0:
		return nil, fmt.Errorf("%w: SHA-256 is the least", ErrWeakFingerprint)
	}
	return best, nil
}

func verify(want []Fingerprint, der []byte) (Fingerprint, error) {
	for _, f := range want {
		if f.Matches(der) {
			return f, nil
		}
	}
	if len(der) == 0 {
		return Fingerprint{}, fmt.Errorf("%w: the peer showed no certificate", ErrFingerprint)
	}
	return Fingerprint{}, fmt.Errorf("%w: told %s, shown %s", ErrFingerprint, want[0], FingerprintOf(want[0].hash, der))
}
