package main

import (
	_ "embed"
	"fmt"
)

//go:embed controls.txt
var provedControls string

type controlsCmd struct{}

// Run prints the controls that the tests of this source prove, as `make controls` last wrote them; each names its test.
func (controlsCmd) Run(a *app) error {
	_, err := fmt.Fprint(a.stdout, provedControls)
	return err
}
