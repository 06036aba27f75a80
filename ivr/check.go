package ivr

import (
	"strings"
)

// check refuses every flow that could strand a caller. Each stage assumes the earlier ones hold, so a flow that fails one is not
// shown the noise of the next.
func (c *compiler) check(f *Flow) {
	before := len(c.diags)
	c.checkPrompts(f)
	if f.refused {
		return
	}
	c.checkTargets(f)
	if len(c.diags) > before {
		return
	}
	c.checkReachable(f)
	if c.checkEnds(f) {
		c.checkSilence(f)
	}
	c.checkVariables(f)
}

// checkPrompts: a prompt missing in one language is silence for whoever chose it.
func (c *compiler) checkPrompts(f *Flow) {
	for _, name := range f.order {
		seen := map[promptUse]bool{}
		for _, p := range f.nodes[name].base().prompts {
			if seen[p] {
				continue
			}
			seen[p] = true
			for _, lang := range c.languages {
				if !c.prompts[lang][p.name] {
					c.refuse(p.rng, "unknown prompt", "prompt %q does not exist in language %q", p.name, lang)
				}
			}
		}
	}
}

func (c *compiler) checkTargets(f *Flow) {
	if f.nodes[f.start] == nil {
		c.refuse(f.startRange, "unknown step", "flow %q starts at %q, which it does not define", f.name, f.start)
	}
	for _, name := range f.order {
		for _, e := range f.nodes[name].edges() {
			if f.nodes[e.to] == nil {
				c.refuse(e.rng, "unknown step", "flow %q does not define %q", f.name, e.to)
			}
		}
	}
}

func (c *compiler) checkReachable(f *Flow) {
	seen := map[string]bool{f.start: true}
	work := []string{f.start}
	for len(work) > 0 {
		name := work[len(work)-1]
		work = work[:len(work)-1]
		for _, e := range f.nodes[name].edges() {
			if !seen[e.to] {
				seen[e.to] = true
				work = append(work, e.to)
			}
		}
	}
	for _, name := range f.order {
		if !seen[name] {
			c.refuse(f.nodes[name].base().rng, "unreachable step", "no way leads from %q to %q", f.start, name)
		}
	}
}

// checkEnds: from every step some way must lead to a hangup or a queue. One refusal names all steps that are caught in the same trap.
func (c *compiler) checkEnds(f *Flow) bool {
	back := map[string][]string{}
	good := map[string]bool{}
	var work []string
	for _, name := range f.order {
		if f.nodes[name].ends() {
			good[name] = true
			work = append(work, name)
		}
		for _, e := range f.nodes[name].edges() {
			back[e.to] = append(back[e.to], name)
		}
	}
	for len(work) > 0 {
		name := work[len(work)-1]
		work = work[:len(work)-1]
		for _, from := range back[name] {
			if !good[from] {
				good[from] = true
				work = append(work, from)
			}
		}
	}
	var trapped []string
	for _, name := range f.order {
		if !good[name] {
			trapped = append(trapped, name)
		}
	}
	if len(trapped) > 0 {
		c.refuse(f.nodes[trapped[0]].base().rng, "no end", "no way leads to a hangup or a queue from %s", strings.Join(trapped, ", "))
	}
	return len(trapped) == 0
}

// checkSilence refuses cycles that turn without a key being pressed: a phone left off the hook would hold its line for ever.
// A caller who does press keys is bounded by the step limit at run time.
func (c *compiler) checkSilence(f *Flow) {
	const grey, black = 1, 2
	colour := map[string]int{}
	var path []string
	var visit func(name string)
	visit = func(name string) {
		colour[name] = grey
		path = append(path, name)
		for _, e := range f.nodes[name].edges() {
			if e.input {
				continue
			}
			switch colour[e.to] {
			case grey:
				i := len(path) - 1
				for path[i] != e.to {
					i--
				}
				c.refuse(e.rng, "endless loop", "%s -> %s turns without a key being pressed", strings.Join(path[i:], " -> "), e.to)
			case 0:
				visit(e.to) // depth is bounded by maxNodes
			}
		}
		path = path[:len(path)-1]
		colour[name] = black
	}
	for _, name := range f.order {
		if colour[name] == 0 {
			visit(name)
		}
	}
}
