package ivr

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// part is a piece of a text: literal, or the value of a variable.
type part struct{ literal, variable string }

func render(parts []part, vars map[string]string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.literal)
		if p.variable != "" {
			b.WriteString(vars[p.variable])
		}
	}
	return b.String()
}

// variable reads an attribute that is exactly var.NAME.
func (d *decoder) variable(attr, how string) string {
	parts := d.template(attr, how)
	if len(parts) == 1 && parts[0].variable != "" {
		return parts[0].variable
	}
	if len(parts) > 0 {
		d.refuse(d.rng(attr), "wrong type", "%s is a variable, written var.NAME", attr)
	}
	return ""
}

// template reads an attribute made of text and ${var.NAME}, and remembers each variable for the check of secrets and of unset variables.
func (d *decoder) template(attr, how string) []part {
	a := d.attrs[attr]
	if a == nil {
		return nil
	}
	var parts []part
	if !d.parts(a.Expr, how, &parts) {
		return nil
	}
	size, empty := 0, true
	for _, p := range parts {
		size += len(p.literal)
		empty = empty && p.literal == "" && p.variable == ""
	}
	if empty || size > maxTextBytes {
		d.refuse(a.Expr.Range(), "bad text", "%s has from 1 to %d bytes", attr, maxTextBytes)
		return nil
	}
	return parts
}

// parts flattens an expression. Everything but text and var.NAME is refused: the compiler must see where every value goes.
func (d *decoder) parts(e hcl.Expression, how string, out *[]part) bool {
	switch e := e.(type) {
	case *hclsyntax.TemplateExpr:
		for _, p := range e.Parts {
			if !d.parts(p, how, out) {
				return false
			}
		}
		return true
	case *hclsyntax.TemplateWrapExpr:
		return d.parts(e.Wrapped, how, out)
	case *hclsyntax.LiteralValueExpr:
		if e.Val.Type() == cty.String && !e.Val.IsNull() {
			*out = append(*out, part{literal: e.Val.AsString()})
			return true
		}
	case *hclsyntax.ScopeTraversalExpr:
		if t := e.Traversal; len(t) == 2 && t.RootName() == "var" {
			if name, ok := t[1].(hcl.TraverseAttr); ok {
				*out = append(*out, part{variable: name.Name})
				d.base.uses = append(d.base.uses, varUse{name.Name, how, e.Range()})
				return true
			}
		}
	}
	d.refuse(e.Range(), "unsupported expression", "only text and var.NAME can stand here")
	return false
}

// checkVariables refuses secrets that would be seen, and variables that are not set on every way to their use.
func (c *compiler) checkVariables(f *Flow) {
	secret := map[string]bool{}
	known := map[string]bool{}
	for _, name := range f.order {
		col, ok := f.nodes[name].(*collectNode)
		if !ok {
			continue
		}
		if known[col.into] && secret[col.into] != col.secret {
			c.refuse(col.rng, "mixed secrecy", "var.%s is collected both as a secret and openly", col.into)
		}
		known[col.into] = true
		secret[col.into] = secret[col.into] || col.secret
	}
	set := f.assigned()
	for _, name := range f.order {
		for _, u := range f.nodes[name].base().uses {
			switch {
			case !known[u.name]:
				c.refuse(u.rng, "unknown variable", "no step collects into %q", u.name)
			case secret[u.name]:
				c.refuse(u.rng, "secret would leak", "var.%s holds secret digits and would be %s here", u.name, u.how)
			case !set[name][u.name]:
				c.refuse(u.rng, "variable may be unset", "a way leads to %q on which var.%s is not collected", name, u.name)
			}
		}
	}
}

// assigned returns, by step, the variables that are set on every way to it: a forward analysis to the greatest fixed point.
func (f *Flow) assigned() map[string]map[string]bool {
	set := map[string]map[string]bool{f.start: {}} // a step not in the map has not been visited: everything is set there
	work := []string{f.start}
	for len(work) > 0 {
		name := work[len(work)-1]
		work = work[:len(work)-1]
		for _, e := range f.nodes[name].edges() {
			in := map[string]bool{}
			for v := range set[name] {
				in[v] = true
			}
			if e.sets != "" {
				in[e.sets] = true
			}
			old, seen := set[e.to]
			if !seen {
				set[e.to] = in
				work = append(work, e.to)
				continue
			}
			before := len(old)
			for v := range old {
				if !in[v] {
					delete(old, v)
				}
			}
			if len(old) < before {
				work = append(work, e.to)
			}
		}
	}
	return set
}
