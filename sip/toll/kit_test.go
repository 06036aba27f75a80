package toll_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/sip/toll"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// monday is within opening hours, at the beginning of an hour.
var monday = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

const (
	national = "+4930123456"      // 1 a minute
	zone1    = "+442079460000"    // 10 a minute
	premium  = "+49900123456"     // 100 a minute
	free     = "+49800123456"     // 0
	unpriced = "+881612345678"    // a satellite, without a price
	somalia  = "+25261234567"     // 50 a minute
	vanuatu  = "+67812345678"     // 50 a minute
	far      = "+93701234567"     // no line of the price list
	invalid  = "0049 30 12345678" // as people write it
)

var all = []toll.Class{toll.National, toll.Mobile, toll.Freephone, toll.SharedCost, toll.Premium, toll.Zone1, toll.Satellite, toll.Suspicious, toll.Zone3}

// wide are limits that are in nobody's way.
func wide() toll.Limits {
	return toll.Limits{Classes: all, MaxCalls: toll.NoLimit, PerMinute: toll.NoLimit, PerHour: toll.NoLimit, PerDay: toll.NoLimit,
		SpendHour: toll.NoLimit, SpendDay: toll.NoLimit, SpendMonth: toll.NoLimit, MaxCall: 3 * time.Hour}
}

// rig is a guard with policies that a test may change.
type rig struct {
	*toll.Guard
	t            *testing.T
	user, tenant toll.Policy
	events       []toll.Event
	cfg          toll.Config
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, user: toll.Policy{Day: wide()}, tenant: toll.Policy{Day: wide()}}
	r.cfg = toll.Config{
		Home:   "49",
		Prices: map[toll.Class]toll.Micro{toll.National: 1, toll.Zone1: 10, toll.Premium: 100, toll.Freephone: 0, toll.Suspicious: 50},
		Policy: func(tenant, user string) (toll.Policy, bool) {
			switch {
			case tenant != "acme" && tenant != "globex" || user == "stranger":
				return toll.Policy{}, false
			case user == "":
				return r.tenant, true
			}
			return r.user, true
		},
		OnEvent: func(e toll.Event) { r.events = append(r.events, e) },
	}
	for day := time.Monday; day <= time.Friday; day++ {
		r.cfg.Hours.Open[day] = toll.Span{From: 8 * 60, To: 18 * 60}
	}
	g, err := toll.New(r.cfg)
	require.NoError(t, err)
	r.Guard = g
	return r
}

func (r *rig) decide(now time.Time, id, number string) toll.Decision {
	return r.Decide(now, toll.Call{ID: id, Tenant: "acme", User: "1001", Number: number})
}

// call makes a whole call and returns what it cost.
func (r *rig) call(now time.Time, id, number string, length time.Duration) toll.Micro {
	r.t.Helper()
	require.True(r.t, r.decide(now, id, number).Allow)
	require.NoError(r.t, r.Started(now, id))
	require.NoError(r.t, r.Answered(now, id))
	cost, err := r.Ended(now.Add(length), id)
	require.NoError(r.t, err)
	return cost
}
