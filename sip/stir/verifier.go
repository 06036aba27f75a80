package stir

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Certificates fetches what x5u points to: certificates in PEM, leaf first. Fetch returns when ctx ends, or after a short time of
// its own. It is called concurrently. HTTPS is one.
type Certificates interface {
	Fetch(ctx context.Context, url string) ([]byte, error)
}

// Config describes a Verifier. It is copied by NewVerifier.
type Config struct {
	// Roots are the authorities whose certificates may sign. They are not those of the web. Required.
	Roots *x509.CertPool
	// Certificates fetches certificates. Required.
	Certificates Certificates
	// Hosts are the names of the hosts that certificates are fetched from, compared whole. Required unless AnyHost.
	Hosts []string
	// AnyHost has certificates fetched from whatever host a caller names. If false, only from Hosts.
	AnyHost bool
	// SPC reports whether a canonical number belongs to the provider with a code, for certificates that have codes only. It is called concurrently. If nil, a
	// provider may speak for every number, as SHAKEN has it.
	SPC func(code, number string) bool
	// Window is how far the date of a token may be from now, in either direction, at most 10 min. If zero, 60 s (RFC 8224 section 6.2).
	Window time.Duration
	// MaxTokens bounds the tokens that are remembered against replay. When there are as many within two windows, calls are not validated. If zero, 100000.
	MaxTokens int
	// MaxChains bounds the chains whose verification is remembered. If zero, 1000.
	MaxChains int
	// Plan is how numbers without + are meant. If zero, they have a country code.
	Plan Plan
}

// Request is what a call says of itself.
type Request struct {
	// Identity are the values of all Identity headers. Those that are no SHAKEN are passed over.
	Identity []string
	Orig     string // the number that is going to be shown: of P-Asserted-Identity if trusted, else of From
	Dest     string // the number of To
	// CallID tells the copies of one call that forked from a token that is played again. If empty, every second use of a token is a replay.
	CallID string
}

// Verstat is the outcome as the parameter verstat of 3GPP TS 24.229 names it.
type Verstat string

// Values of Verstat. The empty one is none of them and has not passed.
const (
	Passed       Verstat = "TN-Validation-Passed"
	Failed       Verstat = "TN-Validation-Failed"
	NotValidated Verstat = "No-TN-Validation"
)

// Codes of RFC 8224 section 6.2.2.
const (
	CodeStale       = 403 // the date is not now
	CodeMissing     = 428 // no Identity header of a kind that is understood
	CodeInfo        = 436 // the certificate cannot be fetched
	CodeCredential  = 437 // the certificate may not sign this
	CodeInvalid     = 438 // the header is malformed, of another call, or not signed by the certificate
	CodeUnavailable = 503 // not of the RFC: our memory against replays is full
)

// Result is what is known of a caller. It is data; Policies decide.
type Result struct {
	Verstat Verstat
	Code    int    // why not; 0 if passed
	Level   Level  // if passed
	OrigID  string // if passed
	Orig    string // canonical number that was proved; if passed
	SPC     string // the provider that signed, if its certificate names exactly one; if passed
	Err     error  // what the log is told; nil if passed
}

// Phrase returns the reason phrase for Code (RFC 8224 section 6.2.2), empty if there is none.
func (r Result) Phrase() string { return phrase(r.Code) }

func phrase(code int) string {
	return map[int]string{CodeStale: "Stale Date", CodeMissing: "Use Identity Header", CodeInfo: "Bad Identity Info", CodeCredential: "Unsupported Credential",
		CodeInvalid: "Invalid Identity Header", CodeUnavailable: "Service Unavailable"}[code]
}

// Verifier checks Identity headers. NewVerifier makes one. It is safe for concurrent use.
type Verifier struct {
	cfg    Config
	replay replay

	mu     sync.Mutex
	chains map[[32]byte]*credential // by what was fetched
}

// NewVerifier returns a Verifier that remembers nothing yet.
func NewVerifier(cfg Config) (*Verifier, error) {
	switch {
	case cfg.Roots == nil:
		return nil, errors.New("stir: Config.Roots is required")
	case cfg.Certificates == nil:
		return nil, errors.New("stir: Config.Certificates is required")
	case len(cfg.Hosts) == 0 && !cfg.AnyHost:
		return nil, errors.New("stir: Config.Hosts is required unless AnyHost")
	case cfg.Window < 0 || cfg.Window > 10*time.Minute:
		return nil, errors.New("stir: Config.Window: want at most 10 min")
	case cfg.MaxTokens < 0 || cfg.MaxChains < 0:
		return nil, errors.New("stir: Config: a bound is negative")
	}
	if cfg.Window == 0 {
		cfg.Window = time.Minute
	}
	if cfg.MaxTokens == 0 {
		cfg.MaxTokens = 100000
	}
	if cfg.MaxChains == 0 {
		cfg.MaxChains = 1000
	}
	cfg.Hosts = slices.Clone(cfg.Hosts)
	return &Verifier{cfg: cfg, replay: replay{seen: make(map[[32]byte]use), limit: cfg.MaxTokens}, chains: make(map[[32]byte]*credential)}, nil
}

// Verify checks a call. It fetches at most one certificate and returns when that does.
func (v *Verifier) Verify(ctx context.Context, now time.Time, r Request) Result {
	id, code, err := pick(r.Identity)
	if code == 0 {
		var res Result
		if res, code, err = v.verify(ctx, now, id, r); code == 0 {
			return res
		}
	}
	if code == CodeMissing || code == CodeUnavailable {
		return Result{Verstat: NotValidated, Code: code, Err: err}
	}
	return Result{Verstat: Failed, Code: code, Err: err}
}

// pick finds the one SHAKEN header.
func pick(values []string) (identity, int, error) {
	var found identity
	if len(values) > 16 {
		return found, CodeInvalid, fmt.Errorf("%w: too many Identity headers", ErrToken)
	}
	n := 0
	for _, s := range values {
		id, err := parseIdentity(s)
		if err != nil {
			return found, CodeInvalid, err
		}
		if id.ppt == "shaken" {
			found = id
			n++
		}
	}
	switch {
	case n == 0:
		return found, CodeMissing, fmt.Errorf("%w: no Identity header with ppt=shaken", ErrToken)
	case n > 1: // whichever we took, another reader might take the other
		return found, CodeInvalid, fmt.Errorf("%w: several Identity headers with ppt=shaken", ErrToken)
	}
	return found, 0, nil
}

func (v *Verifier) verify(ctx context.Context, now time.Time, id identity, r Request) (Result, int, error) {
	none := Result{}
	if id.alg != "" && id.alg != "ES256" { // absent means ES256 (RFC 8224 section 4)
		return none, CodeInvalid, fmt.Errorf("%w: alg", ErrToken)
	}
	tok, err := parseToken(id.token)
	if err != nil {
		return none, CodeInvalid, err
	}
	// The header says which certificate it is before the token is trusted, so the two must agree (RFC 8224 section 6.2).
	if tok.x5u != id.info {
		return none, CodeInvalid, fmt.Errorf("%w: info is not x5u", ErrToken)
	}
	if age := now.Sub(tok.claims.IAT); age > v.cfg.Window || age < -v.cfg.Window {
		return none, CodeStale, fmt.Errorf("%w: date is %s ago", ErrToken, age.Truncate(time.Second))
	}
	orig, err := v.cfg.Plan.Canonical(r.Orig)
	if err != nil || orig != tok.claims.Orig {
		return none, CodeInvalid, fmt.Errorf("%w: of another caller", ErrToken)
	}
	dest, err := v.cfg.Plan.Canonical(r.Dest)
	if err != nil || !slices.Contains(tok.claims.Dest, dest) {
		return none, CodeInvalid, fmt.Errorf("%w: for another number", ErrToken)
	}
	u, err := checkURL(tok.x5u)
	if err != nil {
		return none, CodeInfo, err
	}
	if !v.cfg.AnyHost && !slices.ContainsFunc(v.cfg.Hosts, func(h string) bool { return strings.EqualFold(h, u.Hostname()) }) {
		return none, CodeInfo, fmt.Errorf("%w: host of x5u", ErrCertificate)
	}
	body, err := v.cfg.Certificates.Fetch(ctx, tok.x5u)
	if err != nil {
		return none, CodeInfo, err
	}
	cred, err := v.credential(body, now)
	if err != nil {
		return none, CodeCredential, err
	}
	if err := v.authority(cred, orig); err != nil {
		return none, CodeCredential, err
	}
	if !verify(cred.key, tok.input, tok.sig) {
		return none, CodeInvalid, ErrSignature
	}
	// Last, so that only who can sign for a number is remembered.
	if code, err := v.replay.use(now, 2*v.cfg.Window, tok.input, r.CallID); err != nil {
		return none, code, err
	}
	res := Result{Verstat: Passed, Level: tok.claims.Attest, OrigID: tok.claims.OrigID, Orig: orig}
	if len(cred.list.SPC) == 1 {
		res.SPC = cred.list.SPC[0]
	}
	return res, 0, nil
}

// authority checks that a certificate may speak for a number.
func (v *Verifier) authority(cred *credential, number string) error {
	if cred.list.Covers(number) {
		return nil
	}
	for _, code := range cred.list.SPC {
		if v.cfg.SPC == nil || v.cfg.SPC(code, number) {
			return nil
		}
	}
	return fmt.Errorf("%w: not for this number", ErrCertificate)
}

// credential verifies what was fetched, or remembers that it did. How long that holds is a part of what is remembered.
func (v *Verifier) credential(body []byte, now time.Time) (*credential, error) {
	sum := sha256.Sum256(body)
	v.mu.Lock()
	cred := v.chains[sum]
	v.mu.Unlock()
	if cred != nil && cred.at(now) {
		return cred, nil
	}
	chain, err := parseChain(body)
	if err != nil {
		return nil, err
	}
	if cred, err = verifyChain(chain, v.cfg.Roots, now); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for k := range v.chains { // any one: it is only work that is saved
		if len(v.chains) < v.cfg.MaxChains {
			break
		}
		delete(v.chains, k)
	}
	v.chains[sum] = cred
	return cred, nil
}
