package sim

import "errors"

var (
	// ErrInvalid is returned for traffic, goals, distributions, plans and configurations that make no sense.
	ErrInvalid = errors.New("sim: invalid")
	// ErrImpossible is returned for a goal that no number of agents up to MaxAgents reaches.
	ErrImpossible = errors.New("sim: impossible")
	// ErrNoSpare is returned by CheckSites for a plan that the loss of one site breaks. The error is a *SpareError.
	ErrNoSpare = errors.New("sim: no spare site")
	// ErrBroken is returned by Run if the core broke one of its promises, such as offering one work twice.
	ErrBroken = errors.New("sim: the core broke an invariant")
)
