package ivr

import (
	"context"
	"errors"
	"strings"
	"time"
)

// retry is what menu and collect share: how often to ask, and where to go when asking does not help.
type retry struct {
	timeout          time.Duration
	attempts         int
	noInput, noMatch struct {
		prompts []string
		edge    edge // to is empty: ask again
	}
	exhausted edge
}

func decodeRetry(d *decoder) retry {
	r := retry{
		timeout:  d.duration("timeout", defaultTimeout, minTimeout, maxTimeout),
		attempts: d.number("attempts", defaultAttempts, 1, maxAttempts),
	}
	if b := d.one("no_input"); b != nil {
		r.noInput.prompts, r.noInput.edge = d.branch(b, true, false)
	} else {
		d.refuse(d.at, "missing branch", "%s %q has no no_input branch: a caller who presses nothing would be stranded", d.base.kind, d.base.name)
	}
	if b := d.one("no_match"); b != nil {
		r.noMatch.prompts, r.noMatch.edge = d.branch(b, true, false)
		r.noMatch.edge.input = true
	} else {
		d.refuse(d.at, "missing branch", "%s %q has no no_match branch: a caller who presses a wrong key would be stranded", d.base.kind, d.base.name)
	}
	silentLeaves := r.noInput.edge.to != ""
	b := d.one("exhausted")
	switch {
	case b != nil && silentLeaves && r.noMatch.edge.to != "":
		d.refuse(b.DefRange, "dead branch", "no_input and no_match both leave at once, so exhausted is never taken")
	case b != nil:
		_, r.exhausted = d.branch(b, false, true)
		r.exhausted.input = silentLeaves // otherwise silence alone leads here
	case !silentLeaves || r.noMatch.edge.to == "":
		d.refuse(d.at, "missing branch", "%s %q has no exhausted branch: after %d attempts the caller would be stranded", d.base.kind, d.base.name, r.attempts)
	}
	return r
}

func (r *retry) edges() []edge {
	var out []edge
	for _, e := range []edge{r.noInput.edge, r.noMatch.edge, r.exhausted} {
		if e.to != "" {
			out = append(out, e)
		}
	}
	return out
}

// ask repeats once until it gets a next step or attempts run out. once returns errNoInput or errNoMatch to be asked again.
func (r *retry) ask(ctx context.Context, run *runner, once func() (next string, err error)) (string, error) {
	for range r.attempts {
		next, err := once()
		var branch = &r.noInput
		switch {
		case err == nil:
			return next, nil
		case errors.Is(err, errNoMatch):
			branch = &r.noMatch
		case !errors.Is(err, errNoInput):
			return "", err
		}
		if err := run.play(ctx, branch.prompts); err != nil {
			return "", err
		}
		if branch.edge.to != "" {
			return branch.edge.to, nil
		}
	}
	return r.exhausted.to, nil
}

// menuNode asks for one key.
type menuNode struct {
	nodeBase
	retry
	prompts []string
	choices []edge // label is the digit
	byDigit map[byte]string
}

const keys = "0123456789*#ABCD"

func decodeMenu(d *decoder) node {
	n := &menuNode{prompts: d.prompt("prompt"), byDigit: map[byte]string{}}
	for _, b := range d.blocks {
		if b.Type != "choice" {
			continue
		}
		digit := b.Labels[0]
		if len(digit) != 1 || !strings.Contains(keys, digit) {
			d.refuse(b.LabelRanges[0], "invalid digit", "%q is not a key: one of 0-9 * # A B C D", digit)
			continue
		}
		if _, dup := n.byDigit[digit[0]]; dup {
			d.refuse(b.LabelRanges[0], "duplicate choice", "key %s already leads somewhere else", digit)
			continue
		}
		_, e := d.branch(b, false, true)
		e.label, e.input = digit, true
		n.byDigit[digit[0]] = e.to
		n.choices = append(n.choices, e)
	}
	if len(n.choices) == 0 {
		d.refuse(d.at, "empty menu", "menu %q has no valid choice", d.base.name)
	}
	n.retry = decodeRetry(d)
	n.nodeBase = d.base
	return n
}

func (n *menuNode) edges() []edge {
	return append(append([]edge(nil), n.choices...), n.retry.edges()...)
}

func (n *menuNode) run(ctx context.Context, r *runner) (string, error) {
	return n.ask(ctx, r, func() (string, error) {
		digit, err := r.playAndRead(ctx, n.prompts, n.timeout)
		if err != nil {
			return "", err
		}
		if to, ok := n.byDigit[digit]; ok {
			return to, nil
		}
		return "", errNoMatch
	})
}

// collectNode asks for several digits.
type collectNode struct {
	nodeBase
	retry
	prompts    []string
	min, max   int
	terminator byte // 0: none
	between    time.Duration
	into       string
	secret     bool
	next       edge
}

func decodeCollect(d *decoder) node {
	n := &collectNode{prompts: d.prompt("prompt"), into: d.text("into"), secret: d.flag("secret"), next: d.goTo("next", "digits"),
		between: d.duration("between", defaultBetween, minTimeout, maxTimeout)}
	n.next.input, n.next.sets = true, n.into
	if n.into != "" && !validName(n.into) {
		d.refuse(d.rng("into"), "invalid name", "a variable's name is lower-case letters, digits, - and _, at most %d", maxNameLen)
	}
	switch {
	case d.has("digits") && (d.has("min") || d.has("max")):
		d.refuse(d.rng("digits"), "conflicting lengths", "write digits, or min and max, not both")
	case d.has("digits"):
		n.min = d.number("digits", 1, 1, maxDigits)
		n.max = n.min
	case d.has("min") && d.has("max"):
		n.min = d.number("min", 1, 1, maxDigits)
		n.max = d.number("max", n.min, n.min, maxDigits)
	default:
		d.refuse(d.at, "missing length", "collect %q needs digits, or min and max", d.base.name)
	}
	if t := d.text("terminator"); t != "" {
		if t != "#" && t != "*" {
			d.refuse(d.rng("terminator"), "invalid digit", `terminator is "#" or "*"`)
		}
		n.terminator = t[0]
	}
	n.retry = decodeRetry(d)
	n.nodeBase = d.base
	return n
}

func (n *collectNode) edges() []edge { return append([]edge{n.next}, n.retry.edges()...) }

func (n *collectNode) run(ctx context.Context, r *runner) (string, error) {
	if n.secret {
		// Masked before the prompt, not after it: a caller may type ahead.
		unmask, err := r.mask(ctx)
		if err != nil {
			return "", err
		}
		defer unmask()
	}
	buf := make([]byte, 0, maxDigits)
	defer func() { clear(buf[:cap(buf)]) }()
	return n.ask(ctx, r, func() (string, error) {
		var err error
		if buf, err = n.read(ctx, r, buf[:0]); err != nil {
			return "", err
		}
		if n.secret {
			r.setSecret(n.into, buf)
		} else {
			r.setVariable(n.into, string(buf))
		}
		return n.next.to, nil
	})
}

// read collects one attempt. With a terminator the caller may also just stop after max digits: waiting the pause between two keys
// swallows a late terminator, which would otherwise be read by the next menu.
func (n *collectNode) read(ctx context.Context, r *runner, buf []byte) ([]byte, error) {
	digit, err := r.playAndRead(ctx, n.prompts, n.timeout)
	for {
		switch {
		case errors.Is(err, errNoInput) && len(buf) >= n.min:
			return buf, nil
		case errors.Is(err, errNoInput) && len(buf) > 0:
			return buf, errNoMatch
		case err != nil:
			return buf, err
		case n.terminator != 0 && digit == n.terminator:
			if len(buf) < n.min {
				return buf, errNoMatch
			}
			return buf, nil
		case digit < '0' || digit > '9' || len(buf) == n.max:
			return buf, errNoMatch
		}
		buf = append(buf, digit)
		if len(buf) == n.max && n.terminator == 0 {
			return buf, nil
		}
		digit, err = r.read(ctx, n.between)
	}
}
