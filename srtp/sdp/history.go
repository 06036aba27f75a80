package sdp

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
)

// History is what the descriptions of a session so far oblige the next one to (RFC 3264 section 8): the origin and its version, the number
// and order of the media lines, and what each payload type means. One History belongs to one session, such as one SIP dialog.
//
// Write every own description with [History.Marshal], tell every one of the peer to [History.Received], and hand the History to Offer, Agree, Answer and
// Accept in Local. A copy is a History of its own, for trying something out.
//
// The zero History is a session in which nothing was said yet. It holds no keys. It is not safe for concurrent use.
type History struct {
	sent   bool
	origin Origin
	sum    [sha256.Size]byte // of our last description, in place of the text: the text holds keys
	lines  []Media           // of our last description: kind, transport, formats and mid
	audio  int               // which of them is the audio stream; -1: none ever was
	live   bool              // it was on
	codecs []Codec           // of the audio stream
	types  [128]string       // what the payload types of the audio stream mean, in the peer's descriptions and ours
}

// Marshal writes s as the session's next description and remembers it. The origin is that of the first description. Its version is the one before
// if the description says the same, and one more if it does not (RFC 3264 section 8). The error is that of Session.Marshal; the
// History then stays as it was.
func (h *History) Marshal(s *Session) ([]byte, error) {
	if h.sent {
		s.Origin = h.origin
	}
	out, err := s.Marshal()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(out)
	if h.sent && sum != h.sum {
		s.Origin.Version++
		clear(out)
		if out, err = s.Marshal(); err != nil {
			return nil, err
		}
		sum = sha256.Sum256(out)
	}
	h.remember(s)
	h.sum = sum
	return out, nil
}

// remember clones what it keeps, because the parts of a parsed description keep the whole text in memory, keys included.
func (h *History) remember(s *Session) {
	if !h.sent {
		h.audio = -1
	}
	o := s.Origin
	h.sent, h.origin = true, Origin{User: strings.Clone(o.User), ID: strings.Clone(o.ID), Version: o.Version, Addr: strings.Clone(o.Addr)}
	h.lines, h.live = make([]Media, len(s.Media)), false
	for i := range s.Media {
		m := &s.Media[i]
		line := Media{Kind: strings.Clone(m.Kind), Port: m.Port, Proto: strings.Clone(m.Proto)}
		for _, f := range m.Formats {
			line.Formats = append(line.Formats, strings.Clone(f))
		}
		if mid, ok := m.Attr("mid"); ok && mid != "" {
			line.Attrs = []Attr{{"mid", strings.Clone(mid)}}
		}
		h.lines[i] = line
		if m.Kind != "audio" || m.Port == 0 || h.live {
			continue
		}
		h.audio, h.live, h.codecs = i, true, nil
		for _, c := range codecsOf(m) {
			h.codecs = append(h.codecs, Codec{Name: c.Name, PT: c.PT, Clock: c.Clock})
		}
		h.learn(m)
	}
	if h.audio >= len(h.lines) {
		h.audio = -1
	}
}

// Received remembers the payload types of the peer's description, so that an offer of ours gives none of them another meaning.
func (h *History) Received(peer *Session) {
	for i := range peer.Media {
		if peer.Media[i].Kind == "audio" {
			h.learn(&peer.Media[i])
		}
	}
}

func (h *History) learn(m *Media) {
	var t types
	t.read(m)
	for _, f := range m.Formats {
		n, ok := payloadType(f)
		if !ok {
			continue
		}
		if c, ok := t.meaning(m, n); ok {
			h.types[n] = typeKey(c.Name, c.Clock)
		} else if h.types[n] == "" {
			h.types[n] = "?" // a codec we do not know, which is not the one we would want the number for
		}
	}
}

func typeKey(name string, clock int) string { return name + "/" + strconv.Itoa(clock) }

// typeOf returns the number of a codec in this session.
func (h *History) typeOf(name string, clock int) (uint8, bool) {
	if c, ok := findCodec(h.codecs, name, clock); ok {
		return c.PT, true
	}
	if n := slices.Index(h.types[:], typeKey(name, clock)); n >= 0 {
		return uint8(n), true
	}
	return 0, false
}

// slot is the line an offer of audio goes to: where audio was, else a line that is off (RFC 3264 section 8.1), else a new one.
func (h *History) slot() int {
	if h.audio >= 0 && (h.live || h.lines[h.audio].Port == 0) {
		return h.audio
	}
	for i := range h.lines {
		if h.lines[i].Port == 0 {
			return i
		}
	}
	return len(h.lines)
}
