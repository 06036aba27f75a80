package webrtc

import (
	"errors"
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
	tlsID  string // RFC 8842; empty: the peer names no associations
	mid    string // empty: the peer names no streams
	bundle bool
	ssrc   []sdp.Attr // of its first source
}

// readRemote reads an offer, or an answer to an offer of ours. l is our side without address and certificate.
func readRemote(b []byte, l sdp.Local, answer bool) (remote, error) {
	desc, err := sdp.Parse(b)
	if err != nil {
		return remote{}, err
	}
	for i := range desc.Media {
		m := &desc.Media[i]
		if _, ok := m.Attr("rtcp-mux-only"); ok { // RFC 8858: whoever can do nothing else can do this
			m.Attrs = append(m.Attrs, sdp.Attr{Name: "rtcp-mux"})
		}
	}
	r := remote{desc: desc}
	// RFC 5763 section 5: we are always the DTLS server, so an offer leaves that open or says active, and an answer says active.
	l.Keying, l.Setup = sdp.KeyDTLS, "passive"
	if answer {
		r.agreed, err = sdp.Accept(desc, l)
	} else {
		r.agreed, err = sdp.Agree(desc, l)
	}
	switch {
	case errors.Is(err, sdp.ErrNoFingerprint):
		return remote{}, ErrNoFingerprint
	case errors.Is(err, sdp.ErrSetup):
		return remote{}, ErrSetup
	case err != nil:
		return remote{}, err
	}
	m := &desc.Media[r.agreed.Index]
	if m.Proto != "UDP/TLS/RTP/SAVPF" && m.Proto != "UDP/TLS/RTP/SAVP" {
		return remote{}, sdp.ErrTransport // a phone with DTLS-SRTP and without ICE
	}
	if !r.agreed.Mux {
		return remote{}, ErrNoMux
	}
	var ok bool
	if r.fp, ok = pickFingerprint(r.agreed.Fingerprints); !ok {
		return remote{}, ErrNoFingerprint
	}
	r.ufrag, r.pwd = attr(r.desc, m, "ice-ufrag"), attr(r.desc, m, "ice-pwd")
	if !token(r.ufrag, 4, 256) || !token(r.pwd, 22, 256) { // RFC 8839 section 5.4
		return remote{}, ErrICE
	}
	if token(r.agreed.TLSID, 20, 255) { // RFC 8842 section 4
		r.tlsID = r.agreed.TLSID
	}
	// ICE says where the peer is.
	r.agreed.Remote, r.agreed.RemoteRTCP, r.agreed.RemoteHost = netip.AddrPort{}, netip.AddrPort{}, ""
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

// formats returns the payload types the peer sends with, and attrs with their descriptions. What the peer asks of us by parameters is none of the
// library's business.
func formats(a sdp.Agreed, attrs []sdp.Attr) ([]string, []sdp.Attr) {
	var out []string
	for _, c := range a.Receive {
		out = append(out, strconv.Itoa(int(c.PT)))
		c.Params = params[c.Name]
		attrs = append(attrs, c.Attrs()...)
	}
	return out, attrs
}

// params are what we ask a peer to send: Opus that makes good for a lost packet.
var params = map[string]string{sdp.Opus: "minptime=10;useinbandfec=1"}

// local is our side of a connection, as the library made it.
type local struct {
	mid   string
	addr  netip.AddrPort // default candidate
	print string         // fingerprint
	attrs []sdp.Attr     // credentials, candidates, source
}

// readLocal takes from the library's description what only the library knows. It returns false if there is no candidate: no port was free.
func readLocal(b []byte) (local, bool) {
	s, err := sdp.Parse(b)
	if err != nil || len(s.Media) != 1 {
		return local{}, false
	}
	m := &s.Media[0]
	l := local{print: attr(s, m, "fingerprint")}
	l.mid, _ = m.Attr("mid")
	for _, name := range []string{"ice-ufrag", "ice-pwd"} {
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
		if !l.addr.IsValid() && strings.EqualFold(f[2], "udp") {
			ip, errIP := netip.ParseAddr(f[4])
			port, errPort := strconv.ParseUint(f[5], 10, 16)
			if errIP == nil && errPort == nil && port != 0 {
				l.addr = netip.AddrPortFrom(ip, uint16(port))
			}
		}
		l.attrs = append(l.attrs, sdp.Attr{Name: "candidate", Value: v})
	}
	l.attrs = append(l.attrs, sdp.Attr{Name: "end-of-candidates"})
	return l, l.addr.IsValid()
}

// complete adds to a description what ICE needs and package sdp does not know. at is its audio stream; group is its name if it is bundled.
func (l *local) complete(s *sdp.Session, at int, group string) {
	s.Attrs = append(s.Attrs, sdp.Attr{Name: "ice-lite"})
	if group != "" {
		s.Attrs = append(s.Attrs, sdp.Attr{Name: "group", Value: "BUNDLE " + group})
	}
	m := &s.Media[at]
	m.Conn = l.addr.Addr().String()
	m.Attrs = append(m.Attrs, l.attrs...)
}
