// Package control holds the catalogue of promised controls and lets a test name the ones it proves.
//
// A control counts as proved when a passing test names it. Name one only where breaking the control breaks the test;
// when in doubt, leave it unproved.
package control

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
)

// Marker starts every log line that Proves writes; cmd/controls collects these lines from `go test -json`.
const Marker = "proves control "

//go:embed catalogue.json
var catalogueJSON []byte

// Control is one promise of the catalogue.
type Control struct {
	ID        string `json:"id"`
	Group     string `json:"group"`
	Class     string `json:"class"` // "code" or "evidence"
	Owner     string `json:"owner"`
	Statement string `json:"statement"`
	Source    string `json:"source"`
	Proof     string `json:"proof"`
}

// Group is a family of controls, such as ENC for encryption in transit.
type Group struct {
	Code  string `json:"code"`
	Title string `json:"title"`
}

// Catalogue is the whole list, in the order of the source documents.
type Catalogue struct {
	Groups   []Group   `json:"groups"`
	Controls []Control `json:"controls"`
}

var load = sync.OnceValue(func() Catalogue {
	var c Catalogue
	if err := json.Unmarshal(catalogueJSON, &c); err != nil {
		panic("control: embedded catalogue: " + err.Error())
	}
	return c
})

// All returns the catalogue. The caller must not change it. Safe for concurrent use.
func All() Catalogue { return load() }

// Find returns the control with the given ID.
func Find(id string) (Control, error) {
	for _, c := range load().Controls {
		if c.ID == id {
			return c, nil
		}
	}
	return Control{}, fmt.Errorf("control: no control %q in the catalogue", id)
}

// Proves records that t proves the named controls, if t passes. An unknown ID fails t, so a typo can never count.
func Proves(t testing.TB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := Find(id); err != nil {
			t.Error(err)
			continue
		}
		t.Log(Marker + id)
	}
}
