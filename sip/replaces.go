package sip

import (
	"net/url"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// replaces names a dialog in the way of RFC 3891 section 6.1, seen from who receives it.
type replaces struct {
	callID, toTag, fromTag string
	earlyOnly              bool
}

func (r replaces) String() string {
	return r.callID + ";to-tag=" + r.toTag + ";from-tag=" + r.fromTag
}

// parseReplaces reads a Replaces header.
func parseReplaces(v string) (replaces, bool) {
	var r replaces
	parts := strings.Split(v, ";")
	r.callID = strings.TrimSpace(parts[0])
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "to-tag":
			r.toTag = value
		case "from-tag":
			r.fromTag = value
		case "early-only":
			r.earlyOnly = true
		}
	}
	return r, r.callID != "" && r.toTag != "" && r.fromTag != "" && checkText(v) == nil
}

// parseEscaped reads a Replaces header from the headers of a URI.
func parseEscaped(v string) (replaces, bool) {
	v, err := url.PathUnescape(v)
	if err != nil {
		return replaces{}, false
	}
	return parseReplaces(v)
}

func (ep *Endpoint) findReplaced(r replaces) *Call {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.dialogs[dialogID{r.callID, r.toTag, r.fromTag}]
}

// toReplace finds the call whose place a new one wants to take (RFC 3891 section 3). A code that is not zero refuses the new one. A dialog of
// another realm is as good as none: a tenant must not even learn that it exists.
func (ep *Endpoint) toReplace(req *msg.Request, realm string) (*Call, int) {
	hs := req.GetHeaders("Replaces")
	switch {
	case len(hs) == 0:
		return nil, 0
	case ep.cfg.OnReplace == nil:
		return nil, 403
	case len(hs) > 1:
		return nil, 400
	}
	r, ok := parseReplaces(hs[0].Value())
	if !ok {
		return nil, 400
	}
	old := ep.findReplaced(r)
	if old == nil || old.realm == "" || old.realm != realm {
		return nil, 481
	}
	old.mu.Lock()
	state := old.state
	old.mu.Unlock()
	switch {
	case state == stateEnded:
		return nil, 603
	case state == stateUp && r.earlyOnly:
		return nil, 486
	case state == stateEarly && old.incoming: // only who called may be replaced before the answer
		return nil, 481
	}
	return old, 0
}

// replacesFor names the dialog of c for somebody whom the peer of c shall accept in our place.
func (c *Call) replacesFor() (replaces, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != stateUp {
		return replaces{}, ErrCallEnded
	}
	return replaces{callID: c.d.id.callID, toTag: c.d.id.remote, fromTag: c.d.id.local}, nil
}
