package toll_test

import (
	"fmt"
	"time"

	"github.com/ringfence/ringfence/sip/toll"
)

func Example() {
	office := toll.Limits{
		Classes:  []toll.Class{toll.National, toll.Mobile, toll.Zone1},
		MaxCalls: 5, PerMinute: 10, PerHour: 100, PerDay: 500,
		SpendHour: 5_000_000, SpendDay: 20_000_000, SpendMonth: 200_000_000,
	}
	var hours toll.Hours
	for day := time.Monday; day <= time.Friday; day++ {
		hours.Open[day] = toll.Span{From: 8 * 60, To: 18 * 60}
	}
	guard, err := toll.New(toll.Config{
		Home:   "49",
		Prices: map[toll.Class]toll.Micro{toll.National: 10_000, toll.Mobile: 80_000, toll.Zone1: 50_000, toll.Premium: 3_000_000},
		Hours:  hours,
		Policy: func(tenant, user string) (toll.Policy, bool) { return toll.Policy{Day: office}, tenant == "acme" },
	})
	if err != nil {
		panic(err)
	}
	monday := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for i, number := range []string{"+442079460000", "+49900123456", "+2521234567", "112"} {
		d := guard.Decide(monday, toll.Call{ID: fmt.Sprint(i), Tenant: "acme", User: "1001", Number: number})
		fmt.Printf("%s %t %q %s %s\n", number, d.Allow, d.Reason, d.Class, d.MaxDuration)
	}
	_ = guard.Started(monday, "0")
	_ = guard.Answered(monday, "0")
	cost, _ := guard.Ended(monday.Add(61*time.Second), "0")
	fmt.Println("two started minutes:", cost)
	d := guard.Decide(monday.Add(10*time.Hour), toll.Call{ID: "late", Tenant: "acme", User: "1001", Number: "+442079460000"})
	fmt.Println("at night:", d.Allow, d.Reason)
	// Output:
	// +442079460000 true "" zone1 9m58s
	// +49900123456 false "class of destination not allowed" premium 0s
	// +2521234567 false "class of destination not allowed" suspicious 0s
	// 112 true "" emergency 0s
	// two started minutes: 100000
	// at night: false class of destination not allowed
}
