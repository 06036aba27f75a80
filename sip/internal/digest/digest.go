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
	"strconv"
	"strings"
	"sync"
	"time"
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
	macs sync.Pool // of hash.Hash with key

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
	s.macs.New = func() any { return hmac.New(sha256.New, s.key[:]) }
	return s
}

// Challenge returns one WWW-Authenticate value per algorithm, in the order given: the first is preferred (RFC 8760 section 2.3).
func (s *Server) Challenge(realm, source string, algorithms []string, stale bool, now time.Time) []string {
	out := make([]string, 0, len(algorithms))
	for _, a := range algorithms {
		c := challenge{realm: realm, nonce: s.nonce(realm, source, now), algorithm: a, qop: "auth", stale: stale}
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
	m := s.macs.Get().(hash.Hash)
	defer s.macs.Put(m)
	m.Reset()
	var buf [128]byte
	b := append(strconv.AppendInt(append(buf[:0], head...), int64(len(realm)), 10), ':')
	m.Write(append(append(b, realm...), source...))
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
		c, err := parseCredentials(h)
		if err == nil && c.realm == realm {
			return true, s.check(c.nonce, realm, source, now) == nil
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
	var cred credentials
	found := false
	for _, h := range r.Headers {
		if c, err := parseCredentials(h); err == nil && c.realm == r.Realm {
			cred, found = c, true
			break
		}
	}
	if !found {
		return "", ErrMissing
	}
	algorithm := cred.algorithm
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
	if !allowed || cred.qop != "auth" || cred.nc == 0 || cred.cnonce == "" || cred.username == "" {
		return "", ErrRefused
	}
	if err := s.check(cred.nonce, r.Realm, r.Source, now); err != nil {
		return "", err
	}
	ha1, err := lookup(cred.username, algorithm)
	known := err == nil && len(ha1) > 0
	if !known {
		ha1 = s.mac([]byte(cred.username), r.Realm, "decoy")
	}
	want := response(algorithm, hex.EncodeToString(ha1), &cred, r.Method)
	ok := subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(cred.response))) == 1
	// RFC 3261 section 22.4 item 1: the digest must cover the URI of this request, or a captured answer would open other doors.
	if !ok || !known || !sameURI(cred.uri, r.URI) {
		return "", ErrRefused
	}
	if !s.count(cred.nonce, uint64(cred.nc), now) {
		return "", ErrStale
	}
	return cred.username, nil
}

// response is that of RFC 7616 section 3.4.1 with qop "auth".
func response(algorithm, ha1 string, c *credentials, method string) string {
	var buf [512]byte
	b := append(append(buf[:0], ha1...), ':')
	b = append(append(b, c.nonce...), ':')
	b = append(appendCount(b, c.nc), ':')
	b = append(append(b, c.cnonce...), ':')
	b = append(append(b, c.qop...), ':')
	b = appendRequest(b, algorithm, method, c.uri)
	var hex [64]byte
	return string(appendHash(hex[:0], algorithm, b))
}

// legacyResponse is that of RFC 2069, for servers that offer no qop (RFC 3261 section 22.4).
func legacyResponse(algorithm, ha1 string, c *credentials, method string) string {
	b := append(append([]byte(ha1), ':'), c.nonce...)
	b = appendRequest(append(b, ':'), algorithm, method, c.uri)
	return string(appendHash(nil, algorithm, b))
}

// appendRequest appends H(A2): the part of the response that binds it to the request.
func appendRequest(dst []byte, algorithm, method, uri string) []byte {
	var buf [256]byte
	return appendHash(dst, algorithm, append(append(append(buf[:0], method...), ':'), uri...))
}

// appendHash appends H(b) in hex.
func appendHash(dst []byte, algorithm string, b []byte) []byte {
	switch algorithm {
	case MD5:
		h := md5.Sum(b)
		return hex.AppendEncode(dst, h[:])
	case SHA512256:
		h := sha512.Sum512_256(b)
		return hex.AppendEncode(dst, h[:])
	default:
		h := sha256.Sum256(b)
		return hex.AppendEncode(dst, h[:])
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
