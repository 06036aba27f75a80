package media

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// signalling is what a leg has agreed on. mu is held during Offer, Answer and Accept.
type signalling struct {
	mu      sync.Mutex
	closed  bool
	id      uint64 // o= session id
	version uint64
	sent    []byte // our last description, to tell whether the next one differs; it holds a key
	split   bool   // RTCP has a port of its own
	offered []srtp.Crypto
	local   srtp.Crypto // in force, our direction
	remote  srtp.Crypto // in force, the peer's direction
	suite   srtp.Suite
	profile string
	mux     bool
	remoteA netip.AddrPort
}

func (s *signalling) wipe() {
	for _, c := range s.offered {
		c.Zero()
	}
	s.local.Zero()
	s.remote.Zero()
	clear(s.sent)
	s.sent = nil
}

// randomID returns a session id below 2^62, which every peer can hold as a signed number.
func randomID() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) >> 2
}

// begin checks what every negotiation step needs, and takes the lock if it returns nil.
func (l *Leg) begin(ctx context.Context) error {
	// Checked before anything is parsed or made: a key in readable signalling is no key, and ours must not be written into it.
	if !l.cfg.SignallingSecure {
		return ErrInsecureSignalling
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l.sig.mu.Lock()
	if l.sig.closed {
		l.sig.mu.Unlock()
		return ErrClosed
	}
	return nil
}

// Offer returns a description that offers the leg's media, for an INVITE without one or a new one. The first Offer opens ports and
// makes a key for every suite of the policy; a later one repeats the key in force, so that a session refresh changes nothing.
// The errors are ErrInsecureSignalling, ErrNoPort, ErrClosed and ctx's. The result holds keys: keep it out of logs.
func (l *Leg) Offer(ctx context.Context) ([]byte, error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	s := &l.sig
	defer s.mu.Unlock()
	if l.via != nil {
		return l.via.Offer(ctx)
	}
	if err := l.takePort(true); err != nil {
		return nil, err
	}
	switch {
	case s.suite != srtp.SuiteInvalid:
		for _, c := range s.offered {
			if !sameKeys(c, s.local) {
				c.Zero() // the call settled on another suite; nobody can choose this one any more
			}
		}
		s.offered = []srtp.Crypto{s.local}
	case s.offered == nil:
		offered, err := l.eng.cfg.Policy.Offer()
		if err != nil {
			return nil, err
		}
		s.offered = offered
	}
	desc := sdp.Offer(l.local(s.offered...))
	return l.render(desc)
}

// Answer returns the answer to a peer's offer, for an INVITE or a re-INVITE. A key the peer offers again stays in force, and ours with it; a new one
// gets a fresh key of ours and fresh state. An answer that says the same as the description before keeps its version.
// The errors are ErrInsecureSignalling, ErrPlainRTP, ErrNoCodec, ErrAddressFamily, ErrNoPort, ErrClosed, those of sdp.Parse and sdp.Agree, those of
// srtp.Policy.Answer, and ctx's; the leg then stays as it was. The result holds a key: keep it out of logs.
func (l *Leg) Answer(ctx context.Context, offer []byte) ([]byte, error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	s := &l.sig
	defer s.mu.Unlock()
	if l.via != nil {
		return l.via.Answer(ctx, offer)
	}
	desc, err := sdp.Parse(offer)
	if err != nil {
		return nil, err
	}
	a, err := sdp.Agree(desc, sdp.Local{Codecs: l.cfg.Codecs})
	if err != nil {
		return nil, err
	}
	if err := l.checkFamily(a); err != nil {
		return nil, err
	}
	local, remote, err := l.chooseKeys(a.Crypto)
	if err != nil {
		return nil, err
	}
	if !a.Mux {
		s.mux = false // a re-offer may take rtcp-mux back
	}
	if err := l.takePort(!a.Mux); err != nil {
		return nil, err
	}
	out, err := l.render(sdp.Answer(desc, a, l.local(local)))
	if err != nil {
		return nil, err
	}
	return out, l.apply(a, local, remote)
}

// chooseKeys keeps the keys in force if the peer offers its own again, and agrees on new ones otherwise.
func (l *Leg) chooseKeys(values []string) (local, remote srtp.Crypto, err error) {
	s := &l.sig
	if s.suite != srtp.SuiteInvalid {
		for _, v := range values {
			if c, err := srtp.ParseCrypto(v); err == nil && c.Suite == s.remote.Suite && sameKeys(c, s.remote) {
				local = s.local
				local.Tag = c.Tag // the answer repeats the tag of this offer
				return local, s.remote, nil
			}
		}
	}
	return l.eng.cfg.Policy.Answer(values)
}

func sameKeys(a, b srtp.Crypto) bool {
	a.Tag = b.Tag
	return a.Equal(b)
}

// Accept takes the peer's answer to the last Offer, from a 200 or from a provisional response; the same answer may come twice.
// The errors are ErrState, ErrInsecureSignalling, ErrPlainRTP, ErrNoCodec, ErrAddressFamily, ErrClosed, those of sdp.Parse and sdp.Accept, those
// of srtp.Policy.Accept, and ctx's; the leg then stays as it was.
func (l *Leg) Accept(ctx context.Context, answer []byte) error {
	if err := l.begin(ctx); err != nil {
		return err
	}
	s := &l.sig
	defer s.mu.Unlock()
	if l.via != nil {
		return l.via.Accept(ctx, answer)
	}
	if s.offered == nil {
		return ErrState
	}
	desc, err := sdp.Parse(answer)
	if err != nil {
		return err
	}
	a, err := sdp.Accept(desc, sdp.Local{Codecs: l.cfg.Codecs})
	if err != nil {
		return err
	}
	if err := l.checkFamily(a); err != nil {
		return err
	}
	local, remote, err := l.eng.cfg.Policy.Accept(s.offered, a.Crypto)
	if err != nil {
		return err
	}
	return l.apply(a, local, remote)
}

// checkFamily refuses a peer we could never reach. A host name is fine: the peer's first authentic packet tells where it is.
func (l *Leg) checkFamily(a sdp.Agreed) error {
	if r := a.Remote.Addr(); r.IsValid() && !r.IsUnspecified() && r.Is4() != l.eng.cfg.Addr.Is4() {
		return ErrAddressFamily
	}
	return nil
}

// takePort puts the leg on a port once. split says that the peer may send RTCP to a port of its own.
func (l *Leg) takePort(split bool) error {
	s := &l.sig
	if l.port.Load() == nil {
		p, err := l.eng.place()
		if err != nil {
			return err
		}
		l.port.Store(p)
	}
	s.split = split && !s.mux
	return nil
}

// leavePort takes the leg off its port: no packet is handed to it afterwards. The caller holds sig.mu.
func (l *Leg) leavePort() {
	p := l.port.Load()
	if p == nil {
		return
	}
	for _, s := range []*socket{p.rtp, p.rtcp} {
		s.mu.Lock()
		s.found.remove(l, s.found.seatOf(l))
		s.mu.Unlock()
	}
	l.eng.leave(p)
}

// expect tells the port where the peer says it is. The caller holds sig.mu.
func (l *Leg) expect(a sdp.Agreed) {
	p := l.port.Load()
	p.rtp.expect(l, a.Remote)
	if !a.Mux {
		p.rtcp.expect(l, a.RemoteRTCP)
	}
}

func (s *socket) expect(l *Leg, addr netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found.expect(l, s.found.seatOf(l), addr)
}

// loosen lets a peer that has been silent for long turn up elsewhere.
func (l *Leg) loosen(now time.Time) {
	l.rx.mu.Lock()
	silent := l.rx.latched.IsValid() && now.Sub(l.rx.lastLatched) >= relatchAfter
	l.rx.mu.Unlock()
	if !silent {
		return
	}
	if p := l.port.Load(); p != nil {
		p.rtp.mu.Lock()
		p.rtp.found.loosen(l, &l.seat)
		p.rtp.mu.Unlock()
	}
}

// settle returns when nothing the leg received before the call is under way any more.
func (l *Leg) settle() {
	if p := l.port.Load(); p != nil {
		p.rtp.barrier()
	}
}

// local describes our side.
func (l *Leg) local(crypto ...srtp.Crypto) sdp.Local {
	s := &l.sig
	d := sdp.Local{ID: s.id, Version: s.version, Codecs: l.cfg.Codecs,
		RTP: l.port.Load().rtp.addr}
	if s.split {
		d.RTCP = l.port.Load().rtcp.addr
	}
	for _, c := range crypto {
		d.Crypto = append(d.Crypto, c.ExportSecret())
	}
	return d
}

// render writes a description and raises its version if it differs from the one before (RFC 3264 section 8).
func (l *Leg) render(desc *sdp.Session) ([]byte, error) {
	s := &l.sig
	out, err := desc.Marshal()
	if err != nil {
		return nil, fmt.Errorf("media: writing description: %w", err)
	}
	if s.sent != nil && !bytes.Equal(out, s.sent) {
		s.version++
		desc.Origin.Version = s.version
		if out, err = desc.Marshal(); err != nil {
			return nil, fmt.Errorf("media: writing description: %w", err)
		}
	}
	clear(s.sent)
	s.sent = bytes.Clone(out)
	return out, nil
}

// apply puts an agreement into force. The caller holds sig.mu.
func (l *Leg) apply(a sdp.Agreed, local, remote srtp.Crypto) error {
	s := &l.sig
	newLocal := s.suite == srtp.SuiteInvalid || !sameKeys(local, s.local)
	newRemote := s.suite == srtp.SuiteInvalid || !sameKeys(remote, s.remote)
	var tx *srtp.Sender
	var rx *srtp.Receiver
	var err error
	if newLocal {
		if tx, err = srtp.NewSender(local, srtp.SenderConfig{}); err != nil {
			return err
		}
	}
	if newRemote {
		if rx, err = srtp.NewReceiver(remote, srtp.ReceiverConfig{}); err != nil {
			if tx != nil {
				tx.Close()
			}
			return err
		}
	}
	moved := a.Remote != s.remoteA
	if newLocal {
		s.local.Zero()
	}
	if newRemote {
		s.remote.Zero()
	}
	s.local, s.remote, s.suite, s.profile, s.mux, s.remoteA = local, remote, local.Suite, a.Proto, a.Mux, a.Remote
	via, control := l.port.Load().rtp, (*socket)(nil)
	if s.split = !a.Mux; s.split {
		control = l.port.Load().rtcp
	}
	now := time.Now()
	l.rx.mu.Lock()
	l.rx.apply(a, rx, moved, now)
	l.rx.mu.Unlock()
	l.tx.mu.Lock()
	l.tx.apply(a, tx, moved, via, control, now)
	l.tx.mu.Unlock()
	l.expect(a)
	return nil
}
