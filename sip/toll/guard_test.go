package toll_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/toll"
)

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		setup  func(r *rig)
		call   toll.Call
		reason toll.Reason
		scope  toll.Scope
	}{
		{"allowed", nil, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: national}, "", ""},
		{"no ID", nil, toll.Call{Tenant: "acme", User: "1001", Number: national}, toll.BadCall, ""},
		{"no tenant", nil, toll.Call{ID: "x", User: "1001", Number: national}, toll.BadCall, ""},
		{"no user", nil, toll.Call{ID: "x", Tenant: "acme", Number: national}, toll.BadCall, ""},
		{"an ID that is taken", func(r *rig) { r.decide(monday, "x", national) }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: national}, toll.BadCall, ""},
		{"no E.164", nil, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: invalid}, toll.BadNumber, ""},
		{"emergency number as a prefix", nil, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: "1125550100"}, toll.BadNumber, ""},
		{"unknown tenant", nil, toll.Call{ID: "x", Tenant: "evil", User: "1001", Number: national}, toll.NoPolicy, toll.ScopeUser},
		{"unknown user", nil, toll.Call{ID: "x", Tenant: "acme", User: "stranger", Number: national}, toll.NoPolicy, toll.ScopeUser},
		{"class of the user", func(r *rig) { r.user.Day.Classes = nil }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: national}, toll.ClassNotAllowed, toll.ScopeUser},
		{"class of the tenant", func(r *rig) { r.tenant.Day.Classes = []toll.Class{toll.Zone1} }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: national}, toll.ClassNotAllowed, toll.ScopeTenant},
		{"no price", nil, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: unpriced}, toll.NoPrice, ""},
		{"no price for the zone", nil, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: far}, toll.NoPrice, ""},
		{"at once", func(r *rig) { r.user.Day.MaxCalls = 1; r.decide(monday, "y", national) }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: national}, toll.TooManyAtOnce, toll.ScopeUser},
		{"at once, tenant", func(r *rig) {
			r.tenant.Day.MaxCalls = 1
			r.Decide(monday, toll.Call{ID: "y", Tenant: "acme", User: "1002", Number: national})
		}, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: national}, toll.TooManyAtOnce, toll.ScopeTenant},
		{"a minute", func(r *rig) { r.user.Day.PerMinute = 1; r.call(monday, "y", national, 0) }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: national}, toll.TooManyPerMinute, toll.ScopeUser},
		{"an hour", func(r *rig) { r.user.Day.PerHour = 1; r.call(monday, "y", national, 0) }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: national}, toll.TooManyPerHour, toll.ScopeUser},
		{"a day", func(r *rig) { r.tenant.Day.PerDay = 1; r.call(monday, "y", national, 0) }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: national}, toll.TooManyPerDay, toll.ScopeTenant},
		{"cap of the hour", func(r *rig) { r.user.Day.SpendHour = 9 }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: zone1}, toll.SpentHour, toll.ScopeUser},
		{"cap of the day", func(r *rig) { r.tenant.Day.SpendDay = 9 }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: zone1}, toll.SpentDay, toll.ScopeTenant},
		{"cap of the month", func(r *rig) { r.user.Day.SpendMonth = 0 }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: zone1}, toll.SpentMonth, toll.ScopeUser},
		{"free within no cap", func(r *rig) { r.user.Day.SpendMonth = 0 }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: free}, "", ""},
		{"stopped user", func(r *rig) { r.Stop(monday, "acme", "1001", "x") }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: free}, toll.Stopped, toll.ScopeUser},
		{"stopped tenant", func(r *rig) { r.Stop(monday, "acme", "", "x") }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: free}, toll.Stopped, toll.ScopeTenant},
		{"another user is stopped", func(r *rig) { r.Stop(monday, "acme", "1002", "x") }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: free}, "", ""},
		{"another tenant is stopped", func(r *rig) { r.Stop(monday, "globex", "", "x") }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: free}, "", ""},
		{"zero limits", func(r *rig) { r.user.Day = toll.Limits{Classes: all} }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: free}, toll.TooManyAtOnce, toll.ScopeUser},
		{"less than a minute", func(r *rig) { r.user.Day.MaxCall = 30 * time.Second }, toll.Call{ID: "x", Tenant: "acme", User: "1001", Number: national}, toll.TooLong, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			if c.setup != nil {
				c.setup(r)
			}
			d := r.Decide(monday, c.call)
			require.Equal(t, c.reason, d.Reason)
			require.Equal(t, c.scope, d.Scope)
			require.Equal(t, c.reason == "", d.Allow)
			require.Equal(t, d.Allow, d.MaxDuration > 0)
			last := r.events[len(r.events)-1] // every decision leaves evidence
			require.Equal(t, c.reason, last.Reason)
			require.Equal(t, c.call.ID, last.Call)
			require.Equal(t, map[bool]toll.Kind{true: toll.Allowed, false: toll.Refused}[d.Allow], last.Kind)
			// Somebody needs help, whatever the state.
			c.call.Number = "112"
			d = r.Decide(monday, c.call)
			require.Equal(t, toll.Decision{Allow: true, Class: toll.Emergency}, d)
		})
	}
}

func TestEmergencyCostsNothingAndIsNotCounted(t *testing.T) {
	r := newRig(t)
	r.user, r.tenant = toll.Policy{}, toll.Policy{}
	r.Stop(monday, "acme", "", "fraud")
	require.True(t, r.decide(monday, "e", "112").Allow)
	require.NoError(t, r.Started(monday, "e"))
	require.NoError(t, r.Answered(monday, "e"))
	require.Empty(t, r.Stop(monday, "acme", "1001", "again"), "a stop must not end it")
	d, err := r.Extend(monday.Add(2*time.Hour), "e")
	require.NoError(t, err)
	require.True(t, d.Allow)
	cost, err := r.Ended(monday.Add(3*time.Hour), "e")
	require.NoError(t, err)
	require.Zero(t, cost)
	u := r.Usage(monday.Add(3*time.Hour), "acme", "1001")
	require.Equal(t, toll.Usage{Stopped: "again"}, u)
}

func TestStartedMinutes(t *testing.T) {
	for length, cost := range map[time.Duration]toll.Micro{
		-time.Second: 10, 0: 10, time.Second: 10, time.Minute: 10, time.Minute + 1: 20, 9*time.Minute + 58*time.Second: 100,
	} {
		r := newRig(t)
		require.Equal(t, cost, r.call(monday, "x", zone1, length), length)
		require.Equal(t, cost, r.Usage(monday.Add(length), "acme", "1001").SpentDay)
		require.Equal(t, cost, r.Usage(monday.Add(length), "acme", "").SpentMonth)
	}
	r := newRig(t)
	require.True(t, r.decide(monday, "x", zone1).Allow)
	cost, err := r.Ended(monday.Add(time.Hour), "x")
	if err == nil {
		require.Zero(t, cost, "never answered")
	} else {
		require.ErrorIs(t, err, toll.ErrUnknownCall)
	}
}

func TestLongCallCannotOverrunItsCap(t *testing.T) {
	r := newRig(t)
	r.user.Day.SpendDay = 125 // of 10 a minute
	d := r.decide(monday, "x", zone1)
	require.Equal(t, 10*time.Minute-2*time.Second, d.MaxDuration)
	require.NoError(t, r.Answered(monday, "x"))
	require.Equal(t, toll.SpentDay, r.decide(monday, "y", premium).Reason, "what is reserved is not there for others")
	d, err := r.Extend(monday.Add(9*time.Minute), "x")
	require.NoError(t, err)
	require.True(t, d.Allow)
	require.Equal(t, 12*time.Minute-2*time.Second, d.MaxDuration, "what is left of the cap")
	d, err = r.Extend(monday.Add(11*time.Minute), "x")
	require.NoError(t, err)
	require.False(t, d.Allow)
	require.Equal(t, toll.SpentDay, d.Reason)
	require.Equal(t, 12*time.Minute-2*time.Second, d.MaxDuration, "what it has stays")
	cost, err := r.Ended(monday.Add(12*time.Minute), "x") // hanging up took the whole margin
	require.NoError(t, err)
	require.EqualValues(t, 120, cost)
	require.Equal(t, toll.SpentDay, r.decide(monday.Add(time.Hour), "z", zone1).Reason)
	require.True(t, r.decide(monday.Add(24*time.Hour), "z", zone1).Allow, "a new day")
}

func TestLongestCall(t *testing.T) {
	r := newRig(t)
	r.tenant.Day.MaxCall = 15 * time.Minute
	require.Equal(t, 10*time.Minute-2*time.Second, r.decide(monday, "x", zone1).MaxDuration)
	require.NoError(t, r.Answered(monday, "x"))
	d, err := r.Extend(monday.Add(9*time.Minute), "x")
	require.NoError(t, err)
	require.Equal(t, 15*time.Minute-2*time.Second, d.MaxDuration)
	d, err = r.Extend(monday.Add(14*time.Minute), "x")
	require.NoError(t, err)
	require.Equal(t, toll.TooLong, d.Reason)
	require.Equal(t, 15*time.Minute-2*time.Second, r.decide(monday, "free", free).MaxDuration, "what costs nothing is reserved at once")
}

func TestACallThatIsNotHungUpIsPaidAndReported(t *testing.T) {
	r := newRig(t)
	r.user.Day.SpendDay = 20
	require.EqualValues(t, 50, r.call(monday, "x", zone1, 5*time.Minute))
	require.Equal(t, toll.Overran, r.events[len(r.events)-1].Kind)
	require.Equal(t, toll.SpentDay, r.decide(monday.Add(time.Hour), "y", national).Reason)
}

func TestDecisionThatIsNotUsedIsVoid(t *testing.T) {
	r := newRig(t)
	r.user.Day.MaxCalls = 1
	require.True(t, r.decide(monday, "x", zone1).Allow)
	later := monday.Add(62 * time.Second)
	require.True(t, r.decide(later, "y", zone1).Allow)
	require.ErrorIs(t, r.Started(later, "x"), toll.ErrUnknownCall)
	require.ErrorIs(t, r.Answered(later, "x"), toll.ErrUnknownCall)
	_, err := r.Extend(later, "x")
	require.ErrorIs(t, err, toll.ErrUnknownCall)
	_, err = r.Ended(later, "x")
	require.ErrorIs(t, err, toll.ErrUnknownCall)
	require.Equal(t, []string{"y"}, r.Running())
	require.EqualValues(t, 100, r.Usage(later, "acme", "1001").Reserved)
}

func TestNight(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	r := newRig(t)
	r.cfg.Hours.Zone, r.cfg.Hours.Holidays = berlin, []string{"2026-12-24"}
	r.user.Night = toll.Limits{Classes: []toll.Class{toll.National}, MaxCalls: 1, PerMinute: 1, PerHour: 1, PerDay: 1, SpendHour: 5, SpendDay: 5, SpendMonth: 5}
	r.tenant.Night = wide()
	r.Guard, err = toll.New(r.cfg)
	require.NoError(t, err)
	for i, c := range []struct {
		at   string
		open bool
	}{
		{"2026-11-23T06:59:59Z", false}, {"2026-11-23T07:00:00Z", true}, {"2026-11-23T16:59:59Z", true}, {"2026-11-23T17:00:00Z", false},
		{"2026-11-28T10:00:00Z", false}, {"2026-12-24T10:00:00Z", false}, {"2027-06-01T06:00:00Z", true}, // summer time
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		require.NoError(t, err)
		d := r.decide(at, fmt.Sprint(i), zone1)
		require.Equal(t, c.open, d.Allow, c.at)
		_, _ = r.Ended(at, fmt.Sprint(i))
	}
	night := time.Date(2027, 6, 1, 22, 0, 0, 0, time.UTC)
	d := r.decide(night, "n", national)
	require.True(t, d.Allow)
	require.Equal(t, 5*time.Minute-2*time.Second, d.MaxDuration, "the cap of the night")

	// A call that began by day gets no more minutes at night when its class is not allowed then.
	evening := time.Date(2027, 6, 2, 15, 55, 0, 0, time.UTC)
	_, err = r.Ended(night, "n")
	require.NoError(t, err)
	require.True(t, r.decide(evening, "e", zone1).Allow)
	require.NoError(t, r.Answered(evening, "e"))
	d, err = r.Extend(evening.Add(9*time.Minute), "e")
	require.NoError(t, err)
	require.Equal(t, toll.ClassNotAllowed, d.Reason)
	require.False(t, toll.Hours{}.OpenAt(monday), "zero is closed")
}

func TestAClockThatIsSetBackGivesNothingBack(t *testing.T) {
	r := newRig(t)
	r.user.Day.SpendDay = 100
	require.EqualValues(t, 100, r.call(monday, "x", zone1, 10*time.Minute))
	require.Equal(t, toll.SpentDay, r.decide(monday.Add(-24*time.Hour), "y", zone1).Reason)
	require.Equal(t, toll.SpentDay, r.decide(monday, "z", zone1).Reason)
}

func TestAnomalyStopsTheUser(t *testing.T) {
	r := newRig(t)
	now := monday
	for i := range 5 {
		require.Empty(t, r.Usage(now, "acme", "1001").Stopped)
		now = now.Add(time.Minute)
		r.call(now, fmt.Sprint("s", i), []string{somalia, vanuatu, premium}[i%3], 10*time.Second)
	}
	require.Equal(t, string(toll.Anomalous), r.Usage(now, "acme", "1001").Stopped)
	last := r.events[len(r.events)-1]
	require.Equal(t, toll.Stop, last.Kind)
	require.Equal(t, "1001", last.User)
	require.Equal(t, toll.Stopped, r.decide(now, "n", national).Reason)
	require.True(t, r.Decide(now, toll.Call{ID: "o", Tenant: "acme", User: "1002", Number: national}).Allow)
	r.Resume(now, "acme", "1001", "was a campaign")
	require.True(t, r.decide(now, "n", national).Allow)
}

func TestAnomalyStopsTheTenant(t *testing.T) {
	r := newRig(t)
	for i := range 20 {
		c := toll.Call{ID: fmt.Sprint(i), Tenant: "acme", User: fmt.Sprint(2000 + i), Number: somalia}
		require.True(t, r.Decide(monday, c).Allow)
		require.NoError(t, r.Answered(monday, c.ID))
		_, err := r.Ended(monday.Add(time.Second), c.ID)
		require.NoError(t, err)
	}
	require.Equal(t, toll.ScopeTenant, r.decide(monday.Add(time.Second), "x", national).Scope)
}

func TestWhatIsNoAnomaly(t *testing.T) {
	for name, c := range map[string]struct {
		number string
		length time.Duration
		every  time.Duration
	}{
		"at home": {national, time.Second, time.Second}, "long": {somalia, 30 * time.Second, time.Minute}, "slow": {somalia, time.Second, 16 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			for i := range 20 {
				r.call(monday.Add(time.Duration(i)*c.every), fmt.Sprint(i), c.number, c.length)
			}
		})
	}
	t.Run("a place the tenant knows", func(t *testing.T) {
		r := newRig(t)
		r.call(monday, "first", somalia, time.Minute)
		for i := range 20 {
			r.call(monday.Add(25*time.Hour), fmt.Sprint(i), somalia, 0)
		}
	})
}

func TestStopNamesWhatToHangUp(t *testing.T) {
	r := newRig(t)
	for i, user := range []string{"1001", "1002", "1001"} {
		require.True(t, r.Decide(monday, toll.Call{ID: fmt.Sprint("c", 2-i), Tenant: "acme", User: user, Number: national}).Allow)
	}
	r.Decide(monday, toll.Call{ID: "other", Tenant: "globex", User: "1001", Number: national})
	require.Equal(t, []string{"c0", "c2"}, r.Stop(monday, "acme", "1001", "x"))
	require.Equal(t, []string{"c0", "c1", "c2"}, r.Stop(monday, "acme", "", "x"))
	r.Resume(monday, "acme", "", "y")
	require.Equal(t, toll.ScopeUser, r.decide(monday, "n", national).Scope, "the stop of the user is another one")
	d, err := r.Extend(monday, "c0")
	require.NoError(t, err)
	require.Equal(t, toll.Stopped, d.Reason)
}

func TestReasonsAreOneLine(t *testing.T) {
	r := newRig(t)
	for in, out := range map[string]string{"": "no reason given", "a\r\nb\x00\u2028": "a??b??", "\xff": "?", strings.Repeat("é", 150): strings.Repeat("é", 100)} {
		r.Stop(monday, "acme", "1001", in)
		require.Equal(t, out, r.Usage(monday, "acme", "1001").Stopped)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*toll.Config){
		"no home":      func(c *toll.Config) { c.Home = "" },
		"unknown home": func(c *toll.Config) { c.Home = "4930" },
		"no policy":    func(c *toll.Config) { c.Policy = nil },
		"no prices":    func(c *toll.Config) { c.Prices = nil },
		"price":        func(c *toll.Config) { c.Prices = map[toll.Class]toll.Micro{toll.National: -1} },
		"dear":         func(c *toll.Config) { c.Prices = map[toll.Class]toll.Micro{toll.National: 1e9 + 1} },
		"ahead":        func(c *toll.Config) { c.Ahead = 1441 },
		"margin":       func(c *toll.Config) { c.Margin = time.Minute },
		"emergency":    func(c *toll.Config) { c.Emergency = []string{""} },
		"anomaly":      func(c *toll.Config) { c.Anomaly.PerUser = -1 },
		"hours":        func(c *toll.Config) { c.Hours.Open[1] = toll.Span{From: 5, To: 4} },
		"holiday":      func(c *toll.Config) { c.Hours.Holidays = []string{"24.12."} },
	} {
		cfg := newRig(t).cfg
		change(&cfg)
		_, err := toll.New(cfg)
		require.Error(t, err, name)
	}
}
