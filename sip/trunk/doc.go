// Package trunk brings calls to the telephone network and takes calls from it, over several carriers that stand in for each other: which carrier is
// well, which is next, who may call as whom, and what is different when somebody calls for help.
//
//	group, err := trunk.New(trunk.Config{
//		Dialer: endpoint, Domain: "example.com", CallerID: trunk.CallerIDs(numbersOf, nil),
//		Carriers: []trunk.Carrier{{Name: "first", Domain: "sip.first.example"}, {Name: "second", Domain: "sip.second.example"}},
//	})
//	call, err := group.Dial(ctx, trunk.Call{To: "+4930123456", Owner: "acme", From: "+4940987654"}, newMedia)
//
// A call tries the servers of a carrier (RFC 3263) and then the next carrier when one refuses for reasons of its own, does not answer or cannot be
// reached; never after somebody's phone has rung, and never after a 6xx. What counts is measured twice: by OPTIONS, which need several results in a
// row to change anything, and by the calls themselves, with a circuit breaker that honours Retry-After.
//
// # Security
//
// Signalling is TLS and nothing else: a carrier with another transport is refused by [New], and no waiver changes that, since an endpoint opens no
// other connection. The certificate must be valid for [Carrier.Domain] at every connection; DNS only says where to connect, so whoever forges an
// answer gains nothing. Media is SRTP: descriptions without it are refused both ways, unless [Carrier.ClearMedia] names somebody and a date, which
// [Group.Waivers] lists. Each attempt asks for media of its own, so that a carrier that refused a call does not hold its keys.
// A number is presented only if [Config.CallerID] allows it, and headers are built from checked parts. An asserted identity is sent to and believed
// from trusted carriers only (RFC 3325). Calls come in from known peers only: [Group.ListenerTLS] and [Group.Screen]
// turn everybody else away before they speak SIP.
// A redirection is never followed: a peer must not choose whom we pay to call.
// Nothing bounds what may be called and for how much: that is for the owner of the numbers to decide before Dial.
//
// Emergency calls pass every limit here, try carriers that are out of service last rather than never, and go with the number and the location of the
// device. They do not pass the rules about encryption.
//
// # Goroutines
//
// One for each carrier, that probes it and keeps its registration, and one for each call until it ends. [Group.Close] stops and waits for all of
// them. [Group.Dial] works in its caller's goroutine.
//
// # Importing alone
//
// trunk needs package sip, and a DNS library for the records of RFC 3263. It knows no tenants and no queues.
package trunk
