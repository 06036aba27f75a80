package insecureleg

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/ringfence/ringfence/srtp/internal/carrier"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// NewLeg returns a leg of plain RTP in an engine, without media yet; its two ports open with its first Offer or Answer, in the engine's range. The error wraps
// ErrWaiver or ErrExpired, or is that of media.Engine.NewLeg; a nil engine is media.ErrConfig. The caller closes the leg, or closes the engine.
//
// Of cfg, SignallingSecure goes into the record and decides nothing, and Near means nothing: see the package comment for who is heard.
func NewLeg(engine *media.Engine, cfg media.LegConfig, waiver Waiver) (*media.Leg, error) {
	if err := waiver.check(); err != nil {
		return nil, err
	}
	if engine == nil {
		return nil, fmt.Errorf("%w: engine is required", media.ErrConfig)
	}
	n := &negotiator{waiver: waiver, readable: !cfg.SignallingSecure, codecs: slices.Clone(cfg.Codecs), id: randomID()}
	// The leg would not negotiate over readable signalling, for the sake of keys that are not there. The record gets the truth from Security.
	cfg.SignallingSecure = true
	return engine.NewCarriedLeg(cfg, func(p carrier.Port) carrier.Carrier {
		n.port = p
		return n
	})
}

// randomID returns a session id below 2^62, which every peer can hold as a signed number.
func randomID() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) >> 2
}

// negotiator agrees on plain RTP for one leg. The leg calls Offer, Answer and Accept one at a time; mu guards what Security and Close see too.
type negotiator struct {
	waiver   Waiver
	readable bool
	port     carrier.Port
	codecs   []string
	id       uint64
	history  sdp.History
	offered  bool

	mu    sync.Mutex
	wire  *wire
	proto string
}

// local is our side.
func (n *negotiator) local(split bool) sdp.Local {
	l := sdp.Local{ID: n.id, Codecs: n.codecs, InsecurePlainRTP: true, History: &n.history}
	if w := n.wire; w != nil {
		l.RTP = w.addr
		if split {
			l.RTCP = w.addrRTCP
		}
	}
	return l
}

// open opens the ports once.
func (n *negotiator) open() error {
	if n.wire != nil {
		return nil
	}
	w, err := newWire(n.port)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.wire = w
	n.mu.Unlock()
	return nil
}

// Offer implements carrier.Carrier.
func (n *negotiator) Offer(context.Context) ([]byte, error) {
	if err := n.waiver.holds(); err != nil {
		return nil, err
	}
	if err := n.open(); err != nil {
		return nil, err
	}
	out, err := n.history.Marshal(sdp.Offer(n.local(true)))
	if err != nil {
		return nil, fmt.Errorf("insecureleg: writing description: %w", err)
	}
	n.offered = true
	return out, nil
}

// Answer implements carrier.Carrier.
func (n *negotiator) Answer(_ context.Context, offer []byte) ([]byte, error) {
	if err := n.waiver.holds(); err != nil {
		return nil, err
	}
	desc, err := sdp.Parse(offer)
	if err != nil {
		return nil, err
	}
	if protected(desc) {
		return nil, ErrProtected
	}
	a, err := sdp.Agree(desc, n.local(false))
	if err != nil {
		return nil, err
	}
	if err := n.checkAddress(a); err != nil {
		return nil, err
	}
	if err := n.open(); err != nil {
		return nil, err
	}
	n.history.Received(desc)
	out, err := n.history.Marshal(sdp.Answer(desc, a, n.local(!a.Mux)))
	if err != nil {
		return nil, fmt.Errorf("insecureleg: writing description: %w", err)
	}
	n.agree(a)
	return out, nil
}

// Accept implements carrier.Carrier. The waiver was asked when the offer was made.
func (n *negotiator) Accept(_ context.Context, answer []byte) error {
	if !n.offered {
		return media.ErrState
	}
	desc, err := sdp.Parse(answer)
	if err != nil {
		return err
	}
	a, err := sdp.Accept(desc, n.local(false))
	switch {
	case errors.Is(err, sdp.ErrTransport) || errors.Is(err, sdp.ErrPlainRTP):
		return fmt.Errorf("%w (%w)", ErrProtected, err)
	case err != nil:
		return err
	}
	if err := n.checkAddress(a); err != nil {
		return err
	}
	n.history.Received(desc)
	n.agree(a)
	return nil
}

// protected reports whether the peer could do SRTP: an audio stream over it, or a key or a certificate anywhere. Such an offer must not
// become a plain call, or an attacker in the signalling path who hides the better stream would choose for both.
func protected(s *sdp.Session) bool {
	keys := func(attrs []sdp.Attr) bool {
		return slices.ContainsFunc(attrs, func(a sdp.Attr) bool {
			return strings.EqualFold(a.Name, "crypto") || strings.EqualFold(a.Name, "fingerprint")
		})
	}
	return keys(s.Attrs) || slices.ContainsFunc(s.Media, func(m sdp.Media) bool {
		return keys(m.Attrs) || m.Kind == "audio" && m.Port != 0 && (strings.Contains(m.Proto, "SAVP") || strings.Contains(m.Proto, "TLS"))
	})
}

// checkAddress refuses a peer that cannot be told from others. The unspecified address is the hold of RFC 2543.
func (n *negotiator) checkAddress(a sdp.Agreed) error {
	ip := a.Remote.Addr()
	ours, _, _ := n.port.Local()
	switch {
	case !ip.IsValid() || ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return ErrNoAddress
	case ip.Is4() != ours.Is4() && !ip.IsUnspecified():
		return media.ErrAddressFamily
	}
	return nil
}

// agree puts an agreement into force.
func (n *negotiator) agree(a sdp.Agreed) {
	n.wire.describe(a)
	n.mu.Lock()
	n.proto = a.Proto
	n.mu.Unlock()
	n.port.Agree(a, n.wire)
}

// Security implements carrier.Carrier.
func (n *negotiator) Security() carrier.Security {
	s := carrier.Security{Waiver: n.waiver.Name, WaivedUntil: n.waiver.Until, Readable: n.readable}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proto != "" {
		s.KeyMethod, s.Profile = "none", n.proto
	}
	return s
}

// Close implements carrier.Carrier.
func (n *negotiator) Close() {
	n.mu.Lock()
	w := n.wire
	n.mu.Unlock()
	if w != nil {
		w.close()
	}
}
