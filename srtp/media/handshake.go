package media

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/dtls"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// association is a leg's DTLS-SRTP (RFC 5763): what was told about the peer's certificate, and the handshake that proves it. A leg that speaks DTLS has a
// port to itself, because the first packet of a handshake does not tell whose it is.
type association struct {
	id      string // our tls-id (RFC 8842)
	conn    *dtls.Association
	told    []string // the peer's fingerprints
	peerID  string
	client  bool
	agreed  sdp.Agreed
	pending bool // the handshake is not over
	peer    dtls.Fingerprint

	mu   sync.Mutex
	at   netip.AddrPort // where the description says the peer is
	near netip.Addr
	from netip.AddrPort // where the handshake goes
	last time.Time      // when from was last heard

	early   []early     // media that came before its keys; under mu
	keyed   atomic.Bool // the keys are in force
	settled atomic.Bool // and what came before them was handled
}

// offerDTLS is Offer for a leg that keys by DTLS.
func (l *Leg) offerDTLS() ([]byte, error) {
	s := &l.sig
	if err := l.takePort(true, true, netip.AddrPort{}); err != nil {
		return nil, err
	}
	if s.dtls == nil {
		s.dtls, s.next = &association{id: randomName() + randomName()}, randomSSRC()
	}
	return l.render(sdp.Offer(l.localDTLS("actpass", s.dtls.id)), s.sourceNow())
}

// offerBoth is Offer for a leg that leaves the choice to the peer.
func (l *Leg) offerBoth() ([]byte, error) {
	s := &l.sig
	if err := l.takePort(true, true, netip.AddrPort{}); err != nil {
		return nil, err
	}
	if err := s.offerKeys(l.eng.cfg.Policy); err != nil {
		return nil, err
	}
	if s.either == nil {
		s.either = &association{id: randomName() + randomName()}
	}
	d := l.localDTLS("actpass", s.either.id)
	d.Keying, d.Crypto = sdp.KeySDES|sdp.KeyDTLS, l.local(s.offered...).Crypto
	return l.render(sdp.Offer(d), s.next)
}

func (l *Leg) localDTLS(setup, id string) sdp.Local {
	d := l.local()
	d.Keying, d.Fingerprints, d.Setup, d.TLSID = sdp.KeyDTLS, []string{l.cfg.DTLS.Fingerprint().String()}, setup, id
	return d
}

// sourceNow is the source of our stream under the keys in force, or under the first ones.
func (s *signalling) sourceNow() uint32 {
	if s.suite != srtp.SuiteInvalid {
		return s.ssrc
	}
	return s.next
}

// answerDTLS is the rest of Answer for a leg that keys by DTLS.
func (l *Leg) answerDTLS(desc *sdp.Session, a sdp.Agreed) ([]byte, error) {
	s := &l.sig
	as := s.dtls
	if as == nil || !as.goesOn(a) {
		as = &association{id: randomName() + randomName()}
		s.next = randomSSRC()
	}
	if err := l.takePort(!a.Mux, true, a.Remote); err != nil {
		return nil, err
	}
	setup := "passive" // the phone begins, and opens its NAT for our packets
	switch {
	case as.conn != nil:
		// The association goes on, and so do its roles, whatever the offer leaves open (RFC 8842 section 5.3).
		if a.Client = as.client; a.Client {
			setup = "active"
		}
	case a.Client:
		setup = "active"
	}
	id := ""
	if a.TLSID != "" {
		id = as.id
	}
	fresh, err := l.associate(as, a)
	if err != nil {
		return nil, err
	}
	out, err := l.render(sdp.Answer(desc, a, l.localDTLS(setup, id)), s.sourceNow())
	if err != nil {
		if fresh {
			as.conn.Close()
		}
		return nil, err
	}
	l.takeUp(as, a, desc, fresh)
	return out, nil
}

// acceptDTLS is the rest of Accept for a leg that keys by DTLS.
func (l *Leg) acceptDTLS(desc *sdp.Session, a sdp.Agreed) error {
	s := &l.sig
	as := s.dtls
	if as == nil {
		as = s.either
	}
	if as.conn != nil && !as.goesOn(a) {
		as = &association{id: as.id}
		s.next = randomSSRC()
	}
	fresh, err := l.associate(as, a)
	if err != nil {
		return err
	}
	for _, c := range s.offered {
		c.Zero() // the peer has taken none of them
	}
	s.offered, s.either = nil, nil
	s.history.Received(desc)
	l.takeUp(as, a, desc, fresh)
	return nil
}

// goesOn reports that the peer has not begun another association: same certificate, same tls-id.
func (as *association) goesOn(a sdp.Agreed) bool {
	return as.conn != nil && slices.Equal(as.told, a.Fingerprints) && as.peerID == a.TLSID
}

// associate makes the DTLS end of an agreement. It returns false if there is one already.
func (l *Leg) associate(as *association, a sdp.Agreed) (fresh bool, err error) {
	if as.conn != nil {
		return false, nil
	}
	var told []dtls.Fingerprint
	for _, v := range a.Fingerprints {
		if f, err := dtls.ParseFingerprint(v); err == nil {
			told = append(told, f) // one of a hash we do not know must not hide the others
		}
	}
	role := dtls.SetupPassive
	if a.Client {
		role = dtls.SetupActive
	}
	via := l.port.Load().rtp
	as.conn, err = dtls.New(dtls.Config{Identity: l.cfg.DTLS, Role: role, Fingerprints: told, Policy: l.eng.cfg.Policy, Send: func(pkt []byte) error {
		to := as.target()
		if !to.IsValid() {
			return errors.New("media: peer's address is not known yet")
		}
		via.sendNow(pkt, to, &l.tx.failed)
		return nil
	}})
	if err != nil {
		return false, err
	}
	as.told, as.peerID, as.client, as.pending = a.Fingerprints, a.TLSID, a.Client, true
	as.near = l.cfg.Near
	if to := usable(a.Remote); a.Client && to.IsValid() {
		as.from, as.last = to, time.Now()
	}
	return true, nil
}

// takeUp puts an agreement into force and begins a fresh association's handshake.
func (l *Leg) takeUp(as *association, a sdp.Agreed, desc *sdp.Session, fresh bool) {
	s := &l.sig
	before := s.dtls
	s.dtls, as.agreed = as, a
	as.mu.Lock()
	as.at = a.Remote
	as.mu.Unlock()
	moved := s.describe(a)
	l.install(a, keys{}, moved)
	l.expect(desc, a)
	if !fresh {
		return
	}
	if before != nil && before != as && before.conn != nil {
		before.conn.Close()
	}
	l.tx.mu.Lock()
	l.tx.keying = s.suite == srtp.SuiteInvalid
	l.tx.mu.Unlock()
	l.assoc.Store(as)
	l.handshakes.Add(1)
	// Leg.Close closes the association, which ends the handshake, and waits.
	go func() {
		defer l.handshakes.Done()
		l.shakeHands(as)
	}()
}

// shakeHands runs one handshake and puts its keys into force.
func (l *Leg) shakeHands(as *association) {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
	defer cancel()
	made, err := as.conn.Handshake(ctx)
	s := &l.sig
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.dtls != as {
		if err == nil {
			made.Local.Zero()
			made.Remote.Zero()
		}
		return // over, or begun anew
	}
	var k keys
	if err == nil {
		k, err = s.arm(made.Local, made.Remote)
	}
	if err != nil {
		l.unproved(err)
		return
	}
	as.pending, as.peer = false, made.Peer
	s.ssrc = s.next
	s.takeOver(made.Local, made.Remote, k)
	l.install(as.agreed, k, false)
	as.keyed.Store(true)
	l.tx.mu.Lock()
	l.tx.keying = false
	l.tx.mu.Unlock()
}

// unproved ends a leg whose peer is not who its description says, and gives one that did not answer over to the caller's timeout.
func (l *Leg) unproved(err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		l.eng.cfg.Logger.Warn("media handshake timeout")
		l.timeOut()
		return
	}
	l.eng.cfg.Logger.Warn("media leg failed", "reason", err.Error())
	// Close runs once and everybody who closes the leg or its engine waits for that one run. It cannot run here: it waits for the caller.
	go func() { _ = l.Close() }()
}

// handshake takes a datagram of a handshake from the leg's own port. It runs on the port's reader.
func (l *Leg) handshake(in []byte, src netip.AddrPort, now time.Time) {
	as := l.assoc.Load()
	if as == nil || !as.admit(src, now) {
		l.stranger()
		return
	}
	as.conn.Deliver(in)
	select {
	case <-as.conn.Done():
		l.timeOut() // the peer said goodbye; after Close nobody listens any more
	default:
	}
}

// admit says whether a datagram from src takes part in the handshake. The attacker it thinks of cannot be on the peer's path, or he could suppress the call
// anyway: he sends from elsewhere, hoping to come first. One who forges the peer's address can delay a handshake; without the certificate he cannot end it.
func (as *association) admit(src netip.AddrPort, now time.Time) bool {
	as.mu.Lock()
	defer as.mu.Unlock()
	if src != as.from {
		if as.from.IsValid() && now.Sub(as.last) < relatchAfter || !as.plausible(src.Addr()) {
			return false
		}
		as.from = src
	}
	as.last = now
	return true
}

// plausible reports that the peer may be at addr: where its description or its signalling is, or anywhere if neither says something that can be reached from here.
func (as *association) plausible(addr netip.Addr) bool {
	at := as.at.Addr()
	if addr == at || addr == as.near {
		return true
	}
	return !as.near.IsValid() && (!at.IsValid() || at.IsUnspecified() || at.IsPrivate() || at.IsLinkLocalUnicast())
}

// early is a datagram that came before its keys.
type early struct {
	pkt []byte
	src netip.AddrPort
}

// keep holds a datagram that came before its keys: the peer sends as soon as its own end has finished, and the beginning of what it says would be lost. Only
// who takes part in the handshake is kept, and no more of it than a scheduling pause brings: an attacker who forges that address gains earlyPackets of memory.
func (as *association) keep(in []byte, src netip.AddrPort) bool {
	as.mu.Lock()
	defer as.mu.Unlock()
	if as.keyed.Load() || src != as.from || len(as.early) == earlyPackets {
		return false
	}
	as.early = append(as.early, early{slices.Clone(in), src})
	return true
}

// release returns what was kept, once, when the keys are in force.
func (as *association) release() []early {
	if !as.keyed.Load() {
		return nil
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	kept := as.early
	as.early = nil
	as.settled.Store(true)
	return kept
}

func (as *association) target() netip.AddrPort {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.from
}
