package main

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/ivr"
	"github.com/ringfence/ringfence/srtp/media"
)

//go:embed prompts
var builtinPrompts embed.FS

//go:embed flows
var builtinFlows embed.FS

// prompts are the recorded words of a tenant, by language and name. Immutable.
type prompts struct {
	byLanguage map[string]map[string]*media.Prompt
}

// loadPrompts reads LANGUAGE/NAME.wav from folder, or those built in.
func loadPrompts(folder string) (*prompts, error) {
	fsys, err := folderOr(folder, builtinPrompts, "prompts")
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(fsys, "*/*.wav")
	if err != nil {
		return nil, err
	}
	p := &prompts{byLanguage: map[string]map[string]*media.Prompt{}}
	for _, f := range files {
		r, err := fsys.Open(f)
		if err != nil {
			return nil, err
		}
		prompt, err := media.LoadWAV(r)
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("prompt %s: %w", f, err)
		}
		lang, name := path.Dir(f), strings.TrimSuffix(path.Base(f), ".wav")
		if p.byLanguage[lang] == nil {
			p.byLanguage[lang] = map[string]*media.Prompt{}
		}
		p.byLanguage[lang][name] = prompt
	}
	if len(p.byLanguage) == 0 {
		return nil, fmt.Errorf("no prompt in %q", folder)
	}
	for lang, m := range p.byLanguage {
		for _, need := range []string{holdMusic, positionMany} {
			if m[need] == nil {
				return nil, fmt.Errorf("prompt %s/%s.wav is missing", lang, need)
			}
		}
	}
	return p, nil
}

const (
	holdMusic    = "hold"
	positionMany = "position-many"
)

func (p *prompts) find(lang, name string) *media.Prompt { return p.byLanguage[lang][name] }

// position is the prompt that says a place in the queue.
func (p *prompts) position(lang string, place int) *media.Prompt {
	if x := p.find(lang, "position-"+strconv.Itoa(place)); x != nil {
		return x
	}
	return p.find(lang, positionMany)
}

// compileFlows reads and checks the flows of a tenant. A broken flow is an error with file, line and reason.
func compileFlows(tc tenantConfig, p *prompts) (*ivr.Program, error) {
	fsys, err := folderOr(tc.Flows, builtinFlows, "flows")
	if err != nil {
		return nil, err
	}
	env := ivr.Env{Prompts: map[string][]string{}, Boxes: tc.mailboxes()}
	for lang, m := range p.byLanguage {
		for name := range m {
			env.Prompts[lang] = append(env.Prompts[lang], name)
		}
	}
	for _, q := range tc.Queues {
		env.Queues = append(env.Queues, q.Name)
	}
	program, err := ivr.Compile(fsys, env)
	if err != nil {
		return nil, fmt.Errorf("flows of tenant %s:\n%w", tc.Name, err)
	}
	for _, n := range tc.Numbers {
		if _, err := program.Flow(n.Flow); err != nil {
			return nil, fmt.Errorf("number %s of tenant %s: %w", n.Number, tc.Name, err)
		}
	}
	return program, nil
}

func folderOr(folder string, builtin embed.FS, sub string) (fs.FS, error) {
	if folder != "" {
		return os.DirFS(folder), nil
	}
	return fs.Sub(builtin, sub)
}
