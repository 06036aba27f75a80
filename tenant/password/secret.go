package password

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const redacted = "REDACTED"

// Secret is a password on its way in or, once, out. It cannot be printed, logged or marshalled; only ExportSecret shows it.
// The zero Secret is "no password". It is immutable and safe for concurrent use.
type Secret struct {
	_    [0]func() // not comparable: == is not constant time
	text string
}

// NewSecret wraps a password that a person typed or a program was given.
func NewSecret(text string) Secret { return Secret{text: text} }

// Generate returns a fresh random password of 26 lower-case letters and digits (130 bits), free of characters that a phone's keypad,
// a shell or SIP would have to escape.
func Generate() Secret { return Secret{text: strings.ToLower(rand.Text())} }

// ExportSecret returns the password itself.
func (s Secret) ExportSecret() string { return s.text }

// IsZero reports whether s holds no password.
func (s Secret) IsZero() bool { return s.text == "" }

// String returns REDACTED.
func (Secret) String() string { return redacted }

// GoString returns REDACTED.
func (Secret) GoString() string { return redacted }

// Format writes REDACTED whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns REDACTED.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "REDACTED".
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
