package trunk_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/trunk"
)

// Calls go out over the first carrier that brings them through.
func Example() {
	client, err := sip.ClientTLS(nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	endpoint, err := sip.New(sip.Config{Client: client})
	if err != nil {
		log.Fatal(err)
	}
	defer endpoint.Close()
	group, err := trunk.New(trunk.Config{
		Dialer: endpoint, Domain: "example.com", Emergency: trunk.Emergency{Country: "DE"},
		CallerID: trunk.CallerIDs(func(_ context.Context, owner string) ([]string, error) {
			if owner == "acme" {
				return []string{"+4940987654"}, nil
			}
			return nil, nil
		}, nil),
		Carriers: []trunk.Carrier{
			{Name: "first", Domain: "sip.first.example", Priority: 1, User: "account", Password: "from a vault"},
			{Name: "second", Domain: "sip.second.example", Priority: 2, Trusted: true},
		},
		OnAttempt: func(a trunk.Attempt) { log.Print(a.Carrier, " ", a.Target, " ", a.Status, " ", a.Took) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer group.Close()
	call, err := group.Dial(context.Background(), trunk.Call{To: "+4930123456", Owner: "acme", From: "+4940987654"}, newMedia)
	if err != nil {
		log.Fatal(err)
	}
	<-call.Done()
}

// A plan brings numbers into one form.
func ExamplePlan_Normalize() {
	plan := trunk.Plan{Country: "49", International: "00", National: "0", Short: []string{"112"}}
	for _, s := range []string{"030 123456", "tel:+49-30-123456", "004930123456", "112", "123456"} {
		n, err := plan.Normalize(s)
		fmt.Println(n, errors.Is(err, trunk.ErrNumber))
	}
	// Output:
	// +4930123456 false
	// +4930123456 false
	// +4930123456 false
	// 112 false
	//  true
}
