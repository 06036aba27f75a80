package repotest_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/format"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the API as it is now")

// TestExportedAPI compares the exported declarations of every public package with testdata/api.txt, so that no change of the API goes unseen.
// After a change that is meant: go test ./internal/repotest -run ExportedAPI -update
func TestExportedAPI(t *testing.T) {
	decls := map[string][]string{}
	for _, s := range sources(t) {
		if s.test || s.pkg.Name == "main" || strings.Contains(s.pkg.ImportPath+"/", "/internal/") {
			continue
		}
		short := strings.TrimPrefix(s.pkg.ImportPath, module+"/")
		for _, d := range s.file.Decls {
			if text := exported(t, s, d); text != "" {
				decls[short] = append(decls[short], text)
				if strings.Contains(text, "msg.") || strings.Contains(text, "sipgo") {
					t.Errorf("%s exports a type of a library: %s", short, text)
				}
			}
		}
	}
	var paths []string
	for p := range decls {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	var b strings.Builder
	for _, p := range paths {
		sort.Strings(decls[p])
		b.WriteString("package " + p + "\n\n" + strings.Join(decls[p], "\n") + "\n\n")
	}
	golden := filepath.Join("testdata", "api.txt")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "the exported API changed; if that is meant, run with -update and say so in the changelog")
}

// exported prints a declaration without comments, bodies and what is not exported; empty if nothing is left.
func exported(t *testing.T, s source, d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() || (d.Recv != nil && !receiverExported(d.Recv)) {
			return ""
		}
		d.Body, d.Doc = nil, nil
	case *ast.GenDecl:
		d.Doc = nil
	}
	one := &ast.File{Name: ast.NewIdent("p"), Decls: []ast.Decl{d}}
	if !ast.FileExports(one) {
		return ""
	}
	var b bytes.Buffer
	for _, d := range one.Decls {
		stripComments(d)
		require.NoError(t, format.Node(&b, s.fset, d))
		b.WriteByte('\n')
	}
	return squeeze(b.String())
}

func receiverExported(r *ast.FieldList) bool {
	x := r.List[0].Type
	if star, ok := x.(*ast.StarExpr); ok {
		x = star.X
	}
	id, ok := x.(*ast.Ident)
	return ok && id.IsExported()
}

func stripComments(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			n.Doc, n.Comment = nil, nil
		case *ast.ValueSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.TypeSpec:
			n.Doc, n.Comment = nil, nil
		}
		return true
	})
}

func squeeze(s string) string {
	var out []string
	for _, line := range strings.Split(s, "\n") {
		if strings.TrimSpace(line) != "" {
			out = append(out, strings.TrimRight(line, " \t"))
		}
	}
	return strings.Join(out, "\n")
}
