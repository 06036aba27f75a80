package voicemail

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"strings"

	"golang.org/x/crypto/argon2"
)

// MinPIN and MaxPIN bound the length of a PIN in digits.
const (
	MinPIN = 6
	MaxPIN = 12
)

// PIN is the secret of a box. It prints, logs and marshals as [redacted] whatever the verb. The zero PIN opens nothing.
type PIN struct {
	_ [0]func() // not comparable with ==, which would not take constant time
	s string
}

// NewPIN wraps digits as they were typed. Whether they are acceptable is said by Check.
func NewPIN(digits string) PIN { return PIN{s: digits} }

// GeneratePIN returns a random PIN of 8 digits that is acceptable for the box.
func GeneratePIN(box string) PIN {
	for {
		n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
		if err != nil {
			continue // crypto/rand ends the program instead
		}
		if p := NewPIN(fmt.Sprintf("%08d", n)); p.Check(box) == nil {
			return p
		}
	}
}

// ExportSecret returns the digits. It is the only way to see them, and easy to search for.
func (p PIN) ExportSecret() string { return p.s }

// String returns [redacted].
func (PIN) String() string { return redacted }

// GoString returns [redacted].
func (PIN) GoString() string { return redacted }

// Format writes [redacted] whatever the verb.
func (PIN) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns [redacted].
func (PIN) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns [redacted], which also covers JSON.
func (PIN) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "[redacted]"

// Check returns ErrPIN for a PIN that somebody would try first: too short, one pattern repeated, a run up or down, or the number of the box in it. Its text says
// which and holds no digit.
func (p PIN) Check(box string) error {
	switch {
	case len(p.s) < MinPIN || len(p.s) > MaxPIN || !digits(p.s):
		return fmt.Errorf("%w: %d to %d digits", ErrPIN, MinPIN, MaxPIN)
	case periodic(p.s):
		return fmt.Errorf("%w: a pattern repeated", ErrPIN)
	case run(p.s, 1) || run(p.s, 9):
		return fmt.Errorf("%w: a run of digits", ErrPIN)
	case len(box) > 2 && (strings.Contains(p.s, box) || strings.Contains(p.s, reversed(box))):
		return fmt.Errorf("%w: the number of the box", ErrPIN)
	}
	return nil
}

// periodic reports whether a pattern of at most half the length makes up all of s, such as 000000, 121212 and 123123.
func periodic(s string) bool {
	for n := 1; n <= len(s)/2; n++ {
		if s[n:] == s[:len(s)-n] {
			return true
		}
	}
	return false
}

// run reports whether each digit is by more than the one before it, modulo ten: 123456, 890123, 654321.
func run(s string, by byte) bool {
	for i := 1; i < len(s); i++ {
		if (s[i]-s[i-1]+10)%10 != by%10 {
			return false
		}
	}
	return true
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// The costs of a hash, from the OWASP password storage sheet (argon2id, 19 MiB, 2 passes, 1 lane). Six digits are few: who steps away with the database finds
// them in days rather than in seconds, and needs the key hierarchy to hear anything even then.
const (
	hashMemory  = 19 * 1024 // KiB
	hashPasses  = 2
	hashThreads = 1
	saltBytes   = 16
	hashBytes   = 32
)

var (
	b64        = base64.RawStdEncoding.Strict()
	hashPrefix = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, hashMemory, hashPasses, hashThreads)
)

// hash returns the PHC string of the PIN under a fresh salt.
func (p PIN) hash() string {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
	return hashPrefix + b64.EncodeToString(salt) + "$" + b64.EncodeToString(p.derive(salt))
}

func (p PIN) derive(salt []byte) []byte {
	return argon2.IDKey([]byte(p.s), salt, hashPasses, hashMemory, hashThreads, hashBytes)
}

// matches reports whether stored is a hash of the PIN. The costs are this package's own: whoever can write one row cannot make a check expensive, or cheap.
// What does not parse costs the same and matches nothing.
func (p PIN) matches(stored string) bool {
	rest, ok := strings.CutPrefix(stored, hashPrefix)
	s, h, found := strings.Cut(rest, "$")
	salt, err1 := b64.DecodeString(s)
	want, err2 := b64.DecodeString(h)
	ok = ok && found && err1 == nil && err2 == nil && len(salt) == saltBytes && len(want) == hashBytes
	if !ok {
		salt, want = make([]byte, saltBytes), make([]byte, hashBytes)
	}
	if len(p.s) > MaxPIN {
		p.s, ok = "", false
	}
	return subtle.ConstantTimeCompare(p.derive(salt), want) == 1 && ok
}
