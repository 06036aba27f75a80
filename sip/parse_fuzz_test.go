package sip

import (
	"bytes"
	"strings"
	"testing"

	msg "github.com/emiago/sipgo/sip"
)

func FuzzReplaces(f *testing.F) {
	for _, s := range []string{"a@b;to-tag=1;from-tag=2", "a;from-tag=2;to-tag=1;early-only", ";;;", "a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2", "%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string) (replaces, bool){parseReplaces, parseEscaped} {
			r, ok := parse(s)
			if !ok {
				continue
			}
			if r.callID == "" || r.toTag == "" || r.fromTag == "" || strings.ContainsAny(r.String(), "\r\n") {
				t.Fatalf("%q: %+v", s, r)
			}
			if again, ok := parseReplaces(r.String()); !ok || again.callID != r.callID || again.toTag != r.toTag || again.fromTag != r.fromTag {
				t.Fatalf("%q is not read as it is written: %+v", r.String(), again)
			}
		}
	})
}

func FuzzSessionOf(f *testing.F) {
	f.Add("application/sdp", []byte("v=0\r\n"))
	f.Add("multipart/mixed;boundary=x", []byte("--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x--\r\n"))
	f.Add(`multipart/mixed;boundary="x"`, []byte("--x\r\n\r\n--x"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		sdp, ok := sessionOf(kind, body)
		if ok && len(body) > 0 && (len(sdp) == 0 || !bytes.Contains(body, sdp)) {
			t.Fatalf("%q of %q", sdp, body)
		}
	})
}

func FuzzSessionExpires(f *testing.F) {
	f.Add("1800;refresher=uac")
	f.Add("99999999999999999999")
	f.Add(";;=;")
	f.Fuzz(func(t *testing.T, v string) {
		m := msg.NewRequest(msg.INVITE, msg.Uri{Scheme: "sip", Host: "a.test"})
		m.AppendHeader(header("Session-Expires", v))
		m.AppendHeader(header("Min-SE", v))
		if interval, _, ok := sessionExpires(m); ok && interval < 0 || minSE(m) < 0 {
			t.Fatalf("%q: %v", v, interval)
		}
	})
}
