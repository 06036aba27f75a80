package toll_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/sip/toll"
)

// ledger is what a carrier would invoice: each started minute of each call, in the hour, day and month in which it started.
type ledger map[string]toll.Micro

func (l ledger) minute(at time.Time, tenant, user string, price toll.Micro) {
	for _, who := range []string{tenant, tenant + "/" + user} {
		for _, layout := range []string{"2006-01-02T15", "2006-01-02", "2006-01"} {
			l[who+" "+at.UTC().Format(layout)] += price
		}
	}
}

// talk is a running call of the model.
type talk struct {
	tenant, user string
	price        toll.Micro
	answered     time.Time
	most         time.Duration
	emergency    bool
}

// However calls are mixed, with stops, restarts and time that passes: no started minute exceeds a cap, emergencies pass, a stop stops, and no counter is negative.
func TestCapsHold(t *testing.T) {
	const hour, day, month = 300, 700, 1500
	tenantCaps := toll.Policy{Day: wide(), Night: wide()}
	userCaps := toll.Policy{Day: wide(), Night: wide()}
	for _, l := range []*toll.Limits{&tenantCaps.Day, &tenantCaps.Night} {
		l.SpendHour, l.SpendDay, l.SpendMonth, l.MaxCalls = hour, day, month, 4
	}
	for _, l := range []*toll.Limits{&userCaps.Day, &userCaps.Night} {
		l.SpendHour, l.SpendDay, l.SpendMonth, l.MaxCalls = hour/2, day/2, month/2, 3
	}
	prices := map[toll.Class]toll.Micro{toll.National: 1, toll.Zone1: 7, toll.Premium: 40, toll.Freephone: 0, toll.Suspicious: 13}
	numbers := map[string]toll.Micro{national: 1, zone1: 7, premium: 40, free: 0, somalia: 13}
	rapid.Check(t, func(t *rapid.T) {
		cfg := toll.Config{Home: "49", Prices: prices, Ahead: rapid.IntRange(1, 30).Draw(t, "ahead"), Anomaly: toll.Anomaly{PerUser: 3},
			Policy: func(tenant, user string) (toll.Policy, bool) {
				if user == "" {
					return tenantCaps, true
				}
				return userCaps, true
			}}
		g, err := toll.New(cfg)
		require.NoError(t, err)
		now := time.Date(2026, 11, 29, 20, 0, 0, 0, time.UTC)
		bill, calls, stops := ledger{}, map[string]*talk{}, map[string]bool{}
		invoice := func(id string, end time.Time) {
			c := calls[id]
			delete(calls, id)
			if c.answered.IsZero() || c.emergency {
				return
			}
			at := c.answered
			for first := true; first || at.Before(end); first, at = false, at.Add(time.Minute) {
				bill.minute(at, c.tenant, c.user, c.price)
			}
		}
		for step := range rapid.IntRange(1, 80).Draw(t, "steps") {
			tenant := rapid.SampledFrom([]string{"acme", "globex"}).Draw(t, "tenant")
			user := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "user")
			var ids []string
			for _, id := range g.Running() {
				if calls[id] != nil {
					ids = append(ids, id)
				}
			}
			pick := func() string { return rapid.SampledFrom(ids).Draw(t, "id") }
			verb := rapid.SampledFrom([]string{"decide", "decide", "decide", "answer", "answer", "extend", "end", "wait", "wait", "stop", "resume", "restart", "emergency"}).Draw(t, "verb")
			if len(ids) == 0 && (verb == "answer" || verb == "extend" || verb == "end") {
				verb = "decide"
			}
			switch verb {
			case "decide":
				number := rapid.SampledFrom([]string{national, zone1, premium, free, somalia}).Draw(t, "number")
				id := fmt.Sprint(step)
				stopped := g.Usage(now, tenant, "").Stopped != "" || g.Usage(now, tenant, user).Stopped != ""
				if (stops[tenant] || stops[tenant+"/"+user]) && !stopped {
					t.Fatal("a stop was forgotten")
				}
				d := g.Decide(now, toll.Call{ID: id, Tenant: tenant, User: user, Number: number})
				if d.Allow == (d.Reason != "") || d.Allow != (d.MaxDuration > 0) || d.Allow && stopped {
					t.Fatalf("%+v, stopped %v", d, stopped)
				}
				if d.Allow {
					require.NoError(t, g.Started(now, id))
					calls[id] = &talk{tenant: tenant, user: user, price: numbers[number], most: d.MaxDuration}
				}
			case "emergency":
				id := fmt.Sprint("e", step)
				if d := g.Decide(now, toll.Call{ID: id, Tenant: tenant, User: user, Number: "112"}); !d.Allow {
					t.Fatalf("%+v", d)
				}
				require.NoError(t, g.Started(now, id))
				calls[id] = &talk{tenant: tenant, user: user, emergency: true}
			case "answer":
				id := pick()
				require.NoError(t, g.Answered(now, id))
				if calls[id].answered.IsZero() {
					calls[id].answered = now
				}
			case "extend":
				id := pick()
				d, err := g.Extend(now, id)
				require.NoError(t, err)
				if d.MaxDuration < calls[id].most {
					t.Fatal("a minute was taken back")
				}
				calls[id].most = d.MaxDuration
			case "end":
				id := pick()
				c := *calls[id]
				cost, err := g.Ended(now, id)
				require.NoError(t, err)
				if cost < 0 || (c.emergency || c.answered.IsZero()) && cost != 0 {
					t.Fatal("cost", cost)
				}
				invoice(id, now)
			case "wait":
				// Calls that must end first are ended in order.
				end := now.Add(rapid.SampledFrom([]time.Duration{time.Second, 59 * time.Second, 7 * time.Minute, time.Hour, 26 * time.Hour}).Draw(t, "wait"))
				for {
					next, at := "", end
					for id, c := range calls {
						if over := c.answered.Add(c.most + 2*time.Second); !c.answered.IsZero() && !c.emergency && over.Before(at) {
							next, at = id, over
						}
					}
					if next == "" {
						break
					}
					now = at
					_, err := g.Ended(now, next)
					require.NoError(t, err)
					invoice(next, now)
				}
				now = end
			case "stop":
				if rapid.Bool().Draw(t, "whole tenant") {
					user = ""
				}
				g.Stop(now, tenant, user, "drill")
				stops[key(tenant, user)] = true
			case "resume":
				if rapid.Bool().Draw(t, "whole tenant") {
					user = ""
				}
				g.Resume(now, tenant, user, "drill")
				delete(stops, key(tenant, user))
			case "restart":
				before, err := g.Snapshot()
				require.NoError(t, err)
				next, err := toll.Restore(cfg, before)
				require.NoError(t, err)
				after, err := next.Snapshot()
				require.NoError(t, err)
				require.JSONEq(t, string(before), string(after))
				for _, who := range []string{"", "1", "2", "3"} {
					require.Equal(t, g.Usage(now, tenant, who), next.Usage(now, tenant, who))
				}
				g = next
			}
			for _, who := range []string{"", "1", "2", "3"} {
				u := g.Usage(now, tenant, who)
				if u.Running < 0 || u.Reserved < 0 || u.SpentHour < 0 || u.SpentDay < 0 || u.SpentMonth < 0 || u.CallsMinute < 0 {
					t.Fatalf("negative: %+v", u)
				}
				if limit := map[bool]toll.Micro{true: day, false: day / 2}[who == ""]; u.SpentDay+u.Reserved > limit {
					t.Fatalf("%q: %+v", who, u)
				}
			}
		}
		for id := range calls { // what still runs has begun at least the minutes until now
			invoice(id, now)
		}
		for what, sum := range bill {
			who, when, _ := strings.Cut(what, " ")
			limit := map[int]toll.Micro{len("2006-01-02T15"): hour, len("2006-01-02"): day, len("2006-01"): month}[len(when)]
			if strings.Contains(who, "/") {
				limit /= 2
			}
			if sum > limit {
				t.Fatalf("%s: %d of %d", what, sum, limit)
			}
		}
	})
}

func key(tenant, user string) string {
	if user == "" {
		return tenant
	}
	return tenant + "/" + user
}

func TestRestoreRefusesWhatNoGuardMade(t *testing.T) {
	r := newRig(t)
	r.call(monday, "a", zone1, time.Minute)
	require.True(t, r.decide(monday, "x", zone1).Allow)
	good, err := r.Snapshot()
	require.NoError(t, err)
	g, err := toll.Restore(r.cfg, good)
	require.NoError(t, err)
	require.EqualValues(t, 10, g.Usage(monday, "acme", "1001").SpentMonth)
	require.Equal(t, []string{"x"}, g.Running())
	require.NotContains(t, string(good), "2079460000", "no numbers")

	for _, bad := range []string{"", "{}", "null", `{"version":2}`, `{"version":1,"tenants":{"acme":{}}}`, `{"version":1,"calls":{"x":null}}`,
		`{"version":1,"calls":{"x":{"price":-1}}}`, `{"version":1,"calls":{"x":{"minutes":100000}}}`,
		`{"version":1,"tenants":{"acme":{"account":{"paid_day":{"key":1,"n":-5}}}}}`, `{"version":1,"tenants":{"acme":{"account":{},"users":{"":{}}}}}`} {
		_, err := toll.Restore(r.cfg, []byte(bad))
		require.ErrorIs(t, err, toll.ErrState, bad)
	}
}

// A snapshot is read or refused, and what was read is within its bounds.
func FuzzRestore(f *testing.F) {
	f.Add([]byte(`{"version":1,"last":"2026-11-23T10:00:00Z","tenants":{"acme":{"account":{"minute":{"key":1,"n":1}},"users":{"1":{}}}},"calls":{"x":{"tenant":"acme","user":"1","class":"zone1","price":7,"minutes":3}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg := toll.Config{Home: "49", Prices: map[toll.Class]toll.Micro{toll.Zone1: 1}, Policy: func(string, string) (toll.Policy, bool) { return toll.Policy{}, true }}
		g, err := toll.Restore(cfg, b)
		if err != nil {
			return
		}
		for _, id := range g.Running() {
			if cost, err := g.Ended(monday, id); err == nil && cost < 0 {
				t.Fatal(cost)
			}
		}
		out, err := g.Snapshot()
		if err != nil || !json.Valid(out) {
			t.Fatal(err)
		}
	})
}
