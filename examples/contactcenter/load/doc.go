// Package load puts the reference deployment under load and measures it: real SIP over TLS and real SRTP against the running program, built as it
// is and started in a process of its own. It has tests only.
//
// A short run is part of every test: 20 conversations at once, recorded, both ways, nothing lost. The figures take two minutes and a quiet machine:
//
//	make bench ROOM=examples/contactcenter/load
//
// prints one line for each, "figure contactcenter/NAME VALUE UNIT goal <= VALUE". The generator runs on the same cores as the server and its work is in none of the
// CPU and memory figures, but it does take time from the server: a figure here is what the machine does with its phones on top.
//
// The phones are cheap so that most of the machine is left for the server: signalling is an endpoint of package sip and a TLS connection each, but media goes
// through a handful of sockets that all phones share, with frames encoded once. Every frame carries who sent it and when, so a receiver counts what it got of whom:
// lost packets, one-way audio and two conversations mixed up cannot hide.
//
// # Security
//
// The server is the ordinary one with the ordinary policy: TLS, digest, SRTP by SDES, encrypted recordings. Nothing is switched off to be fast. Its data lives in a
// folder of the test and goes with it.
//
// # Goroutines
//
// The package starts none outside its tests. Its tests end their server, phones and sockets and wait for them.
//
// # Importing alone
//
// There is nothing to import.
package load
