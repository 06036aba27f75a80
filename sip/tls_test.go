package sip_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

func TestTLSFloor(t *testing.T) {
	s := serve(t, sip.Config{})
	for _, c := range []struct {
		version uint16
		suites  []uint16
		ok      bool
	}{
		{tls.VersionTLS10, nil, false}, {tls.VersionTLS11, nil, false}, {tls.VersionTLS12, nil, true}, {tls.VersionTLS13, nil, true},
		{tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}, false},
	} {
		conn, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.ca.Pool(), ServerName: "acme.test", MinVersion: tls.VersionTLS10, MaxVersion: c.version, CipherSuites: c.suites})
		require.Equal(t, c.ok, err == nil, "%s %v: %v", tls.VersionName(c.version), c.suites, err)
		if err == nil {
			require.Equal(t, c.version, conn.ConnectionState().Version)
			conn.Close()
		}
	}
	cert := []tls.Certificate{s.ca.Issue(time.Time{}, "acme.test")}
	for _, weak := range []*tls.Config{
		nil, {}, {Certificates: cert, MinVersion: tls.VersionTLS11}, {Certificates: cert, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
		{Certificates: cert, Renegotiation: tls.RenegotiateFreelyAsClient},
	} {
		_, err := sip.ServerTLS(weak)
		require.ErrorIs(t, err, sip.ErrWeakTLS)
	}
	_, err := sip.ClientTLS(&tls.Config{MinVersion: tls.VersionTLS10}, nil)
	require.ErrorIs(t, err, sip.ErrWeakTLS)
	control.Proves(t, "ENC-01")
}

func TestClientRefusesServersThatDoNotProveTheirName(t *testing.T) {
	_, err := sip.ClientTLS(&tls.Config{InsecureSkipVerify: true}, nil)
	require.ErrorIs(t, err, sip.ErrWeakTLS)

	ca, other := siptest.NewAuthority(t), siptest.NewAuthority(t)
	for name, cert := range map[string]tls.Certificate{
		"expired":      ca.Issue(time.Now().Add(-time.Hour), "acme.test"),
		"wrong name":   ca.Issue(time.Time{}, "globex.test"),
		"not our root": other.Issue(time.Time{}, "acme.test"),
	} {
		t.Run(name, func(t *testing.T) {
			tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{cert}})
			require.NoError(t, err)
			ep, err := sip.New(sip.Config{Realm: realms})
			require.NoError(t, err)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			served := make(chan error, 1)
			go func() { served <- ep.ServeTLS(t.Context(), l, tc) }()
			s := &server{ep, ca, l.Addr().String()}
			require.ErrorContains(t, s.register(t, s.phone(t, nil), "sip:1001@acme.test", "acme.test"+password), "certificate")
			require.NoError(t, ep.Close())
			<-served
		})
	}
	control.Proves(t, "ENC-06")
}

// TestConnectorsMayDemandTLS13: 1.3 is what two able sides speak, and a connector that demands it talks to nobody who cannot, not even over a connection
// that is there already.
func TestConnectorsMayDemandTLS13(t *testing.T) {
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			<-ctx.Done()
		}
	}})
	conn, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.ca.Pool(), ServerName: "acme.test"})
	require.NoError(t, err)
	require.EqualValues(t, tls.VersionTLS13, conn.ConnectionState().Version)
	conn.Close()

	old, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{s.ca.Issue(time.Time{}, "acme.test")}, MaxVersion: tls.VersionTLS12})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.ServeTLS(t.Context(), l, old) }()

	only13, err := sip.ClientTLS(&tls.Config{MinVersion: tls.VersionTLS13}, s.ca.Pool())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	phone := s.phone(t, nil)
	dial := func(address string, client sip.TLSConfig) error {
		c, err := phone.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: address, Client: client, From: "sip:1001@acme.test", Password: "acme.test" + password}, &media{})
		if err == nil {
			require.NoError(t, c.Hangup(ctx))
		}
		return err
	}
	require.NoError(t, dial(s.addr, only13))
	require.ErrorContains(t, dial(l.Addr().String(), only13), "protocol version")
	require.NoError(t, dial(l.Addr().String(), sip.TLSConfig{}))
	require.ErrorContains(t, dial(l.Addr().String(), only13), "protocol version")
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-served, sip.ErrClosed)
	control.Proves(t, "ENC-02")
}
