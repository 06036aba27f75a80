package sip_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log"
	"net"
	"os/signal"
	"syscall"
	"time"

	"github.com/ringfence/ringfence/sip"
)

// A server that answers every call of its one user with a body that something else makes: see package srtp/media.
func Example() {
	cert, err := tls.LoadX509KeyPair("server.pem", "server.key")
	if err != nil {
		log.Fatal(err)
	}
	serverTLS, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		log.Fatal(err)
	}
	ep, err := sip.New(sip.Config{
		Realm: func(domain, serverName string) (sip.Realm, error) {
			if domain != "example.com" {
				return sip.Realm{}, sip.ErrUnknownRealm
			}
			return sip.Realm{Name: domain, Credentials: func(_ context.Context, user, algorithm string) ([]byte, error) {
				if user != "1001" {
					return nil, sip.ErrUnknownUser
				}
				return sip.HA1(algorithm, user, domain, "correct horse battery staple")
			}}, nil
		},
		OnCall: func(ctx context.Context, c *sip.Call) {
			if err := c.Answer(ctx, newLeg(c.Secure())); err == nil {
				<-ctx.Done() // until somebody hangs up
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer ep.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:5061")
	if err != nil {
		log.Fatal(err)
	}
	log.Print(ep.ServeTLS(ctx, l, serverTLS))
}

// A phone that calls 9000, and hangs up once it was answered.
func ExampleEndpoint_Dial() {
	client, err := sip.ClientTLS(nil, nil) // the system's roots; the server must prove that it is example.com
	if err != nil {
		log.Fatal(err)
	}
	ep, err := sip.New(sip.Config{Client: client})
	if err != nil {
		log.Fatal(err)
	}
	defer ep.Close()
	ctx := context.Background()
	call, err := ep.Dial(ctx, sip.DialConfig{
		Target: "sip:9000@example.com", Address: "sip.example.com:5061",
		From: "sip:1001@example.com", Password: "correct horse battery staple",
	}, newLeg(true))
	if err != nil {
		log.Fatal(err)
	}
	if err := call.Hangup(ctx); err != nil {
		log.Fatal(err)
	}
}

// Browsers of one site, phones and a carrier with a certificate of its own, all on certificates that are renewed on disk.
func ExampleEndpoint_ServeWSS() {
	certs, err := sip.NewCertificates(sip.CertificatesConfig{
		Files:      []sip.CertificateFile{{Domains: []string{"example.com"}, Certificate: "example.pem", Key: "example.key"}},
		OnReload:   func(domain string, err error) { log.Print("certificate of ", domain, " changed: ", err) },
		OnExpiring: func(domain string, notAfter time.Time) { log.Print("certificate of ", domain, " ends ", notAfter) },
	})
	if err != nil {
		log.Fatal(err)
	}
	serverTLS, err := sip.ServerTLS(&tls.Config{GetCertificate: certs.GetCertificate})
	if err != nil {
		log.Fatal(err)
	}
	carriers := map[string]string{"sbc.carrier.example": "carrier"}
	trunkTLS, err := serverTLS.WithPeers(sip.PeersConfig{
		Authorities: x509.NewCertPool(), // the carrier's own
		Name: func(state tls.ConnectionState) (string, error) {
			for _, name := range state.PeerCertificates[0].DNSNames {
				if carrier, ok := carriers[name]; ok {
					return carrier, nil
				}
			}
			return "", errors.New("no carrier of ours")
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ep, err := sip.New(sip.Config{Realm: realms})
	if err != nil {
		log.Fatal(err)
	}
	defer ep.Close()
	listen := func(address string) net.Listener {
		l, err := net.Listen("tcp", address)
		if err != nil {
			log.Fatal(err)
		}
		return l
	}
	ctx := context.Background()
	go func() { log.Print(ep.ServeTLS(ctx, listen(":5061"), serverTLS)) }()
	go func() { log.Print(ep.ServeTLS(ctx, listen(":5062"), trunkTLS)) }()
	log.Print(ep.ServeWSS(ctx, listen(":443"), serverTLS, sip.WebSocketConfig{Origins: []string{"https://agent.example.com"}}))
}

// newLeg stands for media.Engine.NewLeg.
func newLeg(bool) sip.Media { return &media{} }
