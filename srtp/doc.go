// Package srtp protects media: it agrees on keys over signalling (SDES, RFC 4568) and turns RTP and RTCP packets into SRTP and
// SRTCP packets and back (RFC 3711, RFC 6188, RFC 7714).
//
// A [Policy] names the cipher suites a service is willing to use, best first. [Policy.Offer], [Policy.Answer] and
// [Policy.Accept] are the three steps of key agreement as pure functions over `a=crypto` lines. They yield one [Crypto] for
// each direction; [NewSender] and [NewReceiver] turn those into packet protection for one direction each. Keys that come from a
// DTLS handshake instead (srtp/dtls) go the same way from there.
//
//	offered, _ := policy.Offer()
//	local, remote, err := policy.Accept(offered, answerLines)
//	tx, err := srtp.NewSender(local, srtp.SenderConfig{})
//	rx, err := srtp.NewReceiver(remote, srtp.ReceiverConfig{})
//
// # Suites and dates
//
// The default policy offers AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES_256_CM_HMAC_SHA1_80 and AES_CM_128_HMAC_SHA1_80, in this order, and the
// answerer's order wins. [Policy].Floor is the least [Strength] that may be listed or accepted; the suites with a 32-bit tag are below
// the default floor and need both StrengthShortTag there and their names in the list. Every suite has a date from which on it is
// refused ([Suite.Sunset]): the 32-bit tags on 1 January 2028, SHA-1 on 1 January 2031, AES-128 on 1 January 2036, AES-256-GCM none.
// [Policy].Sunset moves them. A policy that lists a suite past its date fails in every method with [ErrSunset], the suite and the date;
// the default list drops it silently. F8, SEED, ARIA and NULL suites are not implemented and so never agreed to.
//
// # SDES
//
// SDES writes the key into the session description, so it is only as secret as the signalling that carries it: refuse it unless every hop is
// TLS. What RFC 4568 section 9 allows is read and written: one to four keys, lifetimes as a number or a power of two, MKIs up to 128
// bytes, every session parameter. What is accepted is another matter and up to [ParamRules]: by default WSH, a hint that changes nothing,
// and parameters with a dash. UNENCRYPTED_SRTP, UNENCRYPTED_SRTCP, UNAUTHENTICATED_SRTP, FEC_KEY and a KDR other than 0 are things the
// transform does not do: no rule opens them, and [NewSender] and [NewReceiver] refuse them again. An unknown parameter without a
// dash makes its line unusable. The reason for a refusal never quotes the line, hence no key.
//
// An answer must repeat one offered tag with its suite, and a peer that sends one of our keys back is refused. An answer of ours takes the shape of the
// peer's line: an MKI of its length if it has one, a lifetime if it has one, nothing else than the policy's own [Announce].
//
// # Keys, lifetime and rekeying
//
// Every call of [Policy.Offer] and [Policy.Answer] draws fresh keys from crypto/rand, one for each direction and suite, so
// no two calls, forks or directions share one. Within a call keys stay: [Crypto.SameKeys] tells a peer that repeats itself from one that rekeys,
// and offering the attribute in force again changes nothing.
//
// A key ends after its lifetime or the limits of RFC 3711 section 9.2, 2^48 SRTP or 2^31 SRTCP packets, whichever comes first, for sending and for
// receiving. [Sender.RekeyDue] says so in advance. With an MKI ([Announce].MKILength), the key changes within the stream: [Policy.Rekey] makes the
// attribute that announces the next key, the peer's Receiver takes it with [Receiver.AddKey], [Sender.Rekey] goes over to it under the same SSRC and
// index, and [Receiver.RemoveKey] ends the old one. A Sender also goes over by itself to further keys that were announced from the start. Without an MKI,
// an offer with a new key makes a new Sender and Receiver, and the owner keeps the old Receiver for the packets under way.
//
// A [Key] cannot be printed, logged or marshalled by accident; the only way out is a method called ExportSecret. Sender and Receiver derive
// their session keys at once and keep no master key. [Crypto.Zero] overwrites master keys; [Sender.Close] and [Receiver.Close] drop the
// derived ones and overwrite their salts. Go gives no means to overwrite the key schedules inside the standard library's AES and HMAC, which the
// garbage collector frees.
//
// # Security
//
// Sending: encrypting two packets under one index reveals both (the two-time pad of RFC 3711 section 9.1). A [Sender] therefore
// owns its SSRC and index, starts below 2^15 so that a receiver that missed the first packets still guesses the rollover
// counter, and refuses an index that does not increase. A new Sender always comes with a new random SSRC.
//
// Receiving: the tag of a packet is checked before anything is allocated or remembered, so that a stranger can neither fill memory nor move the
// window, whatever it sends; replayed packets are refused before any cryptography is spent on them; the number of sources is capped. SRTCP without
// encryption is refused. A receiver that joined late or missed a rollover of the counter looks up to five rollovers ahead, once in nine failed
// packets. Cryptex (RFC 9335) and the rollover counter carrying transform (RFC 4771) are not spoken.
//
// The transform is the standard library's AES, GCM and HMAC-SHA1 under the packet formats. It is held against the vectors of RFC 3711 appendix B,
// RFC 6188 section 7 and RFC 7714 sections 16 and 17, and against two other implementations. A Sender and a Receiver take under 6 KB together.
//
// # Goroutines
//
// This package starts none. Sender and Receiver are not safe for concurrent use; their owner serialises access.
//
// # Importing alone
//
// The root imports the standard library only, and nothing of signalling. Session descriptions are in
// srtp/sdp, DTLS in srtp/dtls, sockets and bridges in srtp/media, audio in srtp/codec.
package srtp
