package provision

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const redacted = "[redacted]"

// Secret is a password, a token, or an address that contains one. It cannot be printed, logged or marshalled; only ExportSecret shows it. The zero Secret is
// none. It is immutable and safe for concurrent use.
type Secret struct {
	_    [0]func() // not comparable: == is not constant time
	text string
}

// NewSecret wraps a secret.
func NewSecret(text string) Secret { return Secret{text: text} }

// generate returns a secret of 26 lower-case letters and digits, 130 bits, that no address and no file format has to escape.
func generate() Secret { return Secret{text: strings.ToLower(rand.Text())} }

// ExportSecret returns the secret itself.
func (s Secret) ExportSecret() string { return s.text }

// IsZero reports whether there is none.
func (s Secret) IsZero() bool { return s.text == "" }

// String returns [redacted].
func (Secret) String() string { return redacted }

// GoString returns [redacted].
func (Secret) GoString() string { return redacted }

// Format writes [redacted] whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns [redacted].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns [redacted] as a string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns [redacted].
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// hash is what is stored of a secret. Secrets of ours have 130 random bits, so nothing slower is needed.
func (s Secret) hash() []byte {
	sum := sha256.Sum256([]byte(s.text))
	return sum[:]
}

// matches compares in constant time. An empty hash matches nothing.
func (s Secret) matches(hash []byte) bool {
	return subtle.ConstantTimeCompare(s.hash(), hash) == 1
}
