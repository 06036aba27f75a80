package digest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	wire "github.com/icholy/digest"
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
	chal  wire.Challenge
	ha1   []byte
	nc    uint32
}

// Field is one header to add to a request.
type Field struct{ Name, Value string }

const (
	maxRealms    = 4 // proxies on one way that all ask; RFC 3261 section 22.3 allows any number
	maxChallenge = 2048
)

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
	best := map[string]*wire.Challenge{} // by realm
	rank := map[string]int{}
	var order []string
	for _, v := range values {
		if len(v) > maxChallenge {
			continue
		}
		ch, err := wire.ParseChallenge(v)
		if err != nil || ch.Nonce == "" || !qopKnown(ch) || !clean(ch.Realm+ch.Nonce+ch.Opaque) {
			continue
		}
		if ch.Algorithm == "" { // RFC 7616 section 3.3
			ch.Algorithm = MD5
		}
		r := slices.IndexFunc(c.allowed, func(a string) bool { return strings.EqualFold(a, ch.Algorithm) })
		if r < 0 {
			continue
		}
		ch.Algorithm = c.allowed[r]
		if have, ok := rank[ch.Realm]; ok && have <= r {
			continue
		}
		if _, ok := rank[ch.Realm]; !ok {
			order = append(order, ch.Realm)
		}
		best[ch.Realm], rank[ch.Realm] = ch, r
	}
	if len(order) == 0 {
		return ErrNoChallenge
	}
	name := fieldName(proxy)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, realm := range order[:min(len(order), maxRealms)] {
		ch := best[realm]
		for _, f := range sent {
			// Only an answer to a fresh nonce counts: one that was kept may have run out, and many servers do not say stale then.
			if old, err := wire.ParseCredentials(f.Value); f.Name == name && err == nil && old.Realm == realm && !ch.Stale && old.Nc <= 1 {
				c.forget(realm, proxy)
				return fmt.Errorf("%w: realm %q", ErrRefused, realm)
			}
		}
		ha1, err := HA1(ch.Algorithm, c.user, realm, c.password)
		if err != nil {
			return err
		}
		s := session{proxy: proxy, chal: *ch, ha1: ha1}
		if i := c.find(realm, proxy); i >= 0 {
			if c.realms[i].chal.Nonce == ch.Nonce { // another request was challenged with it at the same time; its count goes on
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
	return slices.IndexFunc(c.realms, func(s session) bool { return s.proxy == proxy && s.chal.Realm == realm })
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
func qopKnown(ch *wire.Challenge) bool {
	for i := range ch.QOP {
		ch.QOP[i] = strings.ToLower(strings.TrimSpace(ch.QOP[i]))
	}
	return len(ch.QOP) == 0 || slices.Contains(ch.QOP, "auth")
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
		cred := &wire.Credentials{
			Username: c.user, Realm: s.chal.Realm, Nonce: s.chal.Nonce, URI: uri, Algorithm: s.chal.Algorithm, Opaque: s.chal.Opaque,
		}
		if len(s.chal.QOP) > 0 {
			s.nc++
			cred.QOP, cred.Nc, cred.Cnonce = "auth", int(s.nc), c.cnonce()
			cred.Response = response(cred.Algorithm, hex.EncodeToString(s.ha1), cred, method)
		} else {
			cred.Response = legacyResponse(cred.Algorithm, hex.EncodeToString(s.ha1), cred, method)
		}
		out = append(out, Field{fieldName(s.proxy), cred.String()})
	}
	return out
}
