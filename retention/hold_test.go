package retention_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/retention"
	"github.com/ringfence/ringfence/retention/retentiontest"
)

// A hold with ground, approver and review date keeps the named items and no others; releasing it erases at once what is due.
func TestHoldOverridesDeletion(t *testing.T) {
	control.Proves(t, "RET-06")
	ctx := context.Background()
	k := newKit(t)
	for _, id := range []string{"held", "free", "young"} {
		k.items.Add(id, epoch)
	}
	k.items.Add("young", epoch.AddDate(1, 0, 0))
	good := retention.Hold{Ground: "file 7", Approver: "counsel", Review: epoch.AddDate(1, 0, 0), Items: []retention.Ref{item("held"), item("young")}}
	for name, drop := range map[string]func(h *retention.Hold){
		"ground":      func(h *retention.Hold) { h.Ground = " " },
		"approver":    func(h *retention.Hold) { h.Approver = "" },
		"review":      func(h *retention.Hold) { h.Review = time.Time{} },
		"past review": func(h *retention.Hold) { h.Review = epoch },
		"items":       func(h *retention.Hold) { h.Items = nil },
	} {
		h := good
		drop(&h)
		if _, err := k.s.Place(ctx, h); !errors.Is(err, retention.ErrHold) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	typo := good
	typo.Items = []retention.Ref{{Class: "recordings", ID: "held"}}
	if _, err := k.s.Place(ctx, typo); !errors.Is(err, retention.ErrClass) {
		t.Errorf("a class that is not swept: %v", err)
	}
	h, err := k.s.Place(ctx, good)
	if err != nil || h.ID == "" || !h.Active() {
		t.Fatalf("%+v, %v", h, err)
	}
	second := k.hold(t, "held")
	r := k.run(t, due.AddDate(0, 0, 1)) // long before "young" is due
	if !k.items.Has("held") || k.items.Has("free") || !k.items.Has("young") {
		t.Fatal("the sweep did not erase exactly what is due and not held")
	}
	if len(r.Held) != 1 || r.Held[0].ID != "held" || len(r.Held[0].Holds) != 2 || r.Counts != (retention.Counts{Erased: 1, Held: 1}) {
		t.Errorf("%+v", r)
	}
	// Past its review date it still holds: a hold does not lapse.
	if k.run(t, due.AddDate(0, 1, 0)); !k.items.Has("held") {
		t.Fatal("the hold lapsed")
	}
	if r, err = k.s.Release(ctx, h.ID, due.AddDate(0, 1, 0)); err != nil || !k.items.Has("held") || len(r.Erased) != 0 || len(r.Held) != 1 {
		t.Fatalf("released one of two holds: %+v, %v", r, err)
	}
	k.items.Add("other", epoch) // due, but not named by the hold: not the release's business
	if r, err = k.s.Release(ctx, second.ID, due.AddDate(0, 1, 0)); err != nil || k.items.Has("held") {
		t.Fatalf("released: %+v, %v", r, err)
	}
	if !k.items.Has("young") || !k.items.Has("other") || len(r.Erased) != 1 || r.Erased[0].ID != "held" {
		t.Errorf("the release erased %+v", r.Erased)
	}
	if _, err := k.s.Release(ctx, second.ID, due); !errors.Is(err, retention.ErrReleased) {
		t.Errorf("second release: %v", err)
	}
	if _, err := k.s.Release(ctx, "unknown", due); !errors.Is(err, retention.ErrNotFound) {
		t.Errorf("unknown hold: %v", err)
	}
	n := 0
	for h, err := range k.s.Holds(ctx) {
		if err != nil || h.Active() {
			t.Errorf("%+v, %v", h, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d holds", n)
	}
}

// Every deletion is in a signed receipt that a stranger checks with the public key alone.
func TestEveryDeletionHasASignedReceipt(t *testing.T) {
	control.Proves(t, "DEL-05")
	k := newKit(t)
	for i := range 5 {
		k.items.Add(fmt.Sprintf("r%d", i), epoch.Add(time.Duration(i)*time.Minute))
	}
	k.hold(t, "r4")
	k.now = due.AddDate(0, 0, 2)
	asOf := due.AddDate(0, 0, 1)
	raw := k.run(t, asOf).Bytes()

	r, err := retention.VerifyReceipt(k.public(t), raw) // offline: no store, no sweeper
	if err != nil {
		t.Fatal(err)
	}
	if r.Seq != 1 || !r.AsOf.Equal(asOf) || !r.Started.Equal(k.now) || !r.Finished.Equal(k.now) || !slices.Equal(r.Scope, []retention.Scope{{Class: "recording", Keep: "P13M"}}) ||
		r.Counts != (retention.Counts{Erased: 4, Held: 1}) || len(r.Erased) != 4 {
		t.Errorf("%+v", r)
	}
	for i, d := range r.Erased {
		id := fmt.Sprintf("r%d", i)
		created := epoch.Add(time.Duration(i) * time.Minute)
		if d.ID != id || d.Class != "recording" || !d.Created.Equal(created) || !d.Due.Equal(retention.Due(created, months, nil)) || !slices.Equal(d.KeyIDs, []string{"key-" + id}) ||
			!d.Erased.Equal(k.now) || !d.Began.Equal(k.now) || d.Reason != "kept P13M from creation" {
			t.Errorf("%+v", d)
		}
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if r, err := retention.VerifyReceipt(k.public(t), bad); !errors.Is(err, retention.ErrReceipt) || r.Seq != 0 {
			t.Fatalf("byte %d altered: %+v, %v", i, r, err)
		}
	}
	for n := range raw {
		if _, err := retention.VerifyReceipt(k.public(t), raw[:n]); !errors.Is(err, retention.ErrReceipt) {
			t.Fatalf("cut to %d: %v", n, err)
		}
	}
	stranger, _ := retentiontest.NewSigner(2).PublicKey(context.Background())
	for name, err := range map[string]error{
		"appended":    second(retention.VerifyReceipt(k.public(t), append(bytes.Clone(raw), '\n'))),
		"another key": second(retention.VerifyReceipt(stranger, raw)),
		"no key":      second(retention.VerifyReceipt(nil, raw)),
		"empty":       second(retention.VerifyReceipt(k.public(t), nil)),
		"too long":    second(retention.VerifyReceipt(k.public(t), make([]byte, retention.MaxReceipt+1))),
	} {
		if !errors.Is(err, retention.ErrReceipt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestReceiptsAreChained(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	for i := range 4 {
		k.items.Add(fmt.Sprint(i), epoch.AddDate(0, 0, i))
		k.run(t, due.AddDate(0, 0, i))
	}
	last, err := retention.VerifyChain(k.public(t), k.s.Receipts(ctx))
	if err != nil || last.Seq != 4 {
		t.Fatalf("%+v, %v", last, err)
	}
	var all [][]byte
	for raw, err := range k.s.Receipts(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw)
	}
	chain := func(receipts ...[]byte) error {
		_, err := retention.VerifyChain(k.public(t), func(yield func([]byte, error) bool) {
			for _, r := range receipts {
				if !yield(r, nil) {
					return
				}
			}
		})
		return err
	}
	for name, err := range map[string]error{
		"left out": chain(all[0], all[2], all[3]), "not from the first": chain(all[1:]...), "swapped": chain(all[1], all[0]), "repeated": chain(all[0], all[0]),
	} {
		if !errors.Is(err, retention.ErrReceipt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
