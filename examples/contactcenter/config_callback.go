package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// callbackConfig lets the callers of a queue hang up, keep their place and be called back.
type callbackConfig struct {
	Key         string `hcl:"key"`                   // what a waiting caller presses, 0 to 9
	Attempts    int    `hcl:"attempts,optional"`     // how often a caller is called; zero: 3
	Retry       string `hcl:"retry,optional"`        // after an attempt that failed; empty: 15m
	Expires     string `hcl:"expires,optional"`      // after the key was pressed nobody is called any more; empty: 8h
	DialTimeout string `hcl:"dial_timeout,optional"` // how long a caller's phone rings; empty: 60s
	MaxActive   int    `hcl:"max_active,optional"`   // how many agents call callers back, or talk to those, at once; zero: all
	// Hours are when callers may be called: "Mo-Fr 08:00-20:00, Sa 09:00-13:00". Empty: always.
	Hours string `hcl:"hours,optional"`
	// Zone is the time zone of Hours; empty: UTC. What it is from UTC when the server starts holds until the next start.
	Zone string `hcl:"zone,optional"`
	// Notice is a prompt that whoever answers hears first, such as that the conversation is recorded. Empty: none, and they count as not told.
	Notice string `hcl:"notice,optional"`
}

const callbackExpires = 8 * time.Hour

var callbackKey = regexp.MustCompile(`^[0-9]$`)

func (c *callbackConfig) check() error {
	if c == nil {
		return nil
	}
	if !callbackKey.MatchString(c.Key) {
		return fmt.Errorf("key: %q is not one of 0 to 9", c.Key)
	}
	for field, v := range map[string]string{"retry": c.Retry, "expires": c.Expires, "dial_timeout": c.DialTimeout} {
		if _, err := duration(v, 0); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
	}
	if c.Attempts < 0 || c.Attempts > 20 {
		return errors.New("attempts: 1 to 20")
	}
	if c.MaxActive < 0 {
		return errors.New("max_active: less than nobody")
	}
	_, err := c.hours(time.Time{})
	return err
}

// rules are what the distributor does. Everything was checked when the file was read.
func (c *callbackConfig) rules(now time.Time) acd.Callback {
	if c == nil {
		return acd.Callback{}
	}
	out := acd.Callback{Attempts: c.Attempts, MaxActive: c.MaxActive}
	out.Expiry, _ = duration(c.Expires, callbackExpires)
	out.Retry, _ = duration(c.Retry, 0)
	out.DialTimeout, _ = duration(c.DialTimeout, 0)
	out.Hours, _ = c.hours(now)
	return out
}

var callbackDays = map[string]time.Weekday{"Mo": 1, "Tu": 2, "We": 3, "Th": 4, "Fr": 5, "Sa": 6, "Su": 0, "Mon": 1, "Tue": 2, "Wed": 3, "Thu": 4, "Fri": 5, "Sat": 6, "Sun": 0}

// hours reads "Mo-Fr 08:00-20:00, Sa 09:00-13:00", at the zone's distance from UTC at now.
func (c *callbackConfig) hours(now time.Time) ([]acd.Hours, error) {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return nil, fmt.Errorf("zone: %w", err)
	}
	if c.Hours == "" {
		return nil, nil
	}
	_, offset := now.In(zone).Zone()
	var out []acd.Hours
	for _, part := range strings.Split(c.Hours, ",") {
		days, span, _ := strings.Cut(strings.TrimSpace(part), " ")
		from, until, _ := strings.Cut(strings.TrimSpace(span), "-")
		h := acd.Hours{Offset: time.Duration(offset) * time.Second}
		var ok [3]bool
		h.From, ok[0] = timeOfDay(from)
		h.Until, ok[1] = timeOfDay(until)
		h.Days, ok[2] = daysOf(days)
		if ok != [3]bool{true, true, true} || h.From >= h.Until {
			return nil, fmt.Errorf("hours: %q is not like \"Mo-Fr 08:00-20:00\"", part)
		}
		out = append(out, h)
	}
	return out, nil
}

// daysOf reads "Mo-Fr" or "Sa".
func daysOf(s string) (out []time.Weekday, ok bool) {
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	d, ok1 := callbackDays[first]
	e, ok2 := callbackDays[last]
	if !ok1 || !ok2 {
		return nil, false
	}
	for ; d != e; d = (d + 1) % 7 {
		out = append(out, d)
	}
	return append(out, e), true
}

func timeOfDay(s string) (time.Duration, bool) {
	if s == "24:00" {
		return 24 * time.Hour, true
	}
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil
}
