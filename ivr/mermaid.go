package ivr

import (
	"fmt"
	"strings"
)

// Mermaid draws the flow as a Mermaid flowchart, steps in the order written. The text holds only names that the compiler admitted, so it
// needs no escaping.
func (f *Flow) Mermaid() string {
	ids := map[string]string{}
	for i, name := range f.order {
		ids[name] = fmt.Sprintf("n%d", i)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "flowchart TD\n  start([%s]) --> %s\n", f.name, ids[f.start])
	for _, name := range f.order {
		n := f.nodes[name]
		open, end := "[", "]"
		switch n.(type) {
		case *menuNode, *collectNode:
			open, end = "{{", "}}"
		case *voicemailNode:
			open, end = "[(", ")]"
		case *hangupNode, *enqueueNode:
			open, end = "([", "])"
		}
		fmt.Fprintf(&b, "  %s%s\"%s: %s\"%s\n", ids[name], open, n.base().kind, name, end)
		for _, e := range n.edges() {
			if e.label == "" {
				fmt.Fprintf(&b, "  %s --> %s\n", ids[name], ids[e.to])
				continue
			}
			fmt.Fprintf(&b, "  %s -->|\"%s\"| %s\n", ids[name], e.label, ids[e.to])
		}
	}
	return b.String()
}
