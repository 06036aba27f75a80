package retention_test

import (
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/retention"
	"github.com/ringfence/ringfence/retention/retentiontest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

type kit struct {
	items  *retentiontest.Items
	store  *retentiontest.Store
	signer *retentiontest.Signer
	audit  *retentiontest.Audit
	cfg    retention.Config
	s      *retention.Sweeper
	now    time.Time // the clock of the machine
}

var (
	epoch  = time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	months = retention.Period{Months: 13}
)

func newKit(t testing.TB, change ...func(*retention.Config)) *kit {
	t.Helper()
	k := &kit{items: &retentiontest.Items{}, store: &retentiontest.Store{}, signer: retentiontest.NewSigner(1), audit: &retentiontest.Audit{}, now: epoch}
	k.cfg = retention.Config{Classes: []retention.Class{{Name: "recording", Keep: months, Catalog: k.items, Eraser: k.items}}, Store: k.store, Signer: k.signer,
		Authorizer: retentiontest.Allow{}, Auditor: k.audit, Now: func() time.Time { return k.now }}
	for _, f := range change {
		f(&k.cfg)
	}
	s, err := retention.New(k.cfg)
	if err != nil {
		t.Fatal(err)
	}
	k.s = s
	return k
}

func (k *kit) run(t testing.TB, now time.Time) retention.Receipt {
	t.Helper()
	r, err := k.s.Run(context.Background(), now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (k *kit) public(t testing.TB) ed25519.PublicKey {
	t.Helper()
	p, err := k.signer.PublicKey(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func item(id string) retention.Ref { return retention.Ref{Class: "recording", ID: id} }

func (k *kit) hold(t testing.TB, ids ...string) retention.Hold {
	t.Helper()
	h := retention.Hold{Ground: "file 7", Approver: "counsel", Review: k.now.AddDate(1, 0, 0)}
	for _, id := range ids {
		h.Items = append(h.Items, item(id))
	}
	h, err := k.s.Place(context.Background(), h)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
