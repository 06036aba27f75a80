package retention_test

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/retention"
)

// The worked example of FORMAT.md is a receipt, checked from its text alone.
func TestWorkedExample(t *testing.T) {
	spec, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(spec), "## Worked example")
	text, _, _ = strings.Cut(text, "## Decisions")
	_, key, _ := strings.Cut(text, "public key is `")
	public, err := hex.DecodeString(key[:64])
	if err != nil {
		t.Fatal(err)
	}
	var receipt strings.Builder
	for line := range strings.Lines(text) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			receipt.WriteString(code)
		}
	}
	r, err := retention.VerifyReceipt(public, []byte(receipt.String()))
	if err != nil || r.Seq != 1 || r.Counts.Erased != 1 || r.Counts.Held != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
