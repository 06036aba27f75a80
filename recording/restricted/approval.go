package restricted

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	// ErrApproval is returned by NewRegister for an approval that is not written, scoped and limited.
	ErrApproval = errors.New("recording/restricted: not an approval")
	// ErrBarred is returned by Permits when nothing allows what is asked.
	ErrBarred = errors.New("recording/restricted: barred without a written approval")
)

// MaxApproval is the longest that an approval may run: whoever signs it signs again.
const MaxApproval = 366 * 24 * time.Hour

// Approval is the written exception for one category.
type Approval struct {
	ID        string    // names the document
	Category  Category  // what it is about
	Scope     []string  // where it holds, such as names of queues; at least one, and never "everywhere"
	Signatory string    // who signed
	Signed    time.Time // when; it holds from then
	Expires   time.Time // it holds until before then, at most MaxApproval later
}

func (a Approval) validate() error {
	switch {
	case a.ID == "" || a.Signatory == "":
		return fmt.Errorf("%w: no document or no signatory", ErrApproval)
	case !slices.Contains(Categories(), a.Category):
		return fmt.Errorf("%w: %s: no category is called %q", ErrApproval, a.ID, a.Category)
	case len(a.Scope) == 0 || slices.Contains(a.Scope, "") || slices.Contains(a.Scope, "*"):
		return fmt.Errorf("%w: %s: it must name where it holds", ErrApproval, a.ID)
	case a.Signed.IsZero() || !a.Expires.After(a.Signed) || a.Expires.Sub(a.Signed) > MaxApproval:
		return fmt.Errorf("%w: %s: it must run from its signature for at most %v", ErrApproval, a.ID, MaxApproval)
	}
	return nil
}

// Register holds the approvals. The zero Register holds none.
type Register struct{ approvals []Approval }

// NewRegister returns a register of them, or ErrApproval with the first that is none.
func NewRegister(approvals ...Approval) (*Register, error) {
	r := &Register{}
	for _, a := range approvals {
		if err := a.validate(); err != nil {
			return nil, err
		}
		a.Scope = slices.Clone(a.Scope)
		r.approvals = append(r.approvals, a)
	}
	return r, nil
}

// Permits returns the approvals that allow to record, transcribe or hand out at one place, such as a queue, what is tagged with categories: one for each, in
// their order. Without a category nothing needs to be approved. The error wraps ErrBarred and names the first category that nothing allows now.
func (r *Register) Permits(where string, now time.Time, categories ...Category) ([]Approval, error) {
	var out []Approval
	for _, c := range categories {
		i := -1
		if r != nil {
			i = slices.IndexFunc(r.approvals, func(a Approval) bool {
				return a.Category == c && slices.Contains(a.Scope, where) && !now.Before(a.Signed) && now.Before(a.Expires)
			})
		}
		if i < 0 {
			return nil, fmt.Errorf("%w: %s at %q", ErrBarred, c, where)
		}
		out = append(out, r.approvals[i])
	}
	return out, nil
}
