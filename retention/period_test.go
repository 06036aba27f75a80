package retention_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/retention"
)

func day(t testing.TB, s string) time.Time {
	t.Helper()
	d, err := time.Parse("2006-01-02", s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The month-end rule as a table: the day that a month does not have is its last day.
var dueTable = []struct {
	created string
	keep    retention.Period
	due     string
}{
	{"2026-01-31", retention.Period{Months: 1}, "2026-02-28"},
	{"2024-01-31", retention.Period{Months: 1}, "2024-02-29"},
	{"2024-01-30", retention.Period{Months: 1}, "2024-02-29"},
	{"2026-01-28", retention.Period{Months: 1}, "2026-02-28"},
	{"2026-01-31", retention.Period{Months: 13}, "2027-02-28"},
	{"2027-01-31", retention.Period{Months: 13}, "2028-02-29"},
	{"2026-03-31", retention.Period{Months: 13}, "2027-04-30"},
	{"2026-08-31", retention.Period{Months: 13}, "2027-09-30"},
	{"2026-12-31", retention.Period{Months: 13}, "2028-01-31"},
	{"2024-02-29", retention.Period{Months: 13}, "2025-03-29"},
	{"2024-02-29", retention.Period{Months: 12}, "2025-02-28"},
	{"2024-02-29", retention.Period{Years: 1}, "2025-02-28"},
	{"2024-02-29", retention.Period{Years: 4}, "2028-02-29"},
	{"2096-02-29", retention.Period{Years: 4}, "2100-02-28"}, // 2100 is no leap year
	{"2023-02-28", retention.Period{Years: 1}, "2024-02-28"},
	{"2024-02-29", retention.Period{Days: 1}, "2024-03-01"},
	{"2026-11-22", retention.Period{Days: 90}, "2027-02-20"},
	{"2026-01-31", retention.Period{Months: 1, Days: 1}, "2026-03-01"},
	{"2026-01-31", retention.Period{Years: 1, Months: 1, Days: 30}, "2027-03-30"},
	{"2026-10-31", retention.Period{Months: 4}, "2027-02-28"}, // over the year's end
}

func TestDueTable(t *testing.T) {
	for _, tt := range dueTable {
		created := day(t, tt.created).Add(23*time.Hour + 59*time.Minute + 59*time.Second + 999999999)
		want := day(t, tt.due).Add(created.Sub(day(t, tt.created)))
		if got := retention.Due(created, tt.keep, nil); !got.Equal(want) {
			t.Errorf("%s + %v = %v, want %v", tt.created, tt.keep, got, want)
		}
	}
}

func TestDueOnAClockThatIsChanged(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here")
	}
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tt := range []struct {
		name, created, due string
		keep               retention.Period
	}{
		{"winter to summer keeps the clock", "2026-03-01T12:00:00+01:00", "2026-04-01T12:00:00+02:00", retention.Period{Months: 1}},
		{"summer to winter keeps the clock", "2026-10-01T12:00:00+02:00", "2026-11-01T12:00:00+01:00", retention.Period{Months: 1}},
		{"a time that is skipped is later", "2026-02-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00", retention.Period{Months: 1, Days: 1}},
		{"a time that comes twice is the second", "2026-09-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", retention.Period{Months: 1}},
		{"the local day counts, not UTC's", "2026-01-31T23:30:00Z", "2026-03-01T00:30:00+01:00", retention.Period{Months: 1}},
	} {
		if got := retention.Due(at(tt.created), tt.keep, berlin); !got.Equal(at(tt.due)) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.due)
		}
	}
}

// One second before 13 calendar months an item is there, one second after it is gone; at every month end of the table too.
func TestKeptForThirteenCalendarMonths(t *testing.T) {
	control.Proves(t, "RET-01")
	created := []time.Time{epoch, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}
	want := []time.Time{time.Date(2027, 2, 28, 9, 30, 0, 0, time.UTC), time.Date(2027, 12, 22, 0, 0, 0, 0, time.UTC)}
	for _, tt := range dueTable {
		if tt.keep == months {
			created, want = append(created, day(t, tt.created)), append(want, day(t, tt.due))
		}
	}
	for i := range created {
		k := newKit(t)
		k.items.Add("r1", created[i])
		for _, before := range []time.Duration{-400 * 24 * time.Hour, -24 * time.Hour, -time.Second, -1} {
			if r := k.run(t, want[i].Add(before)); !k.items.Has("r1") || len(r.Erased) != 0 {
				t.Errorf("created %v: gone %v before %v", created[i], -before, want[i])
			}
		}
		if r := k.run(t, want[i].Add(time.Second)); k.items.Has("r1") || len(r.Erased) != 1 || !r.Erased[0].Due.Equal(want[i]) {
			t.Errorf("created %v: not gone one second after %v: %+v", created[i], want[i], r.Erased)
		}
		k.items.Add("r1", created[i])
		if k.run(t, want[i]); k.items.Has("r1") {
			t.Errorf("created %v: not gone at %v sharp", created[i], want[i])
		}
	}
}

func anyTime(t *rapid.T, name string) time.Time {
	return time.Unix(rapid.Int64Range(0, 4102444800).Draw(t, name), rapid.Int64Range(0, 999999999).Draw(t, name+" ns")).UTC()
}

func anyPeriod(t *rapid.T) retention.Period {
	p := retention.Period{Years: rapid.IntRange(0, 30).Draw(t, "years"), Months: rapid.IntRange(0, 40).Draw(t, "months"), Days: rapid.IntRange(0, 400).Draw(t, "days")}
	if p == (retention.Period{}) {
		p.Days = 1
	}
	return p
}

// Whatever is due, the sweeper finds it: its question to the catalog never misses an item, at no month end and on no clock.
func TestNothingDueIsMissedAndNothingEarlyErased(t *testing.T) {
	zones := []*time.Location{time.UTC}
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"} {
		if loc, err := time.LoadLocation(name); err == nil {
			zones = append(zones, loc)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		keep, loc, created := anyPeriod(rt), rapid.SampledFrom(zones).Draw(rt, "zone"), anyTime(rt, "created")
		due := retention.Due(created, keep, loc)
		if !due.After(created) {
			rt.Fatalf("due %v not after %v", due, created)
		}
		k := newKit(t, func(c *retention.Config) { c.Classes[0].Keep = keep; c.Location = loc })
		k.items.Add("r1", created)
		if k.run(t, due.Add(-1)); !k.items.Has("r1") {
			rt.Fatalf("created %v, kept %v: erased before %v", created, keep, due)
		}
		if k.run(t, due); k.items.Has("r1") {
			rt.Fatalf("created %v, kept %v: not erased at %v", created, keep, due)
		}
	})
}

func TestPeriod(t *testing.T) {
	for _, p := range []retention.Period{{}, {Years: -1}, {Months: -1, Years: 1}, {Days: -1, Months: 1}, {Years: 1001}} {
		if err := p.Validate(); !errors.Is(err, retention.ErrPeriod) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for want, p := range map[string]retention.Period{"P13M": {Months: 13}, "P1Y2M3D": {Years: 1, Months: 2, Days: 3}, "P7D": {Days: 7}, "P0D": {}} {
		if p.String() != want {
			t.Errorf("%+v is %s, want %s", p, p, want)
		}
	}
}
