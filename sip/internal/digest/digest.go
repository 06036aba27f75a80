// Package digest is the server and client side of SIP digest authentication (RFC 3261 section 22, RFC 8760).
//
// Nonces are stateless: they carry their own time and a MAC over realm and source, so a stranger who asks for challenges costs no
// memory. State is kept only for nonces that a correct password has used, to refuse a replayed nonce count.
package digest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"time"

	wire "github.com/icholy/digest"
)

// Names of the algorithms (RFC 8760 section 2.1), strongest first.
const (
	SHA512256 = "SHA-512-256"
	SHA256    = "SHA-256"
	MD5       = "MD5"
)

var (
	// ErrRefused covers an unknown user and a wrong password alike.
	ErrRefused = errors.New("digest: refused")
	// ErrStale is a nonce of ours that is too old, or whose count was seen; the peer may try again with the new nonce.
	ErrStale = errors.New("digest: stale nonce")
	// ErrMissing means that the request carries no usable credentials for the realm.
	ErrMissing = errors.New("digest: no credentials")
)

// Server makes challenges and checks answers. It is safe for concurrent use.
type Server struct {
	key  [32]byte // of this process; nonces of an earlier process are stale
	life time.Duration

	mu   sync.Mutex
	used map[string]*window // by nonce; only nonces used with a correct password
	next time.Time          // when used is swept
}

type window struct {
	born time.Time
	top  uint64
	seen uint64 // bit i: top-i was used
}

// NewServer returns a Server whose nonces live for life.
func NewServer(life time.Duration) *Server {
	s := &Server{life: life, used: make(map[string]*window)}
	if _, err := rand.Read(s.key[:]); err != nil {
		panic("digest: no randomness: " + err.Error())
	}
	return s
}

// Challenge returns one WWW-Authenticate value per algorithm, in the order given: the first is preferred (RFC 8760 section 2.3).
func (s *Server) Challenge(realm, source string, algorithms []string, stale bool, now time.Time) []string {
	out := make([]string, 0, len(algorithms))
	for _, a := range algorithms {
		c := wire.Challenge{Realm: realm, Nonce: s.nonce(realm, source, now), Algorithm: a, QOP: []string{"auth"}, Stale: stale}
		out = append(out, c.String())
	}
	return out
}

// nonce is base64(time ‖ random ‖ HMAC(time ‖ random ‖ realm ‖ source)): bound to the realm so that it cannot cross tenants, and to the
// source so that what an eavesdropper of one path learns is useless on another.
func (s *Server) nonce(realm, source string, now time.Time) string {
	var b [16 + 16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixNano()))
	if _, err := rand.Read(b[8:16]); err != nil {
		panic("digest: no randomness: " + err.Error())
	}
	copy(b[16:], s.mac(b[:16], realm, source))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (s *Server) mac(head []byte, realm, source string) []byte {
	m := hmac.New(sha256.New, s.key[:])
	m.Write(head)
	fmt.Fprintf(m, "%d:%s%s", len(realm), realm, source)
	return m.Sum(nil)[:16]
}

func (s *Server) check(nonce, realm, source string, now time.Time) error {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != 32 || !hmac.Equal(b[16:], s.mac(b[:16], realm, source)) {
		return ErrStale // from another process, source or realm: worth one more try with a fresh nonce
	}
	born := time.Unix(0, int64(binary.BigEndian.Uint64(b[:8])))
	if age := now.Sub(born); age < 0 || age > s.life {
		return ErrStale
	}
	return nil
}

// Returned reports whether one of the Authorization values is for realm (has), and whether it brings back a nonce that this server gave to
// source for it not long ago (fresh): then source can receive what is sent there, and is not forged. It proves no user.
func (s *Server) Returned(headers []string, realm, source string, now time.Time) (has, fresh bool) {
	for _, h := range headers {
		c, err := wire.ParseCredentials(h)
		if err == nil && c.Realm == realm {
			return true, s.check(c.Nonce, realm, source, now) == nil
		}
	}
	return false, false
}

// Request is what Verify needs of a SIP request.
type Request struct {
	Method, URI string   // of the request line
	Headers     []string // the values of all Authorization headers
	Realm       string
	Source      string // address without port
	Algorithms  []string
}

// Verify checks the credentials of r and returns the user name they prove.
//
// lookup returns the raw H(user:realm:password) of the algorithm. When it fails, a decoy is computed so that an unknown user takes the
// work and gets the answer of a wrong password.
func (s *Server) Verify(r Request, now time.Time, lookup func(user, algorithm string) ([]byte, error)) (string, error) {
	var cred *wire.Credentials
	for _, h := range r.Headers {
		c, err := wire.ParseCredentials(h)
		if err == nil && c.Realm == r.Realm {
			cred = c
			break
		}
	}
	if cred == nil {
		return "", ErrMissing
	}
	algorithm := cred.Algorithm
	if algorithm == "" {
		algorithm = MD5 // RFC 7616 section 3.4: absent means MD5
	}
	allowed := false
	for _, a := range r.Algorithms {
		if strings.EqualFold(a, algorithm) {
			algorithm, allowed = a, true
		}
	}
	// The algorithm is the server's choice: an attacker in the middle of a negotiation must not talk us down to one we did not offer.
	if !allowed || cred.QOP != "auth" || cred.Nc <= 0 || cred.Cnonce == "" || cred.Username == "" {
		return "", ErrRefused
	}
	if err := s.check(cred.Nonce, r.Realm, r.Source, now); err != nil {
		return "", err
	}
	ha1, err := lookup(cred.Username, algorithm)
	known := err == nil && len(ha1) > 0
	if !known {
		ha1 = s.mac([]byte(cred.Username), r.Realm, "decoy")
	}
	want := response(algorithm, hex.EncodeToString(ha1), cred, r.Method)
	ok := subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(cred.Response))) == 1
	// RFC 3261 section 22.4 item 1: the digest must cover the URI of this request, or a captured answer would open other doors.
	if !ok || !known || !sameURI(cred.URI, r.URI) {
		return "", ErrRefused
	}
	if !s.count(cred.Nonce, uint64(cred.Nc), now) {
		return "", ErrStale
	}
	return cred.Username, nil
}

func response(algorithm, ha1 string, c *wire.Credentials, method string) string {
	sum := summer(algorithm)
	return sum(ha1, c.Nonce, fmt.Sprintf("%08x", c.Nc), c.Cnonce, c.QOP, sum(method, c.URI))
}

// legacyResponse is that of RFC 2069, for servers that offer no qop (RFC 3261 section 22.4).
func legacyResponse(algorithm, ha1 string, c *wire.Credentials, method string) string {
	sum := summer(algorithm)
	return sum(ha1, c.Nonce, sum(method, c.URI))
}

// summer returns the function H of RFC 7616 over parts joined by colons, in hex.
func summer(algorithm string) func(parts ...string) string {
	var h hash.Hash
	switch algorithm {
	case MD5:
		h = md5.New()
	case SHA512256:
		h = sha512.New512_256()
	default:
		h = sha256.New()
	}
	return func(parts ...string) string {
		h.Reset()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
}

// sameURI compares the digest-uri with the Request-URI. Phones differ in whether they repeat URI parameters and letter case of the host,
// neither of which decides who is called, so both are set aside.
func sameURI(a, b string) bool {
	cut := func(s string) string {
		s, _, _ = strings.Cut(s, ";")
		s, _, _ = strings.Cut(s, "?")
		scheme, rest, ok := strings.Cut(s, ":")
		if !ok {
			return s
		}
		user, host, ok := strings.Cut(rest, "@")
		if !ok {
			return strings.ToLower(scheme + ":" + rest)
		}
		return strings.ToLower(scheme) + ":" + user + "@" + strings.ToLower(host)
	}
	return cut(a) == cut(b)
}

// count accepts each nonce count once, tolerating the reordering of 64 requests (RFC 7616 section 3.4, nc).
func (s *Server) count(nonce string, nc uint64, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.After(s.next) {
		for n, w := range s.used {
			if now.Sub(w.born) > s.life {
				delete(s.used, n)
			}
		}
		s.next = now.Add(s.life / 4)
	}
	w := s.used[nonce]
	if w == nil {
		s.used[nonce] = &window{born: now, top: nc, seen: 1}
		return true
	}
	if nc > w.top {
		if d := nc - w.top; d < 64 {
			w.seen = w.seen<<d | 1
		} else {
			w.seen = 1
		}
		w.top = nc
		return true
	}
	d := w.top - nc
	if d >= 64 || w.seen&(1<<d) != 0 {
		return false
	}
	w.seen |= 1 << d
	return true
}

// HA1 returns the raw H(user:realm:password) of algorithm (RFC 7616 section 3.4.2).
func HA1(algorithm, user, realm, password string) ([]byte, error) {
	a1 := []byte(user + ":" + realm + ":" + password)
	switch algorithm {
	case SHA256:
		s := sha256.Sum256(a1)
		return s[:], nil
	case SHA512256:
		s := sha512.Sum512_256(a1)
		return s[:], nil
	case MD5:
		s := md5.Sum(a1)
		return s[:], nil
	}
	return nil, fmt.Errorf("digest: unknown algorithm %q", algorithm)
}

// Answer returns the Authorization value for the first challenge that can be answered, in the order the server prefers (RFC 8760
// section 2.4). allowed lists the algorithms the client may use.
func Answer(challenges []string, allowed []string, method, uri, user, password string) (string, error) {
	for _, h := range challenges {
		c, err := wire.ParseChallenge(h)
		if err != nil {
			continue
		}
		name := c.Algorithm
		if name == "" {
			name = MD5
		}
		for _, a := range allowed {
			if !strings.EqualFold(a, name) {
				continue
			}
			cred, err := wire.Digest(c, wire.Options{Method: method, URI: uri, Username: user, Password: password})
			if err != nil {
				return "", fmt.Errorf("digest: %w", err)
			}
			return cred.String(), nil
		}
	}
	return "", errors.New("digest: no challenge with an allowed algorithm")
}
