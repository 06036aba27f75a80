package report_test

import (
	"fmt"
	"os"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
)

// A stored log gives the report of a day; a live center feeds the same Tally through acd.Config.Observer.
func Example() {
	log, end := day()
	tally, err := report.FromLog(seq(log, nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	some, _ := report.Lookup("answered", "service_level", "asa", "abandonment_rate", "rona_rate", "aht", "occupancy")
	if err := report.WriteText(os.Stdout, report.Rows(tally.Report(end), some)[:1]); err != nil {
		fmt.Println(err)
	}
	// Output:
	//                   all
	// answered          2
	// service_level     33.3 %
	// asa               40.0 s
	// abandonment_rate  40.0 %
	// rona_rate         33.3 %
	// aht               10.0 s
	// occupancy         75.7 %
}

// One day has several service levels; each hides something else.
func ExampleWaits_ServiceLevelBy() {
	w := report.Waits{Answered: 1000, InTarget: 860, Abandoned: 60, AbandonedInTarget: 20, ShortAbandoned: 10}
	for _, l := range report.ServiceLevels() {
		v, _ := w.ServiceLevelBy(l)
		fmt.Printf("%-27s%.1f %%\n", l, 100*v)
	}
	// Output:
	// service_level              81.9 %
	// service_level_answered     86.0 %
	// service_level_all          81.1 %
	// service_level_after_target 82.7 %
	// service_level_offered      83.0 %
}

// The history that outlives the log: counters by month, with nothing about a few.
func ExampleArchive() {
	archive, err := report.NewArchive(report.ArchiveConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	tally, err := report.NewTally(report.Config{Interval: time.Hour, OnInterval: func(iv report.Interval) {
		if err := archive.Add(iv); err != nil {
			fmt.Println(err)
		}
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	log, end := day()
	for e := range acd.Replay(seq(log, nil)) {
		tally.Observe(e)
	}
	december := end.AddDate(0, 1, 0)
	tally.Advance(december)
	for _, s := range archive.Read(december) {
		fmt.Println(s.Total.From.Format("January 2006"), "suppressed:", s.Total.Suppressed, "entered:", s.Total.Entered)
	}
	// Output:
	// November 2026 suppressed: true entered: 0
}
