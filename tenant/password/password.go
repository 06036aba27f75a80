package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Hash returns the PHC string of pw under a fresh salt, or ErrTooShort or ErrTooLong.
func Hash(pw Secret) (string, error) {
	switch n := len(pw.text); {
	case n < MinBytes:
		return "", fmt.Errorf("%w: %d bytes, at least %d", ErrTooShort, n, MinBytes)
	case n > MaxBytes:
		return "", ErrTooLong
	}
	salt := make([]byte, SaltBytes)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
	return phc{memory: Memory, passes: Passes, threads: Threads, salt: salt,
		hash: argon2.IDKey([]byte(pw.text), salt, Passes, Memory, Threads, HashBytes)}.String(), nil
}

// Verify returns nil if stored is the hash of pw, ErrMismatch if it is of another, ErrMalformed if it is no hash we can check.
func Verify(stored string, pw Secret) error {
	if len(pw.text) > MaxBytes {
		return ErrTooLong // before the hash, so that a stranger cannot make us chew megabytes
	}
	p, err := parse(stored)
	if err != nil {
		return err
	}
	got := argon2.IDKey([]byte(pw.text), p.salt, p.passes, p.memory, p.threads, uint32(len(p.hash)))
	if subtle.ConstantTimeCompare(got, p.hash) != 1 {
		return ErrMismatch
	}
	return nil
}

// NeedsRehash reports whether stored was made with costs below today's, so that the next successful log-in should store a new hash.
// A malformed hash needs one.
func NeedsRehash(stored string) bool {
	p, err := parse(stored)
	return err != nil || p.memory < Memory || p.passes < Passes || len(p.hash) < HashBytes || len(p.salt) < SaltBytes
}

// Decoy is a valid hash of a password nobody knows. Verifying against it costs what verifying a real one costs, so that an unknown user and a
// wrong password take the same time.
func Decoy() string {
	stored, err := Hash(Generate())
	if err != nil {
		panic("password: internal error: " + err.Error()) // Generate is longer than MinBytes
	}
	return stored
}

// phc is $argon2id$v=19$m=19456,t=2,p=1$salt$hash, unpadded base64.
type phc struct {
	memory, passes uint32
	threads        uint8
	salt, hash     []byte
}

var b64 = base64.RawStdEncoding.Strict()

func (p phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.threads, b64.EncodeToString(p.salt), b64.EncodeToString(p.hash))
}

func parse(s string) (phc, error) {
	f := strings.Split(s, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" || f[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, ErrMalformed
	}
	costs := strings.Split(f[3], ",")
	if len(costs) != 3 {
		return phc{}, ErrMalformed
	}
	m, err1 := cost(costs[0], "m=", 8, maxMemory)
	t, err2 := cost(costs[1], "t=", 1, maxPasses)
	n, err3 := cost(costs[2], "p=", 1, maxThreads)
	salt, err4 := b64.DecodeString(f[4])
	hash, err5 := b64.DecodeString(f[5])
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || err5 != nil {
		return phc{}, ErrMalformed
	}
	if len(salt) < 8 || len(salt) > maxField || len(hash) < 16 || len(hash) > maxField || m < 8*n {
		return phc{}, ErrMalformed
	}
	p := phc{memory: m, passes: t, threads: uint8(n), salt: salt, hash: hash}
	if p.String() != s {
		return phc{}, ErrMalformed // one spelling per hash: no leading zeros, no line breaks inside base64
	}
	return p, nil
}

func cost(s, name string, low, high uint64) (uint32, error) {
	digits, ok := strings.CutPrefix(s, name)
	if !ok {
		return 0, ErrMalformed
	}
	v, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || v < low || v > high {
		return 0, ErrMalformed
	}
	return uint32(v), nil
}
