package srtp

import (
	"fmt"
	"strconv"
	"strings"
)

// ParamRule says what to do with a session parameter of a peer's attribute.
type ParamRule uint8

// The rules. Refusing a parameter makes the attribute that carries it unusable, not the offer: its other attributes are still looked at.
const (
	ParamDefault ParamRule = iota // the safe rule of the parameter; see ParamRules
	ParamRefuse                   // an attribute with the parameter is unusable
	ParamAccept                   // an attribute may carry the parameter
	ParamRequire                  // an attribute without the parameter is unusable
)

// ParamRules says which session parameters (RFC 4568 section 6.3) a peer's attribute may carry. The zero value is the safest.
// A parameter that is known to nobody and does not begin with a dash is always refused, as section 6.3.7 demands.
type ParamRules struct {
	// WSH is the peer's window size hint of at least 64. It is a hint only and changes nothing. ParamDefault accepts it.
	WSH ParamRule
	// FECOrder tells in which order error correction and encryption are applied. This package does no error correction, so that
	// accepting it changes nothing either. ParamDefault refuses it.
	FECOrder ParamRule
	// KDR is the key derivation rate. The transform derives once for each master key: ParamAccept lets KDR=0 pass, which says so;
	// any other rate stays refused. ParamDefault refuses both; ParamRequire is an error.
	KDR ParamRule
	// Dashed are parameters that begin with a dash, which whoever does not know them may ignore. ParamDefault accepts them.
	Dashed ParamRule
	// UnencryptedSRTP, UnencryptedSRTCP and UnauthenticatedSRTP switch protection off, and FECKey is a key for a stream this package
	// does not have. The transform does none of it: every rule but ParamDefault and ParamRefuse is an error.
	UnencryptedSRTP, UnencryptedSRTCP, UnauthenticatedSRTP, FECKey ParamRule
}

func (r ParamRules) validate() error {
	for _, v := range []struct {
		name string
		rule ParamRule
		most ParamRule
	}{
		{"WSH", r.WSH, ParamRequire}, {"FEC_ORDER", r.FECOrder, ParamRequire}, {"KDR", r.KDR, ParamAccept}, {"dashed", r.Dashed, ParamRequire},
		{"UNENCRYPTED_SRTP", r.UnencryptedSRTP, ParamRefuse}, {"UNENCRYPTED_SRTCP", r.UnencryptedSRTCP, ParamRefuse},
		{"UNAUTHENTICATED_SRTP", r.UnauthenticatedSRTP, ParamRefuse}, {"FEC_KEY", r.FECKey, ParamRefuse},
	} {
		if v.rule > v.most {
			return fmt.Errorf("%w: the transform cannot honour %s", ErrBadPolicy, v.name)
		}
	}
	return nil
}

// SessionParams are the session parameters of one attribute. The zero value is none, which is the strongest protection.
type SessionParams struct {
	// KDR is the exponent of the key derivation rate, 1 to 24, or 0 for a written KDR=0; HasKDR tells whether it was written.
	KDR    int
	HasKDR bool
	// UnencryptedSRTP, UnencryptedSRTCP and UnauthenticatedSRTP ask for less protection.
	UnencryptedSRTP, UnencryptedSRTCP, UnauthenticatedSRTP bool
	// FECOrder is "FEC_SRTP", "SRTP_FEC" or empty for none.
	FECOrder string
	// FECKey holds the keys of an error correction stream. If nil, none.
	FECKey []InlineKey
	// WSH is the window size hint, at least 64. If zero, none.
	WSH int
	// Other are parameters this package does not know, as they were written. Those without a leading dash make the attribute unusable.
	Other []string
}

// parseParams reads session parameters. It judges what is legal (RFC 4568 section 9.2), not what is acceptable.
func parseParams(suite Suite, fields []string) (SessionParams, error) {
	var p SessionParams
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		name, val, hasVal := strings.Cut(f, "=")
		name = strings.ToUpper(name)
		if seen[name] && !strings.HasPrefix(name, "-") {
			return SessionParams{}, badParam("a parameter is written twice")
		}
		seen[name] = true
		var err error
		switch name {
		case "WSH":
			p.WSH, err = paramNumber(name, val, minReplayWindow, 1<<31-1)
		case "KDR":
			p.HasKDR = true
			p.KDR, err = paramNumber(name, val, 0, 24)
		case "UNENCRYPTED_SRTP":
			p.UnencryptedSRTP, err = true, noValue(name, hasVal)
		case "UNENCRYPTED_SRTCP":
			p.UnencryptedSRTCP, err = true, noValue(name, hasVal)
		case "UNAUTHENTICATED_SRTP":
			p.UnauthenticatedSRTP, err = true, noValue(name, hasVal)
		case "FEC_ORDER":
			p.FECOrder = strings.ToUpper(val)
			if p.FECOrder != "FEC_SRTP" && p.FECOrder != "SRTP_FEC" {
				err = badParam("FEC_ORDER is FEC_SRTP or SRTP_FEC")
			}
		case "FEC_KEY":
			p.FECKey, err = parseKeys(suite, val)
		default:
			p.Other = append(p.Other, f)
		}
		if err != nil {
			return SessionParams{}, err
		}
	}
	return p, nil
}

func badParam(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSessionParameter, fmt.Sprintf(format, args...))
}

// paramNumber reads digits without a leading zero.
func paramNumber(name, s string, least, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || !allDigits(s) || len(s) > 1 && s[0] == '0' || n < least || n > most {
		return 0, badParam("%s is a number from %d to %d", name, least, most)
	}
	return n, nil
}

func noValue(name string, has bool) error {
	if has {
		return badParam("%s has no value", name)
	}
	return nil
}

// check applies the rules to parameters that were parsed.
func (r ParamRules) check(p SessionParams) error {
	// What the transform cannot do comes first and has no rule: a mistake in a policy must not open it.
	if err := p.doable(); err != nil {
		return err
	}
	if p.HasKDR && r.KDR != ParamAccept {
		return badParam("KDR: key derivation rates are not accepted")
	}
	var dashed bool
	for _, o := range p.Other {
		dashed = dashed || strings.HasPrefix(o, "-")
	}
	for _, v := range []struct {
		name    string
		present bool
		rule    ParamRule
		safe    ParamRule
	}{
		{"WSH", p.WSH != 0, r.WSH, ParamAccept},
		{"FEC_ORDER", p.FECOrder != "", r.FECOrder, ParamRefuse},
		{"a parameter with a dash", dashed, r.Dashed, ParamAccept},
	} {
		if v.rule == ParamDefault {
			v.rule = v.safe
		}
		switch {
		case v.present && v.rule == ParamRefuse:
			return badParam("%s is not accepted", v.name)
		case !v.present && v.rule == ParamRequire:
			return badParam("%s is required", v.name)
		}
	}
	return nil
}

// doable refuses what the transform does not do. NewSender and NewReceiver ask it again, whatever road the attribute came.
func (p SessionParams) doable() error {
	switch {
	case p.UnencryptedSRTP:
		return badParam("UNENCRYPTED_SRTP would send media in the clear")
	case p.UnencryptedSRTCP:
		return badParam("UNENCRYPTED_SRTCP would send reports in the clear")
	case p.UnauthenticatedSRTP:
		return badParam("UNAUTHENTICATED_SRTP would let anybody change media")
	case p.HasKDR && p.KDR != 0:
		return badParam("KDR: the transform derives keys once only")
	case len(p.FECKey) > 0:
		return badParam("FEC_KEY: there is no stream of error correction to protect")
	}
	for _, o := range p.Other {
		if !strings.HasPrefix(o, "-") {
			return badParam("unknown parameter") // not quoted: it is a stranger's text
		}
	}
	return nil
}

// format writes the parameters in the order of RFC 4568 section 6.3, each after a space.
func (p SessionParams) format(b *strings.Builder, key func(Key) string) {
	if p.HasKDR {
		fmt.Fprintf(b, " KDR=%d", p.KDR)
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{p.UnencryptedSRTCP, "UNENCRYPTED_SRTCP"}, {p.UnencryptedSRTP, "UNENCRYPTED_SRTP"}, {p.UnauthenticatedSRTP, "UNAUTHENTICATED_SRTP"}} {
		if f.on {
			b.WriteString(" " + f.name)
		}
	}
	if p.FECOrder != "" {
		b.WriteString(" FEC_ORDER=" + p.FECOrder)
	}
	if len(p.FECKey) > 0 {
		b.WriteString(" FEC_KEY=")
		formatKeys(b, p.FECKey, key)
	}
	if p.WSH != 0 {
		fmt.Fprintf(b, " WSH=%d", p.WSH)
	}
	for _, o := range p.Other {
		b.WriteString(" " + o)
	}
}
