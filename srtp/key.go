package srtp

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every attempt to print a secret shows.
const redacted = "REDACTED"

// Key is a master key and salt for one direction. It prints as REDACTED in every format, in logs and in JSON. Sitting in an unexported field,
// where printers may not call its methods, it shows an address: the bytes are behind a function, which neither fmt nor a debugging
// printer that follows pointers can look into. The zero Key holds nothing. A Key is not safe for concurrent use with zeroing.
type Key struct {
	secret func() *keyBytes // also makes Key not comparable: use Equal, which takes constant time
}

// maxKeySalt is the longest: AES-256 with a 112-bit salt.
const maxKeySalt = 46

type keyBytes struct {
	b [maxKeySalt]byte
	n int
}

// emptyKey makes a Key with room for n bytes.
func emptyKey(n int) Key {
	s := &keyBytes{n: n}
	return Key{secret: func() *keyBytes { return s }}
}

func newKey(b []byte) Key {
	k := emptyKey(len(b))
	copy(k.bytes(), b)
	return k
}

// NewKey returns a Key that holds a copy of master key and salt, for keys that come from elsewhere than SDES, such as a DTLS handshake.
// The caller overwrites its own copy.
func NewKey(keySalt []byte) Key {
	if len(keySalt) > maxKeySalt {
		return Key{} // no suite has such a key: every use of the result is refused
	}
	return newKey(keySalt)
}

// randomKey draws a key of n bytes. crypto/rand does not fail: since Go 1.24 it ends the program if the system has no randomness.
func randomKey(n int) Key {
	k := emptyKey(n)
	rand.Read(k.bytes())
	return k
}

func (k Key) bytes() []byte {
	if k.secret == nil {
		return nil
	}
	s := k.secret()
	return s.b[:s.n]
}

func (k Key) clone() Key { return newKey(k.bytes()) }

// zero overwrites the key. Copies of this Key share the bytes and are empty as well.
func (k Key) zero() {
	if k.secret != nil {
		*k.secret() = keyBytes{}
	}
}

// IsZero reports whether the key holds nothing, either because it was never made or because it was zeroed.
func (k Key) IsZero() bool { return len(k.bytes()) == 0 }

// Equal reports whether both keys hold the same bytes, in time that depends on their length only.
func (k Key) Equal(o Key) bool { return subtle.ConstantTimeCompare(k.bytes(), o.bytes()) == 1 }

// ExportSecret returns key and salt in base64, as SDES writes them.
func (k Key) ExportSecret() string { return base64.StdEncoding.EncodeToString(k.bytes()) }

// String returns REDACTED.
func (Key) String() string { return redacted }

// GoString returns REDACTED.
func (Key) GoString() string { return redacted }

// Format writes REDACTED for every verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns REDACTED.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns REDACTED, so that JSON and its kin hold no key.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
