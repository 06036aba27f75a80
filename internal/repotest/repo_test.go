package repotest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/ringfence/ringfence"

// pkg is what `go list` says of a package.
type pkg struct {
	Dir, ImportPath, Name              string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, Deps                      []string
	TestImports, XTestImports          []string
	Standard                           bool
}

var list = sync.OnceValues(func() ([]pkg, error) {
	cmd := exec.Command("go", "list", "-json=Dir,ImportPath,Name,GoFiles,TestGoFiles,XTestGoFiles,Imports,Deps,TestImports,XTestImports,Standard", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

var root = filepath.Join("..", "..")

func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := list()
	require.NoError(t, err)
	require.Greater(t, len(all), 20, "go list found next to nothing")
	return all
}

// room is the top-level folder of a package of ours: "sip", "internal", "examples"; empty for others.
func room(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

var rooms = []string{"sip", "srtp", "acd", "ivr", "tenant", "recording", "retention"}

func TestIslands(t *testing.T) {
	for _, p := range packages(t) {
		from := room(p.ImportPath)
		for _, imp := range p.Imports {
			to := room(imp)
			switch {
			case to == "" || to == from:
			case slices.Contains(rooms, from) && to == "internal":
			case slices.Contains(rooms, from):
				t.Errorf("%s imports %s: a room imports no other room, so that it can be used alone; let the consumer declare a small interface", p.ImportPath, imp)
			case from == "examples" && to == "internal":
				t.Errorf("%s imports %s: an example shows what anybody can write, so it uses the public API only", p.ImportPath, imp)
			case from == "internal":
				t.Errorf("%s imports %s: internal packages are leaves, so that every room may use them", p.ImportPath, imp)
			}
		}
		for _, imp := range append(slices.Clone(p.TestImports), p.XTestImports...) {
			if to := room(imp); from == "examples" && to == "internal" && imp != module+"/internal/control" && imp != module+"/internal/browser" {
				t.Errorf("%s imports %s in a test: tests of examples may name controls and start a browser, and nothing else of internal", p.ImportPath, imp)
			}
			if to := room(imp); slices.Contains(rooms, from) && slices.Contains(rooms, to) && to != from {
				t.Errorf("%s imports %s in a test: a room that needs another to be tested does not stand alone", p.ImportPath, imp)
			}
		}
	}
}

// Some packages must stay light for whoever imports them alone.
func TestImportingAlone(t *testing.T) {
	forbidden := []struct {
		pkg    string
		dep    string // prefix of what it must not pull in; empty: anything outside the standard library and itself
		reason string
	}{
		{"acd", "", "acd is plain Go: the routing core runs anywhere"},
		{"acd/report", "", "figures need the log and nothing else"},
		{"acd/sim", "", "a simulation needs the core and nothing else"},
		{"acd/sim", module + "/acd/sqlstore", "a simulation keeps no database"},
		{"acd/sim", module + "/acd/acdtest", "a simulation is no test"},
		{"acd", module + "/acd/sim", "the core does not know that it is simulated"},
		{"acd/sim", "", "whoever plans staff needs the core and nothing else"},
		{"acd/consent", "", "a gate is plain Go"},
		{"recording/restricted", "", "a scanner is plain Go"},
		{"retention", "", "a verifier of receipts must be small enough to read"},
		{"recording", "modernc.org", "a recorder chooses its own database"},
		{"recording", "github.com/minio", "a recorder chooses its own store"},
		{"tenant", "modernc.org", "a directory chooses its own database"},
		{"srtp", "github.com/emiago", "media needs no signalling"},
		{"srtp/media", "github.com/emiago", "media needs no signalling"},
		{"srtp", "github.com/pion/webrtc", "keys need no browser"},
		{"srtp/media", "github.com/pion/webrtc", "phones need no browser"},
		{"srtp/media", "github.com/pion/ice", "phones need no browser"},
		{"srtp/webrtc", "github.com/emiago", "media needs no signalling"},
		{"sip", "github.com/pion", "signalling never sees a key"},
		{"sip", "modernc.org", "a registrar chooses its own database"},
		{"sip/registrar", "", "who is reachable where is plain Go"},
		{"sip/event", "", "documents are plain Go"},
		{"ivr", "github.com/emiago", "a flow needs no phone"},
	}
	byPath := map[string]pkg{}
	for _, p := range packages(t) {
		byPath[p.ImportPath] = p
	}
	for _, f := range forbidden {
		p, ok := byPath[module+"/"+f.pkg]
		require.True(t, ok, "%s is gone; so is the law about it?", f.pkg)
		for _, dep := range p.Deps {
			outside := strings.Contains(strings.SplitN(dep, "/", 2)[0], ".")
			if f.dep == "" && outside && !strings.HasPrefix(dep, module+"/"+room(p.ImportPath)) {
				t.Errorf("%s depends on %s: %s", f.pkg, dep, f.reason)
			}
			if f.dep != "" && strings.HasPrefix(dep, f.dep) {
				t.Errorf("%s depends on %s: %s", f.pkg, dep, f.reason)
			}
		}
	}
}

// What a browser needs is large and changes often: one package knows it.
func TestOnePackageKnowsTheBrowser(t *testing.T) {
	found := 0
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			if !strings.HasPrefix(imp, "github.com/pion/webrtc") && !strings.HasPrefix(imp, "github.com/pion/ice") {
				continue
			}
			found++
			if p.ImportPath != module+"/srtp/webrtc" {
				t.Errorf("%s imports %s: legs for browsers come from srtp/webrtc", p.ImportPath, imp)
			}
		}
	}
	require.Positive(t, found, "the check sees nothing")
}

func TestTopLevel(t *testing.T) {
	want := append([]string{"examples", "internal", "go.mod", "go.sum", "doc.go", "README.md", "LICENSE", "Makefile", ".ci", ".github", ".gitignore"}, rooms...)
	out, err := exec.Command("git", "-C", root, "ls-tree", "--name-only", "HEAD").Output()
	if err != nil {
		t.Skip("no git checkout: ", err)
	}
	for _, name := range strings.Fields(string(out)) {
		if !slices.Contains(want, name) {
			t.Errorf("%s stands at the top level: a reader finds rooms there and nothing else", name)
		}
	}
}

func TestNoReplace(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "replace") {
			t.Errorf("go.mod: %s: importers do not inherit a replace, so what we test is not what they get", line)
		}
	}
	require.Contains(t, string(b), "github.com/emiago/sipgo v1.7.2\n", "sipgo changes behaviour in minor versions: it is pinned")
}
