package sieve

import "testing"

// FuzzPlain: eight bytes at a time, the same as one by one.
func FuzzPlain(f *testing.F) {
	f.Add([]byte("INVITE sip:a@b SIP/2.0\r\nVia: x\r\n\r\n"))
	f.Add([]byte("12345678\x7f2345678"))
	f.Add([]byte("1234567\r\n\x80\xff\x1f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		want := true
		for i, c := range b {
			switch {
			case c == '\r':
				want = want && i+1 < len(b) && b[i+1] == '\n'
			case c == '\n':
				want = want && i > 0 && b[i-1] == '\r'
			case c < ' ' || c == 0x7f:
				want = false
			}
		}
		if plain(b) != want {
			t.Fatalf("%q: %v", b, !want)
		}
	})
}
