// Command report reads `go test -json` on standard input and prints which controls the passing tests prove.
//
// It exits 1 if a test failed. Its last line is "controls: N of M proved".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/ringfence/ringfence/internal/control"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

type event struct {
	Action, Package, Test, Output string
}

// run collects the marker lines of each test and counts them when that very test passes: a subtest proves for itself.
func run(in io.Reader, out io.Writer) error {
	claims := map[string][]string{} // test -> controls
	proofs := map[string][]string{} // control -> tests
	failed := 0
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 1<<20), 16<<20)
	for sc.Scan() {
		var e event
		if json.Unmarshal(sc.Bytes(), &e) != nil {
			fmt.Fprintln(out, sc.Text()) // what the toolchain says outside of JSON, such as a compile error
			continue
		}
		name := e.Package + "." + e.Test
		switch e.Action {
		case "output":
			if _, id, ok := strings.Cut(e.Output, control.Marker); ok {
				claims[name] = append(claims[name], strings.TrimSpace(id))
			}
		case "pass":
			for _, id := range claims[name] {
				proofs[id] = append(proofs[id], strings.TrimPrefix(name, "github.com/ringfence/ringfence/"))
			}
		case "fail":
			failed++
			fmt.Fprintln(out, "FAIL", name)
		}
	}
	if err := sc.Err(); err != nil {
		return err
	}
	cat := control.All()
	for _, g := range cat.Groups {
		var lines []string
		for _, c := range cat.Controls {
			tests := proofs[c.ID]
			if c.Group != g.Code || len(tests) == 0 {
				continue
			}
			sort.Strings(tests)
			lines = append(lines, fmt.Sprintf("  %-7s %s\n          %s", c.ID, c.Statement, strings.Join(tests, "\n          ")))
		}
		if len(lines) > 0 {
			fmt.Fprintf(out, "%s %s\n%s\n", g.Code, g.Title, strings.Join(lines, "\n"))
		}
	}
	fmt.Fprintf(out, "controls: %d of %d proved\n", len(proofs), len(cat.Controls))
	if failed > 0 {
		return fmt.Errorf("%d tests or packages failed", failed)
	}
	return nil
}
