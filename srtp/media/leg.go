package media

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/dtls"
	"github.com/ringfence/ringfence/srtp/internal/carrier"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// LegConfig describes a Leg. It is copied by NewLeg.
type LegConfig struct {
	// SignallingSecure says that every hop that sees the leg's descriptions is encrypted (SIP over TLS), so that keys may be in them.
	// If zero, Offer, Answer and Accept refuse with ErrInsecureSignalling.
	SignallingSecure bool
	// Near is the address the peer's signalling comes from. A phone behind a NAT writes an address nobody can reach into its descriptions; its media comes from
	// Near more often than not, and is looked for there first. It opens nothing: only authentic packets are heard. If zero, there is no such hint.
	Near netip.Addr
	// DTLS is the certificate the leg proves itself with by DTLS-SRTP (RFC 5763), one for each tenant. If nil, the leg speaks SDES only.
	DTLS *dtls.Identity
	// Propose is how the first Offer proposes to agree on keys; an Answer follows the peer's offer. ProposeDTLS and ProposeBoth need DTLS. If zero, ProposeSDES.
	Propose Proposal
	// Codecs are the names of the audio codecs to negotiate, best first, of those in Config.Codecs, and "CN" for comfort noise besides them. If empty, PCMU, PCMA:
	// legs that have no other codec are bridged without decoding anything. On a browser's leg only these two are possible.
	Codecs []string
	// InbandDTMF finds keys in the audio as well, for phones that send no telephone-event. It costs each packet's decoding. If false, keys are events only.
	InbandDTMF bool
}

// Proposal is how an offer proposes to agree on keys.
type Proposal uint8

// The proposals.
const (
	ProposeSDES Proposal = iota // crypto attributes, RFC 4568
	ProposeDTLS                 // DTLS-SRTP over UDP/TLS/RTP/SAVP, RFC 5763
	// ProposeBoth writes both into one RTP/SAVP stream, for a phone of which nobody knows what it speaks; its answer has one of them. A leg that proposes
	// DTLS has a port to itself, so propose what is known where it is known.
	ProposeBoth
)

func (c LegConfig) withDefaults() LegConfig {
	if len(c.Codecs) == 0 {
		c.Codecs = []string{sdp.PCMU, sdp.PCMA}
	}
	c.Codecs = slices.Clone(c.Codecs)
	c.Near = c.Near.Unmap()
	return c
}

func (c LegConfig) validate(known []codec.Codec) error {
	if c.Propose > ProposeBoth || c.Propose != ProposeSDES && c.DTLS == nil {
		return fmt.Errorf("%w: Propose without DTLS", ErrConfig)
	}
	audio := false
	for i, name := range c.Codecs {
		if name != sdp.CN && findCodec(known, name) == nil || slices.Contains(c.Codecs[:i], name) {
			return fmt.Errorf("%w: codec %d", ErrConfig, i)
		}
		audio = audio || name != sdp.CN
	}
	if !audio {
		return fmt.Errorf("%w: no audio codec", ErrConfig)
	}
	return nil
}

// Leg is one party's media: ports, keys for both directions, and what plays. Engine.NewLeg makes it.
// It is safe for concurrent use. Locks are taken in the order sig, rx, tx; a bridge takes the other leg's tx only. A conference's
// lock comes before those of its legs.
type Leg struct {
	eng      *Engine
	cfg      LegConfig
	done     chan struct{}
	timedOut chan struct{}
	timing   sync.Once // closes timedOut
	digits   chan byte
	closing  sync.Once
	rekeyDue chan struct{}

	assoc      atomic.Pointer[association] // whose handshake is under way or was done
	handshakes sync.WaitGroup

	port           atomic.Pointer[port] // set by the first Offer or Answer
	seat, seatRTCP seat                 // guarded by the port's sockets

	sig    signalling
	via    carrier.Carrier // negotiates and carries in place of sig and sockets; nil: SDES on a shared port
	rx     receiver
	tx     transmitter
	tap    tapState
	out    atomic.Pointer[route]  // where received packets go
	bridge atomic.Pointer[Bridge] // the bridge that set out
	seatIn atomic.Pointer[Member] // the leg's place in a conference
	secret atomic.Bool
	inband *inband // nil: keys are events only
}

func newLeg(e *Engine, cfg LegConfig) *Leg {
	l := &Leg{eng: e, cfg: cfg, done: make(chan struct{}), timedOut: make(chan struct{}), digits: make(chan byte, digitQueue), rekeyDue: make(chan struct{}, 1)}
	l.sig.id, l.sig.cname = randomID(), randomName()
	l.tx.reports.cname = l.sig.cname
	l.tx.init()
	l.rx.known, l.tx.known = e.cfg.Codecs, e.cfg.Codecs
	if cfg.InbandDTMF {
		l.inband = &inband{}
	}
	return l
}

// Close ends the leg: its bridge or its place in a conference, and what plays. It waits until nothing of it is under way and then overwrites the keys.
// Verbs that wait return ErrClosed. It is safe to call again and always returns nil. A Tap must not call it.
func (l *Leg) Close() error {
	l.closing.Do(func() {
		close(l.done) // before looking for a bridge or conference: both look for this after they took the leg
		if b := l.bridge.Load(); b != nil {
			b.Close()
		}
		if m := l.seatIn.Load(); m != nil {
			m.Leave()
		}
		l.sig.mu.Lock()
		l.sig.closed = true
		l.sig.mu.Unlock()
		if as := l.assoc.Load(); as != nil {
			as.conn.Close()
		}
		l.handshakes.Wait()
		l.leavePort()
		if l.via != nil {
			l.via.Close()
		}
		l.eng.pace.barrier()
		l.eng.remove(l)
		l.wipe()
		s := l.Stats()
		l.eng.cfg.Logger.Debug("media leg ended", "sent", s.Sent, "received", s.Received, "lost", s.Lost,
			"strangers", s.Strangers, "auth_failures", s.AuthFailures, "replays", s.Replays)
	})
	<-l.done
	return nil
}

// wipe overwrites every key the leg holds.
func (l *Leg) wipe() {
	l.rx.mu.Lock()
	l.rx.wipe()
	l.rx.mu.Unlock()
	l.tx.mu.Lock()
	l.tx.wipe()
	l.tx.mu.Unlock()
	l.sig.mu.Lock()
	l.sig.wipe()
	l.sig.mu.Unlock()
}

// Done returns a channel that is closed when the leg ends.
func (l *Leg) Done() <-chan struct{} { return l.done }

// TimedOut returns a channel that is closed once when nothing authentic arrived for Config.Timeout although the peer should be sending.
// The clock stands still while the peer has us on hold. On a browser's leg it is also closed when the browser hung up or can no longer be reached. The leg stays open: whether the call ends is the caller's decision.
func (l *Leg) TimedOut() <-chan struct{} { return l.timedOut }

func (l *Leg) timeOut() { l.timing.Do(func() { close(l.timedOut) }) }

// Security is what a call record says about a leg's protection.
type Security struct {
	Suite            string // crypto suite, such as AEAD_AES_256_GCM; empty with DTLS-SRTP before the handshake
	KeyMethod        string // how keys were agreed: SDES or DTLS-SRTP; none for plain RTP under a waiver
	Profile          string // media transport: RTP/SAVP, RTP/SAVPF, UDP/TLS/RTP/SAVP or UDP/TLS/RTP/SAVPF; RTP/AVP or RTP/AVPF under a waiver
	FingerprintHash  string // with DTLS-SRTP, the hash of the peer's a=fingerprint, such as sha-256
	PeerVerified     bool   // with DTLS-SRTP, the certificate of the handshake is the one of the peer's a=fingerprint
	SignallingSecure bool   // the descriptions travelled encrypted
	Authenticated    bool   // at least one packet of the peer was authentic; never under a waiver

	Waiver      string    // name of the waiver that the leg is unprotected under, see srtp/insecureleg; empty: it is protected
	WaivedUntil time.Time // when that waiver ends
}

// Security returns the record; its strings are empty before negotiation.
func (l *Leg) Security() Security {
	l.sig.mu.Lock()
	s := Security{SignallingSecure: l.cfg.SignallingSecure}
	if l.sig.suite != srtp.SuiteInvalid {
		s.Suite, s.KeyMethod, s.Profile = l.sig.suite.String(), "SDES", l.sig.profile
	}
	if as := l.sig.dtls; as != nil && as.conn != nil {
		s.KeyMethod, s.Profile = "DTLS-SRTP", l.sig.profile
		if !as.pending {
			s.FingerprintHash, s.PeerVerified = as.peer.Hash().String(), true
		}
	}
	l.sig.mu.Unlock()
	if l.via != nil {
		c := l.via.Security()
		s.Suite, s.KeyMethod, s.Profile, s.FingerprintHash, s.PeerVerified = c.Suite, c.KeyMethod, c.Profile, c.FingerprintHash, c.PeerVerified
		s.Waiver, s.WaivedUntil, s.SignallingSecure = c.Waiver, c.WaivedUntil, s.SignallingSecure && !c.Readable
	}
	l.rx.mu.Lock()
	s.Authenticated = l.rx.authenticated && s.Waiver == "" // without a key nothing is authentic
	l.rx.mu.Unlock()
	return s
}

// Codec returns the name of the codec the leg sends its own audio with, such as "PCMU", or "" before negotiation. A bridge may send another of those the peer takes.
func (l *Leg) Codec() string {
	if c := l.sendsWith(); c != nil {
		return c.Name
	}
	return ""
}

// Held reports whether the peer's last description keeps us from sending: it put us on hold. False before negotiation.
func (l *Leg) Held() bool {
	l.tx.mu.Lock()
	defer l.tx.mu.Unlock()
	return l.tx.agreed() && !l.tx.sends
}

// String returns the kind only.
func (*Leg) String() string { return "media.Leg" }

// Format writes the kind only for every verb: fmt would otherwise walk into descriptions.
func (*Leg) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "media.Leg") }

// housekeep runs on the pacer twice a second.
func (l *Leg) housekeep(now time.Time, box *outbox) {
	if l.rx.expired(now, l.eng.cfg.Timeout) {
		l.timeOut()
		l.eng.cfg.Logger.Warn("media timeout")
	}
	l.loosen(now)
	l.watchKeys()
	l.report(now, box)
}
