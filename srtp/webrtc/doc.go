// Package webrtc gives browsers a media leg: the same [media.Leg] as a phone's, over ICE and DTLS-SRTP.
//
// It fits browsers that speak SIP over WebSocket (JsSIP, SIP.js) and any other page that can exchange an offer and an answer. An
// [Engine] opens legs that live in a [media.Engine]: they play, echo, collect and send digits, feed taps and are bridged with phones' legs
// by the code that does it for phones.
//
//	browsers, err := webrtc.New(webrtc.Config{Media: engine, Addr: addr})
//	leg, err := browsers.NewLeg(media.LegConfig{SignallingSecure: true})
//	answer, err := leg.Answer(ctx, offer) // the body for the 200 OK
//	bridge, err := media.NewBridge(leg, phone)
//
// Bodies are complete: every candidate is in them, nothing is trickled. Audio is G.711 with telephone-event, which every browser has
// (RFC 7874), so a bridge to a phone changes no payload; a leg whose [media.LegConfig.Codecs] lists opus negotiates that as well, with telephone-event at its
// clock beside it, and passes its payloads as they are. A browser that forks, or several browsers that ring at once, need a leg each.
// A prompt or digits begun before the handshake is over wait for it.
//
// Holding and resuming never touch the connection: the package answers such re-offers itself. An offer with new ICE credentials restarts
// ICE under the same keys; an offer with another fingerprint, or another tls-id where it has one (RFC 8842), is another connection, with keys and a source of
// its own. An offer of ours in a call keeps the streams the browser made, in their order, by their names.
//
// # Security
//
// Keys are agreed by DTLS between the media endpoints (RFC 5763, RFC 5764); descriptions carry only the fingerprint of a certificate. Who
// can change descriptions can pose as the peer, so legs without [media.LegConfig.SignallingSecure] refuse to negotiate, as phones' legs do.
// A description without a fingerprint, or with none by SHA-256 or better, is refused. When the handshake is over, the peer's certificate is
// compared with the fingerprint twice, by the library during the handshake and by this package after it, and a leg whose peer has another
// certificate ends before a packet is heard or sent.
//
// The suites are AEAD_AES_256_GCM, AEAD_AES_128_GCM and AES_CM_128_HMAC_SHA1_80; DTLS takes AEAD ciphers and extended master secrets only.
// Replayed packets are dropped within a window of 128.
//
// Who forges a browser's source address but has no key cannot end its call: records without protection, such as a plain alert, are dropped before the
// library acts on them. Until the handshake is over, a forged alert can still break it off, as it can every DTLS handshake.
//
// The engine is ICE-lite: it sends nothing to an address before a peer with the right password has sent from there, so an offer cannot
// make it probe or flood a third party, and it looks up no name. The library never sees the peer's description: it is given one written here with what was
// checked. Media lines other than the audio stream are switched off.
//
// Nothing here prints a description, an address or a key; [media.Leg.Security] has the record for the call.
//
// # Goroutines
//
// A leg has about a dozen, most of them the library's, from its first Offer or Answer until [media.Leg.Close], which waits for them. Those of
// the ICE-TCP listener end with [Engine.Close]. Everything is safe for concurrent use.
//
// # Importing alone
//
// webrtc imports srtp, srtp/sdp, srtp/media and pion/webrtc with what that needs. It is the only package that does.
package webrtc
