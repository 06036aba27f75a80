package numbers_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/ringfence/ringfence/sip/numbers"
)

type printer struct{}

func (printer) Audit(_ context.Context, action, _ string, _ ...slog.Attr) error {
	fmt.Println("audited", action)
	return nil
}

// A number is ordered by Alice, approved by Bob, and leads to a flow.
func Example() {
	desk, err := numbers.New(numbers.Config{
		Store: &numbers.Memory{}, Auditor: printer{}, MayApprove: func(context.Context, string, string) error { return nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	order, err := desk.Request(ctx, "alice", "acme", "+4930123456", "flow:main")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = desk.Do(ctx, order.ID, numbers.Approve, "alice", "")
	fmt.Println(err)
	for _, step := range []struct {
		action numbers.Action
		by     string
	}{{numbers.Approve, "bob"}, {numbers.Provision, "provider"}, {numbers.Activate, "bob"}} {
		if _, err := desk.Do(ctx, order.ID, step.action, step.by, ""); err != nil {
			fmt.Println(err)
		}
	}
	order, err = desk.Lookup(ctx, "+4930123456")
	fmt.Println(order.Destination, err)
	// Output:
	// audited number.request
	// numbers: another person must do this: alice asked for it
	// audited number.approve
	// audited number.provision
	// audited number.activate
	// flow:main <nil>
}
