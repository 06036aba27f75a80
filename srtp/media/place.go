package media

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/srtp/sdp"
)

// takePort puts the leg on a port once, on one of its own if alone. split says that the peer may send RTCP to a port of its own, peer where it is, if that is known.
func (l *Leg) takePort(split, alone bool, peer netip.AddrPort) error {
	s := &l.sig
	if l.port.Load() == nil {
		p, err := l.eng.place(l, alone, peer)
		if err != nil {
			return err
		}
		l.port.Store(p)
	}
	s.split = split && !s.mux
	return nil
}

// leavePort takes the leg off its port: no packet is handed to it afterwards.
func (l *Leg) leavePort() {
	p := l.port.Load()
	if p == nil {
		return
	}
	for _, s := range []*socket{p.rtp, p.rtcp} {
		s.mu.Lock()
		s.found.remove(l, s.found.seatOf(l), time.Now())
		s.mu.Unlock()
	}
	l.eng.leave(p)
}

// expect tells the port where the peer says it is, and as which source it says it sends (RFC 5576). Both only say on which leg's key its packets are
// tried first. The caller holds sig.mu.
func (l *Leg) expect(desc *sdp.Session, a sdp.Agreed) {
	p := l.port.Load()
	sources := sourcesIn(desc, a.Index)
	l.tx.mu.Lock()
	l.tx.xr = l.tx.xr || wantsXR(desc, a.Index)
	l.tx.mu.Unlock()
	p.rtp.expect(l, a.Remote, sources)
	if !a.Mux {
		p.rtcp.expect(l, a.RemoteRTCP, sources)
	}
}

func (s *socket) expect(l *Leg, addr netip.AddrPort, sources []uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found.expect(l, s.found.seatOf(l), addr, sources)
}

// sourcesIn reads the a=ssrc lines of a stream, as many as a leg is found by.
func sourcesIn(desc *sdp.Session, index int) (sources []uint32) {
	for _, at := range desc.Media[index].Attrs {
		if !strings.EqualFold(at.Name, "ssrc") {
			continue
		}
		id, _, _ := strings.Cut(at.Value, " ")
		n, err := strconv.ParseUint(id, 10, 32)
		if err == nil && len(sources) < maxTold && !slices.Contains(sources, uint32(n)) {
			sources = append(sources, uint32(n))
		}
	}
	return sources
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
