package sip

import (
	"context"
	"fmt"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// OnDigit sets what is told of each DTMF digit that arrives by INFO ('0'-'9', '*', '#', 'A'-'D'). It must not block.
func (c *Call) OnDigit(f func(digit byte)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onDigit = f
}

// SendDigit sends a DTMF digit ('0'-'9', '*', '#', 'A'-'D') by INFO, for a peer that did not negotiate RFC 4733. It returns when the peer has
// confirmed; a refusal is a *StatusError.
func (c *Call) SendDigit(ctx context.Context, digit byte) error {
	if !strings.ContainsRune("0123456789*#ABCD", rune(digit)) {
		return fmt.Errorf("%w: digit %q", ErrMalformed, digit)
	}
	c.mu.Lock()
	if c.state != stateUp {
		c.mu.Unlock()
		return ErrCallEnded
	}
	req := c.d.request(msg.INFO, 0)
	c.mu.Unlock()
	req.AppendHeader(header("Content-Type", "application/dtmf-relay"))
	req.SetBody(fmt.Appendf(nil, "Signal=%c\r\nDuration=160\r\n", digit))
	res, err := c.transact(ctx, req)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return statusError(res, "INFO")
	}
	return nil
}

// onInfo serves DTMF by INFO (application/dtmf-relay and application/dtmf).
func (c *Call) onInfo(req *msg.Request, tx *msg.ServerTx) {
	kind := ""
	if h := req.GetHeader("Content-Type"); h != nil {
		kind, _, _ = strings.Cut(h.Value(), ";")
	}
	digit, ok := parseDTMF(strings.ToLower(strings.TrimSpace(kind)), string(req.Body()))
	if !ok {
		c.ep.respond(req, tx, 415, header("Accept", "application/dtmf-relay"))
		return
	}
	c.mu.Lock()
	f := c.onDigit
	c.mu.Unlock()
	c.ep.respond(req, tx, 200)
	if f != nil {
		f(digit)
	}
}

// parseDTMF reads the one digit of an INFO body: "Signal=5" lines, or the bare digit. '10' and '11' are how some phones write * and #.
func parseDTMF(kind, body string) (byte, bool) {
	v := ""
	switch kind {
	case "application/dtmf-relay":
		for _, line := range strings.FieldsFunc(body, func(r rune) bool { return r == '\r' || r == '\n' }) {
			name, val, ok := strings.Cut(line, "=")
			if ok && strings.EqualFold(strings.TrimSpace(name), "signal") {
				v = strings.TrimSpace(val)
				break
			}
		}
	case "application/dtmf":
		v = strings.TrimSpace(body)
	}
	switch v {
	case "10":
		v = "*"
	case "11":
		v = "#"
	}
	if len(v) != 1 || !strings.Contains("0123456789*#ABCDabcd", v) {
		return 0, false
	}
	return strings.ToUpper(v)[0], true
}
