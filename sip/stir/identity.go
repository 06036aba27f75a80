package stir

import (
	"fmt"
	"strings"
)

// identity is the value of an Identity header (RFC 8224 section 4):
//
//	signed-identity-digest ; info=<URI> ; alg=ES256 ; ppt=shaken
type identity struct {
	token string
	info  string // without brackets
	alg   string // empty if absent
	ppt   string // empty if absent
}

func (id identity) String() string {
	return id.token + ";info=<" + id.info + ">;alg=" + id.alg + ";ppt=" + id.ppt
}

// parseIdentity reads the value of an Identity header. It checks the form of the header, not the token.
func parseIdentity(s string) (identity, error) {
	bad := func(what string) (identity, error) { return identity{}, fmt.Errorf("%w: Identity: %s", ErrToken, what) }
	if len(s) > 2*maxToken {
		return bad("too long")
	}
	for _, c := range []byte(s) {
		if c < 0x20 && c != '\t' || c >= 0x7f {
			return bad("character")
		}
	}
	digest, rest, _ := strings.Cut(s, ";")
	id := identity{token: strings.Trim(digest, " \t")}
	if id.token == "" || strings.ContainsAny(id.token, " \t\"<>,") {
		return bad("digest")
	}
	seen := make(map[string]bool)
	for more := true; more; {
		var name, val string
		var ok bool
		name, rest, ok = strings.Cut(rest, "=")
		name, rest = strings.ToLower(strings.Trim(name, " \t")), strings.TrimLeft(rest, " \t")
		if !ok || !isToken(name) || seen[name] {
			return bad("parameter") // one that is there twice would be read differently by others
		}
		seen[name] = true
		switch {
		case name == "info":
			if val, rest, ok = strings.Cut(rest, ">"); !ok || !strings.HasPrefix(val, "<") {
				return bad("info")
			}
			if val = val[1:]; val == "" || strings.ContainsAny(val, "< \t\"") {
				return bad("info")
			}
		case strings.HasPrefix(rest, `"`):
			if val, rest, ok = strings.Cut(rest[1:], `"`); !ok || strings.ContainsRune(val, '\\') {
				return bad("quoted string")
			}
		default:
			end := strings.IndexAny(rest, "; \t")
			if end < 0 {
				end = len(rest)
			}
			if val, rest = rest[:end], rest[end:]; !isToken(val) {
				return bad("value")
			}
		}
		switch name {
		case "info":
			id.info = val
		case "alg":
			id.alg = val
		case "ppt":
			id.ppt = val
		}
		if rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != ';' {
			return bad("parameter")
		}
		rest, more = strings.CutPrefix(rest, ";")
	}
	if id.info == "" {
		return bad("no info")
	}
	return id, nil
}

// isToken is token of RFC 3261 section 25.1.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && strings.IndexByte("-.!%*_+`'~", c) < 0 {
			return false
		}
	}
	return s != ""
}
