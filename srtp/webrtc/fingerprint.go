package webrtc

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"strings"
)

// fingerprint is the hash of a certificate as a description tells it (RFC 8122). The zero fingerprint matches nothing.
type fingerprint struct {
	hash string // sha-256, sha-384 or sha-512
	sum  string // raw bytes
}

// hashes are the functions whose fingerprints count, strongest first. MD5 and SHA-1 can be forged.
var hashes = []struct {
	name string
	sum  func([]byte) []byte
}{
	{"sha-512", func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }},
	{"sha-384", func(b []byte) []byte { s := sha512.Sum384(b); return s[:] }},
	{"sha-256", func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }},
}

// parseFingerprint reads "sha-256 AB:CD:...". The name's case matters not: RFC 8122 writes it lower, stacks write both.
func parseFingerprint(v string) (fingerprint, bool) {
	name, value, ok := strings.Cut(strings.TrimSpace(v), " ")
	if !ok {
		return fingerprint{}, false
	}
	sum, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(value), ":", ""))
	if err != nil {
		return fingerprint{}, false
	}
	for _, h := range hashes {
		if strings.EqualFold(name, h.name) {
			return fingerprint{h.name, string(sum)}, len(sum) == len(h.sum(nil))
		}
	}
	return fingerprint{}, false
}

// pickFingerprint returns the first fingerprint by the strongest hash. One that cannot be read is passed over: it cannot match either.
func pickFingerprint(values []string) (fingerprint, bool) {
	best, rank := fingerprint{}, len(hashes)
	for _, v := range values {
		f, ok := parseFingerprint(v)
		for i := range rank {
			if ok && f.hash == hashes[i].name {
				best, rank = f, i
				break
			}
		}
	}
	return best, best.hash != ""
}

// matches reports whether a certificate has the fingerprint.
func (f fingerprint) matches(der []byte) bool {
	if len(der) == 0 {
		return false
	}
	for _, h := range hashes {
		if f.hash == h.name {
			return bytes.Equal(h.sum(der), []byte(f.sum))
		}
	}
	return false
}

// String writes the fingerprint as a description does.
func (f fingerprint) String() string {
	pairs := make([]string, len(f.sum))
	for i := range len(f.sum) {
		pairs[i] = strings.ToUpper(hex.EncodeToString([]byte{f.sum[i]}))
	}
	return f.hash + " " + strings.Join(pairs, ":")
}
