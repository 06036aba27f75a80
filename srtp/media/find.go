package media

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// datagram is one received packet on its way to a leg.
type datagram struct {
	in   []byte // as received
	out  []byte // where it is decrypted to, with headroom behind
	src  netip.AddrPort
	ssrc uint32
	rtcp bool
	own  bool // it came to the RTCP half of a port
	now  time.Time
	box  *outbox // where packets it causes go; nil: they are sent at once
}

// classify reads what tells whose packet it is, and returns false for what is neither RTP nor RTCP (RFC 7983 section 7: first byte 128 to 191).
func (d *datagram) classify(control bool) bool {
	if len(d.in) < 12 || d.in[0]>>6 != 2 {
		return false
	}
	d.own = control
	if d.rtcp = control || isRTCP(d.in); d.rtcp {
		d.ssrc = binary.BigEndian.Uint32(d.in[4:])
	} else {
		d.ssrc = binary.BigEndian.Uint32(d.in[8:])
	}
	return true
}

// flow names one peer's stream at one socket: where it comes from and its source. Several legs may have peers behind one address and port, such as another
// server like this one.
type flow struct {
	hi, lo     uint64
	port, ssrc uint32
}

func flowOf(src netip.AddrPort, ssrc uint32) flow {
	a := src.Addr().As16()
	return flow{binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:]), uint32(src.Port()), ssrc}
}

// finder finds the leg a packet at a shared socket is for. A packet whose flow is known is its leg's. Any other must prove by authentication whose it is,
// against the legs that could be meant, likeliest first; what such tries may cost a second is bounded. The socket's mu guards it.
type finder struct {
	control bool // of the RTCP half of a port
	flows   map[flow]*Leg
	sources map[netip.AddrPort][]*Leg // whose description says this address, or whose peer is there
	ssrcs   map[uint32]*Leg           // whose peer used this source last, or says it will
	near    map[netip.Addr][]*Leg     // whose signalling comes from this address
	loose   []*Leg                    // whose peer may be anywhere: not heard yet, or silent
	next    int                       // where in loose the next search begins
	tries   int                       // left in this second
	second  time.Time
	parted  map[netip.AddrPort]time.Time // where peers of legs that are gone were: what still comes from there is late, and no stranger's
}

// seat is a leg's part of a finder, so that it can be taken out.
type seat struct {
	flows    []flow
	expected netip.AddrPort
	latched  netip.AddrPort
	ssrc     uint32
	told     []uint32
	near     netip.Addr
	loose    int // position in finder.loose and one more; 0: not in it
	gone     bool
}

func (f *finder) init(control bool) {
	f.control = control
	f.flows = make(map[flow]*Leg)
	f.sources = make(map[netip.AddrPort][]*Leg)
	f.ssrcs = make(map[uint32]*Leg)
	f.near = make(map[netip.Addr][]*Leg)
	f.parted = make(map[netip.AddrPort]time.Time)
}

func addTo[K comparable](m map[K][]*Leg, k K, l *Leg) {
	if !slices.Contains(m[k], l) {
		m[k] = append(m[k], l)
	}
}

func takeFrom[K comparable](m map[K][]*Leg, k K, l *Leg) {
	rest := slices.DeleteFunc(m[k], func(o *Leg) bool { return o == l })
	if len(rest) == 0 {
		delete(m, k)
	} else {
		m[k] = rest
	}
}

// expect notes where and as which source the leg's description says its peer is.
func (f *finder) expect(l *Leg, s *seat, addr netip.AddrPort, sources []uint32) {
	f.untell(l, s)
	s.told = sources
	for _, id := range sources {
		f.ssrcs[id] = l
	}
	f.unsource(l, s, s.expected)
	s.expected = addr
	if addr.IsValid() {
		addTo(f.sources, addr, l)
	}
	if near := l.cfg.Near; near.IsValid() && !s.near.IsValid() {
		s.near = near
		addTo(f.near, near, l)
	}
	f.loosen(l, s)
}

// unsource takes the leg off an address unless it is there for the other reason as well.
func (f *finder) unsource(l *Leg, s *seat, addr netip.AddrPort) {
	if addr.IsValid() && s.expected != s.latched {
		takeFrom(f.sources, addr, l)
	}
}

// learn notes an authentic packet's flow. A leg has as many as its receiver takes sources. It never takes a flow from another leg: a peer who forges somebody else's
// address and source, with a key of its own, would push that call's packets into the search for strangers.
func (f *finder) learn(l *Leg, s *seat, src netip.AddrPort, ssrc uint32) {
	if src != s.latched {
		for _, fl := range s.flows {
			f.drop(l, fl)
		}
		s.flows = s.flows[:0]
		f.unsource(l, s, s.latched)
		s.latched = src
		addTo(f.sources, src, l)
	}
	f.tighten(s)
	fl := flowOf(src, ssrc)
	if f.flows[fl] != nil {
		return
	}
	if len(s.flows) == maxFlows {
		f.drop(l, s.flows[0])
		s.flows = slices.Delete(s.flows, 0, 1)
	}
	f.flows[fl] = l
	s.flows = append(s.flows, fl)
	if f.ssrcs[s.ssrc] == l {
		delete(f.ssrcs, s.ssrc)
	}
	s.ssrc = ssrc
	f.ssrcs[ssrc] = l
}

// drop forgets a flow of the leg's.
func (f *finder) drop(l *Leg, fl flow) {
	if f.flows[fl] == l {
		delete(f.flows, fl)
	}
}

// untell forgets the sources of the description before.
func (f *finder) untell(l *Leg, s *seat) {
	for _, id := range s.told {
		if f.ssrcs[id] == l && id != s.ssrc {
			delete(f.ssrcs, id)
		}
	}
	s.told = nil
}

// loosen makes the leg one whose peer may be anywhere.
func (f *finder) loosen(l *Leg, s *seat) {
	if s.loose == 0 && !s.gone {
		f.loose = append(f.loose, l)
		s.loose = len(f.loose)
	}
}

func (f *finder) tighten(s *seat) {
	if s.loose == 0 {
		return
	}
	last := len(f.loose) - 1
	moved := f.loose[last]
	f.loose[s.loose-1] = moved
	f.seatOf(moved).loose = s.loose
	f.loose[last] = nil
	f.loose = f.loose[:last]
	s.loose = 0
}

// seatOf is the leg's seat in this finder.
func (f *finder) seatOf(l *Leg) *seat {
	if f.control {
		return &l.seatRTCP
	}
	return &l.seat
}

// remove forgets the leg.
func (f *finder) remove(l *Leg, s *seat, now time.Time) {
	maps.DeleteFunc(f.parted, func(_ netip.AddrPort, until time.Time) bool { return now.After(until) })
	if s.latched.IsValid() {
		f.parted[s.latched] = now.Add(lateAfterEnd)
	}
	f.tighten(s)
	for _, fl := range s.flows {
		f.drop(l, fl)
	}
	takeFrom(f.sources, s.expected, l)
	takeFrom(f.sources, s.latched, l)
	takeFrom(f.near, s.near, l)
	f.untell(l, s)
	if f.ssrcs[s.ssrc] == l {
		delete(f.ssrcs, s.ssrc)
	}
	*s = seat{gone: true}
}

// allow reports whether one more try may be made in this second. The attacker it thinks of floods the socket from made-up addresses; peers whose flow is known
// never notice, and those that are not known yet come first among the tries by what signalling said about them.
func (f *finder) allow(now time.Time, keep int) bool {
	if now.Sub(f.second) >= time.Second {
		f.second, f.tries = now, triesPerSecond
	}
	if f.tries <= keep {
		return false
	}
	f.tries--
	return true
}

// search tries the packet on the legs that could be meant; not is one that has refused it already.
func (s *socket) search(d *datagram, not *Leg) {
	f := &s.found
	late := d.now.Before(f.parted[d.src])
	claimed := f.ssrcs[d.ssrc] // its peer, from elsewhere, or somebody who has seen a packet of it
	if claimed != nil && claimed != not && s.try(claimed, d, false) {
		return
	}
	tried, last := 0, (*Leg)(nil)
	at := f.sources[d.src]
	for _, l := range at {
		if l == not || l == claimed {
			continue
		}
		if !f.allow(d.now, 0) {
			break
		}
		if s.try(l, d, len(at) == 1) {
			return
		}
		tried, last = tried+1, l
	}
	for _, l := range f.near[d.src.Addr()] {
		if l == not || f.seatOf(l).isAt(d.src) || !f.allow(d.now, triesPerSecond/4) {
			continue
		}
		if s.try(l, d, false) {
			return
		}
		tried, last = tried+1, l
	}
	for range f.loose {
		f.next++
		l := f.loose[f.next%len(f.loose)]
		if l == not || l.cfg.Near == d.src.Addr() || f.seatOf(l).isAt(d.src) {
			continue // tried above
		}
		if !f.allow(d.now, triesPerSecond/2) {
			break
		}
		if s.try(l, d, false) {
			return
		}
		tried, last = tried+1, l
	}
	if len(at) == 1 && tried == 1 && at[0] == last {
		return // the leg has counted it as its peer's
	}
	if late {
		return
	}
	s.strangers++
	switch {
	case claimed != nil:
		claimed.stranger()
	case tried == 1:
		last.stranger()
	}
}

// isAt reports that the leg's peer is at src as far as anybody has said, so that it was tried among the first.
func (s *seat) isAt(src netip.AddrPort) bool { return s.expected == src || s.latched == src }

// try lets one leg decide whether the packet is its peer's. own says that only this leg's peer sends from there, so that a failure is the peer's.
func (s *socket) try(l *Leg, d *datagram, own bool) bool {
	if !l.receive(d, own) {
		return false
	}
	if d.own || !d.rtcp {
		s.found.learn(l, s.found.seatOf(l), d.src, d.ssrc)
	}
	return true
}

func (l *Leg) stranger() {
	l.rx.mu.Lock()
	l.rx.strangers++
	l.rx.mu.Unlock()
}
