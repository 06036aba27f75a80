package ivr

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Suffix is how the names of flow files end.
const Suffix = ".ivr.hcl"

// Env tells the compiler what exists. It is copied by [Compile].
type Env struct {
	// Prompts are the recorded prompts by language, such as {"en": {"welcome"}}. Required: at least one language. Every prompt
	// that a flow plays must exist in every language here.
	Prompts map[string][]string
	// Queues are the queues a flow may enter. If empty, none.
	Queues []string
	// Boxes are the mailboxes a flow may leave messages in. If nil, they are not known here, and any name is accepted.
	Boxes []string
	// MaxSteps bounds how many steps one caller may enter in one run; at the bound the call is hung up. If zero, 500.
	MaxSteps int
}

// Compile reads and checks every file of fsys, at any depth, whose name ends in [Suffix]. The error is of type [Diagnostics] unless
// a file could not be read. No file, or no flow, is an error: a service without a flow has nothing to say to a caller.
func Compile(fsys fs.FS, env Env) (*Program, error) {
	c := &compiler{prompts: map[string]map[string]bool{}, queues: map[string]bool{}, maxSteps: env.MaxSteps, flows: map[string]*Flow{}}
	if c.maxSteps == 0 {
		c.maxSteps = defaultMaxSteps
	}
	if c.maxSteps < 0 {
		return nil, Diagnostics{{Summary: "invalid environment", Reason: "MaxSteps is negative"}}
	}
	if len(env.Prompts) == 0 {
		return nil, Diagnostics{{Summary: "invalid environment", Reason: "Prompts names no language"}}
	}
	for lang, names := range env.Prompts {
		c.prompts[lang] = map[string]bool{}
		for _, n := range names {
			c.prompts[lang][n] = true
		}
	}
	c.languages = slices.Sorted(maps.Keys(c.prompts))
	if env.Boxes != nil {
		c.boxes = map[string]bool{}
	}
	for _, b := range env.Boxes {
		c.boxes[b] = true
	}
	for _, q := range env.Queues {
		c.queues[q] = true
	}
	err := fs.WalkDir(fsys, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, Suffix) {
			return err
		}
		src, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		c.files++
		c.file(path, src)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ivr: reading flows: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.flows)) {
		c.check(c.flows[name])
	}
	if len(c.flows) == 0 && len(c.diags) == 0 {
		c.diags = Diagnostics{{Summary: "no flow", Reason: fmt.Sprintf("%d files end in %s and none defines a flow", c.files, Suffix)}}
	}
	if len(c.diags) > 0 {
		slices.SortStableFunc(c.diags, func(a, b Diagnostic) int {
			return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, c.diags
	}
	return &Program{flows: c.flows}, nil
}

type compiler struct {
	prompts   map[string]map[string]bool // language, name
	languages []string
	queues    map[string]bool
	boxes     map[string]bool // nil: not known
	maxSteps  int
	files     int
	flows     map[string]*Flow
	diags     Diagnostics
}

func (c *compiler) refuse(rng hcl.Range, summary, format string, args ...any) {
	c.diags = append(c.diags, Diagnostic{File: rng.Filename, Line: rng.Start.Line, Column: rng.Start.Column, Summary: summary, Reason: fmt.Sprintf(format, args...)})
}

// hcl takes over what the HCL library found. It reports whether there was an error.
func (c *compiler) hcl(diags hcl.Diagnostics) bool {
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		var rng hcl.Range
		if d.Subject != nil {
			rng = *d.Subject
		}
		c.refuse(rng, strings.ToLower(d.Summary), "%s", strings.Join(strings.Fields(d.Detail), " "))
	}
	return diags.HasErrors()
}

// One word class for every name, so that a name can stand in a diagram, a log line and a header without escaping.
var nameRE = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

func validName(s string) bool { return len(s) <= maxNameLen && nameRE.MatchString(s) }

func (c *compiler) file(path string, src []byte) {
	at := hcl.Range{Filename: path, Start: hcl.InitialPos, End: hcl.InitialPos}
	if len(src) > maxFileBytes {
		c.refuse(at, "file too large", "a flow file has at most %d bytes", maxFileBytes)
		return
	}
	// Checked before parsing: the parser recurses once per bracket, and an uploaded file must not choose how deep.
	if rng, deep := tooDeep(path, src); deep {
		c.refuse(rng, "nested too deeply", "brackets nest at most %d deep", maxNesting)
		return
	}
	f, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	if c.hcl(diags) {
		return
	}
	content, diags := f.Body.Content(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "flow", LabelNames: []string{"name"}}}})
	c.hcl(diags)
	for _, b := range content.Blocks {
		c.flow(b)
	}
}

func tooDeep(path string, src []byte) (hcl.Range, bool) {
	tokens, _ := hclsyntax.LexConfig(src, path, hcl.InitialPos) // what is wrong with the text itself, the parser reports better
	depth, ops, conditions := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			depth--
		case hclsyntax.TokenMinus, hclsyntax.TokenBang: // prefix operators recurse as well
			ops++
		case hclsyntax.TokenQuestion: // and so do conditions, which the language does not have anyway
			conditions++
		default:
			ops = 0
		}
		if depth > maxNesting || ops > maxNesting || conditions > maxNesting {
			return t.Range, true
		}
	}
	return hcl.Range{}, false
}

func (c *compiler) flow(b *hcl.Block) {
	name := b.Labels[0]
	if !validName(name) {
		c.refuse(b.LabelRanges[0], "invalid name", "a flow's name is lower-case letters, digits, - and _, at most %d", maxNameLen)
		return
	}
	if _, dup := c.flows[name]; dup {
		c.refuse(b.DefRange, "duplicate flow", "flow %q is defined twice", name)
		return
	}
	schema := &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "language", Required: true}, {Name: "start", Required: true}}}
	for kind := range decoders {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: kind, LabelNames: []string{"name"}})
	}
	slices.SortFunc(schema.Blocks, func(a, b hcl.BlockHeaderSchema) int { return strings.Compare(a.Type, b.Type) })
	f := &Flow{name: name, nodes: map[string]node{}, maxSteps: c.maxSteps, nameRange: b.DefRange}
	c.flows[name] = f
	before := len(c.diags)
	content, diags := b.Body.Content(schema)
	c.hcl(diags)
	d := &decoder{compiler: c, attrs: content.Attributes, at: b.DefRange}
	f.language = d.text("language")
	if f.language != "" && c.prompts[f.language] == nil {
		c.refuse(d.rng("language"), "unknown language", "no prompts exist in %q; there are %s", f.language, strings.Join(c.languages, ", "))
	}
	f.start = d.text("start")
	f.startRange = d.rng("start")
	if len(content.Blocks) > maxNodes {
		c.refuse(b.DefRange, "flow too large", "a flow has at most %d steps", maxNodes)
		content.Blocks = nil
	}
	for _, nb := range content.Blocks {
		c.node(f, nb)
	}
	f.refused = len(c.diags) > before
}

func (c *compiler) node(f *Flow, b *hcl.Block) {
	name := b.Labels[0]
	if !validName(name) {
		c.refuse(b.LabelRanges[0], "invalid name", "a step's name is lower-case letters, digits, - and _, at most %d", maxNameLen)
		return
	}
	if _, dup := f.nodes[name]; dup {
		c.refuse(b.DefRange, "duplicate step", "%q is defined twice in flow %q", name, f.name)
		return
	}
	dec := decoders[b.Type]
	content, diags := b.Body.Content(&dec.schema)
	c.hcl(diags)
	d := &decoder{compiler: c, attrs: content.Attributes, blocks: content.Blocks, at: b.DefRange}
	d.base = nodeBase{kind: b.Type, name: name, rng: b.DefRange}
	f.nodes[name] = dec.decode(d)
	f.order = append(f.order, name)
}
