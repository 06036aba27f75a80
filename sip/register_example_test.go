package sip_test

import (
	"context"
	"log"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/event"
	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/sip/registrar/sqlstore"
)

// A server whose bindings survive a restart, and whose users may watch their own mailbox.
func ExampleConfig_registrar() {
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, "/var/lib/example/sip.db")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close() // after the endpoint, which writes its last changes when it is closed
	reg, err := registrar.Open(ctx, registrar.Config{}, store, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	ep, err := sip.New(sip.Config{
		Registrar: reg,
		OnSubscribe: func(_ context.Context, s *sip.Subscription) (sip.Document, int) {
			if s.Package() != "message-summary" || s.Target() != s.User() {
				return nil, 403
			}
			return func(int) (string, []byte) {
				body, err := event.MessageSummary{Voice: event.Count{New: 1}}.Body()
				if err != nil {
					log.Print(err)
				}
				return event.TypeMessageSummary, body
			}, 200
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer ep.Close()
}
