package retention_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/retention"
)

// example returns the public key and the receipt of FORMAT.md.
func example(t testing.TB) (ed25519.PublicKey, []byte) {
	t.Helper()
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
	var receipt []byte
	for line := range strings.Lines(text) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			receipt = append(receipt, code...)
		}
	}
	return public, receipt
}

// The worked example is a receipt, checked from its text alone.
func TestWorkedExample(t *testing.T) {
	r, err := retention.VerifyReceipt(example(t))
	if err != nil || r.Seq != 1 || r.Counts.Erased != 1 || r.Counts.Held != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// Nothing verifies but what was signed, and an error comes without a value.
func FuzzVerifyReceipt(f *testing.F) {
	public, good := example(f)
	f.Add(good)
	f.Add([]byte("ringfence-receipt/1\n{}\nAA==\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := retention.VerifyReceipt(public, b)
		switch {
		case err == nil && !bytes.Equal(b, good):
			t.Errorf("accepted %q", b)
		case err != nil && (r.Seq != 0 || r.Bytes() != nil):
			t.Errorf("an error with a value: %+v", r)
		case err == nil && !bytes.Equal(r.Bytes(), b):
			t.Error("Bytes are not what was read")
		}
	})
}
