package sdp

import (
	"fmt"
	"slices"
)

// Offer returns a description that offers one audio stream with every codec of l, with rtcp-mux. Over SDES it is RTP/SAVP, over DTLS
// UDP/TLS/RTP/SAVP; with keys for both it is RTP/SAVP and the peer chooses. In a session that has a History the stream keeps its place, its transport and
// its payload types, and every line that was there before stays, switched off.
// What l lacks or has too much is told by Marshal; see Local.Check.
func Offer(l Local) *Session {
	k, err := l.offerKeys()
	if err != nil {
		return &Session{err: err}
	}
	s := l.session(1)
	st := stream{proto: l.proto(), codecs: l.offered(), dir: l.direction(), mux: !l.NoMux, rsize: l.ReducedSize, keys: k}
	if h := l.History; h != nil && h.sent {
		at := h.slot()
		for i := range h.lines {
			s.Media = append(s.Media, off(&h.lines[i]))
		}
		if at == len(s.Media) {
			s.Media = append(s.Media, Media{})
		}
		if at < len(h.lines) {
			st.mid, _ = h.lines[at].Attr("mid")
			if classOf(h.lines[at].Proto) == classOf(st.proto) {
				st.proto = h.lines[at].Proto
			}
		}
		s.Media[at] = l.media(st)
		return s
	}
	s.Media = append(s.Media, l.media(st))
	return s
}

// offerKeys returns the keys to offer.
func (l *Local) offerKeys() (keys, error) {
	k := keys{setup: l.Setup, tlsID: l.TLSID}
	if k.setup == "" {
		k.setup = setupActpass
	}
	if err := l.Check(); err != nil || l.InsecurePlainRTP {
		return k, err
	}
	if l.keying().Has(KeySDES) {
		k.crypto = l.Crypto
	}
	if l.keying().Has(KeyDTLS) {
		k.fingerprints = l.Fingerprints
	}
	if len(k.crypto) == 0 && len(k.fingerprints) == 0 {
		return k, fmt.Errorf("%w: no keys", ErrLocal)
	}
	return k, nil
}

// proto is the transport of a first offer.
func (l *Local) proto() string {
	switch {
	case l.InsecurePlainRTP:
		return "RTP/AVP"
	case l.keying().Has(KeySDES) && len(l.Crypto) > 0:
		return "RTP/SAVP"
	default:
		return "UDP/TLS/RTP/SAVP"
	}
}

// offered returns the payload types of an offer: every codec of l, and telephone-event for each of their clocks.
func (l *Local) offered() []Codec {
	names := l.codecs()
	out := make([]Codec, 0, len(names)+2)
	clocks := make([]int, 0, 2)
	for _, name := range names {
		clock := clockOf(name)
		out = l.number(out, name, clock)
		if isAudio(name) && !slices.Contains(clocks, clock) {
			clocks = append(clocks, clock)
		}
	}
	for _, clock := range clocks {
		out = l.number(out, TelephoneEvent, clock)
	}
	return out
}

// number appends a codec with its payload type: the one it has in this session, else the usual one, else a free one. A number that meant
// another codec in this session is never given again (RFC 3264 section 8.3.2).
func (l *Local) number(list []Codec, name string, clock int) []Codec {
	h := l.History
	if h == nil {
		h = &History{}
	}
	c := Codec{Name: name, Clock: clock}
	free := func(pt uint8) bool {
		return h.types[pt] == "" && !slices.ContainsFunc(list, func(o Codec) bool { return o.PT == pt })
	}
	for i := range known {
		k := &known[i]
		if k.name != name || k.clock != clock {
			continue
		}
		c.PT = k.pt
		if k.static {
			return append(list, c)
		}
		if pt, ok := h.typeOf(name, clock); ok {
			c.PT = pt
			return append(list, c)
		}
		if free(k.pt) {
			return append(list, c)
		}
	}
	for pt := uint8(96); pt <= 127; pt++ {
		if free(pt) {
			c.PT = pt
			return append(list, c)
		}
	}
	return list // a peer that used up every number has what it offered already
}

// Agree reads what the offer proposes for its best audio stream, before ports and keys exist: a caller picks a key from
// Agreed.Crypto, or Agreed.Fingerprints, and opens ports (one with Mux, else two), then calls Answer. l needs no RTP, RTCP, Crypto and Fingerprints.
//
// Of several streams it takes the one in use before, else one that brings keys, else the one with the codec l likes best, else the first.
// The errors are ErrNoAudio, ErrPlainRTP, ErrTransport, ErrNoFingerprint, ErrSetup, ErrNoCodec and ErrLocal.
func Agree(offer *Session, l Local) (Agreed, error) {
	if err := l.Check(); err != nil {
		return Agreed{}, err
	}
	var out Agreed
	bestScore, why := -1, error(ErrNoAudio)
	for i := range offer.Media {
		m := &offer.Media[i]
		if m.Kind != "audio" || m.Port == 0 {
			continue
		}
		var a Agreed
		all, err := l.take(&a, offer, i, false)
		if err != nil {
			why = nearer(why, err)
			continue
		}
		audio, ok := best(all, l.codecs())
		if !ok {
			why = ErrNoCodec
			continue
		}
		a.keep(&l, []Codec{audio}, all) // one codec in the answer: the peer knows what will come (RFC 3264 section 6.1)
		if score := l.score(&a); score > bestScore {
			out, bestScore = a, score
		}
	}
	if bestScore < 0 {
		return Agreed{}, why
	}
	return out, nil
}

// score ranks a stream that could be answered.
func (l *Local) score(a *Agreed) int {
	score := len(known) - slices.Index(l.codecs(), a.Audio[0].Name)
	if len(a.Crypto) > 0 || len(a.Fingerprints) > 0 {
		score += 100
	}
	if h := l.History; h != nil && h.sent && h.live && h.audio == a.Index {
		score += 1000
	}
	return score
}

// nearer returns the error of the stream that came closer to an answer: it says best what to change.
func nearer(a, b error) error {
	order := []error{ErrNoAudio, ErrTransport, ErrPlainRTP, ErrNoFingerprint, ErrSetup, ErrNoCodec}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// Answer returns the answer to offer: the audio stream a describes with our side l, every other stream switched off in its place.
// a comes from Agree with the same offer. Where the offer brings keys for both SDES and DTLS, l has Crypto or Fingerprints, not both.
// What l lacks or has too much is told by Marshal.
func Answer(offer *Session, a Agreed, l Local) *Session {
	k, err := l.answerKeys(&a)
	if err == nil && (a.Index < 0 || a.Index >= len(offer.Media) || len(a.Audio) == 0) {
		err = fmt.Errorf("%w: not agreed on this offer", ErrLocal)
	}
	if err != nil {
		return &Session{err: err}
	}
	s := Off(offer, l)
	mid, _ := s.Media[a.Index].Attr("mid")
	s.Media[a.Index] = l.media(stream{proto: a.Proto, codecs: a.list(), dir: a.Direction, mux: a.Mux && !l.NoMux, rsize: a.ReducedSize, keys: k, mid: mid})
	return s
}

// answerKeys returns the keys to answer with, of one kind.
func (l *Local) answerKeys(a *Agreed) (keys, error) {
	if err := l.Check(); err != nil {
		return keys{}, err
	}
	kind := classOf(a.Proto)
	if kind == classPlain || l.InsecurePlainRTP {
		if kind != classPlain || !l.InsecurePlainRTP {
			return keys{}, fmt.Errorf("%w: not agreed on this transport", ErrLocal)
		}
		return keys{}, nil
	}
	sdes := kind == classSecure && l.keying().Has(KeySDES) && len(l.Crypto) > 0 && len(a.Crypto) > 0
	dtls := l.keying().Has(KeyDTLS) && len(l.Fingerprints) > 0 && len(a.Fingerprints) > 0
	switch {
	case sdes && dtls:
		return keys{}, fmt.Errorf("%w: keys of two kinds in one answer", ErrLocal)
	case sdes:
		return keys{crypto: l.Crypto}, nil
	case dtls:
		k := keys{fingerprints: l.Fingerprints, setup: setupPassive, tlsID: l.TLSID}
		if a.Client {
			k.setup = setupActive
		}
		return k, nil
	}
	return keys{}, fmt.Errorf("%w: no keys for the answer", ErrLocal)
}

// Off returns the answer that switches every stream of the offer off, such as one to an offer without audio in a call that stays. l needs RTP.
func Off(offer *Session, l Local) *Session {
	s := l.session(len(offer.Media))
	for i := range offer.Media {
		s.Media = append(s.Media, off(&offer.Media[i]))
	}
	return s
}

// off is a stream that is switched off (RFC 3264 section 6): what it was, with port 0.
func off(m *Media) Media {
	o := Media{Kind: m.Kind, Proto: m.Proto, Formats: m.Formats}
	if len(o.Formats) == 0 {
		o.Formats = []string{"0"}
	}
	if mid, ok := m.Attr("mid"); ok && mid != "" {
		o.Attrs = []Attr{{"mid", mid}}
	}
	return o
}

// Accept reads the answer to an offer that Offer made from l. l has the History that wrote the offer, if any. The errors are ErrNoAudio,
// ErrPlainRTP, ErrTransport, ErrNoFingerprint, ErrSetup, ErrNoCodec, ErrMismatch and ErrLocal.
func Accept(answer *Session, l Local) (Agreed, error) {
	if err := l.Check(); err != nil {
		return Agreed{}, err
	}
	lines, at, offered := 1, 0, []Codec(nil)
	if h := l.History; h != nil && h.sent {
		lines, at, offered = len(h.lines), h.audio, h.codecs
	} else {
		offered = l.offered()
	}
	if len(answer.Media) != lines || at < 0 {
		return Agreed{}, fmt.Errorf("%w: %d streams", ErrMismatch, len(answer.Media))
	}
	m := &answer.Media[at]
	if m.Kind != "audio" {
		return Agreed{}, fmt.Errorf("%w: not an audio stream", ErrMismatch)
	}
	if m.Port == 0 {
		return Agreed{}, ErrNoAudio
	}
	var a Agreed
	all, err := l.take(&a, answer, at, true)
	if err != nil {
		return Agreed{}, err
	}
	// In an answer the peer's order says what it prefers to receive; it may hold only what we offered.
	all = slices.DeleteFunc(all, func(c Codec) bool { _, ok := findCodec(offered, c.Name, c.Clock); return !ok })
	audio := make([]Codec, 0, len(all))
	for _, c := range all {
		if isAudio(c.Name) {
			audio = append(audio, c)
		}
	}
	if len(audio) == 0 {
		return Agreed{}, ErrNoCodec
	}
	a.keep(&l, audio, all)
	// The peer sends with our numbers, whatever numbers it wants to receive with.
	a.Receive = a.list()
	for i, c := range a.Receive {
		a.Receive[i], _ = findCodec(offered, c.Name, c.Clock)
	}
	return a, nil
}
