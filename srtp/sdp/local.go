package sdp

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
)

// Keying is a set of ways to agree on SRTP keys.
type Keying uint8

// The ways to agree on keys. Zero is KeySDES where a Local asks.
const (
	// KeySDES writes the keys into the description (RFC 4568): RTP/SAVP and RTP/SAVPF with crypto attributes.
	KeySDES Keying = 1 << iota
	// KeyDTLS makes the keys in a DTLS handshake on the media path (RFC 5763): UDP/TLS/RTP/SAVP and UDP/TLS/RTP/SAVPF with
	// fingerprint and setup, and RTP/SAVP and RTP/SAVPF with the same, as older phones write it.
	KeyDTLS
)

// Has reports whether the set holds k.
func (s Keying) Has(k Keying) bool { return s&k != 0 }

// Keys are the values of crypto attributes, or of any attribute that holds keys. They print as [redacted]. A Keys is a []string where one is asked for.
type Keys []string

const redacted = "[redacted]"

// String returns [redacted].
func (k Keys) String() string { return redacted }

// GoString returns [redacted].
func (k Keys) GoString() string { return redacted }

// Format writes [redacted] for every verb.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns [redacted].
func (k Keys) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "[redacted]".
func (k Keys) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Local is what our side brings to an offer or an answer. It is a plain value: functions of this package read it and change nothing.
type Local struct {
	// ID and Version fill the o= line of a session's first description; see Origin. History keeps them afterwards.
	ID      uint64
	Version uint64
	// RTP is where we receive. Required by Offer and Answer.
	RTP netip.AddrPort
	// RTCP is where we receive RTCP. If zero, only rtcp-mux is possible.
	RTCP netip.AddrPort
	// Codecs are the names we take, best first: PCMU, PCMA, G722, opus, and CN for comfort noise. telephone-event is always
	// negotiated and is not listed. If empty, PCMU and PCMA. Check refuses unknown and repeated names.
	Codecs []string
	// Params are fmtp values by codec name, such as "useinbandfec=1" for opus: what we ask the peer to send. If nil, none.
	Params map[string]string
	// PTime is the packet length we ask for in milliseconds: 10, 20, 30, 40, 50 or 60. If zero, 20.
	PTime int
	// MaxPTime is the longest packet we take in milliseconds, up to 200. If zero, it is not written.
	MaxPTime int
	// Direction is what we want. If zero, SendRecv.
	Direction Direction
	// NoMux offers and answers no rtcp-mux, or takes it back in a session that had it (RFC 5761 section 5.1.1). If false, rtcp-mux is
	// offered and, where offered, answered.
	NoMux bool
	// ReducedSize says that we take reduced-size RTCP (RFC 5506). If false, it is neither offered nor answered.
	ReducedSize bool
	// Keying is how keys may be agreed on. If zero, KeySDES.
	Keying Keying
	// Crypto holds the values of the crypto attributes to write. Required by Offer with KeySDES, and by Answer unless Fingerprints are given.
	Crypto Keys
	// Fingerprints hold the values of the fingerprint attributes to write, such as "sha-256 AB:CD:...". Required with KeyDTLS, as Crypto is
	// with KeySDES.
	Fingerprints []string
	// Setup is our DTLS role: actpass, active or passive. If empty, actpass in an offer, and in an answer the server (passive)
	// wherever the peer leaves the choice: the first packet comes from the phone then, and opens its NAT for ours.
	Setup string
	// TLSID is the value of the tls-id attribute (RFC 8842), 20 to 255 characters. If empty, none is written.
	TLSID string
	// InsecurePlainRTP negotiates RTP/AVP and RTP/AVPF without any protection, and nothing else: whoever is on the path hears and changes
	// the call. Only a package whose name says so may set it. If false, plain RTP is refused. An offer of plain RTP that brings
	// keys (RFC 8643) is refused either way.
	InsecurePlainRTP bool
	// History is what was said in the session before. If nil, the description is the session's first.
	History *History
}

// Check reports whether the fields fit together. The error wraps ErrLocal. Offer and Answer with a Local that does not pass return a Session
// whose Marshal returns the same error; Agree and Accept return it.
func (l *Local) Check() error {
	voice := len(l.Codecs) == 0
	for i, name := range l.Codecs {
		if name != CN && !isAudio(name) || slices.Contains(l.Codecs[:i], name) {
			return fmt.Errorf("%w: codec %d is unknown or listed twice", ErrLocal, i)
		}
		voice = voice || name != CN
	}
	switch {
	case !voice:
		return fmt.Errorf("%w: no audio codec", ErrLocal)
	case l.PTime != 0 && (l.PTime < 10 || l.PTime > 60 || l.PTime%10 != 0):
		return fmt.Errorf("%w: packet length %d ms", ErrLocal, l.PTime)
	case l.MaxPTime < 0 || l.MaxPTime > 200 || l.MaxPTime != 0 && l.MaxPTime < l.ptime():
		return fmt.Errorf("%w: longest packet %d ms", ErrLocal, l.MaxPTime)
	case l.Direction > Inactive:
		return fmt.Errorf("%w: direction", ErrLocal)
	case l.Keying > KeySDES|KeyDTLS:
		return fmt.Errorf("%w: keying", ErrLocal)
	case l.Setup != "" && l.Setup != setupActpass && l.Setup != setupActive && l.Setup != setupPassive:
		return fmt.Errorf("%w: DTLS role", ErrLocal)
	case l.TLSID != "" && (len(l.TLSID) < 20 || len(l.TLSID) > 255):
		return fmt.Errorf("%w: tls-id", ErrLocal)
	case l.InsecurePlainRTP && (len(l.Crypto) > 0 || len(l.Fingerprints) > 0 || l.Keying != 0):
		// Keys beside plain RTP would be opportunistic encryption, which an attacker in the signalling path can take off.
		return fmt.Errorf("%w: keys for unprotected RTP", ErrLocal)
	}
	return nil
}

func (l *Local) codecs() []string {
	if len(l.Codecs) == 0 {
		return []string{PCMU, PCMA}
	}
	return l.Codecs
}

func (l *Local) ptime() int {
	if l.PTime == 0 {
		return 20
	}
	return l.PTime
}

func (l *Local) direction() Direction {
	if l.Direction == DirectionNone {
		return SendRecv
	}
	return l.Direction
}

func (l *Local) keying() Keying {
	if l.Keying == 0 {
		return KeySDES
	}
	return l.Keying
}

// session writes everything but the streams.
func (l *Local) session(streams int) *Session {
	addr := l.RTP.Addr().String()
	s := newSession(streams)
	s.Origin, s.Name, s.Conn = Origin{ID: strconv.FormatUint(l.ID, 10), Version: l.Version, Addr: addr}, "-", addr
	if l.History != nil && l.History.sent {
		s.Origin = l.History.origin
	}
	return s
}

// keys are what one stream says about keys.
type keys struct {
	crypto       Keys
	fingerprints []string
	setup, tlsID string
}

// stream is what one audio line says.
type stream struct {
	proto  string
	codecs []Codec
	dir    Direction
	mux    bool
	rsize  bool
	keys   keys
	mid    string
}

// media writes our side of the audio stream.
func (l *Local) media(st stream) Media {
	m := Media{Kind: "audio", Port: int(l.RTP.Port()), Proto: st.proto, Formats: make([]string, 0, len(st.codecs)),
		Attrs: make([]Attr, 0, len(st.codecs)+len(st.keys.crypto)+len(st.keys.fingerprints)+6)}
	for _, c := range st.codecs {
		c.Params = l.Params[c.Name] // what we ask for; what the peer asked for is not ours to repeat
		var format string
		format, m.Attrs = c.write(m.Attrs)
		m.Formats = append(m.Formats, format)
	}
	m.Attrs = append(m.Attrs, Attr{"ptime", strconv.Itoa(l.ptime())})
	if l.MaxPTime != 0 {
		m.Attrs = append(m.Attrs, Attr{"maxptime", strconv.Itoa(l.MaxPTime)})
	}
	m.Attrs = append(m.Attrs, Attr{Name: st.dir.String()})
	if st.mux {
		m.Attrs = append(m.Attrs, Attr{Name: "rtcp-mux"})
	}
	if st.rsize {
		m.Attrs = append(m.Attrs, Attr{Name: "rtcp-rsize"})
	}
	if l.RTCP.IsValid() {
		m.Attrs = append(m.Attrs, Attr{"rtcp", l.rtcpValue()})
	}
	for _, c := range st.keys.crypto {
		m.Attrs = append(m.Attrs, Attr{"crypto", c})
	}
	for _, f := range st.keys.fingerprints {
		m.Attrs = append(m.Attrs, Attr{"fingerprint", f})
	}
	if len(st.keys.fingerprints) > 0 {
		m.Attrs = append(m.Attrs, Attr{"setup", st.keys.setup})
		if st.keys.tlsID != "" {
			m.Attrs = append(m.Attrs, Attr{"tls-id", st.keys.tlsID})
		}
	}
	// RFC 5888: an offerer that names its streams finds the answer's by the same name.
	if st.mid != "" {
		m.Attrs = append(m.Attrs, Attr{"mid", st.mid})
	}
	return m
}

// rtcpValue names the address only where it is not the one of the stream (RFC 3605 section 2.1).
func (l *Local) rtcpValue() string {
	port, addr := strconv.Itoa(int(l.RTCP.Port())), l.RTCP.Addr().Unmap()
	switch {
	case addr == l.RTP.Addr().Unmap():
		return port
	case addr.Is4():
		return port + " IN IP4 " + addr.String()
	default:
		return port + " IN IP6 " + addr.String()
	}
}
