// Package interop proves the reference deployment against peers that others wrote: baresip as caller and as agent, sipp through OpenSSL,
// libsrtp on what was captured. It holds tests only. They build the program, start it on a configuration of their own, and know nothing of
// its inside but what an operator knows: the configuration, the lines it prints, its commands and its metrics.
//
// A peer that is not installed is left out and said so; with RINGFENCE_PEERS=required it is a failure.
//
// # Security
//
// The tests look from outside at what the packages promise: no key and no word of SIP is readable on the wire, plain RTP and keys on an
// unencrypted transport are refused, a stranger's packets are dropped and counted. Tests with baresip need root, to make network
// namespaces of their own; nothing leaves them. The others stay on loopback.
//
// # Goroutines
//
// Each process that a test starts has goroutines that copy its output; they end with the process, which the test ends.
//
// # Importing alone
//
// There is nothing to import.
package interop
