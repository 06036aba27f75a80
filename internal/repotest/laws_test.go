package repotest_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// One instance serves one tenant, so there is no identifier of a tenant inside those rooms that could be swapped or forgotten.
func TestOneInstanceOneTenant(t *testing.T) {
	scoped := []string{"acd", "recording", "retention", "ivr", "srtp"}
	for _, s := range sources(t) {
		if s.test || !slices.Contains(scoped, room(s.pkg.ImportPath)) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && strings.HasPrefix(strings.ToLower(id.Name), "tenant") {
				t.Errorf("%s: %s: an instance of %s belongs to one tenant; its stores are handed in scoped", s.fset.Position(id.Pos()), id.Name, room(s.pkg.ImportPath))
			}
			return true
		})
	}
}

// Every field of a Config says whether it is required or what its zero value means.
func TestConfigFieldsSayWhatZeroMeans(t *testing.T) {
	checked := 0
	for _, s := range sources(t) {
		if s.test || s.pkg.Name == "main" || room(s.pkg.ImportPath) == "internal" || strings.Contains(s.pkg.ImportPath, "/internal/") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() || !strings.HasSuffix(spec.Name.Name, "Config") {
				return true
			}
			st, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			before := "" // fields that stand together share the comment above the first
			for _, f := range st.Fields.List {
				text := f.Doc.Text() + f.Comment.Text()
				if text == "" {
					text = before
				}
				before = text
				if len(f.Names) > 0 && !f.Names[0].IsExported() {
					continue
				}
				checked++
				if !strings.Contains(strings.ToLower(text), "required") && !strings.Contains(text, "If ") && !strings.Contains(text, "ero value") {
					t.Errorf("%s: %s.%s does not say whether it is required or what zero means", s.fset.Position(f.Pos()), spec.Name.Name, f.Names)
				}
			}
			return true
		})
	}
	require.Greater(t, checked, 40, "the check sees nothing")
}

// Cores take their time from outside: a clock inside would make them impossible to replay.
func TestCoresHaveNoClock(t *testing.T) {
	cores := map[string][]string{
		"acd":                    {"core.go", "core_agent.go", "core_callback.go", "core_check.go", "core_index.go", "core_match.go", "core_restore.go", "core_start.go", "core_state.go", "core_time.go", "core_work.go", "heap.go", "decision.go", "rules.go", "rules_check.go", "strategy.go", "event.go", "explain.go", "whatif.go"},
		"acd/consent":            nil, // nil: every file
		"acd/report":             nil,
		"acd/sim":                nil,
		"recording/restricted":   nil,
		"retention":              {"period.go"},
		"sip/registrar":          nil,
		"sip/event":              nil,
		"sip/internal/digest":    {"digest.go"},
		"srtp/sdp":               nil,
		"sip/internal/guard":     nil,
		"sip/internal/sieve":     nil,
		"sip/internal/websocket": nil,
		"tenant/password":        nil,
		"srtp/codec":             nil,
		"srtp/internal/jitter":   nil,
		"srtp/internal/quality":  nil,
	}
	seen := map[string]bool{}
	for _, s := range sources(t) {
		files, ok := cores[strings.TrimPrefix(s.pkg.ImportPath, module+"/")]
		base := s.path[strings.LastIndexByte(s.path, '/')+1:]
		if !ok || s.test || (files != nil && !slices.Contains(files, base)) {
			continue
		}
		seen[strings.TrimPrefix(s.pkg.ImportPath, module+"/")] = true
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if ok && x.Name == "time" && slices.Contains([]string{"Now", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Since", "Until"}, sel.Sel.Name) {
				t.Errorf("%s: time.%s: a core is told the time, so that it can be replayed", s.fset.Position(n.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
	require.Len(t, seen, len(cores), "a core has moved; so must the law")
}
