package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
	"github.com/ringfence/ringfence/srtp/media"
)

// carrier is a telephone network made of the same packages: it takes every call, unless it is told to refuse.
type carrier struct {
	ep     *sip.Endpoint
	engine *media.Engine
	addr   string
	refuse int // with this status; 0: answer with a tone

	mu      sync.Mutex
	numbers []string
	first   *sip.Call
	ears    *ears // of the last call
}

func startCarrier(t *testing.T, ca *siptest.Authority, freq float64, refuse int) *carrier {
	t.Helper()
	c := &carrier{refuse: refuse}
	var err error
	c.engine, err = media.New(media.Config{Addr: netip.MustParseAddr("127.0.0.1")})
	require.NoError(t, err)
	cert := ca.Issue(time.Time{}, "127.0.0.1", "carrier.test")
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{cert}})
	require.NoError(t, err)
	tc, err = tc.WithPeers(sip.PeersConfig{Authorities: ca.Pool(), Name: func(tls.ConnectionState) (string, error) { return "us", nil }})
	require.NoError(t, err)
	c.ep, err = sip.New(sip.Config{Peer: func(a sip.Arrival) (string, string, error) { return "carrier", a.Peer, nil }, OnCall: func(ctx context.Context, call *sip.Call) {
		c.mu.Lock()
		c.numbers, c.first = append(c.numbers, call.To()), call
		c.mu.Unlock()
		if c.refuse != 0 {
			_ = call.Reject(c.refuse)
			return
		}
		leg, err := c.engine.NewLeg(media.LegConfig{SignallingSecure: true})
		if err != nil {
			return
		}
		defer leg.Close()
		heard := &ears{}
		leg.SetTap(heard)
		c.mu.Lock()
		c.ears = heard
		c.mu.Unlock()
		if call.Answer(ctx, leg) == nil {
			leg.Loop(tone(t, freq))
			<-ctx.Done()
		}
	}})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c.addr = l.Addr().String()
	served := make(chan struct{})
	go func() { // ends with the endpoint, waited for below
		defer close(served)
		_ = c.ep.ServeTLS(context.Background(), l, tc)
	}()
	t.Cleanup(func() {
		c.ep.Close()
		<-served
		c.engine.Close()
	})
	return c
}

func (c *carrier) called() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.numbers...)
}

// hears reports whether the last call is heard at the carrier's side.
func (c *carrier) hears(freq float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ears != nil && c.ears.hears(freq)
}

// pemFiles writes a certificate, its key and the authority.
func pemFiles(t *testing.T, ca *siptest.Authority, cert tls.Certificate) (certFile, keyFile, caFile string) {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile, caFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	require.NoError(t, os.WriteFile(caFile, ca.PEM(), 0o600))
	return certFile, keyFile, caFile
}

func TestCallsToAndFromTheTelephoneNetwork(t *testing.T) {
	t.Parallel()
	ca := siptest.NewAuthority(t)
	broken, good := startCarrier(t, ca, 0, 503), startCarrier(t, ca, 1400, 0)
	certFile, keyFile, caFile := pemFiles(t, ca, ca.IssueClient(time.Time{}, "us.test"))
	w := startWorld(t, func(c *config) {
		one := carrierConfig{Name: "broken", Domain: broken.addr, Priority: 1, Authorities: caFile, Certificate: certFile, Key: keyFile}
		two := carrierConfig{Name: "good", Domain: good.addr, Priority: 2, Operator: "other", Authorities: caFile, Certificate: certFile, Key: keyFile,
			ClientNames: []string{"carrier.test"}, Trusted: true}
		c.Carriers = &carriersConfig{Domain: "voice.localhost", Country: "49", Emergency: "DE", Carriers: []carrierConfig{one, two}}
		c.Toll = &tollConfig{Prices: map[string]float64{"national": 0.02, "premium": 2, "freephone": 0}}
		c.Tenants[0].Numbers = append(c.Tenants[0].Numbers, numberConfig{Number: "+4940987654", Flow: "reference"})
		limits := limitsConfig{Classes: []string{"national", "freephone"}, MaxCalls: 2, PerMinute: 10, PerHour: 10, PerDay: 10, SpendHour: 1, SpendDay: 1, SpendMonth: 1}
		c.Tenants[0].Outbound = &outboundConfig{From: "+4940987654", Day: limits, Night: &limits}
		c.Tenants[1].Location = &locationConfig{Country: "DE", City: "Hamburg", Street: "Wall", Number: "1"}
	})
	phone := w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) })

	t.Run("out, over the carrier that works", func(t *testing.T) {
		c := w.dial(phone, "030123456")
		eventually(t, "the far end is heard", func() bool { return c.ears.hears(1400) })
		require.Equal(t, []string{"+4930123456"}, broken.called())
		require.Equal(t, []string{"+4930123456"}, good.called())
		require.Equal(t, []string{"<sip:+4940987654@voice.localhost>"}, good.first.Header("P-Asserted-Identity"))
		c.hangup()
		eventually(t, "the far end is over", func() bool { return good.first.Err() != nil })
		eventually(t, "the event", func() bool { return len(w.find(named("outbound-ended"))) == 1 })
		control.Proves(t, "ENC-11")
		legs := w.find(named("outbound-ended"))[0].Legs
		require.Len(t, legs, 2)
		require.Equal(t, "certificate", legs[1].Verified, "the carrier's")
		for _, l := range legs {
			require.Equal(t, "TLS 1.3", l.TLS)
			require.Equal(t, "AEAD_AES_256_GCM", l.Media)
		}
	})
	t.Run("not what the tenant may not call", func(t *testing.T) {
		_, err := phone.dial(soon(t), "09001234567")
		require.ErrorContains(t, err, "403")
		other := w.phone("globex", "1009", nil)
		_, err = other.dial(soon(t), "030123456")
		require.ErrorContains(t, err, "403", "a tenant without a policy calls nobody")
		_, err = phone.dial(soon(t), "12")
		require.ErrorContains(t, err, "404")
		require.Len(t, good.called(), 1)
	})
	t.Run("to help, always, with the place", func(t *testing.T) {
		other := w.phone("globex", "1009", nil)
		c := w.dial(other, "112")
		eventually(t, "help is heard", func() bool { return c.ears.hears(1400) })
		require.Equal(t, "112", good.called()[1])
		require.Contains(t, strings.Join(good.first.Header("Geolocation"), ""), "cid:")
		c.hangup()
	})
	t.Run("in, by certificate", func(t *testing.T) {
		call := func(number string, certs ...tls.Certificate) (*softcall, error) {
			client, err := sip.ClientTLS(&tls.Config{Certificates: certs}, w.roots)
			require.NoError(t, err)
			ep, err := sip.New(sip.Config{Client: client})
			require.NoError(t, err)
			t.Cleanup(func() { ep.Close() })
			c, err := phone.newLeg()
			require.NoError(t, err)
			c.call, err = ep.Dial(soon(t), sip.DialConfig{Target: "sip:" + number + "@acme.localhost", Address: w.node.sipAddr, From: "sip:+4989765@carrier.test",
				Headers: []sip.Header{{Name: "P-Asserted-Identity", Value: "<sip:+4989765@carrier.test>"}}}, c.leg)
			if err != nil {
				c.leg.Close()
			}
			return c, err
		}
		cert := ca.IssueClient(time.Time{}, "carrier.test")
		n := len(w.find(named("ended")))
		c, err := call("+4940987654", cert)
		require.NoError(t, err)
		eventually(t, "the reference tone", func() bool { return c.ears.hears(1000) })
		eventually(t, "the record", func() bool { return len(w.find(named("ended"))) > n })
		require.Equal(t, acd.IVREnded, w.find(named("ended"))[n].Record.Outcome)
		c.hangup()
		_, err = call("+4940000000", cert)
		require.ErrorContains(t, err, "404", "not a number of ours")
		_, err = call("9003", cert)
		require.ErrorContains(t, err, "404", "internal numbers are for phones")
		_, err = call("+4940987654", ca.IssueClient(time.Time{}, "somebody.test"))
		require.Error(t, err, "a certificate of the same authority with another name")
		_, err = call("+4940987654")
		require.ErrorContains(t, err, "401")
	})
	t.Run("what was spent survives a restart", func(t *testing.T) {
		spent := w.node.toll.Usage(time.Now(), "acme", "1009")
		require.Equal(t, 1, spent.CallsDay, fmt.Sprintf("%+v", spent))
		b, err := os.ReadFile(w.node.tollPath())
		require.NoError(t, err)
		require.NotContains(t, string(b), "30123456")
	})
}
