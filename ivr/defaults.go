package ivr

import "time"

// What a step does when its file does not say. LANGUAGE.md states the same values.
const (
	defaultTimeout   = 5 * time.Second
	defaultBetween   = 3 * time.Second
	defaultAttempts  = 3
	defaultEchoLimit = 5 * time.Minute
	defaultMaxSteps  = 500
)

// The limits table of LANGUAGE.md.
const (
	maxFileBytes = 256 << 10 // a flow file is text a person reads
	maxNesting   = 32        // brackets in brackets; bounds the parser's recursion
	maxNodes     = 1000      // per flow
	maxNameLen   = 64
	maxDigits    = 64
	maxAttempts  = 10
	maxPriority  = 100
	minTimeout   = 500 * time.Millisecond
	maxTimeout   = time.Minute
	minEcho      = time.Second
	maxEcho      = time.Hour
	maxTextBytes = 1024

	hangupWait = 5 * time.Second // how long a failed run may take to hang up
)
