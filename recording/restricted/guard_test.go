package restricted_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
	"github.com/ringfence/ringfence/recording/restricted"
)

var (
	_ recording.TextGuard = restricted.Guard{}
	_ recording.Approver  = restricted.Approvals{}
)

func TestApprovalsForRecordings(t *testing.T) {
	ctx := context.Background()
	signed := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	r, err := restricted.NewRegister(restricted.Approval{ID: "letter-7", Category: restricted.Health, Scope: []string{"clinic"}, Signatory: "Dr. Roe",
		Signed: signed, Expires: signed.Add(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	clinic := map[string]string{"queue": "clinic"}
	for _, tt := range []struct {
		register   *restricted.Register
		attributes map[string]string
		category   string
		after      time.Duration
		want       string
	}{
		{r, clinic, "health", 0, "letter-7"},
		{r, clinic, "account", 0, ""},
		{r, clinic, "", 0, ""},
		{r, map[string]string{"queue": "sales"}, "health", 0, ""},
		{r, map[string]string{"team": "clinic"}, "health", 0, ""},
		{r, nil, "health", 0, ""},
		{r, clinic, "health", 24 * time.Hour, ""},
		{nil, clinic, "health", 0, ""},
	} {
		a := restricted.Approvals{Register: tt.register, Place: "queue", Now: func() time.Time { return signed.Add(tt.after) }}
		if got, err := a.Approved(ctx, recording.ActionExport, "r1", tt.attributes, tt.category); got != tt.want || err != nil {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
	if got, err := (restricted.Approvals{Register: r, Place: "queue"}).Approved(ctx, "", "", clinic, "health"); got != "" || err != nil {
		t.Errorf("without a clock: %q, %v", got, err)
	}
}

// A vault that takes no card number into its texts and records a clinic's calls only while somebody has signed for it.
func ExampleApprovals() {
	ctx, all := context.Background(), recordingtest.Allow{}
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	register, err := restricted.NewRegister(restricted.Approval{ID: "letter-7", Category: restricted.Health, Scope: []string{"clinic"},
		Signatory: "Dr. Roe", Signed: now, Expires: now.AddDate(0, 6, 0)})
	if err != nil {
		panic(err)
	}
	vault, err := recording.New(recording.Config{
		Blobs: &recordingtest.Blobs{}, Catalog: &recordingtest.Catalog{}, Keys: recordingtest.NewKeys(1),
		Place: recording.Place{Owner: "acme"}, Authorizer: all, Auditor: &recordingtest.Audit{},
		Text:     restricted.Guard{},
		Approver: restricted.Approvals{Register: register, Place: "queue", Now: func() time.Time { return now }},
		Now:      func() time.Time { return now },
	})
	if err != nil {
		panic(err)
	}
	defer vault.Close()
	meta := recording.Meta{Parties: []string{"patient", "agent"}, Attributes: map[string]string{"queue": "clinic"}, Categories: []string{string(restricted.Health)}}
	track, err := vault.Create(ctx, meta)
	fmt.Println("approved:", err)
	fmt.Println("closed:", track.Close(ctx))
	meta.Attributes = map[string]string{"queue": "clinic", "note": "paid with 4111 1111 1111 1111"}
	_, err = vault.Create(ctx, meta)
	fmt.Println("a card number:", errors.Is(err, restricted.ErrFound))
	now = now.AddDate(0, 6, 0)
	meta.Attributes = map[string]string{"queue": "clinic"}
	_, err = vault.Create(ctx, meta)
	fmt.Println("expired:", errors.Is(err, recording.ErrRestricted))
	// Output:
	// approved: <nil>
	// closed: <nil>
	// a card number: true
	// expired: true
}
