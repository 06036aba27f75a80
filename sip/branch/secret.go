package branch

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a password or a key. It cannot be printed, logged or marshalled; only ExportSecret shows it. The zero Secret is none. It is immutable and
// safe for concurrent use.
type Secret struct {
	_    [0]func() // not comparable: == is not constant time
	text string
}

// NewSecret wraps a secret.
func NewSecret(text string) Secret { return Secret{text: text} }

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

// is compares in constant time, whatever the lengths. No secret is nothing's equal.
func (s Secret) is(text string) bool {
	a, b := sha256.Sum256([]byte(s.text)), sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && s.text != ""
}
