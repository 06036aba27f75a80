package branch

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrCDR is an entry that is not one.
var ErrCDR = errors.New("branch: not a valid CDR")

// Outcome is what became of a call.
type Outcome string

// The outcomes.
const (
	// Answered: both sides were connected.
	Answered Outcome = "answered"
	// Refused: the called side, or the branch, refused with CDR.Status.
	Refused Outcome = "refused"
	// Canceled: the caller gave up first.
	Canceled Outcome = "canceled"
	// Interrupted: the call was answered, and the branch ended before the call did or at an unknown time. CDR.End is zero.
	Interrupted Outcome = "interrupted"
)

// Route is how a call was handled.
type Route string

// The routes.
const (
	// Internal: to a phone of the site.
	Internal Route = "internal"
	// Fallback: to the phone that stands in for what only the upstream can do.
	Fallback Route = "fallback"
	// Public: to a public number over the local trunk.
	Public Route = "public"
	// Emergency: over the local trunk, for help.
	Emergency Route = "emergency"
	// Nowhere: refused, because only the upstream could have handled it.
	Nowhere Route = "nowhere"
)

// CDR is one call that the branch handled without the upstream. It says nothing of what was said.
type CDR struct {
	ID       string    `json:"id"`   // 128 random bits in hex; it stays the same however often it is sent
	From     string    `json:"from"` // the user that proved a password
	To       string    `json:"to"`   // as dialed
	Route    Route     `json:"route"`
	Start    time.Time `json:"start"`
	Answered time.Time `json:"answered,omitzero"` // zero: it was not
	End      time.Time `json:"end,omitzero"`      // zero: not known
	Outcome  Outcome   `json:"outcome"`
	Status   int       `json:"status,omitempty"` // of a refusal, 300-699
}

// maxParty is how many bytes of a number or name are kept: no number is longer (E.164 has 15 digits), and what a phone dials is not bounded by it.
const maxParty = 128

// Check returns ErrCDR if c could not have been written by a Journal.
func (c CDR) Check() error {
	id, err := hex.DecodeString(c.ID)
	switch {
	case err != nil || len(id) != 16 || strings.ToLower(c.ID) != c.ID:
		return fmt.Errorf("%w: ID", ErrCDR)
	case party(c.From) != c.From || party(c.To) != c.To:
		return fmt.Errorf("%w: party", ErrCDR)
	case c.Start.IsZero() || !dated(c.Start) || !dated(c.Answered) || !dated(c.End):
		return fmt.Errorf("%w: time", ErrCDR)
	case c.Status != 0 && (c.Status < 300 || c.Status > 699):
		return fmt.Errorf("%w: status", ErrCDR)
	}
	switch c.Outcome {
	case Answered, Refused, Canceled, Interrupted:
	default:
		return fmt.Errorf("%w: outcome", ErrCDR)
	}
	switch c.Route {
	case Internal, Fallback, Public, Emergency, Nowhere:
	default:
		return fmt.Errorf("%w: route", ErrCDR)
	}
	return nil
}

// dated reports whether t is none, or one that JSON can hold.
func dated(t time.Time) bool { return t.IsZero() || t.Year() >= 1970 && t.Year() <= 9999 }

// party is a number or a name as it may be kept: printable, of bounded length.
func party(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), maxParty)]
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program if the system has no randomness
	return hex.EncodeToString(b[:])
}

// Sink is where entries are sent to: the border to whoever keeps the calls of all sites.
type Sink interface {
	// Put returns nil when all of cdrs are kept for good. Otherwise all of them are sent again, with the same IDs, whether they arrived or not: the
	// receiving side must know an ID that it has. It must return when ctx ends. Branch calls it one at a time, in order.
	Put(ctx context.Context, cdrs []CDR) error
}
