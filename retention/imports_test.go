package retention_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Importing retention pulls in the standard library and nothing else.
func TestImportingAlone(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(out)); len(got) != 1 {
		t.Errorf("retention imports %v", got)
	}
}
