// Package browsertest proves package sip against real browsers: Chromium with JsSIP and with SIP.js registers, calls, holds and hangs up over WebSocket,
// and hears what the other says. It holds tests only.
//
// Chromium and node must be installed, and the npm packages of internal/browser, which .ci/peers puts into the cache of the user, not into the tree. What is
// missing is left out and said so; with RINGFENCE_PEERS=required it is a failure.
//
// # Security
//
// The tests look at the border from the side of the page: a page of a foreign site, a wrong password and a wrong token get nowhere. Chromium is told
// to believe any certificate and to use a microphone that is none; everything stays on this machine.
//
// # Goroutines
//
// Chromium is a process of the test, which kills it and waits for it.
//
// # Importing alone
//
// There is nothing to import.
package browsertest
