package sip_test

import (
	"context"
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/memnet"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// A subscription and a binding that are not refreshed end at their time, and the watcher is told.
func TestWhatIsNotRefreshedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := siptest.NewAuthority(t)
		tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "acme.test")}})
		require.NoError(t, err)
		got := make(chan *sip.Subscription, 1)
		cfg := lamp(got)
		cfg.Realm, cfg.Registrar = realms, sipRegistrar()
		ep, err := sip.New(cfg)
		require.NoError(t, err)
		l := memnet.Listen(5061)
		served := make(chan error, 1)
		go func() { served <- ep.ServeTLS(context.Background(), l, tc) }() // ends with the endpoint
		raw, err := l.Dial(context.Background())
		require.NoError(t, err)
		a := &asker{t: t, p: siptest.NewPeer(t, tls.Client(raw, &tls.Config{RootCAs: ca.Pool(), ServerName: "acme.test"})), user: "1001", call: "expiry"}

		a.register("200", "Contact: <sip:1001@10.0.0.1>;expires=90")
		a.subscribe("200", "1002", "dialog", "Expires: 60")
		a.confirm(a.p.Want("NOTIFY"), "200 OK")
		sub := <-got
		time.Sleep(58 * time.Second)
		synctest.Wait()
		require.NoError(t, sub.Err())
		n, err := a.p.Read(5 * time.Second)
		require.NoError(t, err)
		require.Equal(t, "terminated;reason=timeout", n.Header.Get("Subscription-State"))
		a.confirm(n, "200 OK")
		<-sub.Done()

		require.Len(t, cfg.Registrar.Lookup("acme.test", "1001", time.Now()), 1)
		time.Sleep(32 * time.Second)
		synctest.Wait()
		require.Zero(t, cfg.Registrar.Len())
		require.NoError(t, ep.Close())
		require.ErrorIs(t, <-served, sip.ErrClosed)
		a.p.Hangup()
		time.Sleep(time.Minute) // what the library still remembers ends
	})
}
