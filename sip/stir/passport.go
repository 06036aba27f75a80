package stir

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

var (
	// ErrToken is returned for a token or Identity header that is malformed or of a kind that is not understood.
	ErrToken = errors.New("stir: malformed token")
	// ErrSignature is returned for a signature that is not by the key.
	ErrSignature = errors.New("stir: signature")
)

// Level is how much the signer knows of the caller (RFC 8588 section 4).
type Level string

// Levels. The empty level is none of them.
const (
	Full    Level = "A" // the caller is known and has the right to the number
	Partial Level = "B" // the caller is known, the right to the number is not
	Gateway Level = "C" // the call came from somewhere else
)

func (l Level) valid() bool { return l == Full || l == Partial || l == Gateway }

// AtLeast reports whether l says as much as other or more. It is false if either is none.
func (l Level) AtLeast(other Level) bool { return l.valid() && other.valid() && l <= other }

// Claims are what a SHAKEN token says (RFC 8588 section 4).
type Claims struct {
	Attest Level
	Dest   []string // canonical numbers
	IAT    time.Time
	Orig   string // canonical number
	OrigID string // UUID
}

const (
	maxToken = 4096
	maxDest  = 10
)

// The members of these are declared in the order of their names: see canonical.
type jsonHeader struct {
	Alg string `json:"alg"`
	PPT string `json:"ppt"`
	Typ string `json:"typ"`
	X5U string `json:"x5u"`
}

type jsonTNs struct {
	TN []string `json:"tn"`
}

type jsonTN struct {
	TN string `json:"tn"`
}

type jsonClaims struct {
	Attest Level   `json:"attest"`
	Dest   jsonTNs `json:"dest"`
	IAT    int64   `json:"iat"`
	Orig   jsonTN  `json:"orig"`
	OrigID string  `json:"origid"`
}

var b64 = base64.RawURLEncoding.Strict()

// signingInput returns header.payload in canonical form (RFC 8225 sections 4, 5 and 9).
func signingInput(x5u string, c Claims) (string, error) {
	h, err := canonical(jsonHeader{"ES256", "shaken", "passport", x5u})
	if err != nil {
		return "", err
	}
	p, err := canonical(jsonClaims{c.Attest, jsonTNs{c.Dest}, c.IAT.Unix(), jsonTN{c.Orig}, c.OrigID})
	if err != nil {
		return "", err
	}
	return b64.EncodeToString(h) + "." + b64.EncodeToString(p), nil
}

// token is a token that was read and not verified.
type token struct {
	input  string // what is signed
	sig    []byte
	x5u    string
	claims Claims
}

// parseToken reads a token in full form. It does not verify it.
func parseToken(s string) (token, error) {
	bad := func(what string) (token, error) { return token{}, fmt.Errorf("%w: %s", ErrToken, what) }
	parts := strings.Split(s, ".")
	if len(s) > maxToken || len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return bad("want header.payload.signature") // the compact form has nothing before the dots; SHAKEN has no use for it
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := b64.DecodeString(p)
		if err != nil || strings.ContainsAny(p, "\r\n") { // the decoder would skip them
			return bad("base64url")
		}
		raw[i] = b
	}
	if len(raw[2]) != 64 { // RFC 7518 section 3.4
		return bad("length of the signature")
	}
	h, err := object(raw[0])
	if err != nil {
		return bad("header")
	}
	x5u, _ := h["x5u"].(string)
	switch {
	case h["alg"] != "ES256": // compared, so that no token chooses how it is verified
		return bad("alg")
	case h["ppt"] != "shaken":
		return bad("ppt")
	case h["typ"] != "passport":
		return bad("typ")
	case x5u == "":
		return bad("x5u")
	case h["crit"] != nil: // RFC 7515 section 4.1.11
		return bad("crit")
	}
	c, err := parseClaims(raw[1])
	if err != nil {
		return token{}, err
	}
	return token{input: parts[0] + "." + parts[1], sig: raw[2], x5u: x5u, claims: c}, nil
}

func parseClaims(b []byte) (Claims, error) {
	bad := func(what string) (Claims, error) { return Claims{}, fmt.Errorf("%w: %s", ErrToken, what) }
	m, err := object(b)
	if err != nil {
		return bad("payload")
	}
	var c Claims
	attest, _ := m["attest"].(string)
	if c.Attest = Level(attest); !c.Attest.valid() {
		return bad("attest")
	}
	n, _ := m["iat"].(json.Number)
	sec, err := n.Int64()
	if err != nil || sec < 0 || sec > 1<<40 {
		return bad("iat")
	}
	c.IAT = time.Unix(sec, 0).UTC()
	orig, _ := m["orig"].(map[string]any)
	c.Orig, _ = orig["tn"].(string)
	if len(orig) != 1 || !isTN(c.Orig) { // one identity, and a number (RFC 8588 section 5)
		return bad("orig")
	}
	dest, _ := m["dest"].(map[string]any)
	tns, _ := dest["tn"].([]any)
	if len(tns) == 0 || len(tns) > maxDest {
		return bad("dest")
	}
	for _, v := range tns {
		tn, _ := v.(string)
		if !isTN(tn) {
			return bad("dest")
		}
		c.Dest = append(c.Dest, tn)
	}
	c.OrigID, _ = m["origid"].(string)
	if !isUUID(c.OrigID) {
		return bad("origid")
	}
	return c, nil
}

// isTN reports whether s is a canonical number.
func isTN(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && c != '#' && c != '*' {
			return false
		}
	}
	return s != "" && len(s) <= maxDigits
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash != (c == '-') || !dash && !hex {
			return false
		}
	}
	return true
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the process ends instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// sign makes the signature of RFC 7518 section 3.4: r and s, 32 bytes each, out of the ASN.1 that a crypto.Signer gives.
func sign(key crypto.Signer, input string) ([]byte, error) {
	sum := sha256.Sum256([]byte(input))
	der, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var rs struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &rs)
	if err != nil || len(rest) > 0 || rs.R.Sign() <= 0 || rs.S.Sign() <= 0 || rs.R.BitLen() > 256 || rs.S.BitLen() > 256 {
		return nil, fmt.Errorf("%w: the key made none of P-256", ErrSignature)
	}
	out := make([]byte, 64)
	rs.R.FillBytes(out[:32])
	rs.S.FillBytes(out[32:])
	return out, nil
}

func verify(key *ecdsa.PublicKey, input string, sig []byte) bool {
	if key.Curve != elliptic.P256() || len(sig) != 64 {
		return false
	}
	sum := sha256.Sum256([]byte(input))
	return ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
}
