package media

import (
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
	history sdp.History
	split   bool // RTCP has a port of its own
	mux     bool
	profile string
	remoteA netip.AddrPort

	offered []srtp.Crypto // of the last offer, one of which the answer picks
	local   srtp.Crypto   // in force, our direction
	remote  srtp.Crypto   // in force, the peer's direction
	suite   srtp.Suite    // in force; SuiteInvalid before
	rekey   bool          // the next offer brings a new key
	ssrc    uint32        // of the stream under our key in force
	next    uint32        // of the stream under the key after it
	cname   string

	dtls   *association // DTLS-SRTP in place of SDES
	either *association // proposed beside SDES, and not answered yet
}

func (s *signalling) wipe() {
	for _, c := range s.offered {
		c.Zero()
	}
	s.local.Zero()
	s.remote.Zero()
}

// randomID returns a session id below 2^62, which every peer can hold as a signed number.
func randomID() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) >> 2
}

// begin checks what every negotiation step needs, and takes the lock if it returns nil.
func (l *Leg) begin(ctx context.Context) error {
	// Checked before anything is parsed or made: a key in readable signalling is no key, and ours must not be written into it. A fingerprint could be
	// exchanged there for the attacker's.
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

// Offer returns a description that offers the leg's media, for an INVITE without one or a new one. The first Offer takes a port and
// makes a key for every suite of the policy; a later one repeats the key in force, so that a session refresh changes nothing, unless a new key is due
// (see RekeyDue). The errors are ErrInsecureSignalling, ErrNoPort, ErrClosed and ctx's. The result holds keys: keep it out of logs.
func (l *Leg) Offer(ctx context.Context) ([]byte, error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	s := &l.sig
	defer s.mu.Unlock()
	if l.via != nil {
		return l.via.Offer(ctx)
	}
	fresh := s.suite == srtp.SuiteInvalid && s.offered == nil && s.dtls == nil
	switch {
	case s.dtls != nil || fresh && l.cfg.Propose == ProposeDTLS:
		return l.offerDTLS()
	case s.either != nil || fresh && l.cfg.Propose == ProposeBoth:
		return l.offerBoth()
	}
	if err := l.takePort(true, false, netip.AddrPort{}); err != nil {
		return nil, err
	}
	if err := s.offerKeys(l.eng.cfg.Policy); err != nil {
		return nil, err
	}
	return l.render(sdp.Offer(l.local(s.offered...)), s.sourceOf(s.offered[0]))
}

// Answer returns the answer to a peer's offer, for an INVITE or a re-INVITE. A key the peer offers again stays in force, and ours with it; a new one
// gets a fresh key of ours and fresh state. An answer that says the same as the description before keeps its version. Where the peer offers both, DTLS-SRTP
// goes before SDES if LegConfig.DTLS is set, because its keys never pass through the signalling.
// The errors are ErrInsecureSignalling, ErrPlainRTP, ErrNoCodec, ErrAddressFamily, ErrNoPort, ErrClosed, those of sdp.Parse and sdp.Agree, those of
// srtp.Policy.Answer and dtls.New, and ctx's; the leg then stays as it was. The result holds a key: keep it out of logs.
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
	before := s.history
	s.history.Received(desc)
	out, err := l.answer(desc)
	if err != nil {
		s.history = before
		return nil, err
	}
	return out, nil
}

func (l *Leg) answer(desc *sdp.Session) ([]byte, error) {
	s := &l.sig
	a, err := sdp.Agree(desc, sdp.Local{Codecs: l.cfg.Codecs, Keying: l.keying(), History: &s.history})
	if err != nil {
		return nil, err
	}
	if err := l.checkFamily(a); err != nil {
		return nil, err
	}
	if l.cfg.DTLS != nil && len(a.Fingerprints) > 0 && s.suite == srtp.SuiteInvalid || s.dtls != nil {
		return l.answerDTLS(desc, a)
	}
	local, remote, err := l.chooseKeys(a.Crypto)
	if err != nil {
		return nil, err
	}
	if !a.Mux {
		s.mux = false // a re-offer may take rtcp-mux back
	}
	peer := a.Remote
	if len(sourcesIn(desc, a.Index)) > 0 {
		peer = netip.AddrPort{} // it can tell its calls apart
	}
	if err := l.takePort(!a.Mux, false, peer); err != nil {
		return nil, err
	}
	if s.suite == srtp.SuiteInvalid || !local.SameKeys(s.local) {
		s.next = randomSSRC()
	}
	out, err := l.render(sdp.Answer(desc, a, l.local(local)), s.sourceOf(local))
	if err != nil {
		return nil, err
	}
	if err := l.apply(a, local, remote); err != nil {
		return nil, err
	}
	l.expect(desc, a)
	return out, nil
}

// keying is how keys may be agreed on: either way before there are any, and the same way ever after.
func (l *Leg) keying() sdp.Keying {
	switch s := &l.sig; {
	case s.dtls != nil:
		return sdp.KeyDTLS
	case s.suite != srtp.SuiteInvalid || l.cfg.DTLS == nil:
		return sdp.KeySDES
	default:
		return sdp.KeySDES | sdp.KeyDTLS
	}
}

// Accept takes the peer's answer to the last Offer, from a 200 or from a provisional response; the same answer may come twice.
// The errors are ErrState, ErrInsecureSignalling, ErrPlainRTP, ErrNoCodec, ErrAddressFamily, ErrClosed, those of sdp.Parse and sdp.Accept, those
// of srtp.Policy.Accept and dtls.New, and ctx's; the leg then stays as it was.
func (l *Leg) Accept(ctx context.Context, answer []byte) error {
	if err := l.begin(ctx); err != nil {
		return err
	}
	s := &l.sig
	defer s.mu.Unlock()
	if l.via != nil {
		return l.via.Accept(ctx, answer)
	}
	if s.offered == nil && s.dtls == nil {
		return ErrState
	}
	desc, err := sdp.Parse(answer)
	if err != nil {
		return err
	}
	keying := sdp.KeySDES
	switch {
	case s.dtls != nil:
		keying = sdp.KeyDTLS
	case s.either != nil:
		keying = sdp.KeySDES | sdp.KeyDTLS
	}
	a, err := sdp.Accept(desc, sdp.Local{Codecs: l.cfg.Codecs, Keying: keying, History: &s.history})
	if err != nil {
		return err
	}
	if err := l.checkFamily(a); err != nil {
		return err
	}
	if s.dtls != nil || s.either != nil && len(a.Crypto) == 0 {
		return l.acceptDTLS(desc, a)
	}
	local, remote, err := l.eng.cfg.Policy.Accept(s.offered, a.Crypto)
	if err != nil {
		return err
	}
	s.history.Received(desc)
	if err := l.apply(a, local, remote); err != nil {
		return err
	}
	s.either = nil
	l.expect(desc, a)
	return nil
}

// checkFamily refuses a peer we could never reach. A host name is fine: the peer's first authentic packet tells where it is.
func (l *Leg) checkFamily(a sdp.Agreed) error {
	if r := a.Remote.Addr(); r.IsValid() && !r.IsUnspecified() && r.Is4() != l.eng.cfg.Addr.Is4() {
		return ErrAddressFamily
	}
	return nil
}

// local describes our side.
func (l *Leg) local(crypto ...srtp.Crypto) sdp.Local {
	s := &l.sig
	d := sdp.Local{ID: s.id, Codecs: l.cfg.Codecs, RTP: l.port.Load().rtp.addr, History: &s.history}
	if s.split {
		d.RTCP = l.port.Load().rtcp.addr
	}
	for _, c := range crypto {
		d.Crypto = append(d.Crypto, c.ExportSecret())
	}
	return d
}

// render writes a description. It names our source (RFC 5576), so that a peer whose calls all come from one address, such as another server like this one,
// knows the first packet's leg.
func (l *Leg) render(desc *sdp.Session, ssrc uint32) ([]byte, error) {
	s := &l.sig
	for i := range desc.Media {
		if m := &desc.Media[i]; m.Kind == "audio" && m.Port != 0 {
			m.Attrs = append(m.Attrs, sdp.Attr{Name: "rtcp-xr", Value: "voip-metrics"}, sdp.Attr{Name: "ssrc", Value: fmt.Sprintf("%d cname:%s", ssrc, s.cname)})
		}
	}
	out, err := s.history.Marshal(desc)
	if err != nil {
		return nil, fmt.Errorf("media: writing description: %w", err)
	}
	return out, nil
}

// apply puts an agreement into force. The caller holds sig.mu.
func (l *Leg) apply(a sdp.Agreed, local, remote srtp.Crypto) error {
	s := &l.sig
	k, err := s.arm(local, remote)
	if err != nil {
		return err
	}
	if k.tx != nil {
		s.ssrc = s.next
	}
	moved := s.describe(a)
	s.takeOver(local, remote, k)
	l.install(a, k, moved)
	return nil
}

// describe notes what an agreement says and reports whether the peer's address is another one.
func (s *signalling) describe(a sdp.Agreed) (moved bool) {
	moved = a.Remote != s.remoteA
	s.profile, s.mux, s.split, s.remoteA = a.Proto, a.Mux, !a.Mux, a.Remote
	return moved
}

// install makes the leg send and receive as agreed, with new keys where k has any.
func (l *Leg) install(a sdp.Agreed, k keys, moved bool) {
	via, control := l.port.Load().rtp, (*socket)(nil)
	if l.sig.split {
		control = l.port.Load().rtcp
	}
	now := time.Now()
	l.rx.mu.Lock()
	l.rx.apply(a, k, lifetimeOf(l.sig.remote), moved, now)
	l.rx.mu.Unlock()
	l.tx.mu.Lock()
	l.tx.apply(a, k, moved, via, control, now)
	l.tx.mu.Unlock()
}
