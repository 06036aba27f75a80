package sip

import (
	"fmt"
	"strconv"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// checkText refuses what must not reach a header: control characters, above all CR and LF, with which an attacker who can choose a
// name would write headers of their own.
func checkText(s string) error {
	for _, r := range s {
		if r < 0x20 || r == 0x7f {
			return fmt.Errorf("%w: control character", ErrMalformed)
		}
	}
	return nil
}

// parseURI reads a sip: or sips: URI that is going to be written into a message.
func parseURI(s string) (msg.Uri, error) {
	var u msg.Uri
	if err := checkText(s); err != nil {
		return u, err
	}
	if strings.ContainsAny(s, " <>\"") {
		return u, fmt.Errorf("%w: URI", ErrMalformed)
	}
	if err := msg.ParseUri(s, &u); err != nil {
		return u, fmt.Errorf("%w: URI: %v", ErrMalformed, err)
	}
	if (u.Scheme != "sip" && u.Scheme != "sips") || u.Host == "" || u.Wildcard {
		return u, fmt.Errorf("%w: not a SIP URI", ErrMalformed)
	}
	return u, nil
}

// param finds a header or URI parameter whatever its letter case: names are case-insensitive (RFC 3261 section 7.3.1), the library's lookup is not.
func param(ps msg.HeaderParams, name string) (string, bool) {
	for _, kv := range ps {
		if strings.EqualFold(kv.K, name) {
			return kv.V, true
		}
	}
	return "", false
}

// uriText is what u.String returns, which tries each host as an IP address and makes a string of every part.
func uriText(u *msg.Uri) string {
	plain := u.Raw() == "" && !u.HierarhicalSlashes && u.Scheme != "" && len(u.Headers) == 0 && !strings.Contains(u.Host, ":")
	for _, p := range u.UriParams {
		plain = plain && !strings.ContainsAny(p.V, " \t")
	}
	if !plain {
		return u.String()
	}
	var room [128]byte
	b := append(append(room[:0], u.Scheme...), ':')
	if u.User != "" {
		b = append(b, u.User...)
		if u.Password != "" {
			b = append(append(b, ':'), u.Password...)
		}
		b = append(b, '@')
	}
	b = append(b, u.Host...)
	if u.Port > 0 {
		b = strconv.AppendInt(append(b, ':'), int64(u.Port), 10)
	}
	for _, p := range u.UriParams {
		b = append(append(b, ';'), p.K...)
		if p.V != "" {
			b = append(append(b, '='), p.V...)
		}
	}
	return string(b)
}
