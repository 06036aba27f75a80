// Package carrier is the seam between a media leg and a transport that agrees on keys and protects packets itself, such as ICE with
// DTLS-SRTP. It is internal so that no program outside srtp can put plain packets under a leg: what stands behind a [Wire] is reviewed
// together with the legs. One of them protects nothing, and says so in its name and in every record: srtp/insecureleg.
package carrier

import (
	"context"
	"net/netip"
	"time"

	"github.com/ringfence/ringfence/srtp/sdp"
)

// Carrier negotiates for one leg and carries its packets. The leg calls Offer, Answer and Accept one at a time, after it has checked that the
// signalling is secure; their meaning and errors are those of the leg's own verbs.
type Carrier interface {
	Offer(ctx context.Context) ([]byte, error)
	Answer(ctx context.Context, offer []byte) ([]byte, error)
	Accept(ctx context.Context, answer []byte) error
	// Security says what protects the packets. It is safe for concurrent use.
	Security() Security
	// Close ends the transport and returns when no call of the Port is under way and none will come. It may be called again.
	Close()
}

// Security is a carrier's part of a leg's security record.
type Security struct {
	Suite           string // SRTP suite; empty before the handshake
	KeyMethod       string // empty before negotiation
	Profile         string // empty before negotiation
	FingerprintHash string // hash function of the peer's fingerprint
	PeerVerified    bool   // the peer's certificate has that fingerprint

	Waiver      string    // name of the waiver that plain RTP runs under; empty: packets are protected
	WaivedUntil time.Time // its last moment
	Readable    bool      // with a waiver, the descriptions may have travelled readable; no key is in them
}

// Wire sends a leg's packets, protected unless its carrier has a waiver. A leg calls it with its lock held, one call at a time.
type Wire interface {
	// SSRC is the source every packet must carry. It never changes.
	SSRC() uint32
	// Up reports whether packets can be sent: the peer is verified and the transport has not ended.
	Up() bool
	// WriteRTP sends a plain packet with a header of 12 bytes. It keeps nothing of it.
	WriteRTP(packet []byte) error
	// WriteRTCP sends a plain compound packet.
	WriteRTCP(packet []byte) error
}

// Port is a leg as its carrier sees it. All methods are safe for concurrent use.
type Port interface {
	// Local is the address media is received on, and the range of its ports; 0 and 0 for any.
	Local() (addr netip.Addr, portMin, portMax uint16)
	// Agree puts an agreement into force, sent over w; another w than before begins a new stream.
	Agree(a sdp.Agreed, w Wire)
	// Stranger counts a packet that posed as the peer's.
	Stranger()
	// RTP takes a packet of the verified peer, or of what passes for it under a waiver. packet is spoiled; there must be Headroom bytes of capacity behind it.
	RTP(packet []byte)
	// RTCP takes a report of the same.
	RTCP(packet []byte)
	// Lost says that the peer hung up or cannot be reached any more.
	Lost()
	// Fail ends the leg for a reason an operator reads, such as a peer that is not who it said it is. It does not wait.
	Fail(reason string)
}

// Headroom is the room a relaying leg needs behind a packet.
const Headroom = 160
