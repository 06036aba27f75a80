// Package opus describes Opus (RFC 6716, RFC 7587) as a codec.Codec: it is decoded in plain Go everywhere, and encoded with libopus in programs
// that are built with the tag "opus".
//
// Browsers speak G.711 too (RFC 7874), so nobody needs Opus to be understood. The decoder serves recordings and bridges from peers that send nothing
// else; the encoder needs cgo and the system's libopus (Debian: libopus-dev, pkg-config), which a default build must not ask for:
//
//	go build -tags opus ./...
//
// # Security
//
// Payloads come from a peer: their length and framing are checked before they are decoded, the decoder is fuzzed, and if it should fail on a packet all
// the same, that is an error of that packet and not the end of the process. No C code ever sees what a peer sent.
//
// # Goroutines
//
// None. An encoder or decoder belongs to one goroutine at a time; [Codec] is safe for concurrent use.
//
// # Importing alone
//
// opus imports srtp/codec and github.com/pion/opus, and with the tag cgo and libopus.
package opus
