package audit_test

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/tenant/audit"
)

// The worked example of FORMAT.md is a log, checked from its text alone.
func TestWorkedExample(t *testing.T) {
	_, text, _ := strings.Cut(string(read(t, "FORMAT.md")), "## Worked example")
	text, _, _ = strings.Cut(text, "## Decisions")
	var log strings.Builder
	for line := range strings.Lines(text) {
		if entry, ok := strings.CutPrefix(line, "    "); ok {
			log.WriteString(entry)
		}
	}
	rep, err := audit.Verify(strings.NewReader(log.String()), audit.Head{})
	if err != nil || rep.Head.Seq != 2 {
		t.Errorf("%+v, %v", rep, err)
	}
}
