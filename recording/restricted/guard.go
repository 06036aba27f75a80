package restricted

import (
	"context"
	"errors"
	"time"
)

// Guard is a Scanner as package recording's Config.Text wants it: Check refuses metadata, Mask masks the texts of marks and reasons. The zero Guard looks for
// all that Numbers lists. Safe for concurrent use.
type Guard struct{ Scanner }

// Mask returns text with each number replaced by its name in brackets. It never fails.
func (g Guard) Mask(text string) (string, error) {
	masked, _ := g.Scanner.Mask(text)
	return masked, nil
}

// Approvals is a Register as package recording's Config.Approver wants it. Safe for concurrent use.
type Approvals struct {
	// Register holds the approvals. If nil, nothing is approved.
	Register *Register
	// Place is the name of the attribute of a recording that says where it was made, such as "queue", to be held against the scope of approvals. A recording
	// without it was made nowhere, where nothing is approved. Required.
	Place string
	// Now is the clock, such as time.Now. Required: without it nothing is approved, because every approval ends.
	Now func() time.Time
}

// Approved returns the ID of the approval that covers category now at the place of the recording; empty if there is none. It never fails.
func (a Approvals) Approved(_ context.Context, _, _ string, attributes map[string]string, category string) (string, error) {
	where := attributes[a.Place]
	if where == "" || a.Now == nil {
		return "", nil
	}
	found, err := a.Register.Permits(where, a.Now(), Category(category))
	if errors.Is(err, ErrBarred) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return found[0].ID, nil
}
