// Package srtp protects media: it agrees on keys over signalling (SDES, RFC 4568) and turns RTP and RTCP packets into SRTP and
// SRTCP packets and back (RFC 3711, RFC 6188, RFC 7714).
//
// A [Policy] names the cipher suites a service is willing to use, best first. [Policy.Offer], [Policy.Answer] and
// [Policy.Accept] are the three steps of key agreement as pure functions over `a=crypto` lines. They yield one [Crypto] for
// each direction; [NewSender] and [NewReceiver] turn those into packet protection for one direction each.
//
//	offered, _ := policy.Offer()
//	local, remote, err := policy.Accept(offered, answerLines)
//	tx, err := srtp.NewSender(local, srtp.SenderConfig{})
//	rx, err := srtp.NewReceiver(remote, srtp.ReceiverConfig{})
//
// # Security
//
// Keys: every call of [Policy.Offer] and [Policy.Answer] draws fresh keys from crypto/rand, one for each direction and suite, so
// no two calls, forks or directions share one. A [Key] cannot be printed, logged or marshalled by accident; the only way out
// is a method called ExportSecret, which exists because SDES must write the key into the session description. That is also
// why SDES is only as secret as the signalling that carries it: refuse it unless every hop is TLS. [Sender.Close] and
// [Receiver.Close] overwrite the master keys and drop the derived ones; Go gives no means to overwrite the key schedules
// inside the standard library's AES, which the garbage collector frees.
//
// Sending: encrypting two packets under one index reveals both (the two-time pad of RFC 3711 section 9.1). A [Sender] therefore
// owns its SSRC and index, starts below 2^15 so that a receiver that missed the first packets still guesses the rollover
// counter, and refuses an index that does not increase. A new key always comes with a new Sender and so a new random SSRC.
//
// Receiving: replayed packets are refused before any cryptography is spent on them; nothing is remembered about a packet
// that fails authentication, so that a stranger can neither fill memory nor move the window; the number of sources is capped.
//
// Suites: the default policy offers AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES_256_CM_HMAC_SHA1_80 and AES_CM_128_HMAC_SHA1_80. The
// suites with a 32-bit tag are used only when a policy lists them. Session parameters that weaken protection
// (UNENCRYPTED_SRTP and its kin) are always refused.
//
// # Goroutines
//
// This package starts none. Sender and Receiver are not safe for concurrent use; their owner serialises access.
//
// # Importing alone
//
// The root imports github.com/pion/srtp for the packet transforms (sending under the GCM suites goes to the standard library directly) and
// nothing of signalling. Session descriptions are in
// srtp/sdp, sockets and bridges in srtp/media, audio in srtp/codec.
package srtp
