package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Codec is one payload type of an RTP stream. All codecs of this package have one channel and a clock of 8000 Hz.
type Codec struct {
	// Name is PCMU, PCMA or telephone-event.
	Name string
	// PT is the payload type, 0 to 127.
	PT uint8
}

// The codec names this package negotiates.
const (
	PCMU           = "PCMU"
	PCMA           = "PCMA"
	TelephoneEvent = "telephone-event"
)

// Local is what our side brings to an offer or an answer.
type Local struct {
	// ID and Version fill the o= line; see Origin.
	ID      uint64
	Version uint64
	// RTP is where we receive. required
	RTP netip.AddrPort
	// RTCP is where we receive RTCP. If zero, only rtcp-mux is possible.
	RTCP netip.AddrPort
	// Codecs are the audio codecs we take, PCMU and PCMA, best first. If zero, PCMU and PCMA.
	Codecs []string
	// Direction is what we want. If zero, SendRecv.
	Direction Direction
	// Crypto holds the values of the crypto attributes to write. They hold keys. required, except for Accept
	Crypto []string
}

func (l Local) codecs() []string {
	if len(l.Codecs) == 0 {
		return []string{PCMU, PCMA}
	}
	return l.Codecs
}

func (l Local) direction() Direction {
	if l.Direction == DirectionNone {
		return SendRecv
	}
	return l.Direction
}

// Agreed is what an offer and its answer have in common for the audio stream, seen from our side.
type Agreed struct {
	// Index is the position of the audio stream among the media lines.
	Index int
	// Audio are the audio codecs both sides take; the first is the one to send.
	Audio []Codec
	// DTMF is the telephone-event payload type. If zero (no Name), the peer takes no events.
	DTMF Codec
	// Remote is where the peer receives. Its address is invalid if the peer wrote a host name and unspecified for an old-style hold.
	Remote netip.AddrPort
	// RemoteRTCP is where the peer receives RTCP; the same as Remote with Mux.
	RemoteRTCP netip.AddrPort
	// Mux says that RTP and RTCP share one port.
	Mux bool
	// PTime is the packet length the peer asks for in milliseconds. If zero, it asked for none.
	PTime int
	// Direction is whether we send and receive.
	Direction Direction
	// Proto is the transport, RTP/SAVP or RTP/SAVPF.
	Proto string
	// Crypto are the values of the peer's crypto attributes. They hold keys.
	Crypto []string
}

// eventPT is the payload type we offer telephone-event with; 101 is what every phone expects.
const eventPT = 101

// Offer returns a description that offers one audio stream over RTP/SAVP with rtcp-mux.
func Offer(l Local) *Session {
	codecs := make([]Codec, 0, 3)
	for _, name := range l.codecs() {
		codecs = append(codecs, Codec{Name: name, PT: staticPT(name)})
	}
	codecs = append(codecs, Codec{Name: TelephoneEvent, PT: eventPT})
	s := l.session()
	s.Media = []Media{l.media("RTP/SAVP", codecs, l.direction(), true)}
	return s
}

func staticPT(name string) uint8 {
	if name == PCMA {
		return 8
	}
	return 0
}

func (l Local) session() *Session {
	addr := l.RTP.Addr().String()
	return &Session{Origin: Origin{ID: strconv.FormatUint(l.ID, 10), Version: l.Version, Addr: addr}, Name: "-", Conn: addr}
}

// media writes our side of the audio stream.
func (l Local) media(proto string, codecs []Codec, d Direction, mux bool) Media {
	m := Media{Kind: "audio", Port: int(l.RTP.Port()), Proto: proto}
	for _, c := range codecs {
		m.Formats = append(m.Formats, strconv.Itoa(int(c.PT)))
		m.Attrs = append(m.Attrs, Attr{"rtpmap", fmt.Sprintf("%d %s/8000", c.PT, c.Name)})
		if c.Name == TelephoneEvent {
			m.Attrs = append(m.Attrs, Attr{"fmtp", fmt.Sprintf("%d 0-15", c.PT)})
		}
	}
	m.Attrs = append(m.Attrs, Attr{"ptime", "20"}, Attr{Name: d.String()})
	if mux {
		m.Attrs = append(m.Attrs, Attr{Name: "rtcp-mux"})
	}
	if l.RTCP.IsValid() {
		m.Attrs = append(m.Attrs, Attr{"rtcp", strconv.Itoa(int(l.RTCP.Port()))})
	}
	for _, c := range l.Crypto {
		m.Attrs = append(m.Attrs, Attr{"crypto", c})
	}
	return m
}

// Agree reads what the offer proposes for its first usable audio stream, before ports and keys exist: a caller picks a key from
// Agreed.Crypto and opens ports (one with Mux, else two), then calls Answer. l needs only Codecs and Direction.
// The errors are ErrNoAudio, ErrPlainRTP, ErrTransport and ErrNoCodec.
func Agree(offer *Session, l Local) (Agreed, error) {
	best := error(ErrNoAudio)
	for i := range offer.Media {
		m := &offer.Media[i]
		if m.Kind != "audio" || m.Port == 0 {
			continue
		}
		if err := checkProto(m.Proto); err != nil {
			if best != error(ErrNoCodec) && best != error(ErrPlainRTP) {
				best = err
			}
			continue
		}
		a := read(offer, i)
		a.Audio = choose(a.Audio, l.codecs())
		if len(a.Audio) == 0 {
			best = ErrNoCodec
			continue
		}
		a.Audio = a.Audio[:1] // one codec in the answer: the peer knows what will come (RFC 3264 section 6.1)
		a.Direction = l.direction().And(directionOf(offer, m))
		return a, nil
	}
	return Agreed{}, best
}

// Answer returns the answer to offer: the audio stream a describes with our side l, every other stream switched off.
// a comes from Agree with the same offer.
func Answer(offer *Session, a Agreed, l Local) *Session {
	s := l.session()
	for i := range offer.Media {
		m := &offer.Media[i]
		if i != a.Index {
			s.Media = append(s.Media, Media{Kind: m.Kind, Proto: m.Proto, Formats: orFormats(m.Formats)})
			continue
		}
		codecs := slices.Clone(a.Audio)
		if a.DTMF.Name != "" {
			codecs = append(codecs, a.DTMF)
		}
		md := l.media(a.Proto, codecs, a.Direction, a.Mux)
		// RFC 5888: an offerer that names its streams finds the answer's by the same name.
		if mid, ok := m.Attr("mid"); ok && mid != "" {
			md.Attrs = append(md.Attrs, Attr{"mid", mid})
		}
		s.Media = append(s.Media, md)
	}
	return s
}

func orFormats(f []string) []string {
	if len(f) == 0 {
		return []string{"0"}
	}
	return f
}

// Accept reads the answer to an offer that Offer made from l. The errors are ErrNoAudio, ErrPlainRTP, ErrTransport, ErrNoCodec and
// ErrMismatch.
func Accept(answer *Session, l Local) (Agreed, error) {
	if len(answer.Media) != 1 {
		return Agreed{}, fmt.Errorf("%w: %d streams", ErrMismatch, len(answer.Media))
	}
	m := &answer.Media[0]
	if m.Kind != "audio" {
		return Agreed{}, fmt.Errorf("%w: not an audio stream", ErrMismatch)
	}
	if m.Port == 0 {
		return Agreed{}, ErrNoAudio
	}
	if err := checkProto(m.Proto); err != nil {
		return Agreed{}, err
	}
	a := read(answer, 0)
	// In an answer the peer's order says what it prefers to receive; it may hold only what we offered.
	a.Audio = slices.DeleteFunc(a.Audio, func(c Codec) bool { return !slices.Contains(l.codecs(), c.Name) })
	if len(a.Audio) == 0 {
		return Agreed{}, ErrNoCodec
	}
	a.Direction = l.direction().And(directionOf(answer, m))
	return a, nil
}

// checkProto accepts the two protected profiles. Plain RTP gets an error of its own, because a service wants to tell its operator.
func checkProto(proto string) error {
	switch proto {
	case "RTP/SAVP", "RTP/SAVPF":
		return nil
	case "RTP/AVP", "RTP/AVPF":
		return ErrPlainRTP
	default:
		return ErrTransport
	}
}

// read collects what a description says about stream i.
func read(s *Session, i int) Agreed {
	m := &s.Media[i]
	a := Agreed{Index: i, Proto: m.Proto, Crypto: m.Crypto()}
	a.Audio, a.DTMF = codecsOf(m)
	addr := addrOf(s, m)
	a.Remote = netip.AddrPortFrom(addr, uint16(m.Port))
	_, a.Mux = m.Attr("rtcp-mux")
	a.RemoteRTCP = rtcpAddr(a, m)
	if v, ok := m.Attr("ptime"); ok {
		if n, err := strconv.ParseFloat(v, 64); err == nil && n >= 1 && n <= 1000 {
			a.PTime = int(n)
		}
	}
	return a
}

// rtcpAddr follows RFC 3605: a=rtcp:<port> [IN IP4 <addr>], else the next port.
func rtcpAddr(a Agreed, m *Media) netip.AddrPort {
	if a.Mux {
		return a.Remote
	}
	if v, ok := m.Attr("rtcp"); ok {
		f := strings.Fields(v)
		if len(f) > 0 {
			if port, err := strconv.ParseUint(f[0], 10, 16); err == nil && port > 0 {
				addr := a.Remote.Addr()
				if len(f) >= 4 {
					if x, err := netip.ParseAddr(f[3]); err == nil {
						addr = x.Unmap()
					}
				}
				return netip.AddrPortFrom(addr, uint16(port))
			}
		}
	}
	if a.Remote.Port() == 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Remote.Addr(), a.Remote.Port()+1)
}

// codecsOf returns the stream's audio codecs we know, in its order, and its telephone-event at 8000 Hz. A payload type without an rtpmap has
// its static meaning (RFC 3551).
func codecsOf(m *Media) (audio []Codec, dtmf Codec) {
	for _, f := range m.Formats {
		n, err := strconv.ParseUint(f, 10, 7)
		if err != nil {
			continue
		}
		pt := uint8(n)
		name, ok := rtpmap(m, f)
		if !ok {
			switch pt {
			case 0:
				name = PCMU
			case 8:
				name = PCMA
			}
		}
		switch {
		case name == TelephoneEvent && dtmf.Name == "":
			dtmf = Codec{name, pt}
		case (name == PCMU || name == PCMA) && !slices.ContainsFunc(audio, func(c Codec) bool { return c.Name == name || c.PT == pt }):
			audio = append(audio, Codec{name, pt})
		}
	}
	return audio, dtmf
}

// rtpmap returns our name for the mapped encoding, empty if we do not know it, and whether there is a mapping at all.
func rtpmap(m *Media, pt string) (string, bool) {
	for _, a := range m.Attrs {
		if !strings.EqualFold(a.Name, "rtpmap") {
			continue
		}
		f := strings.Fields(a.Value)
		if len(f) < 2 || f[0] != pt {
			continue
		}
		enc, params, _ := strings.Cut(f[1], "/")
		if clock, ch, _ := strings.Cut(params, "/"); clock != "8000" || ch != "" && ch != "1" {
			return "", true
		}
		for _, name := range []string{PCMU, PCMA, TelephoneEvent} {
			if strings.EqualFold(enc, name) {
				return name, true
			}
		}
		return "", true
	}
	return "", false
}

// choose returns the codecs of have in the order of want.
func choose(have []Codec, want []string) []Codec {
	var out []Codec
	for _, name := range want {
		for _, c := range have {
			if c.Name == name {
				out = append(out, c)
			}
		}
	}
	return out
}
