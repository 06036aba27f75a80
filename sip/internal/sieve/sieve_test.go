package sieve_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	msg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/internal/sieve"
)

// read does what a datagram listener does.
func read(data []byte) (*sieve.Message, *sieve.Fault) {
	n := sieve.End(data, 0)
	if n == 0 {
		return nil, &sieve.Fault{Why: "no end"}
	}
	m, f := sieve.Head(data[:n])
	m.Body = data[n:]
	if m.Length >= 0 && m.Length < len(m.Body) {
		m.Body = m.Body[:m.Length]
	}
	return m, f
}

// agree: what passes is read by the library, and read the same.
func agree(t *testing.T, data []byte) {
	m, f := read(data)
	if f != nil {
		if m != nil {
			noInjection(t, m.Answer(nil, max(f.Code, 400), "Bad Request", "t", "192.0.2.9", "5060", f.Header))
		}
		return
	}
	out := m.Append(nil, true)
	got, err := msg.ParseMessage(out)
	require.NoError(t, err, "%q", out)
	from, to, cseq := got.From(), got.To(), got.CSeq()
	require.NotNil(t, from)
	require.NotNil(t, to)
	require.Equal(t, m.CallID, got.CallID().Value())
	require.Equal(t, m.Seq, cseq.SeqNo)
	require.Equal(t, m.SeqMethod, string(cseq.MethodName))
	tag, _ := from.Params.Get("tag")
	if !strings.ContainsAny(m.From.Params[0].Name, "T") { // letter case of names is set aside by the caller
		for _, p := range from.Params {
			if strings.EqualFold(p.K, "tag") {
				tag = p.V
			}
		}
	}
	require.Equal(t, m.From.Tag(), tag)
	require.Equal(t, len(m.Body), len(got.Body()))
	if req, ok := got.(*msg.Request); ok {
		require.Equal(t, strings.ToUpper(m.Method), string(req.Method))
		require.NotEmpty(t, req.Recipient.Host)
		require.Equal(t, hostOf(m.URI), req.Recipient.Host, "%q", m.URI)
		noInjection(t, m.Answer(nil, 400, "Bad Request", "t", "192.0.2.9", "5060"))
	}
	used, _ := sieve.Head([]byte("SIP/2.0 500 x\r\nVia: SIP/2.0/UDP a;b=c;d=e, SIP/2.0/UDP b;f\r\nFrom: <sip:x@y>;tag=old;z\r\nContact: <sip:o>\r\nX: y\r\nExpires: 3\r\n\r\n"))
	f = used.Read(data[:sieve.End(data, 0)]) // room that was used before changes nothing
	require.Nil(t, f)
	used.Body = m.Body
	require.Equal(t, string(out), string(used.Append(nil, true)))
	again, f := read(out) // canonical form is a fixed point
	require.Nil(t, f)
	require.Equal(t, string(out), string(again.Append(nil, true)))
}

func hostOf(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if strings.HasPrefix(rest, "[") {
		return rest[:strings.IndexByte(rest, ']')+1]
	}
	if i := strings.IndexAny(rest, ":;?"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// noInjection: an answer has the lines we wrote and no others.
func noInjection(t *testing.T, out []byte) {
	if out == nil {
		return
	}
	require.True(t, bytes.HasSuffix(out, []byte("\r\nContent-Length: 0\r\n\r\n")))
	for _, line := range strings.Split(strings.TrimSuffix(string(out), "\r\n\r\n"), "\r\n")[1:] {
		require.NotContains(t, line, "\n")
		require.NotContains(t, line, "\r")
		name, _, _ := strings.Cut(line, ":")
		require.Contains(t, []string{"Via", "From", "To", "Call-ID", "CSeq", "Content-Length"}, name)
	}
}

func corpus(t testing.TB) map[string][]byte {
	files, err := filepath.Glob("../../testdata/torture/*.dat")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	out := make(map[string][]byte)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		out[strings.TrimSuffix(filepath.Base(f), ".dat")] = b
	}
	return out
}

func TestTortureAgrees(t *testing.T) {
	for name, data := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			agree(t, data)
			_, f := read(data)
			t.Logf("%+v", f)
		})
	}
}

func TestCanonical(t *testing.T) {
	wild := "INVITE sip:b@x.test;p SIP/2.0\r\nv:  SIP  /  2.0\r\n /tcp   H.example : 5070 ;  branch = z9hG4bK1 ;RPORT,\r\n SIP/2.0/UDP [2001:db8::1];received=2001:db8::2\r\n" +
		"TO :\r\n sip:b@x.test ;   tag    = 19\r\nfrom   : \"J \\\\\\\"\"     <sip:a@y.test>\r\n  ;\r\n  Tag = 98\r\ni: c@1\r\nCSEQ: 0009\r\n  INVITE\r\nMaX-fOrWaRdS: 0068\r\n" +
		"m:\"Q, x\" <sip:j@z.test>;q = 0.33, sip:k@z.test\r\nk: a\r\nl:2\r\n\r\nhixx"
	m, f := read([]byte(wild))
	require.Nil(t, f)
	require.Equal(t, strings.Join([]string{
		"INVITE sip:b@x.test;p SIP/2.0", "Via: SIP/2.0/TCP H.example:5070;branch=z9hG4bK1;rport", "Via: SIP/2.0/UDP [2001:db8::1];received=2001:db8::2",
		"Max-Forwards: 68", `From: "J \\\"" <sip:a@y.test>;Tag=98`, "To: <sip:b@x.test>;tag=19", "Call-ID: c@1", "CSeq: 9 INVITE",
		`Contact: "Q, x" <sip:j@z.test>;q=0.33`, "Contact: <sip:k@z.test>", "Supported: a", "Content-Length: 2", "", "hi",
	}, "\r\n"), string(m.Append(nil, true)))
}

func TestFaults(t *testing.T) {
	base := []string{"INVITE sip:b@x.test SIP/2.0", "Via: SIP/2.0/TCP h;branch=z9hG4bK1", "From: <sip:a@x.test>;tag=1", "To: <sip:b@x.test>", "Call-ID: c", "CSeq: 1 INVITE", "Max-Forwards: 70", "Content-Length: 0"}
	with := func(i int, line string) []byte {
		l := append([]string(nil), base...)
		if line == "" {
			l = append(l[:i], l[i+1:]...)
		} else {
			l[i] = line
		}
		return []byte(strings.Join(l, "\r\n") + "\r\n\r\n")
	}
	_, f := read(with(0, base[0]))
	require.Nil(t, f)
	for _, c := range []struct {
		at   int
		line string
		code int
	}{
		{0, "INVITE sip:b@x.test SIP/3.0", 505}, {0, "INVITE sip:b@x.test SIP/2", 400}, {0, "INVITE sip:b@x.test", 400}, {0, "INVITE", 0}, {0, "IN\x00VITE sip:b@x.test SIP/2.0", 0},
		{0, "INVITE tel:1 SIP/2.0", 416}, {0, "INVITE * SIP/2.0", 400}, {0, "INVITE sip: SIP/2.0", 400}, {0, "INVITE sip:b@x.test;a b SIP/2.0", 400},
		{0, "INVITE sip:b@x.test;a;;b SIP/2.0", 400}, {0, "INVITE sip:b@x.test; SIP/2.0", 400}, {0, "INVITE sip:a@b@x.test SIP/2.0", 400}, {0, "INVITE sip://b@x.test SIP/2.0", 400}, {0, "INVITE sip:b@x.test:0 SIP/2.0", 400}, {0, "INVITE sip:b@x.test:70000 SIP/2.0", 400},
		{0, "INVITE sip:b@x.test:+5 SIP/2.0", 400}, {0, "INVITE sip:b@[2001:db8::1 SIP/2.0", 400}, {0, "INVITE sip:2001:db8::1 SIP/2.0", 400},
		{0, "INVITE sip:" + strings.Repeat("b", sieve.MaxURI) + "@x.test SIP/2.0", 414}, {0, "SIP/2.0 700 x", 0}, {0, "SIP/3.0 200 x", 0},
		{1, "", 400}, {2, "", 400}, {3, "", 400}, {4, "", 400}, {5, "", 400}, {6, "", -1}, {7, "", -1},
		{1, "Via: SIP/2.0/TCP", 400}, {1, "Via: SIP/2.0/TCP h;;branch=1", 400}, {1, "Via: SIP/2.0/TCP h,", 400}, {1, "Via: SIP/3.0/TCP h", 400}, {1, "Via: SIP/2.0/TCP h:99999", 400},
		{2, "From: <sip:a@x.test>", 400}, {2, "From: <sip:a@x.test>;tag=1;TAG=2", 400}, {2, `From: <sip:a@x.test>;x="a;tag=2";tag=1`, 400}, {2, `From: "a <sip:a@x.test>;tag=1`, 400},
		{2, "From: a, b <sip:a@x.test>;tag=1", 400}, {2, "From: <sip:a@x.test>;tag=1\nX: y", 400}, {2, "From: <sip:a@x.test>;tag=1\rX: y", 400}, {2, "From: < sip:a@x.test >;tag=1", 400},
		{4, "Call-ID: ", 400}, {4, "Call-ID: a b", 400}, {5, "CSeq: -1 INVITE", 400}, {5, "CSeq: 2147483648 INVITE", 400}, {5, "CSeq: 2147483647 INVITE", -1},
		{5, "CSeq: 99999999999999999999 INVITE", 400}, {5, "CSeq: 1 ACK", 400}, {5, "CSeq: 1 invite", 400}, {5, "CSeq: INVITE", 400},
		{6, "Max-Forwards: 256", 400}, {6, "Max-Forwards: -1", 400}, {6, "Max-Forwards: 255", -1}, {6, "Max-Forwards: x", 400},
		{7, "Content-Length: -1", 400}, {7, "Content-Length: 1x", 400}, {7, "Content-Length: 99999999999", 400}, {7, "Content-Length: 16385", 413},
		{7, "Content-Length: 0\r\nl: 0", 400}, {7, "Nonsense", 400}, {7, ": x", 400}, {7, "X\x00: x", 400}, {7, "X: \x01", 400}, {7, "X: \x7f", 400}, {7, "To: <sip:c@x.test>", 400},
		{7, "Contact: <sip:b@x.test", 400}, {7, "Record-Route: garbage", 400}, {7, "Record-Route: <>", 400}, {7, "Content-Type: ", 400}, {7, "Contact: sip:b@x.test?Route=x", 400},
		{7, strings.Repeat("X: y\r\n", sieve.MaxHeaders) + "X: y", 400}, {7, "X: " + strings.Repeat("y", sieve.MaxHead), 513},
	} {
		_, f := read(with(c.at, c.line))
		if c.code < 0 {
			require.Nil(t, f, "%.80q", c.line)
			continue
		}
		require.NotNil(t, f, "%.80q", c.line)
		require.Equal(t, c.code, f.Code, "%.80q: %s", c.line, f.Why)
	}
}

// TestWorkIsBounded: the worst heads there are take no longer than any other of their size.
func TestWorkIsBounded(t *testing.T) {
	for name, filler := range map[string]string{
		"parameters": "From: <sip:a@b>" + strings.Repeat(";a", 1<<15), "folding": "X: y" + strings.Repeat("\r\n y", 1<<14), "headers": strings.Repeat("X:\r\n", 1<<14),
		"list": "Via: " + strings.Repeat("SIP/2.0/UDP h,", 1<<12), "quotes": "To: " + strings.Repeat("\"", 1<<15), "brackets": "Contact: " + strings.Repeat("<", 1<<15),
	} {
		data := []byte("INVITE sip:b@x.test SIP/2.0\r\n" + filler + "\r\n\r\n")
		start := time.Now()
		for range 100 {
			_, f := sieve.Head(data)
			require.NotNil(t, f, name)
		}
		require.Less(t, time.Since(start), 5*time.Second, name)
	}
}

func TestTwoLengthsLoseTheStream(t *testing.T) {
	for _, l := range []string{"Content-Length: 3\r\nl: 3", "Content-Length: x", "Content-Length: -5"} {
		m, f := sieve.Head([]byte("OPTIONS sip:x SIP/2.0\r\n" + l + "\r\n\r\n"))
		require.NotNil(t, f)
		require.Equal(t, -2, m.Length)
	}
}

func TestAnswerTellsWhereItCameFrom(t *testing.T) {
	m, f := read([]byte("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h:5;received=6.6.6.6;rport;branch=b\r\nFrom: sip:a@x;tag=1\r\nTo: sip:b@x\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"))
	require.Nil(t, f)
	require.Equal(t, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h:5;branch=b;received=192.0.2.1;rport=99\r\nFrom: sip:a@x;tag=1\r\nTo: <sip:b@x>;tag=T\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nAllow: X\r\nContent-Length: 0\r\n\r\n",
		string(m.Answer(nil, 200, "OK", "T", "192.0.2.1", "99", sieve.Header{Name: "Allow", Value: "X"})))
}

func FuzzAgree(f *testing.F) {
	for _, data := range corpus(f) {
		f.Add(data)
	}
	f.Fuzz(agree)
}

func BenchmarkInvite(b *testing.B) {
	data := []byte("INVITE sip:1002@acme.test SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5070;branch=z9hG4bKd1d1d1d1d1d1d1d1d1d1d1;rport\r\nMax-Forwards: 70\r\nFrom: \"A\" <sip:1001@acme.test>;tag=0123456789abcdef\r\n" +
		"To: <sip:1002@acme.test>\r\nCall-ID: 0123456789abcdef0123456789abcdef\r\nCSeq: 1 INVITE\r\nContact: <sip:1001@127.0.0.1:5070;transport=tls>\r\nAllow: INVITE, ACK, BYE\r\n" +
		"Content-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n")
	b.Run("sieve", func(b *testing.B) {
		b.ReportAllocs()
		var out []byte
		for b.Loop() {
			m, f := read(data)
			if f != nil {
				b.Fatal(f)
			}
			out = m.Append(out[:0], false)
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := msg.ParseMessage(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
