package webrtc

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func record(kind byte, epoch byte, body ...byte) []byte {
	return append([]byte{kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1, byte(len(body) >> 8), byte(len(body))}, body...)
}

func TestForged(t *testing.T) {
	hello, done := record(22, 0, 1, 2, 3), append(record(22, 0, 11), append(record(20, 0, 1), record(22, 1, 9, 9, 9)...)...)
	for _, c := range []struct {
		name             string
		b                []byte
		before, verified bool
	}{
		{"nothing", nil, false, false},
		{"STUN", []byte{0, 1, 0, 0}, false, false},
		{"SRTP", append([]byte{0x80, 0}, make([]byte, 170)...), false, false},
		{"handshake", hello, false, false},
		{"last flight, repeated", done, false, false},
		{"alert with protection", record(21, 1, make([]byte, 26)...), false, false},
		{"data with protection", record(23, 1, 1), false, false},
		{"alert", record(21, 0, 1, 0), false, true},
		{"alert behind a handshake", append(slices.Clone(hello), record(21, 0, 2, 40)...), false, true},
		{"short alert", record(21, 0, 1), true, true},
		{"data", record(23, 0, 1), true, true},
		{"cipher change of nonsense", record(20, 0, 2), true, true},
		{"unknown content", record(25, 0, 1), true, true},
		{"cut short", hello[:15], true, true},
		{"half a header", hello[:12], true, true},
		{"trailing bytes", append(slices.Clone(hello), 1), true, true},
	} {
		assert.Equal(t, c.before, forged(c.b, false), c.name)
		assert.Equal(t, c.verified, forged(c.b, true), c.name)
	}
}

// Whatever the guard lets pass of an unprotected kind is a handshake's, and it never panics.
func FuzzForged(f *testing.F) {
	f.Add(record(21, 0, 1, 0))
	f.Add(append(record(22, 0, 1), record(20, 0, 1)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if forged(b, true) || len(b) == 0 || b[0] < 20 || b[0] > 63 {
			return
		}
		for len(b) > 0 {
			size := int(b[11])<<8 | int(b[12])
			if b[3] == 0 && b[4] == 0 && b[0] != 22 && (b[0] != 20 || size != 1) {
				t.Fatalf("passed %x", b)
			}
			b = b[13+size:]
		}
	})
}
