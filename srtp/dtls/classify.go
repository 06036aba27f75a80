package dtls

// Kind is what the first byte of a datagram says it is (RFC 7983 section 7).
type Kind uint8

// The kinds that share a media port.
const (
	KindUnknown Kind = iota // nothing that belongs here; drop it
	KindSTUN                // 0 to 3
	KindZRTP                // 16 to 19
	KindDTLS                // 20 to 63
	KindTURN                // 64 to 79, TURN channels
	KindRTP                 // 128 to 191: RTP and RTCP, protected or not
)

// Classify tells by the first byte what a datagram on a media port is. It costs nothing and says nothing about who sent it.
func Classify(first byte) Kind {
	switch {
	case first <= 3:
		return KindSTUN
	case first >= 16 && first <= 19:
		return KindZRTP
	case first >= 20 && first <= 63:
		return KindDTLS
	case first >= 64 && first <= 79:
		return KindTURN
	case first >= 128 && first <= 191:
		return KindRTP
	}
	return KindUnknown
}

// IsDTLS reports whether a datagram is for Association.Deliver. An empty one is not.
func IsDTLS(pkt []byte) bool { return len(pkt) > 0 && Classify(pkt[0]) == KindDTLS }
