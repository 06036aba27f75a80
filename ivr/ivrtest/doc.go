// Package ivrtest plays a scripted caller, so that flows are tested without a phone and without waiting.
//
// A script is a list of steps: what the caller hears and does, in order. [Run] executes a flow against it in a testing/synctest
// bubble, so a caller who stays silent for a minute costs no time, and fails the test at the first difference.
//
//	out := ivrtest.Run(t, flow,
//		ivrtest.Hear("welcome"), ivrtest.Press("3"),
//		ivrtest.Hear("enter-account"), ivrtest.Press("123456#"),
//		ivrtest.Hear("thanks"), ivrtest.Ends("normal"))
//
// # Security
//
// The scripted caller is for tests only; it redacts nothing.
//
// # Goroutines
//
// Run starts the flow and the script inside the bubble and waits for both.
//
// # Importing alone
//
// ivrtest imports ivr and the standard library.
package ivrtest
