package webrtc

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/srtp/sdp"
)

// profile is the transport of what we write (RFC 5764 section 8).
const profile = "UDP/TLS/RTP/SAVPF"

// remote is what a peer's description says about the audio stream, checked.
type remote struct {
	desc   *sdp.Session
	agreed sdp.Agreed
	fp     fingerprint
	ufrag  string
	pwd    string
	mid    string // empty: the peer names no streams
	bundle bool
	ssrc   []sdp.Attr // of its first source
}

// readRemote reads an offer, or an answer to an offer of ours.
func readRemote(b []byte, codecs []string, answer bool) (remote, error) {
	desc, err := sdp.Parse(b)
	if err != nil {
		return remote{}, err
	}
	r := remote{desc: desc}
	// The negotiation of codecs and directions is that of SDES legs; it knows DTLS-SRTP under the name of the profile it is for RTP,
	// and must not take SDES for it.
	plain := &sdp.Session{Attrs: desc.Attrs, Conn: desc.Conn, Media: slices.Clone(desc.Media)}
	for i := range plain.Media {
		switch m := &plain.Media[i]; m.Proto {
		case "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP":
			m.Proto = "RTP/SAVPF"
		case "RTP/SAVPF", "RTP/SAVP":
			m.Proto = "SDES"
		}
	}
	if answer {
		r.agreed, err = sdp.Accept(plain, sdp.Local{Codecs: codecs})
	} else {
		r.agreed, err = sdp.Agree(plain, sdp.Local{Codecs: codecs})
	}
	if err != nil {
		return remote{}, err
	}
	m := &desc.Media[r.agreed.Index]
	r.agreed.Proto = m.Proto
	r.agreed.Remote, r.agreed.RemoteRTCP, r.agreed.Crypto = netip.AddrPort{}, netip.AddrPort{}, nil
	if !r.agreed.Mux {
		return remote{}, ErrNoMux
	}
	if err := r.readTransport(m, answer); err != nil {
		return remote{}, err
	}
	if mid, ok := m.Attr("mid"); ok && token(mid, 1, 64) {
		r.mid = mid
		for _, a := range desc.Attrs {
			f := strings.Fields(a.Value)
			r.bundle = r.bundle || strings.EqualFold(a.Name, "group") && len(f) > 1 && f[0] == "BUNDLE" && slices.Contains(f[1:], mid)
		}
	}
	r.ssrc = firstSource(m)
	return r, nil
}

// readTransport reads and checks fingerprint, role and ICE credentials.
func (r *remote) readTransport(m *sdp.Media, answer bool) error {
	prints := values(m.Attrs, "fingerprint")
	if len(prints) == 0 {
		prints = values(r.desc.Attrs, "fingerprint")
	}
	var ok bool
	if r.fp, ok = pickFingerprint(prints); !ok {
		return ErrNoFingerprint
	}
	// We are the DTLS server. RFC 5763 section 5: an offer leaves that open or says active, an answer says active.
	switch setup := attr(r.desc, m, "setup"); {
	case setup == "active":
	case !answer && (setup == "actpass" || setup == ""):
	default:
		return ErrSetup
	}
	r.ufrag, r.pwd = attr(r.desc, m, "ice-ufrag"), attr(r.desc, m, "ice-pwd")
	if !token(r.ufrag, 4, 256) || !token(r.pwd, 22, 256) { // RFC 8839 section 5.4
		return ErrICE
	}
	return nil
}

func values(attrs []sdp.Attr, name string) (out []string) {
	for _, a := range attrs {
		if strings.EqualFold(a.Name, name) {
			out = append(out, a.Value)
		}
	}
	return out
}

// attr is the stream's attribute, or the session's.
func attr(s *sdp.Session, m *sdp.Media, name string) string {
	if v, ok := m.Attr(name); ok {
		return v
	}
	v, _ := s.Attr(name)
	return v
}

// token reports whether s is printable ASCII without spaces, of min to max bytes.
func token(s string, minLen, maxLen int) bool {
	return len(s) >= minLen && len(s) <= maxLen && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// firstSource returns the cname line of the stream's first source.
func firstSource(m *sdp.Media) []sdp.Attr {
	for _, v := range values(m.Attrs, "ssrc") {
		id, rest, _ := strings.Cut(v, " ")
		n, err := strconv.ParseUint(id, 10, 32)
		if err == nil && n != 0 && strings.HasPrefix(rest, "cname:") && token(rest, 7, 128) {
			return []sdp.Attr{{Name: "ssrc", Value: strconv.FormatUint(n, 10) + " " + rest}}
		}
	}
	return nil
}

// forLibrary writes a description for the library: the audio stream alone, in both directions, with what was checked and nothing else. It has no
// candidates, because the peer's checks tell where it is, and no name can be looked up for it. It never says hold, which the library answers
// wrongly and, for a=inactive, never recovers from.
func (r *remote) forLibrary(mid, setup string) ([]byte, error) {
	m := sdp.Media{Kind: "audio", Port: 9, Proto: profile, Conn: "0.0.0.0", Attrs: []sdp.Attr{
		{Name: "mid", Value: mid}, {Name: "setup", Value: setup}, {Name: "fingerprint", Value: r.fp.String()},
		{Name: "ice-ufrag", Value: r.ufrag}, {Name: "ice-pwd", Value: r.pwd}, {Name: "rtcp-mux"}, {Name: "sendrecv"}}}
	m.Formats, m.Attrs = formats(r.agreed, m.Attrs)
	m.Attrs = append(m.Attrs, r.ssrc...)
	s := &sdp.Session{Origin: sdp.Origin{ID: "1", Version: 1}, Attrs: []sdp.Attr{{Name: "group", Value: "BUNDLE " + mid}}, Media: []sdp.Media{m}}
	return s.Marshal()
}

// formats returns the payload types of an agreement, and attrs with their descriptions.
func formats(a sdp.Agreed, attrs []sdp.Attr) ([]string, []sdp.Attr) {
	codecs := slices.Clone(a.Audio)
	if a.DTMF.Name != "" {
		codecs = append(codecs, a.DTMF)
	}
	var out []string
	for _, c := range codecs {
		pt := strconv.Itoa(int(c.PT))
		out = append(out, pt)
		attrs = append(attrs, sdp.Attr{Name: "rtpmap", Value: pt + " " + c.Name + "/8000"})
		if c.Name == sdp.TelephoneEvent {
			attrs = append(attrs, sdp.Attr{Name: "fmtp", Value: pt + " 0-15"})
		}
	}
	return out, attrs
}

// local is our side of a connection, as the library made it.
type local struct {
	mid   string
	addr  string // default candidate
	port  int
	attrs []sdp.Attr // credentials, fingerprint, candidates, source
}

// readLocal takes from the library's description what only the library knows. It returns false if there is no candidate: no port was free.
func readLocal(b []byte) (local, bool) {
	s, err := sdp.Parse(b)
	if err != nil || len(s.Media) != 1 {
		return local{}, false
	}
	m := &s.Media[0]
	var l local
	l.mid, _ = m.Attr("mid")
	for _, name := range []string{"ice-ufrag", "ice-pwd", "fingerprint"} {
		l.attrs = append(l.attrs, sdp.Attr{Name: name, Value: attr(s, m, name)})
	}
	for _, name := range []string{"msid", "ssrc"} {
		for _, v := range values(m.Attrs, name) {
			l.attrs = append(l.attrs, sdp.Attr{Name: name, Value: v})
		}
	}
	for _, v := range values(m.Attrs, "candidate") {
		f := strings.Fields(v)
		if len(f) < 8 || f[1] != "1" { // component 2 is unused with rtcp-mux
			continue
		}
		if l.addr == "" && strings.EqualFold(f[2], "udp") {
			l.addr = f[4]
			l.port, _ = strconv.Atoi(f[5])
		}
		l.attrs = append(l.attrs, sdp.Attr{Name: "candidate", Value: v})
	}
	l.attrs = append(l.attrs, sdp.Attr{Name: "end-of-candidates"})
	return l, l.port != 0
}

// stream writes our audio stream.
func (l *local) stream(a sdp.Agreed, proto, mid, setup string) sdp.Media {
	m := sdp.Media{Kind: "audio", Port: l.port, Proto: proto, Conn: l.addr}
	if mid != "" {
		m.Attrs = append(m.Attrs, sdp.Attr{Name: "mid", Value: mid})
	}
	m.Formats, m.Attrs = formats(a, m.Attrs)
	m.Attrs = append(m.Attrs, sdp.Attr{Name: "ptime", Value: "20"}, sdp.Attr{Name: a.Direction.String()}, sdp.Attr{Name: "rtcp-mux"},
		sdp.Attr{Name: "setup", Value: setup})
	m.Attrs = append(m.Attrs, l.attrs...)
	return m
}

func (l *local) session(mid string) *sdp.Session {
	s := &sdp.Session{Origin: sdp.Origin{Addr: l.addr}, Conn: l.addr, Attrs: []sdp.Attr{{Name: "ice-lite"}}}
	if mid != "" {
		s.Attrs = append(s.Attrs, sdp.Attr{Name: "group", Value: "BUNDLE " + mid})
	}
	return s
}

// offer writes a description that offers codecs.
func (l *local) offer(codecs []string) *sdp.Session {
	a := sdp.Agreed{Direction: sdp.SendRecv, DTMF: sdp.Codec{Name: sdp.TelephoneEvent, PT: eventPT}}
	for _, name := range codecs {
		pt := uint8(0)
		if name == sdp.PCMA {
			pt = 8
		}
		a.Audio = append(a.Audio, sdp.Codec{Name: name, PT: pt})
	}
	s := l.session(l.mid)
	s.Media = []sdp.Media{l.stream(a, profile, l.mid, "actpass")}
	return s
}

// answer writes the answer to r's offer: its audio stream as agreed, every other stream switched off.
func (l *local) answer(r *remote) *sdp.Session {
	group := ""
	if r.bundle {
		group = r.mid
	}
	s := l.session(group)
	for i := range r.desc.Media {
		m := &r.desc.Media[i]
		if i == r.agreed.Index {
			s.Media = append(s.Media, l.stream(r.agreed, r.agreed.Proto, r.mid, "passive"))
			continue
		}
		off := sdp.Media{Kind: m.Kind, Proto: m.Proto, Formats: m.Formats}
		if len(off.Formats) == 0 {
			off.Formats = []string{"0"}
		}
		if mid, ok := m.Attr("mid"); ok && token(mid, 1, 64) {
			off.Attrs = []sdp.Attr{{Name: "mid", Value: mid}}
		}
		s.Media = append(s.Media, off)
	}
	return s
}
