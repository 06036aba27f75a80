package insecureleg

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

var (
	// ErrWaiver is returned by NewLeg for a waiver that lacks something or runs for too long, with the reason.
	ErrWaiver = errors.New("insecureleg: no valid waiver")
	// ErrExpired is returned by NewLeg, Leg.Offer and Leg.Answer when the waiver is past its date. It names the waiver and the date.
	ErrExpired = errors.New("insecureleg: waiver expired")
	// ErrProtected is returned by Leg.Answer and Accept for a peer that speaks SRTP, or could.
	ErrProtected = errors.New("insecureleg: the peer can do SRTP; use a leg of media.Engine.NewLeg")
	// ErrNoAddress is returned by Leg.Answer and Accept for a description whose audio is not at one host's IP address: there is nobody to listen to.
	ErrNoAddress = errors.New("insecureleg: peer's description has no usable IP address")
)

// Waiver is the permission to run a leg without protection. All of Name, Until and Reason are required.
type Waiver struct {
	// Name is what the records of calls and the errors call it, such as the trunk's name: 1 to 64 printable characters.
	Name string
	// Until is the moment from which on the waiver does not hold, at most a year ahead.
	Until time.Time
	// Reason says why and who decided, for whoever reads the configuration: 1 to 500 printable characters.
	Reason string
	// Now tells the time; it is called concurrently. If nil, time.Now.
	Now func() time.Time
}

const (
	maxName, maxReason = 64, 500
	// maxYears is how far ahead a waiver may reach, so that somebody looks at it again.
	maxYears = 1
)

func (w *Waiver) now() time.Time {
	if w.Now == nil {
		return time.Now()
	}
	return w.Now()
}

// check says whether the waiver may be given to a leg now.
func (w *Waiver) check() error {
	switch {
	case !printable(w.Name, maxName):
		return fmt.Errorf("%w: Name must have 1 to %d printable characters", ErrWaiver, maxName)
	case !printable(w.Reason, maxReason):
		return fmt.Errorf("%w: %q needs a Reason of 1 to %d printable characters", ErrWaiver, w.Name, maxReason)
	case w.Until.IsZero():
		return fmt.Errorf("%w: %q needs a date", ErrWaiver, w.Name)
	case w.Until.After(w.now().AddDate(maxYears, 0, 0)):
		return fmt.Errorf("%w: %q runs until %s, more than a year ahead", ErrWaiver, w.Name, w.Until.Format(time.DateOnly))
	}
	return w.holds()
}

// holds says whether the waiver is within its date.
func (w *Waiver) holds() error {
	if w.now().Before(w.Until) {
		return nil
	}
	return fmt.Errorf("%w: %q ended at %s; plain RTP is refused", ErrExpired, w.Name, w.Until.UTC().Format(time.RFC3339))
}

func printable(s string, maxLen int) bool {
	return strings.TrimSpace(s) != "" && len(s) <= maxLen && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
