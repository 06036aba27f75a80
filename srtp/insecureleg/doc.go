// Package insecureleg gives a legacy trunk that cannot do SRTP a media leg of plain RTP, for as long as somebody answers for it by name.
//
// Nothing else in this module speaks plain RTP to anybody, and no other package imports this one: a program that does not import it cannot be made to,
// and whoever reviews one looks for this path. A leg is a [media.Leg] like any other: it plays, collects digits, is tapped and is bridged with protected
// legs.
//
//	waiver := insecureleg.Waiver{Name: "carrier-x", Until: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC), Reason: "their SBC gets SRTP in Q1"}
//	leg, err := insecureleg.NewLeg(engine, media.LegConfig{}, waiver)
//	answer, err := leg.Answer(ctx, offer) // RTP/AVP
//
// The waiver ends by itself: when its date is past, [NewLeg] and every Offer and Answer return [ErrExpired], so that there are no new calls. A
// call that is up goes on until it hangs up or its peer re-negotiates.
//
// # Security
//
// None worth the name: whoever is on the path between the peer and this host hears the call, records it, changes it and presses keys in it. Use a
// private line or a tunnel for the path. The package keeps out those who are elsewhere:
//
// The attacker it names is the one of "RTP bleed", who sends RTP to the ports of a media server from anywhere and is sent a call's audio by
// servers that answer to whoever sent last, or heard in it by servers that take everything. Here only packets from the IP address of the peer's
// description are heard and answered, and the description came over signalling. Within that address the port may be another one than described
// (symmetric RTP, for a peer behind a NAT that maps ports), but the described one always wins, and a port in use gives way only after two silent
// seconds. A description without an IP address is refused: [ErrNoAddress]. What remains is somebody who shares the peer's address, or who can send
// with a forged one and guess the port.
//
// Plain RTP is not a fallback. A peer that offers keys in any form, or SRTP beside plain RTP, is refused with [ErrProtected]: it can have a protected leg, and
// an attacker in the signalling path must not be able to choose. A peer that answers with SRTP is refused as well.
//
// The call's record shows it: [media.Security] has "none" as its key method, the waiver's name and its date, and never says that a packet was authentic.
// Signalling need not be encrypted, because no key is in it; the record says whether it was.
//
// # Goroutines
//
// A leg has two from its first Offer or Answer until [media.Leg.Close], which waits for them. Everything is safe for concurrent use.
//
// # Importing alone
//
// insecureleg imports srtp/media, srtp/sdp and what those need.
package insecureleg
