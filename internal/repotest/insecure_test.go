package repotest_test

import (
	"go/ast"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Plain RTP has one door with its own name, and nobody in the house goes through it unasked: a program that does not import it cannot be made to.
func TestPlainRTPIsAbsentByDefault(t *testing.T) {
	const door = module + "/srtp/insecureleg"
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			if imp == door && room(p.ImportPath) != "examples" {
				t.Errorf("%s imports %s: unprotected media is for a program to ask for, under a waiver", p.ImportPath, imp)
			}
		}
	}
	// The switch of package sdp, and where it may be set: the door, and the phone that tests the door.
	allowed := map[string]bool{door: true, module + "/srtp/srtptest": true, module + "/srtp/sdp": true}
	found := 0
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok || !strings.EqualFold(id.Name, "InsecurePlainRTP") {
				return true
			}
			found++
			if !allowed[s.pkg.ImportPath] {
				t.Errorf("%s: %s: only srtp/insecureleg turns protection off", s.fset.Position(id.Pos()), id.Name)
			}
			return true
		})
	}
	require.Positive(t, found, "the check sees nothing")
}
