package digest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Strength lists the algorithms a Client may use, strongest first: the order of its preference (RFC 8760 section 2.4 leaves it to local policy).
func Strength() []string { return []string{SHA512256, SHA256, MD5} }

// ErrNoChallenge is a response that asks for credentials in no way that this client can answer.
var ErrNoChallenge = errors.New("digest: no challenge with an allowed algorithm")

// Client answers the challenges of one server or trunk with one user and password. It keeps the nonce of each realm and counts its uses (RFC 7616
// section 3.4), so that only the first request of many has to be sent twice. It is safe for concurrent use.
type Client struct {
	user, password string
	allowed        []string
	cnonce         func() string

	mu     sync.Mutex
	realms []session // in the order in which they were met
}

// session is what is known of one realm.
type session struct {
	proxy bool // Proxy-Authenticate: another header answers it
	chal  challenge
	ha1   string // in hex
	used  bool
	nc    uint32
}

// Field is one header to add to a request.
type Field struct {
	Name, Value string
	realm       string
	first       bool // use of its nonce
}

const maxRealms = 4 // proxies on one way that all ask; RFC 3261 section 22.3 allows any number

// NewClient returns a Client. allowed are the algorithms it may use, strongest first; if empty, those of Strength. MD5 is there for carriers that know
// nothing else: it is never used where something better is offered.
func NewClient(user, password string, allowed ...string) *Client {
	if len(allowed) == 0 {
		allowed = Strength()
	}
	return &Client{user: user, password: password, allowed: slices.Clone(allowed), cnonce: randomCnonce}
}

func randomCnonce() string { return rand.Text() }

// String hides the password.
func (c *Client) String() string { return "digest.Client[redacted]" }

// GoString hides the password.
func (c *Client) GoString() string { return c.String() }

// Format hides the password from every verb.
func (c *Client) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.String())) }

// Challenged takes the values of the WWW-Authenticate headers of a 401, or of the Proxy-Authenticate headers of a 407 (proxy). sent is what
// Authorize gave the request that was answered so. It returns ErrRefused if the server has seen the answer to its own nonce and did not like it: asking
// again would only get the account locked.
func (c *Client) Challenged(values []string, proxy bool, sent []Field) error {
	type candidate struct {
		chal challenge
		rank int // in allowed
	}
	var best []candidate // one per realm
	for _, v := range values {
		ch, err := parseChallenge(v)
		if err != nil || ch.nonce == "" || !qopKnown(&ch) || !clean(ch.realm+ch.nonce+ch.opaque) {
			continue
		}
		if ch.algorithm == "" { // RFC 7616 section 3.3
			ch.algorithm = MD5
		}
		r := slices.IndexFunc(c.allowed, func(a string) bool { return strings.EqualFold(a, ch.algorithm) })
		if r < 0 {
			continue
		}
		ch.algorithm = c.allowed[r]
		i := slices.IndexFunc(best, func(b candidate) bool { return b.chal.realm == ch.realm })
		switch {
		case i < 0 && len(best) < maxRealms:
			best = append(best, candidate{ch, r})
		case i >= 0 && r < best[i].rank:
			best[i] = candidate{ch, r}
		}
	}
	if len(best) == 0 {
		return ErrNoChallenge
	}
	name := fieldName(proxy)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range best {
		ch := b.chal
		for _, f := range sent {
			// Only an answer to a fresh nonce counts: one that was kept may have run out, and many servers do not say stale then.
			if f.Name == name && f.realm == ch.realm && f.first && !ch.stale {
				c.forget(ch.realm, proxy)
				return fmt.Errorf("%w: realm %q", ErrRefused, ch.realm)
			}
		}
		ha1, err := HA1(ch.algorithm, c.user, ch.realm, c.password)
		if err != nil {
			return err
		}
		s := session{proxy: proxy, chal: ch, ha1: hex.EncodeToString(ha1)}
		if i := c.find(ch.realm, proxy); i >= 0 {
			if c.realms[i].chal.nonce == ch.nonce { // another request was challenged with it at the same time; its count goes on
				s.nc = c.realms[i].nc
			}
			c.realms[i] = s
			continue
		}
		if c.realms = append(c.realms, s); len(c.realms) > maxRealms {
			c.realms = c.realms[1:]
		}
	}
	return nil
}

func (c *Client) find(realm string, proxy bool) int {
	return slices.IndexFunc(c.realms, func(s session) bool { return s.proxy == proxy && s.chal.realm == realm })
}

func (c *Client) forget(realm string, proxy bool) {
	if i := c.find(realm, proxy); i >= 0 {
		c.realms = slices.Delete(c.realms, i, i+1)
	}
}

func fieldName(proxy bool) string {
	if proxy {
		return "Proxy-Authorization"
	}
	return "Authorization"
}

// qopKnown says that we can do what the server wants: "auth", or nothing at all as in RFC 2069, which RFC 3261 section 22.4 keeps alive.
func qopKnown(ch *challenge) bool {
	if ch.qop == "" {
		return true
	}
	for q := range strings.SplitSeq(ch.qop, ",") {
		if strings.EqualFold(strings.TrimSpace(q), "auth") {
			return true
		}
	}
	return false
}

// clean refuses what a hostile server would have us write back into a header.
func clean(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '"' || r == '\\' })
}

// Authorize returns the headers for a request with this method and Request-URI, none as long as nobody has asked. Each call counts the nonces up.
func (c *Client) Authorize(method, uri string) []Field {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Field
	for i := range c.realms {
		s := &c.realms[i]
		cred := credentials{username: c.user, realm: s.chal.realm, nonce: s.chal.nonce, uri: uri, algorithm: s.chal.algorithm, opaque: s.chal.opaque}
		if s.chal.qop != "" {
			s.nc++
			cred.qop, cred.nc, cred.cnonce = "auth", s.nc, c.cnonce()
			cred.response = response(cred.algorithm, s.ha1, &cred, method)
		} else {
			cred.response = legacyResponse(cred.algorithm, s.ha1, &cred, method)
		}
		out = append(out, Field{Name: fieldName(s.proxy), Value: cred.String(), realm: s.chal.realm, first: !s.used})
		s.used = true
	}
	return out
}
