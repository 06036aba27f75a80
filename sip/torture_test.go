package sip_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/insecuretransport"
	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/sip/siptest"
)

// silence: no answer is due or possible. closed: the stream has lost its framing or waits for bytes that never come, and ends. Both are seen as
// no answer; on a stream the connection must then either serve the next request or be closed.
const (
	silence = 0
	closed  = -1
)

// outcome is what a message of RFC 4475 or RFC 5118 gets from a stranger's connection. 401 means that it is accepted as a request and asked for
// credentials, which is as far as a stranger comes.
type outcome struct {
	tcp, udp int
	header   string // that the answer must have, "Name: value"
	why      string // section of RFC 4475 if nothing else is said
}

var torture = map[string]outcome{
	// 3.1.1 valid messages
	"wsinv":      {481, 481, "", "3.1.1.1 a short tortuous INVITE: it has a To tag, so it is for a dialog, and we have none"},
	"intmeth":    {405, 405, "Allow: INVITE", "3.1.1.2 wide range of valid characters: an unknown method in a valid message"},
	"esc01":      {401, 401, "", "3.1.1.3 valid use of the % escape"},
	"escnull":    {401, 401, "", "3.1.1.4 escaped nulls in URIs"},
	"esc02":      {405, 405, "Allow: INVITE", "3.1.1.5 % where it is no escape: an unknown method, not REGISTER"},
	"lwsdisp":    {200, 200, "", "3.1.1.6 no space between display name and <"},
	"longreq":    {401, 401, "", "3.1.1.7 long values in header fields"},
	"dblreq":     {400, 401, "", "3.1.1.8 extra trailing octets in a datagram; on a stream a second request, without Contact, and then octets that are no message and end it"},
	"semiuri":    {200, 200, "", "3.1.1.9 semicolon-separated parameters in the user part"},
	"transports": {200, 200, "", "3.1.1.10 varied and unknown transport types"},
	"mpart01":    {405, 405, "Allow: INVITE", "3.1.1.11 multipart MESSAGE: a method we do not have"},
	"unreason":   {silence, silence, "", "3.1.1.12 unusual reason phrase; a stray response"},
	"noreason":   {silence, silence, "", "3.1.1.13 empty reason phrase; a stray response"},

	// 3.1.2 invalid messages
	"badinv01":   {400, 400, "", "3.1.2.1 extraneous header field separators"},
	"clerr":      {closed, 400, "", "3.1.2.2 Content-Length larger than the message: the stream waits for the rest and ends with the stranger's time"},
	"ncl":        {400, 400, "", "3.1.2.3 negative Content-Length: answered, then the stream is closed, because the next message cannot be found"},
	"scalar02":   {400, 400, "", "3.1.2.4 request scalar fields with overlarge values"},
	"scalarlg":   {silence, silence, "", "3.1.2.5 response scalar fields with overlarge values"},
	"quotbal":    {400, 400, "", "3.1.2.6 unterminated quoted string in a display name"},
	"ltgtruri":   {400, 400, "", "3.1.2.7 <> enclosing the Request-URI"},
	"lwsruri":    {400, 400, "", "3.1.2.8 white space inside the Request-URI"},
	"lwsstart":   {400, 400, "", "3.1.2.9 multiple spaces in the start line"},
	"trws":       {400, 400, "", "3.1.2.10 spaces after the start line"},
	"escruri":    {400, 400, "", "3.1.2.11 escaped headers in the Request-URI"},
	"baddate":    {401, 401, "", "3.1.2.12 invalid time zone in Date: we make no use of Date, so it is ignored as the RFC allows"},
	"regbadct":   {400, 400, "", "3.1.2.13 Contact with ? outside of angle brackets"},
	"badaspec":   {400, 400, "", "3.1.2.14 spaces within addr-spec"},
	"baddn":      {400, 400, "", "3.1.2.15 comma in an unquoted display name"},
	"badvers":    {505, 505, "", "3.1.2.16 unknown protocol version"},
	"mismatch01": {400, 400, "", "3.1.2.17 method of start line and CSeq differ"},
	"mismatch02": {400, 400, "", "3.1.2.18 unknown method, and another in CSeq"},
	"bigcode":    {silence, silence, "", "3.1.2.19 overlarge response code"},

	// 3.2 transaction layer
	"badbranch": {200, 200, "", "3.2.1 branch that is the magic cookie alone: a transaction as in RFC 2543"},

	// 3.3 application layer
	"insuf":    {400, 400, "", "3.3.1 missing required header fields"},
	"unkscm":   {416, 416, "", "3.3.2 Request-URI with unknown scheme"},
	"novelsc":  {416, 416, "", "3.3.3 Request-URI with known but atypical scheme"},
	"unksm2":   {400, 400, "", "3.3.4 unknown schemes in header fields: To of a REGISTER is no address of record"},
	"bext01":   {420, 420, "Unsupported: nothingSupportsThis, nothingSupportsThisEither", "3.3.5 Proxy-Require and Require"},
	"invut":    {415, 415, "Accept: application/sdp", "3.3.6 unknown Content-Type"},
	"regaut01": {401, 401, "", "3.3.7 unknown authorization scheme"},
	"multi01":  {400, 400, "", "3.3.8 multiple values in single-value fields"},
	"mcl01":    {400, 400, "", "3.3.9 multiple Content-Length values: answered, then the stream is closed"},
	"bcast":    {silence, silence, "", "3.3.10 200 with broadcast Via"},
	"zeromf":   {200, 200, "", "3.3.11 Max-Forwards of zero: OPTIONS is answered by the element where it ends"},
	"cparam01": {401, 401, "", "3.3.12 REGISTER with a contact header parameter"},
	"cparam02": {401, 401, "", "3.3.13 REGISTER with a contact URI parameter"},
	"regescrt": {401, 401, "", "3.3.14 REGISTER with a URI that escapes a header; the binding leaves it out"},
	"sdp01":    {406, 406, "", "3.3.15 unacceptable Accept offering"},

	// 3.4 backward compatibility
	"inv2543": {400, 400, "", "3.4.1 INVITE with RFC 2543 syntax: refused for its From without tag, since anybody who saw its Call-ID could touch such a dialog"},

	"test": {silence, silence, "", "not in the RFC: no SIP version, no start line that says what it is; answering it is refused for want of Via"},

	"ipv6-good":         {401, 401, "", "RFC 5118 4.1 valid IPv6 references"},
	"ipv6-bad":          {400, 400, "", "RFC 5118 4.2 IPv6 reference without delimiters"},
	"ipv6-port":         {401, 401, "", "RFC 5118 4.3 port and address are ambiguous to the eye only"},
	"ipv6-port-outside": {401, 401, "", "RFC 5118 4.4 port outside of the reference"},
	"ipv6-via-delim":    {200, 200, "", "RFC 5118 4.5 received with delimiters"},
	"ipv6-via-bare":     {200, 200, "", "RFC 5118 4.5 received without delimiters"},
	"ipv6-multi":        {401, 401, "", "RFC 5118 4.7 several addresses in header fields"},
	"ipv6-sdp":          {401, 401, "", "RFC 5118 4.6 IPv6 addresses in a description"},
	"ipv6-sdp-multi":    {401, 401, "", "RFC 5118 4.8 addresses of both families in a description"},
	"ipv6-mapped":       {401, 401, "", "RFC 5118 4.9 IPv4-mapped addresses"},
	"ipv6-abnf-bug":     {400, 400, "", "RFC 5118 4.10 a colon too many, which RFC 3261 allowed and RFC 5954 took back"},
}

func files(t *testing.T) map[string][]byte {
	names, err := filepath.Glob("testdata/torture/*.dat")
	require.NoError(t, err)
	out := make(map[string][]byte)
	for _, n := range names {
		b, err := os.ReadFile(n)
		require.NoError(t, err)
		out[strings.TrimSuffix(filepath.Base(n), ".dat")] = b
	}
	require.GreaterOrEqual(t, len(out), 49, "the set of RFC 4475 is gone")
	return out
}

// lab is an endpoint on plaintext that serves every domain but rings for nobody.
type lab struct {
	*sip.Endpoint
	tcp, udp string
	tls      string
	roots    *x509.CertPool
	rang     atomic.Int32
	reg      *registrar.Registrar
}

func newLab(t *testing.T, cfg sip.Config) *lab {
	t.Helper()
	l := &lab{}
	l.reg = sipRegistrar()
	cfg.Registrar = l.reg
	cfg.OnCall = func(context.Context, *sip.Call) { l.rang.Add(1) }
	if cfg.Realm == nil {
		cfg.Realm = func(domain, _ string) (sip.Realm, error) {
			return sip.Realm{Name: domain, Plaintext: func(context.Context, string, string) error { return nil }, Credentials: func(_ context.Context, user, algorithm string) ([]byte, error) {
				return sip.HA1(algorithm, user, domain, password)
			}}, nil
		}
	}
	ep, err := sip.New(cfg)
	require.NoError(t, err)
	l.Endpoint = ep
	tl, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	l.tcp, l.udp = tl.Addr().String(), pc.LocalAddr().String()
	w := insecuretransport.Waiver{Name: "lab", Until: time.Now().Add(time.Hour), Digest: true}
	ca := siptest.NewAuthority(t)
	secure, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "lab.test")}})
	require.NoError(t, err)
	sl, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.tls, l.roots = sl.Addr().String(), ca.Pool()
	served := make(chan error, 3)
	go func() { served <- insecuretransport.ServeTCP(context.Background(), ep, tl, w) }()
	go func() { served <- insecuretransport.ServeUDP(context.Background(), ep, pc, w) }()
	go func() { served <- ep.ServeTLS(context.Background(), sl, secure) }()
	t.Cleanup(func() {
		require.NoError(t, ep.Close())
		require.ErrorIs(t, <-served, sip.ErrClosed)
		require.ErrorIs(t, <-served, sip.ErrClosed)
		require.ErrorIs(t, <-served, sip.ErrClosed)
	})
	return l
}

const probe = "OPTIONS sip:probe.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKprobe;rport\r\nFrom: <sip:p@probe.test>;tag=p\r\nTo: <sip:probe.test>\r\n" +
	"Call-ID: probe\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"

func isProbe(m siptest.Message) bool { return m.Header.Get("Call-Id") == "probe" }

func check(t *testing.T, want int, header string, got []siptest.Message) {
	t.Helper()
	if want <= 0 {
		require.Empty(t, got)
		return
	}
	var statuses []int
	for _, m := range got {
		if statuses = append(statuses, m.Status()); m.Status() == want {
			name, value, _ := strings.Cut(header, ": ")
			require.Contains(t, m.Header.Get(name), value)
		}
	}
	require.Contains(t, statuses, want)
}

func TestTorture(t *testing.T) {
	set := files(t)
	for name := range torture {
		require.Contains(t, set, name, "a row without a file")
	}
	for name, data := range set {
		want, ok := torture[name]
		require.True(t, ok, "%s has no expected outcome", name)
		l := newLab(t, sip.Config{AuthTimeout: 2 * time.Second}) // one for each file: the set reuses branches
		t.Cleanup(func() {
			require.Zero(t, l.rang.Load(), "a torture message rang")
			require.Zero(t, l.Stats().Calls)
			require.Zero(t, l.reg.Len(), "a torture message was bound")
			require.Zero(t, l.Stats().ParseErrors, "the library saw something it cannot read")
		})
		t.Run(name+"/tcp", func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", l.tcp)
			require.NoError(t, err)
			tortureStream(t, c, data, want)
		})
		t.Run(name+"/tls", func(t *testing.T) {
			t.Parallel()
			c, err := tls.Dial("tcp", l.tls, &tls.Config{RootCAs: l.roots, ServerName: "lab.test"})
			require.NoError(t, err)
			tortureStream(t, c, data, want)
		})
		t.Run(name+"/udp", func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("udp", l.udp)
			require.NoError(t, err)
			p := siptest.NewPeer(t, c)
			_, err = c.Write(data)
			require.NoError(t, err)
			_, err = io.WriteString(c, probe) // served in order by the one reader, so its answer comes after that of the message
			require.NoError(t, err)
			var got []siptest.Message
			for {
				m, err := p.Read(8 * time.Second)
				require.NoError(t, err)
				if isProbe(m) {
					break
				}
				got = append(got, m)
			}
			check(t, want.udp, want.header, got)
		})
	}
}

// tortureStream sends a message and then a probe over a connection, and reads what comes back.
func tortureStream(t *testing.T, c net.Conn, data []byte, want outcome) {
	t.Helper()
	p := siptest.NewPeer(t, c)
	_, err := io.WriteString(c, string(data)+probe)
	require.NoError(t, err)
	var got []siptest.Message
	probed := false
	for !probed || (want.tcp > 0 && !slices.ContainsFunc(got, func(m siptest.Message) bool { return m.Status() == want.tcp })) { // the library answers in no order
		m, err := p.Read(8 * time.Second)
		if err != nil {
			var ne net.Error
			require.False(t, errors.As(err, &ne) && ne.Timeout(), "neither an answer to the next request nor an end of the connection")
			break
		}
		if isProbe(m) {
			probed = true
		} else {
			got = append(got, m)
		}
	}
	if want.tcp == closed {
		require.False(t, probed)
	}
	check(t, want.tcp, want.header, got)
}

// TestTortureFromACarrier sends what is refused over a connection that we opened and verified, where an INVITE rings without a password: the refusals
// must not depend on who sends.
func TestTortureFromACarrier(t *testing.T) {
	ca := siptest.NewAuthority(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "carrier.test")}})
	require.NoError(t, err)
	defer l.Close()
	for name, data := range files(t) {
		want := torture[name]
		if want.tcp < 400 || want.tcp == 401 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			client, err := sip.ClientTLS(nil, ca.Pool())
			require.NoError(t, err)
			var rang atomic.Int32
			ep, err := sip.New(sip.Config{Client: client, Trusted: true, OnCall: func(context.Context, *sip.Call) { rang.Add(1) }})
			require.NoError(t, err)
			registered := make(chan struct{})
			go func() { // ends with the endpoint, waited for below
				defer close(registered)
				_, _ = ep.Register(context.Background(), sip.RegisterConfig{AOR: "sip:1@carrier.test", Address: l.Addr().String(), Password: "x"})
			}()
			c, err := l.Accept()
			require.NoError(t, err)
			p := siptest.NewPeer(t, c)
			p.Want("REGISTER")
			_, err = c.Write(data)
			require.NoError(t, err)
			p.Want(strconv.Itoa(want.tcp))
			require.NoError(t, ep.Close())
			<-registered
			require.Zero(t, rang.Load())
		})
	}
}
