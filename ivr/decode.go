package ivr

import (
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// decoding is how one kind of step is read.
type decoding struct {
	schema hcl.BodySchema
	decode func(*decoder) node
}

// decoders lists every kind of step. It is never written after initialization.
var decoders = map[string]decoding{
	"menu":      {schema(attrs("prompt*", "timeout", "attempts"), "choice digit", "no_input", "no_match", "exhausted"), decodeMenu},
	"collect":   {schema(attrs("prompt*", "into*", "next*", "digits", "min", "max", "terminator", "secret", "timeout", "between", "attempts"), "no_input", "no_match", "exhausted"), decodeCollect},
	"play":      {schema(attrs("prompt*", "spell", "next*")), decodePlay},
	"speak":     {schema(attrs("language*", "next*")), decodeSpeak},
	"note":      {schema(attrs("text*", "next*")), decodeNote},
	"enqueue":   {schema(attrs("queue*", "priority"), "on_full", "on_no_agents", "on_timeout", "otherwise"), decodeEnqueue},
	"voicemail": {schema(attrs("box*", "next*"), "on_full", "otherwise"), decodeVoicemail},
	"echo":      {schema(attrs("limit", "next*")), decodeEcho},
	"hangup":    {schema(attrs("reason", "prompt")), decodeHangup},
}

// attrs makes an attribute schema; a star marks what is required.
func attrs(names ...string) []hcl.AttributeSchema {
	var out []hcl.AttributeSchema
	for _, n := range names {
		name, required := strings.CutSuffix(n, "*")
		out = append(out, hcl.AttributeSchema{Name: name, Required: required})
	}
	return out
}

// schema makes a body schema; a block is its type, followed by the name of its label if it has one.
func schema(a []hcl.AttributeSchema, blocks ...string) hcl.BodySchema {
	s := hcl.BodySchema{Attributes: a}
	for _, b := range blocks {
		f := strings.Fields(b)
		s.Blocks = append(s.Blocks, hcl.BlockHeaderSchema{Type: f[0], LabelNames: f[1:]})
	}
	return s
}

// decoder reads the body of one block. Its methods refuse what is wrong and return a zero value, so that one pass finds every mistake.
type decoder struct {
	*compiler
	attrs  hcl.Attributes
	blocks hcl.Blocks
	at     hcl.Range
	base   nodeBase
}

func (d *decoder) has(name string) bool { return d.attrs[name] != nil }

// rng is where the value of an attribute stands, or the block if there is none.
func (d *decoder) rng(name string) hcl.Range {
	if a := d.attrs[name]; a != nil {
		return a.Expr.Range()
	}
	return d.at
}

func (d *decoder) value(name string, want cty.Type, kind string) (cty.Value, bool) {
	a := d.attrs[name]
	if a == nil {
		return cty.NilVal, false
	}
	v, ok := d.eval(a)
	if !ok {
		return cty.NilVal, false
	}
	if v.IsNull() || !v.IsKnown() || !v.Type().Equals(want) {
		d.refuse(a.Expr.Range(), "wrong type", "%s is %s", name, kind)
		return cty.NilVal, false
	}
	return v, true
}

// eval evaluates an attribute that is a literal. Anything else is refused before it is evaluated: a for expression in an uploaded
// file could otherwise choose how long the compiler works.
func (d *decoder) eval(a *hcl.Attribute) (cty.Value, bool) {
	if !literal(a.Expr) {
		d.refuse(a.Expr.Range(), "unsupported expression", "%s is written out: a text in quotes, a number, true, false, or a list of texts", a.Name)
		return cty.NilVal, false
	}
	v, diags := a.Expr.Value(nil)
	return v, !d.hcl(diags)
}

func literal(e hcl.Expression) bool {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return true
	case *hclsyntax.UnaryOpExpr:
		return literal(e.Val)
	case *hclsyntax.TemplateExpr:
		return !slices.ContainsFunc(e.Parts, func(p hclsyntax.Expression) bool { return !literal(p) })
	case *hclsyntax.TupleConsExpr:
		return !slices.ContainsFunc(e.Exprs, func(p hclsyntax.Expression) bool { return !literal(p) })
	}
	return false
}

func (d *decoder) text(name string) string {
	v, ok := d.value(name, cty.String, "a text in quotes")
	if !ok {
		return ""
	}
	s := v.AsString()
	if s == "" {
		d.refuse(d.rng(name), "empty text", "%s must not be empty", name)
	}
	return s
}

func (d *decoder) flag(name string) bool {
	v, ok := d.value(name, cty.Bool, "true or false")
	return ok && v.True()
}

func (d *decoder) number(name string, def, low, high int) int {
	if !d.has(name) {
		return def
	}
	v, ok := d.value(name, cty.Number, "a number")
	if !ok {
		return def
	}
	n, acc := v.AsBigFloat().Int64()
	if acc != big.Exact || n < int64(low) || n > int64(high) {
		d.refuse(d.rng(name), "out of range", "%s is a whole number from %d to %d", name, low, high)
		return def
	}
	return int(n)
}

func (d *decoder) duration(name string, def, low, high time.Duration) time.Duration {
	if !d.has(name) {
		return def
	}
	v, ok := d.value(name, cty.String, `a duration in quotes, such as "5s"`)
	if !ok {
		return def
	}
	t, err := time.ParseDuration(v.AsString())
	if err != nil {
		d.refuse(d.rng(name), "bad duration", `%q is not a duration such as "5s" or "1m30s"`, v.AsString())
		return def
	}
	if t < low || t > high {
		d.refuse(d.rng(name), "bad duration", "%s is from %v to %v", name, low, high)
		return def
	}
	return t
}

// prompt reads one prompt or a list of prompts and remembers them for the check against every language.
func (d *decoder) prompt(name string) []string {
	a := d.attrs[name]
	if a == nil {
		return nil
	}
	v, ok := d.eval(a)
	if !ok {
		return nil
	}
	var vals []cty.Value
	switch {
	case v.Type() == cty.String:
		vals = []cty.Value{v}
	case v.Type().IsTupleType():
		vals = v.AsValueSlice()
	}
	var out []string
	for _, v := range vals {
		if v.Type() != cty.String || v.IsNull() || v.AsString() == "" {
			out = nil
			break
		}
		out = append(out, v.AsString())
	}
	if len(out) == 0 {
		d.refuse(a.Expr.Range(), "wrong type", "%s is the name of a prompt in quotes, or a list of names", name)
		return nil
	}
	for _, p := range out {
		d.base.prompts = append(d.base.prompts, promptUse{p, a.Expr.Range()})
	}
	return out
}

// goTo reads the name of a step. Whether it exists is checked once all steps are known.
func (d *decoder) goTo(name, label string) edge {
	return edge{label: label, to: d.text(name), rng: d.rng(name)}
}

// one returns the block of a type that may stand at most once.
func (d *decoder) one(kind string) *hcl.Block {
	var found *hcl.Block
	for _, b := range d.blocks {
		if b.Type != kind {
			continue
		}
		if found != nil {
			d.refuse(b.DefRange, "duplicate branch", "%s stands twice", kind)
			continue
		}
		found = b
	}
	return found
}

// branch reads the body of a branch block. Its prompts count as prompts of the step.
func (d *decoder) branch(b *hcl.Block, withPrompt, needGoto bool) (prompts []string, e edge) {
	list := attrs("goto")
	if needGoto {
		list = attrs("goto*")
	}
	if withPrompt {
		list = append(list, attrs("prompt")...)
	}
	content, diags := b.Body.Content(&hcl.BodySchema{Attributes: list})
	d.hcl(diags)
	sub := &decoder{compiler: d.compiler, attrs: content.Attributes, at: b.DefRange}
	prompts = sub.prompt("prompt")
	d.base.prompts = append(d.base.prompts, sub.base.prompts...)
	if sub.has("goto") {
		e = sub.goTo("goto", b.Type)
	}
	return prompts, e
}
