package consent_test

import (
	"fmt"

	"github.com/ringfence/ringfence/recording/consent"
)

func ExampleTable_Decide() {
	rules := consent.Defaults()
	people := []consent.Person{
		{Name: "agent", Place: "GB", Said: consent.Agreed},
		{Name: "caller", Place: "DE", Said: consent.Told},
	}
	d := rules.Decide(people)
	fmt.Println(d.Allowed, "-", d.Reason, "-", d.Source)
	people[1].Said = consent.Agreed
	d = rules.Decide(people)
	fmt.Println(d.Allowed, "-", d.Reason)
	// Output:
	// false - caller has not agreed - StGB § 201
	// true - everyone, as DE asks
}
