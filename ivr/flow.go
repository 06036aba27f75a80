package ivr

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Program is a set of checked flows. It is immutable and safe for concurrent use. [Compile] makes one.
type Program struct{ flows map[string]*Flow }

// Flow returns the named flow, or an error that wraps [ErrNoFlow].
func (p *Program) Flow(name string) (*Flow, error) {
	if f, ok := p.flows[name]; ok {
		return f, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrNoFlow, name)
}

// Flows returns the names of all flows, sorted.
func (p *Program) Flows() []string { return slices.Sorted(maps.Keys(p.flows)) }

// Flow is one checked flow: it cannot strand a caller. It is immutable and safe for concurrent use.
type Flow struct {
	name     string
	language string
	start    string
	order    []string // names as written, for drawing
	nodes    map[string]node
	maxSteps int

	startRange, nameRange hcl.Range
	refused               bool // a step of it did not decode, so the graph is not worth checking
}

// Name returns the flow's name.
func (f *Flow) Name() string { return f.name }

// Supports reports, as an error that wraps [ErrUnsupported], the first capability that the flow uses and call lacks.
func (f *Flow) Supports(call Call) error {
	for _, name := range f.order {
		var ok bool
		var want string
		switch f.nodes[name].(type) {
		case *enqueueNode:
			_, ok = call.(Enqueuer)
			want = "Enqueuer"
		case *voicemailNode:
			_, ok = call.(Voicemailer)
			want = "Voicemailer"
		case *echoNode:
			_, ok = call.(Echoer)
			want = "Echoer"
		case *noteNode:
			_, ok = call.(Noter)
			want = "Noter"
		default:
			continue
		}
		if !ok {
			return fmt.Errorf("%w: flow %q, step %q needs %s", ErrUnsupported, f.name, name, want)
		}
	}
	return nil
}

// node is one step of a flow. A new kind of step is one file: its type, a decode function named in decoders, and these methods.
type node interface {
	base() *nodeBase
	// edges lists every way out, for the compiler and the diagram.
	edges() []edge
	// ends reports whether the flow may end in this step.
	ends() bool
	// run does the step and returns the name of the next one, or "" if the flow ends here, with r.out.Result set.
	run(ctx context.Context, r *runner) (next string, err error)
}

type nodeBase struct {
	kind, name string
	rng        hcl.Range
	prompts    []promptUse // every prompt the step may play
	uses       []varUse    // every variable the step may speak or note
}

func (b *nodeBase) base() *nodeBase { return b }
func (*nodeBase) ends() bool        { return false }

// edge is a way from one step to another.
type edge struct {
	label string // what the diagram writes on the arrow
	to    string
	rng   hcl.Range
	input bool   // taken only if the caller pressed a key, so a silent caller cannot loop through it
	sets  string // the variable that is set when this way is taken
}

type promptUse struct {
	name string
	rng  hcl.Range
}

type varUse struct {
	name, how string // how: "spoken" or "noted"
	rng       hcl.Range
}
