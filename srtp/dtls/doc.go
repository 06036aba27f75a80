// Package dtls agrees on media keys with a phone by a DTLS handshake on the media port (DTLS-SRTP, RFC 5763 and RFC 5764), for phones that do so without ICE
// and WebRTC. Unlike SDES, the keys never pass through the signalling: the descriptions carry the fingerprints of both certificates
// (RFC 8122), and a theft of the signalling's logs or of a server's key opens no call.
//
// The package knows neither sockets nor descriptions. The media engine owns the port: it tells datagrams apart with [IsDTLS] or [Classify], hands those of the
// peer's address to [Association.Deliver], and sends what comes out of [Config].Send. Attribute values go through [ParseFingerprint],
// [ParseSetup], [AnswerSetup] and [LocalRole]. The handshake yields two [srtp.Crypto], ready for srtp.NewSender and srtp.NewReceiver.
//
//	role, err := dtls.AnswerSetup(offered, dtls.SetupActive)
//	a, err := dtls.New(dtls.Config{Identity: tenant, Role: role, Fingerprints: told, Send: toPhone})
//	keys, err := a.Handshake(ctx) // while the engine calls a.Deliver
//	tx, err := srtp.NewSender(keys.Local, srtp.SenderConfig{})
//	rx, err := srtp.NewReceiver(keys.Remote, srtp.ReceiverConfig{})
//
// # Security
//
// Who the peer is rests on the fingerprint alone, so it is only as good as the signalling that brought it: refuse it unless every hop is TLS. A missing
// fingerprint, one of a hash below SHA-256, or a certificate that does not match ends the association with an error of its own before any
// key leaves this package. When a description tells several, those of the strongest hash count.
//
// Forward secrecy: only ephemeral Diffie-Hellman with AES-GCM is spoken (ECDHE with ECDSA or RSA), so that whoever steals an [Identity] later
// opens nothing captured before. DTLS 1.2 is the floor, the extended master secret (RFC 7627) is required, sessions are never resumed,
// and as a server we require the client's certificate.
//
// Suites come from srtp.Policy, its order, floor and dates included. Each direction has its own key (RFC 5764 section 4.2), and each handshake has its own.
//
// Strangers: an association serves one peer, and the engine decides by the address whose datagrams reach it. A ClientHello is answered with a
// HelloVerifyRequest first, which costs no signature and no more bytes than it took. At most 16 datagrams wait in memory. Whoever forges the peer's
// address can disturb a handshake but not end it in its own favour; once there are keys, alerts without protection are dropped, so
// that nobody else can say goodbye for the peer. Application data is dropped at any time.
//
// A peer that restarts with another fingerprint or tls-id (RFC 8842) gets a new Association; the old one is closed when the new one has keys.
//
// # Goroutines
//
// This package starts none of its own. While Handshake runs, on its caller's goroutine, the library runs three: its state machine, its reader, and one
// that waits beside each read. All three end with the handshake. After it an association has no goroutine and no timer: what is left to do,
// answering a peer that asks for the last flight again and noticing its goodbye, is done by Deliver.
//
// # Importing alone
//
// The package imports srtp and github.com/pion/dtls, and nothing of signalling, descriptions or WebRTC. Nothing in srtp imports it.
package dtls
