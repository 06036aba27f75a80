package retention_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/retention"
	"github.com/ringfence/ringfence/retention/retentiontest"
)

// A recording is kept for 13 calendar months and not a second less; the receipt proves it to a stranger.
func Example() {
	ctx := context.Background()
	items, signer := &retentiontest.Items{}, retentiontest.NewSigner(1)
	sweeper, err := retention.New(retention.Config{
		Classes:    []retention.Class{{Name: "recording", Keep: retention.Period{Months: 13}, Catalog: items, Eraser: items}},
		Store:      &retentiontest.Store{}, // in earnest: sqlstore.Open
		Signer:     signer,                 // the tenant's signing key
		Authorizer: retentiontest.Allow{},  // the tenant's rights
		Auditor:    &retentiontest.Audit{}, // the tenant's audit log
	})
	if err != nil {
		panic(err)
	}
	created := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	items.Add("r1", created)
	due := retention.Due(created, retention.Period{Months: 13}, nil)
	for _, now := range []time.Time{due.Add(-time.Second), due} {
		e, err := sweeper.Explain(ctx, retention.Item{Class: "recording", ID: "r1", Created: created}, now)
		fmt.Println(e, err)
		r, err := sweeper.Run(ctx, now)
		fmt.Println("erased:", r.Counts.Erased, err)
		public, _ := signer.PublicKey(ctx)
		_, err = retention.VerifyReceipt(public, r.Bytes())
		fmt.Println("receipt:", err)
	}
	// Output:
	// recording/r1: created 2026-01-31T09:30:00Z, kept P13M, due 2027-02-28T09:30:00Z: keep <nil>
	// erased: 0 <nil>
	// receipt: <nil>
	// recording/r1: created 2026-01-31T09:30:00Z, kept P13M, due 2027-02-28T09:30:00Z: erase <nil>
	// erased: 1 <nil>
	// receipt: <nil>
}
