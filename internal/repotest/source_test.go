package repotest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
)

// source is one parsed file.
type source struct {
	pkg  pkg
	path string
	test bool
	fset *token.FileSet
	file *ast.File
	text string
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	for _, p := range packages(t) {
		for _, set := range [][]string{p.GoFiles, p.TestGoFiles, p.XTestGoFiles} {
			for _, name := range set {
				path := filepath.Join(p.Dir, name)
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				fset := token.NewFileSet()
				f, err := parser.ParseFile(fset, path, b, parser.ParseComments)
				require.NoError(t, err)
				out = append(out, source{p, path, strings.HasSuffix(name, "_test.go"), fset, f, string(b)})
			}
		}
	}
	return out
}

func TestEveryPackageExplainsItself(t *testing.T) {
	docs := map[string][]string{}
	text := map[string]string{}
	for _, s := range sources(t) {
		if !s.test && s.file.Doc != nil {
			docs[s.pkg.ImportPath] = append(docs[s.pkg.ImportPath], s.path)
			text[s.pkg.ImportPath] = s.file.Doc.Text()
		}
	}
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		if n := len(docs[p.ImportPath]); n != 1 {
			t.Errorf("%s has %d package comments: one package, one explanation", p.ImportPath, n)
			continue
		}
		public := p.Name != "main" && !strings.Contains(p.ImportPath, "/internal/") && p.ImportPath != module
		for _, h := range []string{"# Security", "# Goroutines", "# Importing alone"} {
			if public && !strings.Contains(text[p.ImportPath], h) {
				t.Errorf("%s: the package comment lacks %q: it is the first thing a reviewer looks for", p.ImportPath, h)
			}
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		if n := strings.Count(s.text, "\n"); n > 500 && !s.test {
			t.Errorf("%s has %d lines: one file, one idea", s.path, n)
		}
	}
}

func TestGoroutinesHaveAnOwner(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		lines := strings.Split(s.text, "\n")
		ast.Inspect(s.file, func(n ast.Node) bool {
			g, ok := n.(*ast.GoStmt)
			if !ok {
				return true
			}
			line := s.fset.Position(g.Pos()).Line
			if !strings.Contains(lines[line-1], "//") && !strings.HasPrefix(strings.TrimSpace(lines[line-2]), "//") {
				t.Errorf("%s:%d: nothing says who stops this goroutine and who waits for it", s.path, line)
			}
			return true
		})
	}
}

// tlsFactories are the only files that may build TLS: everything else takes what they made, so the floor is in one place.
var tlsFactories = map[string]string{
	"sip/tls.go":      "the floor itself",
	"sip/listener.go": "accepts with what ServerTLS made",
	"sip/outbox.go":   "dials with what ClientTLS made",
}

func TestTLSIsBuiltInOnePlace(t *testing.T) {
	abs, err := filepath.Abs(root)
	require.NoError(t, err)
	found := 0
	for _, s := range sources(t) {
		if s.test || room(s.pkg.ImportPath) == "" || strings.HasSuffix(s.pkg.ImportPath, "/siptest") {
			continue
		}
		rel, err := filepath.Rel(abs, s.path)
		require.NoError(t, err)
		_, factory := tlsFactories[filepath.ToSlash(rel)]
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				x, ok := sel.X.(*ast.Ident)
				if !ok || x.Name != "tls" {
					return true
				}
				switch sel.Sel.Name {
				case "Listen", "NewListener", "Server", "Client", "Dial", "DialWithDialer", "Dialer":
					found++
					if !factory {
						t.Errorf("%s: tls.%s: connections are made by package sip with a checked configuration", s.fset.Position(n.Pos()), sel.Sel.Name)
					}
				case "VersionSSL30", "VersionTLS10", "VersionTLS11":
					t.Errorf("%s: tls.%s is below the floor", s.fset.Position(n.Pos()), sel.Sel.Name)
				}
			}
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				if k, ok := kv.Key.(*ast.Ident); ok && k.Name == "InsecureSkipVerify" {
					t.Errorf("%s: InsecureSkipVerify: a server that does not prove its name is not talked to", s.fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
	require.Positive(t, found, "the check sees nothing")
	control.Proves(t, "ENC-03")
}

func TestNoSleepingTests(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasSuffix(s.path, "bench_ratio_test.go") {
			continue // a benchmark may rest between its runs: it proves no behaviour
		}
		if s.test && strings.Contains(s.text, "time.Sleep(") && !strings.Contains(s.text, `"testing/synctest"`) {
			t.Errorf("%s sleeps: a test that waits for the clock is slow or flaky; use a bubble, a channel or a condition", s.path)
		}
	}
}
