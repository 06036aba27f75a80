package toll

import "time"

// period counts within one minute, hour, day or month; Key names which. Exported fields are written to a snapshot.
type period struct {
	Key int64 `json:"key"`
	N   int64 `json:"n"`
}

// in returns the count of the period key. Periods only go forward, so that a clock which is set back gives nobody a fresh cap.
func (p *period) in(key int64) *period {
	if key > p.Key {
		*p = period{Key: key}
	}
	return p
}

// account is what one user or one tenant did. Reserved and Running follow from the calls and are not written.
type account struct {
	Minute    period           `json:"minute"` // calls
	Hour      period           `json:"hour"`
	Day       period           `json:"day"`
	PaidHour  period           `json:"paid_hour"` // Micro
	PaidDay   period           `json:"paid_day"`
	PaidMonth period           `json:"paid_month"`
	Short     []int64          `json:"short,omitempty"` // when suspicious calls ended, Unix seconds
	Places    map[string]int64 `json:"places,omitempty"`
	Stopped   string           `json:"stopped,omitempty"` // the reason; empty: not stopped

	reserved Micro
	running  int64
}

// keys names the periods that a time is in.
type keys struct{ minute, hour, day, month int64 }

func (h Hours) keys(now time.Time) keys {
	y, m, d := now.In(h.zone()).Date()
	month := int64(y)*100 + int64(m)
	return keys{minute: floorDiv(now.Unix(), 60), hour: floorDiv(now.Unix(), 3600), day: month*100 + int64(d), month: month}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// roll begins the periods of now.
func (a *account) roll(k keys) {
	a.Minute.in(k.minute)
	a.Hour.in(k.hour)
	a.Day.in(k.day)
	a.PaidHour.in(k.hour)
	a.PaidDay.in(k.day)
	a.PaidMonth.in(k.month)
}

// rate says which bound of calls the next one would break.
func (a *account) rate(l Limits) Reason {
	switch {
	case !under(a.running, l.MaxCalls):
		return TooManyAtOnce
	case !under(a.Minute.N, l.PerMinute):
		return TooManyPerMinute
	case !under(a.Hour.N, l.PerHour):
		return TooManyPerHour
	case !under(a.Day.N, l.PerDay):
		return TooManyPerDay
	}
	return ""
}

// afford returns how many of want minutes at a price above zero are within every cap, and the cap that is in the way when none is.
func (a *account) afford(l Limits, price Micro, want int64) (int64, Reason) {
	for _, c := range []struct {
		cap    Micro
		paid   int64
		reason Reason
	}{
		{l.SpendMonth, a.PaidMonth.N, SpentMonth}, {l.SpendDay, a.PaidDay.N, SpentDay}, {l.SpendHour, a.PaidHour.N, SpentHour},
	} {
		left := c.cap.cap() - Micro(c.paid) - a.reserved
		if left < price {
			return 0, c.reason
		}
		want = min(want, int64(left/price))
	}
	return want, ""
}

// count enters a call that was allowed.
func (a *account) count() {
	a.Minute.N++
	a.Hour.N++
	a.Day.N++
}

// pay enters what a call cost. It stops at a number no cap reaches, so that nothing overflows.
func (a *account) pay(cost Micro) {
	for _, p := range []*period{&a.PaidHour, &a.PaidDay, &a.PaidMonth} {
		p.N = min(p.N+int64(cost), 4*int64(maxCap))
	}
}

// idle reports whether forgetting the account changes nothing: its periods are over and nobody stopped it.
func (a *account) idle(k keys, anomalyAfter int64) bool {
	if a.running > 0 || a.Stopped != "" || len(a.Places) > 0 || a.Minute.Key >= k.minute && a.Minute.N > 0 {
		return false
	}
	for _, t := range a.Short {
		if t > anomalyAfter {
			return false
		}
	}
	return (a.Hour.Key < k.hour || a.Hour.N == 0) && (a.Day.Key < k.day || a.Day.N == 0) && (a.PaidMonth.Key < k.month || a.PaidMonth.N == 0) &&
		(a.PaidDay.Key < k.day || a.PaidDay.N == 0) && (a.PaidHour.Key < k.hour || a.PaidHour.N == 0)
}
