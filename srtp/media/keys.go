package media

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/ringfence/ringfence/srtp"
)

// keys are protection made ready for one direction or both; nil where nothing changes.
type keys struct {
	tx *srtp.Sender
	rx *srtp.Receiver
	// within says that the sender goes on under another key of its own: the key has an MKI, and not a packet is lost.
	within *srtp.InlineKey
	// more and gone are what changes among the keys the receiver holds, by MKI.
	more []srtp.InlineKey
	gone [][]byte
}

// receiverStays reports that the peer's keys stay as they are.
func (k keys) receiverStays() bool { return k.rx == nil && k.more == nil }

// offerKeys makes what the next offer brings: a key for every suite at first, then the key in force, or a new one if it is due.
func (s *signalling) offerKeys(p srtp.Policy) error {
	switch {
	case s.suite == srtp.SuiteInvalid:
		if s.offered != nil {
			return nil
		}
		offered, err := p.Offer()
		if err != nil {
			return err
		}
		s.offered, s.next = offered, randomSSRC()
		return nil
	case s.rekey && len(s.offered) == 1 && !s.offered[0].SameKeys(s.local):
		return nil // the offer of the new key goes out again
	}
	for _, c := range s.offered {
		if !c.SameKeys(s.local) {
			c.Zero() // the call settled on another suite; nobody can choose this one any more
		}
	}
	s.offered = []srtp.Crypto{s.local}
	if !s.rekey {
		return nil
	}
	fresh, err := p.Rekey(s.local)
	if err != nil {
		return err
	}
	s.offered, s.next = []srtp.Crypto{fresh}, randomSSRC()
	return nil
}

// chooseKeys keeps the keys in force if the peer offers its own again, and agrees on new ones otherwise.
func (l *Leg) chooseKeys(values []string) (local, remote srtp.Crypto, err error) {
	s, p := &l.sig, l.eng.cfg.Policy
	if s.suite != srtp.SuiteInvalid {
		for _, v := range values {
			c, err := p.Params.ParseCrypto(v)
			if err != nil || !c.SameKeys(s.remote) && !shareKey(c, s.remote) {
				continue
			}
			local = s.local
			local.Tag = c.Tag // the answer repeats the tag of this offer
			return local, c, nil
		}
	}
	return p.Answer(values)
}

// shareKey reports that b's keys change one by one, by their MKI, and not all at once.
func shareKey(a, b srtp.Crypto) bool {
	return a.Suite == b.Suite && slices.ContainsFunc(a.Keys, func(k srtp.InlineKey) bool { return len(k.MKI) > 0 && holdsKey(b, k) })
}

func holdsKey(c srtp.Crypto, k srtp.InlineKey) bool {
	return slices.ContainsFunc(c.Keys, func(o srtp.InlineKey) bool { return bytes.Equal(o.MKI, k.MKI) && o.Key.Equal(k.Key) })
}

// arm makes protection for the keys that are not in force yet.
func (s *signalling) arm(local, remote srtp.Crypto) (k keys, err error) {
	fresh := s.suite == srtp.SuiteInvalid
	if fresh || !local.SameKeys(s.local) {
		if last := local.Keys[len(local.Keys)-1]; !fresh && local.Suite == s.suite && len(last.MKI) > 0 && len(local.Keys) > 1 {
			k.within = &last
		} else if k.tx, err = srtp.NewSender(local, srtp.SenderConfig{SSRC: s.next}); err != nil {
			return keys{}, err
		}
	}
	switch {
	case !fresh && remote.SameKeys(s.remote):
	case !fresh && shareKey(remote, s.remote):
		for _, o := range remote.Keys {
			if !holdsKey(s.remote, o) {
				k.more = append(k.more, o)
			}
		}
		for _, o := range s.remote.Keys {
			if !holdsKey(remote, o) {
				k.gone = append(k.gone, o.MKI)
			}
		}
	default:
		if k.rx, err = srtp.NewReceiver(remote, srtp.ReceiverConfig{}); err != nil {
			if k.tx != nil {
				k.tx.Close()
			}
			return keys{}, err
		}
	}
	return k, nil
}

// takeOver remembers the keys in force and forgets those before.
func (s *signalling) takeOver(local, remote srtp.Crypto, k keys) {
	if k.tx != nil || k.within != nil {
		s.local.Zero()
		s.rekey = false
	}
	if !k.receiverStays() {
		s.remote.Zero()
	}
	s.local, s.remote, s.suite = local, remote, local.Suite
}

// sourceOf is the source of our stream under a key.
func (s *signalling) sourceOf(c srtp.Crypto) uint32 {
	if s.suite != srtp.SuiteInvalid && (c.SameKeys(s.local) || len(c.Keys) > 1) {
		return s.ssrc
	}
	return s.next
}

func randomSSRC() uint32 {
	var b [4]byte
	for {
		rand.Read(b[:])
		if v := binary.BigEndian.Uint32(b[:]); v != 0 {
			return v
		}
	}
}

// randomName is a name for a stream that tells nothing (RFC 7022).
func randomName() string {
	var b [12]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// RekeyDue returns a channel that gets a value when a key of the leg, ours or the peer's, nears the end of its lifetime. Whoever owns the call then
// sends a new offer (a re-INVITE with the body of Offer), which brings a new key, and the stream goes on. A channel nobody reads costs nothing: the leg asks
// again every half second. When a lifetime does end, packets are refused rather than sent under a worn key.
func (l *Leg) RekeyDue() <-chan struct{} { return l.rekeyDue }

// Rekey makes the next Offer bring a new key of ours whether it is due or not. It changes nothing before negotiation, with DTLS-SRTP and on a browser's leg,
// whose keys change with their handshake.
func (l *Leg) Rekey() {
	l.sig.mu.Lock()
	defer l.sig.mu.Unlock()
	l.sig.rekey = l.sig.suite != srtp.SuiteInvalid && l.sig.dtls == nil
}

// watchKeys asks for a new key in time. It runs on the pacer.
func (l *Leg) watchKeys() {
	l.tx.mu.Lock()
	due := l.tx.sender != nil && l.tx.sender.RekeyDue()
	l.tx.mu.Unlock()
	l.rx.mu.Lock()
	due = due || l.rx.wearsOut()
	l.rx.mu.Unlock()
	// Signalling may hold its lock while it works; half a second later is soon enough.
	if !due || !l.sig.mu.TryLock() {
		return
	}
	if l.sig.dtls == nil {
		l.sig.rekey = true
	}
	l.sig.mu.Unlock()
	select {
	case l.rekeyDue <- struct{}{}:
	default:
	}
}

// wearsOut reports that the peer's key has protected seven eighths of what it may: an offer of ours gives the peer the occasion for a new one.
func (r *receiver) wearsOut() bool {
	return r.recv != nil && r.lifetime > 0 && r.recv.Stats().Packets >= r.lifetime-r.lifetime/8
}

// lifetimeOf sums what the peer's keys may protect; 0 if the peer named no lifetime.
func lifetimeOf(c srtp.Crypto) (sum uint64) {
	for _, k := range c.Keys {
		if k.Lifetime == 0 {
			return 0
		}
		sum += k.Lifetime
	}
	return sum
}
