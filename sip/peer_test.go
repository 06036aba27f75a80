package sip_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// A carrier that proves itself by certificate reaches numbers without a password; whoever proves nothing makes no call and no state.
func TestCarrierIsKnownByItsCertificate(t *testing.T) {
	control.Proves(t, "NET-03")
	ca := siptest.NewAuthority(t)
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "acme.test")}})
	require.NoError(t, err)
	tc, err = tc.WithPeers(sip.PeersConfig{Authorities: ca.Pool(), Optional: true, Name: func(s tls.ConnectionState) (string, error) { return s.PeerCertificates[0].DNSNames[0], nil }})
	require.NoError(t, err)
	calls := make(chan *sip.Call, 1)
	ep, err := sip.New(sip.Config{Realm: realms, OnCall: func(ctx context.Context, c *sip.Call) {
		calls <- c
		_ = c.Ring()
		<-ctx.Done()
	}, Peer: func(a sip.Arrival) (string, string, error) {
		switch {
		case a.Peer != "carrier.test":
			return "", "", sip.ErrUnknownUser
		case a.Number != "4930123456" || a.Domain != "acme.test":
			return "", "", &sip.StatusError{Code: 404}
		}
		return "acme.test", "carrier", nil
	}})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- ep.ServeTLS(t.Context(), l, tc) }()
	t.Cleanup(func() {
		require.NoError(t, ep.Close())
		<-served
	})
	invite := func(number, want string, certs ...tls.Certificate) *siptest.Peer {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: ca.Pool(), ServerName: "acme.test", Certificates: certs})
		require.NoError(t, err)
		p := siptest.NewPeer(t, conn)
		branch++
		p.Send("OFFER", "INVITE sip:"+number+"@acme.test SIP/2.0", fmt.Sprintf("Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKpeer%d;rport", branch), "Max-Forwards: 70",
			"From: <sip:+4989765@carrier.test>;tag=c", "To: <sip:"+number+"@acme.test>", fmt.Sprintf("Call-ID: peer%d", branch), "CSeq: 1 INVITE",
			"Contact: <sip:sbc@127.0.0.1:5061;transport=tls>", "Content-Type: application/sdp", "P-Asserted-Identity: <tel:+4989765>")
		p.Want(want)
		return p
	}
	invite("4930123456", "180", ca.IssueClient(time.Time{}, "carrier.test"))
	c := <-calls
	require.Equal(t, "carrier.test", c.Peer())
	require.Equal(t, "acme.test", c.Realm())
	require.Equal(t, "carrier", c.User())
	require.Equal(t, []string{"<tel:+4989765>"}, c.Header("P-Asserted-Identity"))
	invite("110", "404", ca.IssueClient(time.Time{}, "carrier.test"))
	invite("4930123456", "401", ca.IssueClient(time.Time{}, "other.test"))
	invite("4930123456", "401")
	require.Empty(t, calls)
	require.EqualValues(t, 1, ep.Stats().Calls)
}
