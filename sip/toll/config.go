package toll

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Micro is money in millionths of the operator's currency.
type Micro int64

// NoLimit lifts one limit. It is never a default.
const NoLimit = -1

const (
	maxPrice   = Micro(1e9)     // a thousand units a minute: beyond that sums could overflow
	maxCap     = Micro(1e15)    // a thousand million units
	longest    = 24 * time.Hour // no call is granted more
	unused     = time.Minute    // a decision that is not used for so long is void
	maxMargin  = 30 * time.Second
	defAhead   = 10 // minutes
	defMargin  = 2 * time.Second
	defMaxCall = time.Hour
)

// Config describes a Guard. It is copied by New.
type Config struct {
	// Home is the country code, digits without +, whose numbers are national. Required; the Table must know it as a country.
	Home string
	// Table knows destinations. If nil, BuiltIn.
	Table *Table
	// Emergency are further numbers for emergencies as they are dialed, compared whole. 112 and 911 always are (3GPP TS 22.101 section 10.1). If empty,
	// there are no others.
	Emergency []string
	// Prices are what each class costs for each started minute, 0 to 1e9. If a class has none, calls to it are refused; a free one is given 0. Required.
	Prices map[Class]Micro
	// Hours say when Policy.Day holds. If zero, never.
	Hours Hours
	// Policy returns what a user may do; for user "" what all users of the tenant may do together. false refuses: of a tenant or user that it does not know. It must
	// be quick and must not call the Guard, which holds a lock. Required.
	Policy func(tenant, user string) (Policy, bool)
	// Anomaly is when behaviour stops a user or a tenant. The zero value has the defaults of its fields.
	Anomaly Anomaly
	// Ahead is how many minutes of a call are reserved at a time, 1 to 1440. More of them spare Extend, fewer leave more to other calls. If zero, 10.
	Ahead int
	// Margin is how long before the end of the last reserved minute a call must end, for the time that hanging up takes, at most 30 s. If zero, 2 s.
	Margin time.Duration
	// OnEvent is told of each decision, cost and stop, in the order they happened. It must neither block nor call the Guard. If nil, nobody is told.
	OnEvent func(Event)
}

// Policy is the limits of one user or one tenant in and outside of opening hours. The zero value allows nothing but emergency numbers.
type Policy struct{ Day, Night Limits }

// Limits are what one user or one tenant may do. A call must be within those of both. The zero value allows nothing; NoLimit lifts a limit.
type Limits struct {
	// Classes are the classes that may be called. If empty, none.
	Classes []Class
	// MaxCalls bounds calls at once. If zero, none.
	MaxCalls int
	// PerMinute, PerHour and PerDay bound calls that are allowed within a minute or an hour (UTC) or a day of Hours.Zone. If zero, none.
	PerMinute, PerHour, PerDay int
	// SpendHour, SpendDay and SpendMonth bound what is spent, at most 1e15. If zero, only calls that cost nothing are allowed.
	SpendHour, SpendDay, SpendMonth Micro
	// MaxCall bounds one call from its answer, in whole minutes, at most a day. If zero, an hour.
	MaxCall time.Duration
}

// Anomaly is the pattern of a stolen account: many short calls to expensive or foreign places that the tenant did not call before. A place is new for a day
// after the first call there. When a bound is reached, the user or the tenant is stopped until Resume.
type Anomaly struct {
	// Short is below how long an answered call is short. If zero, 30 s.
	Short time.Duration
	// Within is the time in which short calls are counted. If zero, an hour.
	Within time.Duration
	// PerUser stops a user with so many of them, at most 1000. If zero, 5.
	PerUser int
	// PerTenant stops a tenant with so many of them, at most 1000. If zero, 20.
	PerTenant int
}

func (c Config) withDefaults() (Config, error) {
	if c.Table == nil {
		t, err := BuiltIn()
		if err != nil {
			return c, err
		}
		c.Table = t
	}
	if c.Ahead == 0 {
		c.Ahead = defAhead
	}
	if c.Margin == 0 {
		c.Margin = defMargin
	}
	a := &c.Anomaly
	if a.Short == 0 {
		a.Short = 30 * time.Second
	}
	if a.Within == 0 {
		a.Within = time.Hour
	}
	if a.PerUser == 0 {
		a.PerUser = 5
	}
	if a.PerTenant == 0 {
		a.PerTenant = 20
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	c.Emergency = append([]string{"112", "911"}, c.Emergency...)
	c.Hours.Holidays = slices.Clone(c.Hours.Holidays)
	prices := make(map[Class]Micro, len(c.Prices))
	for class, p := range c.Prices {
		prices[class] = p
	}
	c.Prices = prices
	return c, nil
}

func (c Config) validate() error {
	switch {
	case !c.Table.knows(c.Home):
		return errors.New("toll: Config.Home is no country code of the table")
	case c.Policy == nil:
		return errors.New("toll: Config.Policy is required")
	case len(c.Prices) == 0:
		return errors.New("toll: Config.Prices is required")
	case c.Ahead < 1 || c.Ahead > int(longest/time.Minute):
		return errors.New("toll: Config.Ahead: want 1 to 1440 minutes")
	case c.Margin < 0 || c.Margin > maxMargin:
		return errors.New("toll: Config.Margin: want 0 to 30 s")
	}
	for class, p := range c.Prices {
		if p < 0 || p > maxPrice {
			return fmt.Errorf("toll: Config.Prices: %s: want 0 to 1e9", class)
		}
	}
	for _, n := range c.Emergency {
		if !digits(n) || len(n) > maxPrefix {
			return errors.New("toll: Config.Emergency: want digits")
		}
	}
	a := c.Anomaly
	if a.Short < 0 || a.Within < 0 || a.PerUser < 0 || a.PerTenant < 0 || a.PerUser > 1000 || a.PerTenant > 1000 {
		return errors.New("toll: Config.Anomaly: out of range")
	}
	return c.Hours.validate()
}

// minutes is how many started minutes one call may have.
func (l Limits) minutes() int64 {
	d := l.MaxCall
	if d == 0 {
		d = defMaxCall
	}
	if d == NoLimit {
		d = longest
	}
	return int64(min(d, longest) / time.Minute)
}

// under reports whether n is below a bound of calls.
func under(n int64, bound int) bool { return bound == NoLimit || n < int64(bound) }

// cap is a bound of money as a number that can be subtracted from.
func (m Micro) cap() Micro {
	if m == NoLimit {
		return maxCap
	}
	return max(0, min(m, maxCap))
}
