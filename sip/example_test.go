package sip_test

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"os/signal"
	"syscall"

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

// newLeg stands for media.Engine.NewLeg.
func newLeg(bool) sip.Media { return &media{} }
