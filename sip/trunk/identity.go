package trunk

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/sip"
)

// anonymous is the From of a caller who wants to be unknown (RFC 3323 section 4.1.1.3).
const (
	anonymousURI  = "sip:anonymous@anonymous.invalid"
	anonymousName = "Anonymous"
)

// presentation is who calls, as one carrier is told.
type presentation struct {
	from, name string
	headers    []sip.Header
}

// present builds the identity of a call for carrier k. number is E.164 and was allowed by the policy. The asserted identity goes to trusted
// carriers only (RFC 3325 section 6): a private number must not leave the trust domain in a header.
func (k Carrier) present(number, name string, private bool) presentation {
	uri := "sip:" + k.Format.write(number) + "@" + k.FromDomain
	if number == "" {
		uri, private = anonymousURI, true
	}
	p := presentation{from: uri, name: name}
	if private {
		p.from, p.name = anonymousURI, anonymousName
	}
	if number != "" && (k.Trusted || k.Preferred) {
		value := "<" + uri + ">"
		if name != "" {
			value = quote(name) + " " + value
		}
		header := "P-Asserted-Identity"
		if k.Preferred {
			header = "P-Preferred-Identity"
		}
		p.headers = append(p.headers, sip.Header{Name: header, Value: value})
	}
	if private {
		// RFC 3325 section 9.3. The rest of RFC 3323 (user, header, session) asks a privacy service for what we have done already: From is anonymous.
		p.headers = append(p.headers, sip.Header{Name: "Privacy", Value: "id"})
	}
	return p
}

// quote writes a display name (RFC 3261 section 25.1, quoted-string). Control characters were refused before.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func checkName(s string) error {
	if len(s) > 128 || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }) {
		return fmt.Errorf("%w: display name", sip.ErrMalformed)
	}
	return nil
}

// Caller is who calls us, as far as that can be known.
type Caller struct {
	// Number is E.164, empty if there is none that can be read or the caller wants to be unknown to people; see Private.
	Number string
	// Name is a display name. The caller or the carrier chose it.
	Name string
	// Asserted says that a trusted carrier stands for Number (RFC 3325). If false, Number is a claim that anybody could make.
	Asserted bool
	// Private says that the caller asked not to be shown (RFC 3323): Number may be used for billing and for emergency calls, not on a screen.
	Private bool
}

// callerOf reads the identity headers of an INVITE from carrier k. values returns the values of a header.
func (k Carrier) callerOf(values func(name string) []string) Caller {
	c := Caller{Private: isPrivate(values("Privacy"))}
	if k.Trusted {
		for _, v := range splitValues(values("P-Asserted-Identity")) {
			name, uri, ok := nameAddr(v)
			if !ok {
				continue
			}
			if n, err := k.Plan.Normalize(uri); err == nil {
				c.Number, c.Name, c.Asserted = n, name, true
				return c
			}
		}
	}
	for _, v := range values("From") {
		name, uri, ok := nameAddr(v)
		if !ok {
			continue
		}
		if strings.EqualFold(hostOf(uri), "anonymous.invalid") {
			c.Private = true
			break
		}
		c.Name = name
		if n, err := k.Plan.Normalize(uri); err == nil {
			c.Number = n
		}
	}
	return c
}

// isPrivate reads Privacy (RFC 3323 section 4.2). A word that is not known may ask for privacy, so it does.
func isPrivate(values []string) bool {
	for _, v := range values {
		for word := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ';' || r == ',' || r == ' ' || r == '\t' }) {
			if w := strings.ToLower(word); w != "none" && w != "critical" {
				return true
			}
		}
	}
	return false
}

const maxIdentities = 8 // of one message; RFC 3325 knows two

func splitValues(values []string) []string {
	var out []string
	for _, v := range values {
		depth, quoted, from := 0, false, 0
		for i := 0; i < len(v); i++ {
			switch c := v[i]; {
			case c == '\\' && quoted:
				i++
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '<':
				depth++
			case c == '>':
				depth--
			case c == ',' && depth == 0:
				out = append(out, v[from:i])
				from = i + 1
			}
		}
		if out = append(out, v[from:]); len(out) > maxIdentities {
			return out[:maxIdentities]
		}
	}
	return out
}

// nameAddr reads name-addr or addr-spec (RFC 3261 section 25.1). The name comes without quotes and without control characters.
func nameAddr(s string) (name, uri string, ok bool) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, `"`) {
		i := 1
		var b strings.Builder
		for ; i < len(s) && s[i] != '"'; i++ {
			if s[i] == '\\' && i+1 < len(s) {
				i++
			}
			b.WriteByte(s[i])
		}
		if i >= len(s) {
			return "", "", false
		}
		name, s = b.String(), strings.TrimSpace(s[i+1:])
		if !strings.HasPrefix(s, "<") {
			return "", "", false
		}
	} else if i := strings.IndexByte(s, '<'); i > 0 {
		name, s = strings.TrimSpace(s[:i]), s[i:]
	}
	if after, found := strings.CutPrefix(s, "<"); found {
		uri, _, ok = strings.Cut(after, ">")
	} else {
		uri, _, _ = strings.Cut(s, ";") // without brackets parameters belong to the header (section 20.10)
		ok = true
	}
	if checkName(name) != nil {
		name = ""
	}
	return name, uri, ok && uri != "" && !strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

func hostOf(uri string) string {
	_, rest, _ := strings.Cut(uri, "@")
	host, _, _ := strings.Cut(rest, ";")
	host, _, _ = strings.Cut(host, ":")
	return host
}

// CallerIDs is a caller-ID policy from two tables: the numbers that an owner holds, and others that it has proved to be its own. The function it
// returns is for Config.CallerID. Both tables are read at each call and may be nil.
func CallerIDs(holds, verified func(ctx context.Context, owner string) ([]string, error)) func(ctx context.Context, owner, number string) error {
	return func(ctx context.Context, owner, number string) error {
		for _, table := range []func(context.Context, string) ([]string, error){holds, verified} {
			if table == nil || owner == "" {
				continue
			}
			numbers, err := table(ctx, owner)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrCallerID, err)
			}
			if slices.Contains(numbers, number) {
				return nil
			}
		}
		return fmt.Errorf("%w: it does not belong to the caller", ErrCallerID)
	}
}
