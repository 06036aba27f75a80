// Package media carries calls' audio: legs with a socket and keys each, prompts, digits, taps and bridges.
//
// An [Engine] opens [Leg] values. A Leg agrees on media by three verbs that signalling calls with bodies it need not understand:
// [Leg.Offer], [Leg.Answer] and [Leg.Accept]. Then the leg plays ([Leg.Play], [Leg.Loop]), collects digits ([Leg.ReadDigit]), sends digits
// ([Leg.SendDigits]), echoes ([Leg.Echo]), feeds a recorder ([Leg.SetTap]) and is joined to another leg by a [Bridge].
//
//	leg, err := engine.NewLeg(media.LegConfig{SignallingSecure: true})
//	answer, err := leg.Answer(ctx, offer) // the body for the 200 OK
//	err = leg.Play(ctx, welcome)
//	digit, err := leg.ReadDigit(ctx)
//
// A browser's leg comes from package srtp/webrtc and is a Leg like any other: it plays, echoes, is tapped and is bridged by the code here.
//
// # Security
//
// Every leg of this package is SRTP, keyed by SDES or DTLS. Only packages of srtp can put another transport under a leg: srtp/webrtc, protected as well,
// and srtp/insecureleg, which is not, under a waiver that every record names. An offer of plain RTP gets [ErrPlainRTP], and keys that would travel
// over readable signalling get
// [ErrInsecureSignalling] before a description is even parsed; [LegConfig.SignallingSecure] is false unless the caller knows better.
//
// Keys are fresh for every leg and direction, stay the same while a peer re-offers the same key, and are overwritten by [Leg.Close].
// Nothing of this package prints a description or a key; an Engine and a Leg print as their kind only.
//
// Who may be heard: many legs share a port, so a packet finds its leg by its source address and SSRC once they are known, and before that by authentication
// alone: it is tried on the keys of the legs it could be meant for, those whose description or signalling names its address first. Such tries are bounded for each
// second, so that a flood from made-up addresses costs a hundredth of a core, and calls in progress never depend on them.
//
// A leg sends to the address of the description until a packet passes SRTP authentication, and then to the source
// of that packet (symmetric RTP). From then on, packets from another source are dropped and counted before any cryptography is spent on
// them. If the latched source has been silent for two seconds, another source may take over, again only with an authentic packet: phones move.
// A stranger's, a replayed and a forged packet are never heard, recorded or relayed, and [Leg.Stats] and [Engine.Stats] count each.
//
// A bridge ends for both directions before [Bridge.Close] returns: not one packet passes after it. The same holds for
// [Leg.WithholdTaps], which keeps secret input out of recordings.
//
// # Goroutines
//
// An Engine has one pacer goroutine, which sends every playing leg's next 20 ms and, twice a second, looks after reports
// and timeouts, and two reader goroutines for each port in use, which serves 512 legs. A leg has none. While packets come thick, a reader gathers them for up to
// 3 ms (1 ms under load) and moves a batch with one system call, because waking a thread for each packet costs more than decrypting, encrypting and
// sending it. [Engine.Close] stops all of them and waits; [Leg.Close] waits until nothing of the leg is under way. Playing hold music needs no goroutine of the caller.
// Everything is safe for concurrent use. A [Tap] runs on the port's reader goroutine, and other legs' audio waits for it.
//
// # Importing alone
//
// media imports srtp, srtp/sdp and srtp/codec, pion's RTCP and SRTP packages, and no signalling.
package media
