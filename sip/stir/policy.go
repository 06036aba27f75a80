package stir

// Action is what becomes of a call.
type Action uint8

// Actions. The zero value is the safest.
const (
	Reject Action = iota
	Mark          // the call goes on, and whoever is called sees that the number is not proved
	Accept
)

func (a Action) String() string {
	switch a {
	case Mark:
		return "mark"
	case Accept:
		return "accept"
	}
	return "reject"
}

// Rule is what one realm wants of its callers. The zero value takes only calls of level A and rejects the others.
type Rule struct {
	// Require is the least level for Accept. If empty or none of A, B and C, A.
	Require Level
	// Below is for calls that passed with less than Require. If zero, Reject.
	Below Action
	// Missing is for calls that were not validated: without an Identity header above all. If zero, Reject.
	Missing Action
	// Failed is for calls whose Identity is wrong. If zero, Reject.
	Failed Action
	// Status is the status of rejections, 400-699. If zero or another, that of RFC 8224 section 6.2.2 for the Result, and 403 for Below.
	Status int
}

// Verdict is the decision about one call.
type Verdict struct {
	Action Action
	Status int    // of the answer if Action is Reject, else 0
	Phrase string // fit for it
}

// Policies are the rules of all realms. The zero value has the zero Rule for everybody.
type Policies struct {
	Realms map[string]Rule
	Other  Rule // for realms without one
}

// Decide says what becomes of a call. It has no memory. It must not run while Realms changes.
func (p Policies) Decide(realm string, r Result) Verdict {
	rule, ok := p.Realms[realm]
	if !ok {
		rule = p.Other
	}
	return rule.Decide(r)
}

// Decide says what becomes of a call under one rule.
func (rule Rule) Decide(r Result) Verdict {
	require := rule.Require
	if !require.valid() {
		require = Full
	}
	action, code := rule.Failed, r.Code
	switch {
	case r.Verstat == Passed && r.Level.AtLeast(require):
		return Verdict{Action: Accept}
	case r.Verstat == Passed:
		action, code = rule.Below, 0
	case r.Verstat == NotValidated:
		action = rule.Missing
	}
	if action == Mark || action == Accept {
		return Verdict{Action: action}
	}
	v := Verdict{Action: Reject, Status: code, Phrase: phrase(code)}
	if v.Phrase == "" {
		v.Status, v.Phrase = 403, "Forbidden"
	}
	if rule.Status >= 400 && rule.Status <= 699 && rule.Status != v.Status {
		v.Status, v.Phrase = rule.Status, "Rejected"
	}
	return v
}
