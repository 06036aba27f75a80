package webrtc

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"

	"github.com/ringfence/ringfence/srtp/internal/carrier"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// negotiator agrees on media for one leg and owns its connection. The leg calls Offer, Answer and Accept one at a time; mu guards what
// callbacks of the library see too.
type negotiator struct {
	eng    *Engine
	port   carrier.Port
	codecs []string

	id      uint64
	history sdp.History
	offered bool
	mid     string // our name of the audio stream; empty: it has none
	bundle  bool

	mu     sync.Mutex
	peer   *peer
	closed bool
	agreed bool
	proto  string
	hash   string
}

func newNegotiator(e *Engine, p carrier.Port, codecs []string) *negotiator {
	var b [8]byte
	rand.Read(b[:])
	return &negotiator{eng: e, port: p, codecs: codecs, id: binary.BigEndian.Uint64(b[:]) >> 2}
}

// local is our side of a description; p is the connection it describes, nil where none is needed yet.
func (n *negotiator) local(p *peer) sdp.Local {
	l := sdp.Local{ID: n.id, Codecs: n.codecs, Params: params, Keying: sdp.KeyDTLS, History: &n.history}
	if p != nil {
		l.RTP, l.Fingerprints, l.TLSID = p.local.addr, []string{p.local.print}, p.tlsID
	}
	return l
}

func (n *negotiator) current() *peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peer
}

// Offer implements carrier.Carrier. A later offer repeats what is in force, so that a session refresh changes nothing.
func (n *negotiator) Offer(ctx context.Context) ([]byte, error) {
	p := n.current()
	if p == nil {
		var err error
		if p, err = newPeer(n); err != nil {
			return nil, err
		}
		if err := p.offer(ctx); err != nil {
			p.close()
			return nil, err
		}
		if err := n.replace(p); err != nil {
			return nil, err
		}
	}
	out, err := n.writeOffer(p)
	if err != nil {
		return nil, err
	}
	n.offered = true
	return out, nil
}

// writeOffer describes p. In a session that has begun, streams keep their number, order and names and payload types their meaning (RFC 3264 section 8).
func (n *negotiator) writeOffer(p *peer) ([]byte, error) {
	s := sdp.Offer(n.local(p))
	at := slices.IndexFunc(s.Media, func(m sdp.Media) bool { return m.Port != 0 })
	if at < 0 {
		return n.write(s) // it says why
	}
	m := &s.Media[at]
	if _, ok := m.Attr("mid"); !ok {
		m.Attrs = append(m.Attrs, sdp.Attr{Name: "mid", Value: p.local.mid})
		n.mid, n.bundle = p.local.mid, true
	}
	if m.Proto == "UDP/TLS/RTP/SAVP" && !n.begun() {
		m.Proto = profile
	}
	m.Attrs = append(m.Attrs, sdp.Attr{Name: "rtcp-mux-only"}) // RFC 8858: no port for RTCP will open
	p.local.complete(s, at, n.group())
	return n.write(s)
}

// writeAnswer answers r's offer with p: its audio stream as agreed, every other stream switched off.
func (n *negotiator) writeAnswer(p *peer, r *remote) ([]byte, error) {
	l := n.local(p)
	if r.tlsID == "" {
		l.TLSID = ""
	}
	n.mid, n.bundle = r.mid, r.bundle
	n.history.Received(r.desc)
	s := sdp.Answer(r.desc, r.agreed, l)
	if r.agreed.Index < len(s.Media) {
		p.local.complete(s, r.agreed.Index, n.group())
	}
	return n.write(s)
}

// begun reports whether media was agreed on before.
func (n *negotiator) begun() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.agreed
}

// group is the name of the audio stream if it is bundled.
func (n *negotiator) group() string {
	if n.bundle {
		return n.mid
	}
	return ""
}

func (n *negotiator) write(s *sdp.Session) ([]byte, error) {
	out, err := n.history.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("webrtc: writing description: %w", err)
	}
	return out, nil
}

// Answer implements carrier.Carrier.
func (n *negotiator) Answer(ctx context.Context, offer []byte) ([]byte, error) {
	r, err := readRemote(offer, n.local(nil), false)
	if err != nil {
		return nil, err
	}
	p := n.current()
	if p == nil || !p.ready || !p.fed.sameAssociation(&r) {
		return n.connect(ctx, &r)
	}
	if p.fed.ufrag != r.ufrag || p.fed.pwd != r.pwd {
		// An ICE restart (RFC 8839 section 4.4.1.1.1). The library gets the stream it knows with the new credentials.
		again := p.fed
		again.ufrag, again.pwd = r.ufrag, r.pwd
		if err := p.answer(ctx, &again); err != nil {
			return nil, err
		}
	}
	out, err := n.writeAnswer(p, &r)
	if err != nil {
		return nil, err
	}
	if p.fed.tlsID == "" {
		p.fed.tlsID = r.tlsID // it begins to name the association there is
	}
	n.agree(p, &r)
	return out, nil
}

// connect answers with a new connection, and ends the one before.
func (n *negotiator) connect(ctx context.Context, r *remote) ([]byte, error) {
	p, err := newPeer(n)
	if err != nil {
		return nil, err
	}
	if err := p.answer(ctx, r); err != nil {
		p.close()
		return nil, err
	}
	out, err := n.writeAnswer(p, r)
	if err != nil {
		p.close()
		return nil, err
	}
	before := n.current()
	if err := n.replace(p); err != nil {
		return nil, err
	}
	n.agree(p, r)
	if before != nil {
		before.close()
	}
	return out, nil
}

// Accept implements carrier.Carrier.
func (n *negotiator) Accept(_ context.Context, answer []byte) error {
	p := n.current()
	if !n.offered || p == nil {
		return media.ErrState
	}
	r, err := readRemote(answer, n.local(nil), true)
	if err != nil {
		return err
	}
	switch {
	case !p.ready:
		if err := p.feed(&r, webrtc.SDPTypeAnswer, p.local.mid, "active"); err != nil {
			return err
		}
	case !p.fed.sameAssociation(&r):
		return ErrFingerprint // another device answered the same offer; it needs a leg of its own
	case p.fed.ufrag != r.ufrag || p.fed.pwd != r.pwd:
		return ErrICE
	}
	n.agree(p, &r)
	return nil
}

// replace makes p the leg's connection, unless the leg has ended.
func (n *negotiator) replace(p *peer) error {
	n.mu.Lock()
	closed := n.closed
	if !closed {
		n.peer = p
	}
	n.mu.Unlock()
	if closed {
		p.close()
		return media.ErrClosed
	}
	return nil
}

// agree puts an agreement into force.
func (n *negotiator) agree(p *peer, r *remote) {
	n.mu.Lock()
	n.agreed, n.proto, n.hash = true, r.agreed.Proto, r.fp.hash
	n.mu.Unlock()
	n.port.Agree(r.agreed, p)
}

// sameAssociation reports whether a description goes on with the DTLS association of r (RFC 8842 section 4): the same certificate, and
// the same tls-id where both name one. New ICE credentials alone change nothing.
func (r *remote) sameAssociation(o *remote) bool {
	return r.fp == o.fp && (r.tlsID == o.tlsID || r.tlsID == "" || o.tlsID == "")
}

// Security implements carrier.Carrier.
func (n *negotiator) Security() carrier.Security {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.agreed {
		return carrier.Security{}
	}
	s := carrier.Security{KeyMethod: "DTLS-SRTP", Profile: n.proto, FingerprintHash: n.hash}
	if name := n.peer.suite.Load(); name != nil && n.peer.known.Load() {
		s.Suite, s.PeerVerified = *name, true
	}
	return s
}

// failed ends the leg: the peer of its connection is not the one of the description, or misbehaves.
func (n *negotiator) failed(p *peer, reason string) {
	if n.current() == p {
		n.port.Fail(reason)
	}
}

// lost tells the leg that the peer of its connection is gone.
func (n *negotiator) lost(p *peer) {
	if n.current() == p {
		n.port.Lost()
	}
}

// Close implements carrier.Carrier.
func (n *negotiator) Close() {
	n.mu.Lock()
	n.closed = true
	p := n.peer
	n.mu.Unlock()
	if p != nil {
		p.close()
	}
}
