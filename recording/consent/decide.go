package consent

import "fmt"

// Said is what a person has said about being recorded. The zero Said is nothing.
type Said int

// What there is to say.
const (
	Nothing Said = iota
	Told         // heard that the call is recorded, and stayed
	Agreed       // said or pressed yes, or has agreed in writing, as staff may
	Refused      // said or pressed no
)

// String returns what was said in a word.
func (s Said) String() string {
	switch s {
	case Nothing:
		return "nothing"
	case Told:
		return "told"
	case Agreed:
		return "agreed"
	case Refused:
		return "refused"
	}
	return "invalid"
}

// Person is one who takes part in a call or can hear it, a supervisor included.
type Person struct {
	Name  string // such as "caller"; for the decision's reason, so a role and not who it is
	Place string // where they are, as in Table; empty is unknown
	Said  Said
}

// Decision is whether a call may be recorded, and why.
type Decision struct {
	Allowed bool
	Need    Need   // the strictest of all the places
	Place   string // whose rule that is; empty for a place the table does not know
	Source  string // what says so; empty for a place the table does not know
	Reason  string // in words, with names as in Person
}

// Decide says whether a call with these people may be recorded now. Without people it may not.
func (t Table) Decide(people []Person) Decision {
	if len(people) == 0 {
		return Decision{Reason: "nobody is in the call"}
	}
	d := Decision{Need: OneParty + 1}
	for _, p := range people {
		if r, place := t.rule(p.Place); r.Need < d.Need {
			d.Need, d.Place, d.Source = r.Need, place, r.Source
		}
	}
	heard := false
	for _, p := range people {
		switch {
		case p.Said == Refused:
			d.Reason = p.Name + " refused"
			return d
		case p.Said < Nothing || p.Said > Refused, d.Need == Everyone && p.Said != Agreed:
			d.Reason = p.Name + " has not agreed"
			return d
		case d.Need == Notice && p.Said == Nothing:
			d.Reason = p.Name + " was not told"
			return d
		}
		heard = heard || p.Said != Nothing
	}
	if !heard {
		d.Reason = "nobody in the call has agreed or was told"
		return d
	}
	d.Allowed = true
	if d.Reason = fmt.Sprintf("%s, as %s asks", d.Need, d.Place); d.Place == "" {
		d.Reason = "everyone agreed"
	}
	return d
}
