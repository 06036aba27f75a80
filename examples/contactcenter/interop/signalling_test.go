package interop

import (
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip/siptest"
)

func TestSippThroughTLS(t *testing.T) {
	need(t, "sipp", "socat")
	t.Parallel()
	s := startServer(t, siteConfig{})
	port := tunnel(t, s, asAcme)

	t.Run("answered and hung up", func(t *testing.T) {
		for i, number := range []string{"9002", "9003"} {
			trace := sippRun{scenario: "call.xml", user: "1009", number: number, port: port, pause: 300 * time.Millisecond}.run(t, s)
			require.Contains(t, trace, "RTP/SAVP", number)
			e := s.await("ended", i+1)
			require.Equal(t, "ivr-ended", e.Record.Outcome, number)
		}
	})
	t.Run("digits by INFO", func(t *testing.T) {
		sippRun{scenario: "info.xml", user: "1009", number: "9000", port: port, digit: "1", pause: 500 * time.Millisecond}.run(t, s)
		require.Equal(t, "sales", s.await("enqueued", 1).Queue)
		require.Equal(t, "no_agents", s.await("ended", 3).Record.Overflow, "nobody is registered: said so, hung up")
	})
	t.Run("plain RTP is refused", func(t *testing.T) {
		arrived := len(s.find(func(e event) bool { return e.Event == "arrived" }))
		for _, offer := range []sippRun{
			{profile: "RTP/AVP"},
			{profile: "RTP/AVP", keys: sdesKey},     // a key beside a profile that does not use it
			{profile: "RTP/SAVP", keys: "sendrecv"}, // SRTP without a key
		} {
			offer.scenario, offer.user, offer.number, offer.port = "refused.xml", "1009", "9002", port
			offer.run(t, s)
		}
		require.Len(t, s.find(func(e event) bool { return e.Event == "arrived" }), arrived, "they never were calls")
	})
	t.Run("unknown user and wrong password look the same", func(t *testing.T) {
		wrong := sippRun{scenario: "unproved.xml", user: "1009", password: "wrong", number: "9002", port: port}.run(t, s)
		unknown := sippRun{scenario: "unproved.xml", user: "1777", password: "wrong", number: "9002", port: port}.run(t, s)
		a, b := responses(wrong, "401"), responses(unknown, "401")
		require.Len(t, a, 2)
		require.Len(t, b, 2)
		for i := range a {
			require.Equal(t, anonymous(a[i], "1009"), anonymous(b[i], "1777"))
		}
	})
	t.Run("tenants are told apart by domain", func(t *testing.T) {
		sippRun{scenario: "unknown.xml", user: "1009", password: "any", domain: "nobody.invalid", number: "9002", port: port}.run(t, s)
		// The connection says acme, the request globex: not even its own user may do that.
		sippRun{scenario: "mismatch.xml", user: "1009", domain: "globex.localhost", number: "9002", port: port}.run(t, s)
		// acme's password of the same number opens nothing at globex.
		globex := tunnel(t, s, "commonname=globex.localhost,snihost=globex.localhost")
		sippRun{scenario: "unproved.xml", user: "1009", password: s.password("1009", "acme.localhost"), domain: "globex.localhost", number: "9002", port: globex}.run(t, s)
		sippRun{scenario: "call.xml", user: "1009", domain: "globex.localhost", number: "9002", port: globex}.run(t, s)
		require.Equal(t, "globex", s.await("ended", 4).Tenant)
	})
	t.Run("nothing but TLS is understood", func(t *testing.T) {
		require.Len(t, listening(t, s), 2, "signalling and management, and no third")
		c, err := net.Dial("tcp", net.JoinHostPort(s.site.IP, portString(s.site.SIP)))
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, err = c.Write([]byte("OPTIONS sip:acme.localhost SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:acme.localhost>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"))
		require.NoError(t, err)
		var got []byte
		for buf := make([]byte, 4096); ; {
			n, err := c.Read(buf)
			got = append(got, buf[:n]...)
			if err != nil {
				break // closed by the server
			}
		}
		require.NotContains(t, string(got), "SIP/2.0")
	})
	require.NotContains(t, s.printed(), strings.Fields(sdesKey)[2][len("inline:"):], "the key of a call in a log")
}

var perMessage = regexp.MustCompile(`(?m)branch=[^;\s]+|tag=[^;\s]+|nonce="[^"]*"|^Call-ID: .*$|127\.0\.0\.1:\d+`)

// anonymous takes out of a response what differs between any two, and the user's own name.
func anonymous(response, user string) string {
	return strings.ReplaceAll(perMessage.ReplaceAllString(response, "-"), user, "USER")
}

// Keys in readable signalling are no keys: on a waived plaintext listener a phone may register and be refused, but no call gets audio.
func TestPlaintextLab(t *testing.T) {
	need(t, "sipp", "socat")
	t.Parallel()
	lab := siptest.FreePort(t)
	s := startServer(t, siteConfig{Waiver: net.JoinHostPort("127.0.0.1", portString(lab)), Until: time.Now().AddDate(1, 0, 0).Format(time.DateOnly)})
	require.Len(t, listening(t, s), 4, "TLS, management, and the lab's TCP and UDP")
	for _, offer := range []sippRun{
		{profile: "RTP/SAVP", keys: sdesKey},
		{profile: "RTP/AVP"},
	} {
		offer.scenario, offer.user, offer.number, offer.port, offer.plaintext = "refused.xml", "1009", "9002", lab, true
		trace := offer.run(t, s)
		for _, r := range responses(trace, "") {
			require.NotContains(t, r, "a=crypto", "no key of ours in the clear")
		}
	}
	require.Empty(t, s.find(func(e event) bool { return e.Event == "arrived" }))
	require.Contains(t, s.printed(), "PLAINTEXT SIP under a waiver")

	// The same offer inside TLS is answered, each time with a key of its own, and no key reaches a log.
	port := tunnel(t, s, asAcme)
	keys := map[string]bool{}
	for range 2 {
		trace := sippRun{scenario: "call.xml", user: "1009", number: "9002", port: port}.run(t, s)
		var answer string
		for _, r := range responses(trace, "200") {
			if strings.Contains(r, "m=audio") {
				answer = r
			}
		}
		m := cryptoLine.FindStringSubmatch(answer)
		require.NotNil(t, m, answer)
		require.NotContains(t, s.printed(), m[3])
		keys[m[3]] = true
	}
	require.Len(t, keys, 2, "two calls, two keys")
	require.NotContains(t, s.printed(), strings.TrimPrefix(strings.Fields(sdesKey)[2], "inline:"))
	control.Proves(t, "ENC-10")
}
