// Package media carries calls' audio: legs with keys each, prompts, digits, taps, bridges and conferences.
//
// An [Engine] opens [Leg] values. A Leg agrees on media by three verbs that signalling calls with bodies it need not understand:
// [Leg.Offer], [Leg.Answer] and [Leg.Accept]. Then the leg plays ([Leg.Play], [Leg.Loop]), collects digits ([Leg.ReadDigit]), sends digits
// ([Leg.SendDigits]), echoes ([Leg.Echo]), feeds a recorder ([Leg.SetTap]), is joined to another leg by a [Bridge] and to many by a [Conference].
//
//	leg, err := engine.NewLeg(media.LegConfig{SignallingSecure: true})
//	answer, err := leg.Answer(ctx, offer) // the body for the 200 OK
//	err = leg.Play(ctx, welcome)
//	digit, err := leg.ReadDigit(ctx)
//
// A browser's leg comes from package srtp/webrtc and is a Leg like any other: it plays, echoes, is tapped, bridged and mixed by the code here.
//
// # Keys
//
// A phone that offers SDES gets SDES; one that offers DTLS-SRTP gets that if the leg has a certificate ([LegConfig].DTLS), and a port to itself, because a handshake's first packet does not say
// whose it is. What our own Offer proposes is [LegConfig].Propose. When a key nears the end of its lifetime, [Leg.RekeyDue] asks for a re-INVITE, whose Offer brings a new one.
//
// # Codecs
//
// An Engine has the codecs of [Config.Codecs], G.711 and G.722 unless told otherwise, and a leg negotiates those it names; two legs of one codec are bridged without decoding anything.
// Prompts are encoded once for each codec. Packets have the length the peer asked for, 10 to 60 ms (20 ms with Opus), but what a bridge relays keeps its own.
//
// # Conferences
//
// A [Conference] decodes its members into playout buffers and mixes for each of them, every 20 ms, whom it hears. Who hears whom is data, a [Hears]: [Everybody], [Among], or the
// [Supervision] of a call that a supervisor listens to, whispers into, joins or takes over. [Conference.Arrange] changes it for all members between two ticks, so that nobody hears one
// packet that is not for them, nor what was said before they were let in. [Bridge.Conference] and [Conference.Bridge] change over while the call goes on.
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
// [Leg.WithholdTaps], which keeps audio out of recordings, for [Leg.Secret], which keeps a card's digits from everybody else as well, as events and as tones, and for
// [Conference.Arrange] and [Member.Leave].
//
// # Goroutines
//
// An Engine has one pacer goroutine, which sends every playing leg's next 20 ms, mixes every conference and, twice a second, looks after reports
// and timeouts, and two reader goroutines for each port in use, which serves 512 legs. A leg has none. While packets come thick, a reader gathers them for up to
// 3 ms (1 ms under load) and moves a batch with one system call, because waking a thread for each packet costs more than decrypting, encrypting and
// sending it. [Engine.Close] stops all of them and waits; [Leg.Close] waits until nothing of the leg is under way. Playing hold music needs no goroutine of the caller.
// A conference of 100 takes about 100 µs of the pacer's 20 ms, encryption not counted. Everything is safe for concurrent use. A [Tap] runs on the port's reader goroutine, and other legs' audio waits for it.
//
// # Cost
//
// Measured on two cores with the phones on the same two, against a plain UDP relay with a goroutine for each socket in the same run (`make bench ROOM=srtp`). A socket for each leg, one
// thread reading all of them, had 0.6 to 0.7 of its CPU before any cryptography; ports shared by many legs, with packets read and written in batches, 0.4 to 0.5. That design is the one
// here. With SRTP taken off and put on, it has about 0.6 at 5 000 packets a second and 0.8 at 50 000, where the keys of a thousand legs no longer fit the processor's caches: 8 to 11 µs a
// packet, half of it in the system's send.
//
// # Importing alone
//
// media imports srtp, srtp/dtls, srtp/sdp and srtp/codec, pion's RTCP package, golang.org/x/sys for many packets with one system call, and no signalling.
package media
