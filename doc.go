// Package ringfence is the map of an SDK for secure VoIP contact centers. It has no code: import the rooms.
//
//	sip        signalling: endpoints, calls, registrar, digest, TLS
//	srtp       secure media: keys (root), sdp, codec, media (legs, prompts, digits, bridges)
//	acd        automatic call distribution: queues, agents, offers; report: every figure from the event log
//	ivr        the language of call flows: compiled, checked, run
//	tenant     who is who: tenants, users, rights; kms, audit, password
//	recording  encrypted recordings: vault, tracks, verify, export
//	retention  periods, legal holds, sweeps, signed receipts
//
// No room imports another. Where they meet, the consumer declares a small interface of standard types and the producer fits without
// knowing it. The wiring of all of them is examples/contactcenter, over the public API only.
//
// # Security
//
// Every package comment has this heading and says whom it defends against and what it leaves to its caller.
//
// # Goroutines
//
// Every package comment has this heading and says which goroutines it starts and who ends them.
package ringfence
