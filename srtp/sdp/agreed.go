package sdp

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Agreed is what an offer and its answer have in common for the audio stream, seen from our side.
type Agreed struct {
	// Index is the position of the audio stream among the media lines.
	Index int
	// Audio are the audio codecs both sides take, with the payload types to send them with; the first is the one to send.
	Audio []Codec
	// DTMF is telephone-event with the clock of Audio[0]. If zero (no Name), the peer takes no keys beside that codec.
	DTMF Codec
	// Events are all the telephone-event types in common, at most one for each clock: RFC 4733 section 2.1 wants the clock of the audio.
	Events []Codec
	// CN is comfort noise (RFC 3389). If zero (no Name), the peer takes none, or Local.Codecs does not list it.
	CN Codec
	// Receive are the payload types the peer sends to us with. They are those of Audio, Events and CN unless the peer answered with other
	// numbers than we offered, which RFC 3264 section 6.1 permits.
	Receive []Codec
	// Remote is where the peer receives. Its address is invalid if the peer wrote a host name and unspecified for an old-style hold.
	Remote netip.AddrPort
	// RemoteHost is the host name the peer wrote in place of an address. If empty, there is none. Looking a stranger's name up is the
	// caller's decision.
	RemoteHost string
	// RemoteRTCP is where the peer receives RTCP; the same as Remote with Mux.
	RemoteRTCP netip.AddrPort
	// Mux says that RTP and RTCP share one port.
	Mux bool
	// ReducedSize says that both sides take reduced-size RTCP (RFC 5506).
	ReducedSize bool
	// PTime is the packet length the peer asks for in milliseconds. If zero, it asked for none.
	PTime int
	// MaxPTime is the longest packet the peer takes in milliseconds. If zero, it named none.
	MaxPTime int
	// Direction is whether we send and receive.
	Direction Direction
	// Held says that the peer does not want to hear us: it put us on hold, by direction or by the address 0.0.0.0 of RFC 2543.
	Held bool
	// Proto is the transport, such as RTP/SAVP.
	Proto string
	// Crypto are the values of the peer's crypto attributes, if Local takes KeySDES and the transport allows them.
	Crypto Keys
	// Fingerprints are the values of the peer's fingerprint attributes, if Local takes KeyDTLS and the transport allows it. Where Crypto is
	// there as well, the caller chooses: it gives Answer the one or the other.
	Fingerprints []string
	// Setup is the peer's DTLS role as it applies: actpass, active or passive. If empty, there are no Fingerprints.
	Setup string
	// Client says that we begin the DTLS handshake.
	Client bool
	// TLSID is the peer's tls-id (RFC 8842). If empty, it wrote none.
	TLSID string
}

// PacketTime returns the packet length to send in milliseconds: what the peer asked for, as 10, 20, 30, 40, 50 or 60, and not longer than the
// longest it takes; 20 if it asked for nothing.
func (a *Agreed) PacketTime() int {
	n := a.PTime
	if n == 0 {
		n = 20
	}
	if a.MaxPTime != 0 {
		n = min(n, a.MaxPTime)
	}
	return min(max(n/10*10, 10), 60)
}

const (
	setupActpass = "actpass"
	setupActive  = "active"
	setupPassive = "passive"
)

// The three kinds of transport.
type class uint8

const (
	classOther class = iota
	classPlain
	classSecure // RTP/SAVP: the attributes say how keys are agreed on
	classDTLS
)

func classOf(proto string) class {
	switch proto {
	case "RTP/AVP", "RTP/AVPF":
		return classPlain
	case "RTP/SAVP", "RTP/SAVPF":
		return classSecure
	case "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF":
		return classDTLS
	}
	return classOther
}

// take reads into a what stream i says and l takes of it, and returns all the codecs that we know.
func (l *Local) take(a *Agreed, s *Session, i int, answer bool) ([]Codec, error) {
	m := &s.Media[i]
	a.Index, a.Proto = i, m.Proto
	if err := l.takeKeys(a, s, m, answer); err != nil {
		return nil, err
	}
	addr, host := addrOf(s, m)
	a.Remote, a.RemoteHost = netip.AddrPortFrom(addr, uint16(m.Port)), host
	_, a.Mux = m.Attr("rtcp-mux")
	a.Mux = a.Mux && !l.NoMux
	a.RemoteRTCP = rtcpAddr(a, m)
	_, a.ReducedSize = m.Attr("rtcp-rsize")
	a.ReducedSize = a.ReducedSize && l.ReducedSize
	a.PTime, a.MaxPTime = millis(m, "ptime"), millis(m, "maxptime")
	peer := directionOf(s, m)
	// RFC 3264 section 8.4: the unspecified address says that the peer cannot be sent to, whatever its direction says. An
	// IPv6 peer has the name of no host in its place. With ICE it says only that no candidate was found yet (RFC 8840 section 4.1.1).
	if (addr.IsValid() && addr.IsUnspecified() || hasSuffixFold(host, ".invalid")) && either(s, m, "ice-ufrag") == "" {
		peer = direction(peer.Sends(), false)
	}
	a.Held = !peer.Receives()
	a.Direction = l.direction().And(peer)
	return codecsOf(m), nil
}

// takeKeys refuses a stream whose keys l cannot agree on.
func (l *Local) takeKeys(a *Agreed, s *Session, m *Media, answer bool) error {
	crypto := m.Crypto()
	if crypto == nil {
		crypto = cryptoOf(s.Attrs) // RFC 4568 section 5 knows them on streams only; some gateways write them once for all
	}
	prints := values(m.Attrs, "fingerprint")
	if prints == nil {
		prints = values(s.Attrs, "fingerprint")
	}
	kind, sdes, dtls := classOf(m.Proto), l.keying().Has(KeySDES), l.keying().Has(KeyDTLS)
	switch {
	case kind == classOther:
		return ErrTransport
	case kind == classPlain && (!l.InsecurePlainRTP || len(crypto) > 0 || len(prints) > 0):
		// Plain RTP that brings keys comes from a peer that can do better, or went through somebody who changed the transport.
		return ErrPlainRTP
	case kind == classPlain:
		return nil
	case l.InsecurePlainRTP:
		return ErrTransport
	case kind == classDTLS && !dtls:
		return ErrTransport
	case kind == classDTLS:
		return a.takePrints(l, s, m, prints, answer)
	}
	if sdes {
		a.Crypto = crypto
	}
	if !dtls {
		return nil
	}
	err := a.takePrints(l, s, m, prints, answer)
	if err != nil && (len(a.Crypto) > 0 || sdes && len(prints) == 0) {
		return nil // SDES stays
	}
	return err
}

// takePrints reads the certificates and the DTLS roles.
func (a *Agreed) takePrints(l *Local, s *Session, m *Media, prints []string, answer bool) error {
	if len(prints) == 0 {
		return ErrNoFingerprint
	}
	setup := strings.ToLower(either(s, m, "setup"))
	if setup == "" { // RFC 4145 section 4
		setup = setupActive
		if answer {
			setup = setupPassive
		}
	}
	client, ok := role(l.Setup, setup, answer)
	if !ok {
		return ErrSetup
	}
	a.Fingerprints, a.Setup, a.Client, a.TLSID = prints, setup, client, either(s, m, "tls-id")
	return nil
}

// role returns whether we are the DTLS client (RFC 5763 section 5) and whether the roles fit. An answer must decide.
func role(ours, peer string, answer bool) (client, ok bool) {
	switch peer {
	case setupActive:
		return false, ours != setupActive
	case setupPassive:
		return true, ours != setupPassive
	case setupActpass:
		return ours == setupActive, !answer
	}
	return false, false
}

// either is the stream's attribute, or the session's.
func either(s *Session, m *Media, name string) string {
	if v, ok := m.Attr(name); ok {
		return v
	}
	v, _ := s.Attr(name)
	return v
}

// keep takes the audio codecs as chosen, and of all what fits beside them.
func (a *Agreed) keep(l *Local, audio, all []Codec) {
	list := make([]Codec, 0, len(audio)+2)
	list = append(list, audio...)
	beside := func(name string, clock int) bool {
		c, ok := findCodec(all, name, clock)
		if ok = ok && slices.ContainsFunc(audio, func(v Codec) bool { return v.Clock == clock }); ok {
			list = append(list, c)
		}
		return ok
	}
	if slices.Contains(l.Codecs, CN) && beside(CN, 8000) {
		a.CN = list[len(audio)]
	}
	events := len(list)
	for i := range known {
		if k := &known[i]; k.name == TelephoneEvent && beside(k.name, k.clock) && k.clock == audio[0].Clock {
			a.DTMF = list[len(list)-1]
		}
	}
	a.Receive, a.Audio = list[:len(list):len(list)], list[:len(audio):len(audio)]
	if events < len(list) {
		a.Events = a.Receive[events:]
	}
}

// list returns everything in common.
func (a *Agreed) list() []Codec {
	to := make([]Codec, 0, len(a.Audio)+len(a.Events)+1)
	to = append(to, a.Audio...)
	if a.CN.Name != "" {
		to = append(to, a.CN)
	}
	return append(to, a.Events...)
}

// rtcpAddr follows RFC 3605: a=rtcp:<port> [IN IP4 <addr>], else the next port.
func rtcpAddr(a *Agreed, m *Media) netip.AddrPort {
	if a.Mux {
		return a.Remote
	}
	if v, ok := m.Attr("rtcp"); ok {
		f := strings.Fields(v)
		if len(f) > 0 {
			if port, err := strconv.ParseUint(f[0], 10, 16); err == nil && port > 0 {
				addr := a.Remote.Addr()
				if len(f) >= 4 {
					if x, err := netip.ParseAddr(f[3]); err == nil && x.Zone() == "" {
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

// millis reads ptime and maxptime. Some phones write fractions; nonsense is as good as nothing.
func millis(m *Media, name string) int {
	v, ok := m.Attr(name)
	if !ok {
		return 0
	}
	whole, _, _ := strings.Cut(v, ".")
	n, err := strconv.ParseUint(strings.TrimSpace(whole), 10, 16)
	if err != nil || n < 1 || n > 1000 {
		return 0
	}
	return int(n)
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}
