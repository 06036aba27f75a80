package tenant

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/tenant/password"
)

// Credentials returns the HA1 that a phone's digest is checked against: the raw bytes (32 of SHA-256, 16 of MD5) of H(user:realm:password). The caller
// zeroes them after use. It is the one call on users without a Principal, because it is what a phone's authentication is made with; what it returns
// never leaves the server. ErrUnknownUser, in the time a known user takes, for a user that does not exist, is disabled or has no credentials.
// ErrUnknownRealm and ErrAlgorithm tell nothing about users.
func (t *Tenant) Credentials(ctx context.Context, realm, user, algorithm string) ([]byte, error) {
	if realm != t.profile.Realm {
		return nil, fmt.Errorf("%w: %q", ErrUnknownRealm, realm)
	}
	if !slices.Contains(t.profile.Algorithms, algorithm) {
		return nil, fmt.Errorf("%w: %q", ErrAlgorithm, algorithm)
	}
	sealed, name, known := t.decoys[algorithm], "", false
	u, err := t.store.FindUser(ctx, user)
	switch {
	case err == nil && !u.Disabled && u.HA1[algorithm] != nil:
		sealed, name, known = u.HA1[algorithm], u.Name, true
	case err != nil && !errors.Is(err, ErrUnknownUser):
		return nil, err
	}
	ha1, err := t.sealer.Unseal(ctx, sealed, ha1AAD(name, realm, algorithm))
	if !known {
		clear(ha1)
		return nil, ErrUnknownUser // also when the decoy's key was rotated away: a stranger sees one answer
	}
	if err != nil {
		return nil, err
	}
	return ha1, nil
}

// digestHA1 is H(user:realm:password) of RFC 7616 and RFC 8760.
func digestHA1(algorithm, user, realm string, pw password.Secret) []byte {
	text := []byte(user + ":" + realm + ":" + pw.ExportSecret())
	defer clear(text)
	if algorithm == MD5 {
		sum := md5.Sum(text)
		return sum[:]
	}
	sum := sha256.Sum256(text)
	return sum[:]
}

// ha1AAD binds a sealed HA1 to its user, realm and algorithm, so that one user's row cannot be copied over another's.
func ha1AAD(user, realm, algorithm string) []byte {
	b := []byte("ringfence tenant ha1 v1\x00")
	for _, s := range []string{user, realm, algorithm} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}
