// Package srtptest has what tests of programs with secure media need, like net/http/httptest for audio: a phone under the test's control, an
// attacker beside it, and a bad network between two endpoints.
//
// A [Phone] agrees on media by the three verbs signalling calls with bodies, so it fits wherever a leg does. It sends tones, audio, keys of a
// phone and packets of any kind; it writes down what it hears, and a [Recording] measures that: which tone, how much is missing, how often it clicks.
//
//	phone, err := srtptest.NewPhone(srtptest.PhoneConfig{})
//	answer, err := leg.Answer(ctx, offer) // offer is phone.Offer's
//	err = phone.Accept(ctx, answer)
//	phone.Sing(440)
//	heard, err := phone.Listen(ctx, time.Second)
//	pitch := heard.Pitch()
//
// A [Relay] carries a call between two endpoints whose descriptions pass through it, and loses, delays, reorders, doubles and slows packets
// as its two [Path] values say. A Path is arithmetic without a socket or a clock: the same seed and the same packets have the same fate, and a
// test of a jitter buffer can use one without a network.
//
// The package stands on srtp, srtp/sdp and srtp/codec and shares nothing with srtp/media: what both get wrong in the same way is not hidden by it.
//
// # Security
//
// For tests only. A Phone looks nobody up, keeps what it hears in memory, and prints as its kind only, because it holds keys. It speaks
// plain RTP if [PhoneConfig.InsecurePlainRTP] says so. An [Attacker] does to a call under test what a stranger on the network can do; it
// knows no key.
//
// # Goroutines
//
// A Phone has three, which Phone.Close ends and waits for; a Relay has three, which Relay.Close ends and waits for. A Path starts none. Phones, relays and attackers
// are safe for concurrent use; a Path and a Recording belong to one goroutine at a time.
//
// # Importing alone
//
// Standard library, srtp, srtp/sdp and srtp/codec only.
package srtptest
