package ivr

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "REDACTED"

// Secret holds digits that must not be seen: a PIN, a card number. It prints, logs and marshals as REDACTED whatever the verb.
// The zero Secret is empty. Copies share the digits, so Wipe on one empties all.
type Secret struct {
	_ [0]func() // not comparable with ==, which would not take constant time
	b []byte
}

// NewSecret copies digits into a Secret.
func NewSecret(digits string) Secret { return Secret{b: []byte(digits)} }

// ExportSecret returns the digits. It is the only way to see them, and easy to search for.
func (s Secret) ExportSecret() string { return string(s.b) }

// Equal compares in constant time for digits of equal length.
func (s Secret) Equal(digits string) bool {
	return subtle.ConstantTimeCompare(s.b, []byte(digits)) == 1
}

// Wipe overwrites the digits with zero bytes.
func (s Secret) Wipe() { clear(s.b) }

// String returns REDACTED.
func (Secret) String() string { return redacted }

// GoString returns REDACTED.
func (Secret) GoString() string { return redacted }

// Format writes REDACTED for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns REDACTED.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns REDACTED, which also covers JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
