package trunk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip"
)

// Emergency says which numbers are emergency calls and how they are marked.
type Emergency struct {
	// Country is the country of the site, ISO 3166, "DE": its numbers are those of EmergencyNumbers. If empty, 112 and 911.
	Country string
	// Numbers are dialed for help in addition. If empty, there are none.
	Numbers []string
	// Services maps services of RFC 5031 to numbers, "urn:service:sos.police": "110". If a service is not there, the first number of the country is
	// called: a call that reaches the wrong desk is passed on, one that reaches nobody is not.
	Services map[string]string
	// Resource is the value of Resource-Priority (RFC 4412, RFC 7135), "esnet.0". If empty, none is sent: a network that does not know the namespace may
	// ignore it, but some refuse the call.
	Resource string
}

// countryNumbers are the numbers that lead to help, the general one first.
var countryNumbers = map[string][]string{
	"AT": {"112", "122", "133", "144"}, "AU": {"000", "112"}, "BE": {"112", "100", "101"}, "CA": {"911"}, "CH": {"112", "117", "118", "144"}, "CZ": {"112", "150", "155", "158"},
	"DE": {"112", "110"}, "DK": {"112"}, "ES": {"112", "061", "091"}, "FI": {"112"}, "FR": {"112", "15", "17", "18", "114"}, "GB": {"999", "112"}, "IE": {"112", "999"},
	"IT": {"112", "113", "115", "118"}, "LU": {"112", "113"}, "NL": {"112"}, "NO": {"112", "110", "113"}, "NZ": {"111"}, "PL": {"112", "997", "998", "999"}, "PT": {"112"},
	"SE": {"112"}, "US": {"911", "112"},
}

// EmergencyNumbers returns the numbers that lead to help in a country (ISO 3166), the general one first. For a country that is not known here, 112
// and 911. They change by law: check them for a site before it goes into service.
func EmergencyNumbers(country string) []string {
	if n, ok := countryNumbers[strings.ToUpper(country)]; ok {
		return slices.Clone(n)
	}
	return []string{"112", "911"}
}

func (e Emergency) validate() error {
	for _, n := range e.Numbers {
		if n == "" || !digits(n) {
			return fmt.Errorf("%w: emergency number %q", ErrNumber, n)
		}
	}
	for s, n := range e.Services {
		if !isSOS(s) || n == "" || !digits(n) {
			return fmt.Errorf("%w: emergency service %q: %q", ErrNumber, s, n)
		}
	}
	if _, known := countryNumbers[strings.ToUpper(e.Country)]; e.Country != "" && !known && len(e.Numbers) == 0 {
		return fmt.Errorf("trunk: the emergency numbers of %q are not known here: give Emergency.Numbers", e.Country)
	}
	if strings.ContainsFunc(e.Resource, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' }) {
		return errors.New("trunk: Emergency.Resource is not one value")
	}
	return nil
}

// match returns the number to call if to asks for help. Separators in it do not matter, and neither does a phone-context: it is better to take
// one call too many for an emergency than one too few.
func (e Emergency) match(to string) (number string, ok bool) {
	if isSOS(to) {
		if n := e.Services[strings.ToLower(to)]; n != "" {
			return n, true
		}
		return append(EmergencyNumbers(e.Country), e.Numbers...)[0], true
	}
	t, err := ParseTel(to)
	if err != nil {
		return "", false
	}
	return t.Number, slices.Contains(EmergencyNumbers(e.Country), t.Number) || slices.Contains(e.Numbers, t.Number)
}

// isSOS is urn:service:sos and what is below it (RFC 5031 section 4).
func isSOS(s string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(s), "urn:service:sos")
	if !ok || len(s) > 64 {
		return false
	}
	if rest == "" {
		return true
	}
	for label := range strings.SplitSeq(rest[1:], ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return rest[0] == '.'
}

// IsEmergency reports whether a call to this number or service would be an emergency call.
func (g *Group) IsEmergency(to string) bool {
	_, ok := g.cfg.Emergency.match(to)
	return ok
}

// EmergencyReport is what became of an emergency call.
type EmergencyReport struct {
	At       time.Time // when it was placed
	To       string    // the number that was called
	Owner    string
	Callback string // E.164; empty if none could be given, so that help cannot call back
	// Located says that a location went with the call; LocatedAt is when it was taken. LocationErr is why there is none, or why it could not be used.
	Located     bool
	LocatedAt   time.Time
	LocationErr error
	Attempts    []Attempt
	Err         error // nil if it was answered
}

// headers marks a call, and points to its location if it has one (RFC 6442 section 4).
func (e Emergency) headers(contentID string) []sip.Header {
	out := []sip.Header{{Name: "Priority", Value: "emergency"}}
	if e.Resource != "" {
		out = append(out, sip.Header{Name: "Resource-Priority", Value: e.Resource})
	}
	if contentID != "" {
		out = append(out, sip.Header{Name: "Geolocation", Value: "<cid:" + contentID + ">"}, sip.Header{Name: "Geolocation-Routing", Value: "yes"})
	}
	return out
}
