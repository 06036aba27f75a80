package ivr

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrHangup is what a Call's methods return, wrapped or not, once the caller is gone.
	ErrHangup = errors.New("ivr: caller hung up")
	// ErrNoFlow is returned by [Program.Flow] for a name that no file defines.
	ErrNoFlow = errors.New("ivr: no such flow")
	// ErrUnsupported is returned by [Flow.Supports] and [Flow.Run] if the call lacks a capability that the flow uses.
	ErrUnsupported = errors.New("ivr: call lacks a capability")
	// ErrPhone is returned by [Flow.Run] when the phone side failed in the middle of a flow; it wraps the cause.
	ErrPhone = errors.New("ivr: phone failed")
)

// Diagnostic is one reason why a flow was refused.
type Diagnostic struct {
	File         string // path inside the file system given to Compile; empty if the refusal concerns no file
	Line, Column int    // 1-based; 0 if File is empty
	Summary      string // what is wrong, a few words
	Reason       string // why it would hurt a caller, or how to put it right
}

// String returns "file:line:column: summary: reason".
func (d Diagnostic) String() string {
	if d.File == "" {
		return fmt.Sprintf("%s: %s", d.Summary, d.Reason)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", d.File, d.Line, d.Column, d.Summary, d.Reason)
}

// Diagnostics is the error of [Compile]: every refusal found, ordered by file and line. Use errors.As to get at it.
type Diagnostics []Diagnostic

// Error returns one line per refusal.
func (d Diagnostics) Error() string {
	lines := make([]string, len(d))
	for i := range d {
		lines[i] = d[i].String()
	}
	return strings.Join(lines, "\n")
}
