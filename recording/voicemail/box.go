package voicemail

import (
	"fmt"
	"time"
)

// Box is a mailbox as a store keeps it.
type Box struct {
	// Number names the box; callers type it: 1 to 16 digits.
	Number string
	// Hash is the PIN's, as NewBox makes it. If empty, nobody can log in.
	Hash string
	// Zone is the IANA time zone of times that are said and of scheduled greetings. If empty, UTC.
	Zone string
	// Created is in UTC.
	Created time.Time
}

// NewBox returns a box with a PIN. The errors are ErrInvalid and ErrPIN.
func NewBox(number, zone string, pin PIN, now time.Time) (Box, error) {
	if !ValidNumber(number) {
		return Box{}, fmt.Errorf("%w: a box is 1 to 16 digits", ErrInvalid)
	}
	if _, err := time.LoadLocation(zone); err != nil {
		return Box{}, fmt.Errorf("%w: time zone: %w", ErrInvalid, err)
	}
	if err := pin.Check(number); err != nil {
		return Box{}, err
	}
	return Box{Number: number, Hash: pin.hash(), Zone: zone, Created: now.UTC()}, nil
}

// ValidNumber reports whether s can name a box.
func ValidNumber(s string) bool { return len(s) <= 16 && digits(s) }

// location is the box's time zone; one that this machine does not know is UTC.
func (b Box) location() *time.Location {
	if l, err := time.LoadLocation(b.Zone); err == nil {
		return l
	}
	return time.UTC
}

// Kind says what an item is. It is the data class of the item's recording too.
type Kind string

// The kinds.
const (
	Message  Kind = "voicemail"
	Greeting Kind = "greeting"
)

// State is where an item is in its life.
type State int

// The states. The zero State is none.
const (
	StateInvalid  State = iota
	StatePending        // being recorded, or left behind by a process that died and not yet recovered
	StateNew            // a message nobody has dealt with
	StateSaved          // a message its owner saved
	StateActive         // a greeting in use
	StateDeleting       // its recording is being destroyed; in no list
)

// String returns the state's name.
func (s State) String() string {
	if names := [...]string{"invalid", "pending", "new", "saved", "active", "deleting"}; s > 0 && int(s) < len(names) {
		return names[s]
	}
	return "invalid"
}

// Item is a message or a greeting as a store keeps it: everything but its sound and who left it.
type Item struct {
	ID         string // of its recording
	Box        string
	Kind       Kind
	State      State
	Created    time.Time     // UTC
	Length     time.Duration // while pending: what is reserved for it
	Incomplete bool          // a crash or a disk cut it off
	Schedule   Schedule      // of a greeting
}

// Schedule says when a greeting is played, in the time zone of the box. The zero Schedule is always.
type Schedule struct {
	// First and Last are days, as 2006-01-02, both included. If empty, no bound.
	First, Last string
	// Days has bit 1<<time.Weekday set for each day of the week. If zero, every day.
	Days uint8
	// From and Until are minutes of the day, 0 to 1440; a greeting of From 1080 and Until 480 is for the night. If both are zero, all day.
	From, Until int
}

// Validate returns ErrInvalid for days and hours there are not.
func (s Schedule) Validate() error {
	for _, day := range []string{s.First, s.Last} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if s.From < 0 || s.From > 1440 || s.Until < 0 || s.Until > 1440 || s.Days > 127 {
		return fmt.Errorf("%w: hours of a greeting", ErrInvalid)
	}
	return nil
}

// covers reports whether the schedule holds at a time, which is in the zone of the box. The hours after midnight of a night belong to the day they fall on.
func (s Schedule) covers(t time.Time) bool {
	day, minute := t.Format(time.DateOnly), t.Hour()*60+t.Minute()
	switch {
	case s.First != "" && day < s.First, s.Last != "" && day > s.Last, s.Days != 0 && s.Days&(1<<t.Weekday()) == 0:
		return false
	case s.From <= s.Until:
		return s.From == s.Until || (minute >= s.From && minute < s.Until)
	}
	return minute >= s.From || minute < s.Until
}

// rank orders schedules that hold at the same time: a date beats hours, and hours beat always.
func (s Schedule) rank() int {
	switch {
	case s.First != "" || s.Last != "":
		return 2
	case s != Schedule{}:
		return 1
	}
	return 0
}

// choose returns the greeting for a time in the zone of the box; false is the standard one. Of two with the same rank the newer is taken.
func choose(items []Item, t time.Time) (best Item, ok bool) {
	for _, it := range items {
		if it.Kind != Greeting || it.State != StateActive || !it.Schedule.covers(t) {
			continue
		}
		if !ok || it.Schedule.rank() >= best.Schedule.rank() {
			best, ok = it, true
		}
	}
	return best, ok
}

// Counts are the messages of a box.
type Counts struct{ New, Saved int }

// Tries are the failed log-ins of a box in a row.
type Tries struct {
	Failed int
	Until  time.Time // the box refuses before
}

// lockout is how long a box refuses after so many failures in a row.
func lockout(failed int) time.Duration {
	if failed < freeTries {
		return 0
	}
	d := time.Minute
	for range failed - freeTries {
		if d *= 2; d >= maxLockout {
			return maxLockout
		}
	}
	return d
}

const (
	freeTries  = 3
	maxLockout = 24 * time.Hour
)
