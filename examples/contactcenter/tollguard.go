package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip/toll"
	"github.com/ringfence/ringfence/sip/trunk"
)

// tollConfig is what calls outside cost, and when the office is open. Without it calls outside are refused, but for help.
type tollConfig struct {
	Zone   string             `hcl:"zone,optional"`  // time zone; empty: UTC
	Open   []string           `hcl:"open,optional"`  // "Mon-Fri 08:00-18:00"; outside of that the limits of the night hold
	Prices map[string]float64 `hcl:"prices"`         // for each class and started minute, in the operator's currency; a class without one is not called
	Ahead  int                `hcl:"ahead,optional"` // minutes reserved at a time; zero: 10
}

// outboundConfig is what the phones of a tenant may call. Without it they call nobody outside, but for help.
type outboundConfig struct {
	From    string        `hcl:"from"` // one of the tenant's public numbers: what the called party sees
	Day     limitsConfig  `hcl:"day,block"`
	Night   *limitsConfig `hcl:"night,block"`    // none: nothing
	PerUser *limitsConfig `hcl:"per_user,block"` // by day, for one user; none: as for all together
}

type limitsConfig struct {
	Classes    []string `hcl:"classes"`
	MaxCalls   int      `hcl:"max_calls"`
	PerMinute  int      `hcl:"per_minute"`
	PerHour    int      `hcl:"per_hour"`
	PerDay     int      `hcl:"per_day"`
	SpendHour  float64  `hcl:"spend_hour"`
	SpendDay   float64  `hcl:"spend_day"`
	SpendMonth float64  `hcl:"spend_month"`
	MaxCall    string   `hcl:"max_call,optional"` // empty: 1h
}

func (l *limitsConfig) limits() (toll.Limits, error) {
	if l == nil {
		return toll.Limits{}, nil
	}
	longest, err := duration(l.MaxCall, time.Hour)
	if err != nil {
		return toll.Limits{}, fmt.Errorf("max_call: %w", err)
	}
	out := toll.Limits{MaxCalls: l.MaxCalls, PerMinute: l.PerMinute, PerHour: l.PerHour, PerDay: l.PerDay,
		SpendHour: micro(l.SpendHour), SpendDay: micro(l.SpendDay), SpendMonth: micro(l.SpendMonth), MaxCall: longest}
	for _, c := range l.Classes {
		out.Classes = append(out.Classes, toll.Class(c))
	}
	return out, nil
}

func micro(v float64) toll.Micro { return toll.Micro(math.Round(v * 1e6)) }

// policies turns the configuration of a tenant into the limits of all its users together, and of one.
func (o *outboundConfig) policies() (all, one toll.Policy, err error) {
	if o == nil {
		return all, one, nil
	}
	if all.Day, err = o.Day.limits(); err != nil {
		return all, one, err
	}
	if all.Night, err = o.Night.limits(); err != nil {
		return all, one, err
	}
	one = all
	if o.PerUser != nil {
		one.Day, err = o.PerUser.limits()
	}
	return all, one, err
}

var weekdays = map[string]time.Weekday{"Sun": 0, "Mon": 1, "Tue": 2, "Wed": 3, "Thu": 4, "Fri": 5, "Sat": 6}

// hours reads "Mon-Fri 08:00-18:00".
func (c *tollConfig) hours() (toll.Hours, error) {
	var h toll.Hours
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return h, fmt.Errorf("zone: %w", err)
	}
	h.Zone = zone
	for _, o := range c.Open {
		days, span, ok := strings.Cut(o, " ")
		from, to, ok2 := strings.Cut(span, "-")
		first, last, ranged := strings.Cut(days, "-")
		if !ranged {
			last = first
		}
		a, err1 := time.Parse("15:04", from)
		b, err2 := time.Parse("15:04", to)
		d, ok3 := weekdays[first]
		e, ok4 := weekdays[last]
		if !ok || !ok2 || !ok3 || !ok4 || err1 != nil || err2 != nil || !a.Before(b) {
			return h, fmt.Errorf("open: %q is not like \"Mon-Fri 08:00-18:00\"", o)
		}
		for ; ; d = (d + 1) % 7 {
			h.Open[d] = toll.Span{From: a.Hour()*60 + a.Minute(), To: b.Hour()*60 + b.Minute()}
			if d == e {
				break
			}
		}
	}
	return h, nil
}

// openToll makes the guard that every call outside must pass, with what was spent before the last restart.
func (n *node) openToll() error {
	if n.cfg.Carriers == nil {
		return nil
	}
	c := n.cfg.Toll
	if c == nil {
		c = &tollConfig{Prices: map[string]float64{string(toll.Freephone): 0}} // nothing but help and what is free can be called
	}
	hours, err := c.hours()
	if err != nil {
		return fmt.Errorf("toll: %w", err)
	}
	cfg := toll.Config{Home: n.cfg.Carriers.Country, Hours: hours, Ahead: c.Ahead, Prices: map[toll.Class]toll.Micro{}, Emergency: trunk.EmergencyNumbers(n.cfg.Carriers.Emergency)}
	for class, price := range c.Prices {
		cfg.Prices[toll.Class(class)] = micro(price)
	}
	type pair struct{ all, one toll.Policy }
	policies := map[string]pair{}
	for _, t := range n.cfg.Tenants {
		all, one, err := t.Outbound.policies()
		if err != nil {
			return fmt.Errorf("tenant %q: outbound: %w", t.Name, err)
		}
		if t.Outbound != nil {
			policies[t.Name] = pair{all, one}
		}
	}
	cfg.Policy = func(tenant, user string) (toll.Policy, bool) {
		p, ok := policies[tenant]
		if user == "" {
			return p.all, ok
		}
		return p.one, ok
	}
	cfg.OnEvent = func(e toll.Event) {
		if e.Kind == toll.Stop || e.Kind == toll.Refused {
			n.log.Warn("calls outside", "event", string(e.Kind), "tenant", e.Tenant, "user", e.User, "class", string(e.Class), "prefix", e.Prefix, "reason", string(e.Reason), "note", e.Note)
		}
	}
	saved, err := os.ReadFile(n.tollPath())
	switch {
	case err == nil:
		n.toll, err = toll.Restore(cfg, saved)
	case errors.Is(err, fs.ErrNotExist):
		n.toll, err = toll.New(cfg)
	}
	if err != nil {
		return fmt.Errorf("toll: %w", err)
	}
	for _, id := range n.toll.Running() { // calls of the process that died
		_, _ = n.toll.Ended(time.Now(), id) // it is in the list that was just read
	}
	return nil
}

func (n *node) tollPath() string { return filepath.Join(n.cfg.Data, "toll.json") }

// keepToll saves what was spent, so that a restart gives nobody their cap back.
func (n *node) keepToll() {
	n.tollMu.Lock()
	defer n.tollMu.Unlock()
	b, err := n.toll.Snapshot()
	if err == nil {
		next := n.tollPath() + ".next"
		if err = os.WriteFile(next, b, 0o600); err == nil {
			err = os.Rename(next, n.tollPath())
		}
	}
	if err != nil {
		n.log.Error("what was spent is not saved", "err", err)
	}
}

// locationConfig is where the phones of a tenant are, for those who come to help.
type locationConfig struct {
	Country string `hcl:"country"` // ISO 3166, "DE"
	City    string `hcl:"city"`
	Street  string `hcl:"street"`
	Number  string `hcl:"number,optional"`
	Zip     string `hcl:"zip,optional"`
	Floor   string `hcl:"floor,optional"`
}

func (l *locationConfig) location() *trunk.Location {
	if l == nil {
		return nil
	}
	return &trunk.Location{At: time.Now(), Civic: trunk.Civic{Country: l.Country, A3: l.City, Street: l.Street, Number: l.Number, Zip: l.Zip, Floor: l.Floor}}
}
