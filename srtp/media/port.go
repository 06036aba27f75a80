package media

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringfence/ringfence/srtp/dtls"
)

// port is a pair of UDP sockets that many legs share: an even one for RTP, and the next one for RTCP of peers without rtcp-mux (RFC 3550
// section 11). A socket for each leg wakes a thread for each packet, which costs more than everything else done to it; see `make bench`.
type port struct {
	rtp, rtcp *socket
	legs      int  // guarded by Engine.mu
	alone     *Leg // the only leg; nil: legs share the port
}

// socket is one UDP socket with its reader goroutine.
type socket struct {
	eng     *Engine
	udp     *udp
	addr    netip.AddrPort
	control bool // the RTCP half of a port
	alone   *Leg // the only leg, which speaks DTLS there; nil: none does

	// mu is held while a batch of packets is handled and what it caused is sent. Whoever takes it knows that everything received earlier is done with.
	// It comes before any lock of a leg but sig's.
	mu        sync.Mutex
	found     finder
	strangers uint64
	box       *outbox
}

// barrier returns when no packet received before the call is under way any more.
func (s *socket) barrier() {
	s.mu.Lock()
	//lint:ignore SA2001 the empty section is the point
	s.mu.Unlock()
}

// place puts the leg on a port, the fullest that has room: the more legs on a socket, the more packets each system call moves. A leg whose first packets
// cannot tell by themselves whose they are is placed alone. Two legs whose peers are at one address get different ports while there are few: a peer that
// announces no source may tell its calls apart by nothing else.
func (e *Engine) place(l *Leg, alone bool, peer netip.AddrPort) (*port, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	if alone {
		p, err := e.openPort(l)
		if err == nil {
			p.legs = 1
			e.ports = append(e.ports, p)
		}
		return p, err
	}
	var best, spare *port
	spread := peer.IsValid() && len(e.ports) < spreadPorts
	for _, p := range e.ports {
		switch {
		case p.alone != nil || spread && p.serves(peer):
		case p.legs < legsPerPort && (best == nil || p.legs > best.legs):
			best = p
		case spare == nil || p.legs < spare.legs:
			spare = p
		}
	}
	if best == nil {
		p, err := e.openPort(nil)
		switch {
		case err == nil:
			e.ports = append(e.ports, p)
			best = p
		case spare == nil:
			return nil, err
		default:
			best = spare // the range is used up: a full port serves more legs still
		}
	}
	best.legs++
	return best, nil
}

// serves reports that a leg of the port has its peer at addr.
func (p *port) serves(addr netip.AddrPort) bool {
	p.rtp.mu.Lock()
	defer p.rtp.mu.Unlock()
	return len(p.rtp.found.sources[addr]) > 0
}

// leave takes a leg off its port. A port without legs closes: nothing is open to strangers when there is no call.
func (e *Engine) leave(p *port) {
	strangers := p.strangers()
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.legs--; p.legs > 0 {
		return
	}
	e.ports = slices.DeleteFunc(e.ports, func(o *port) bool { return o == p })
	e.past.Strangers += strangers
	p.rtp.udp.wake()
	p.rtcp.udp.wake()
}

// openPort opens a pair, for one leg if alone is not nil, and starts its readers. The caller holds e.mu.
func (e *Engine) openPort(alone *Leg) (*port, error) {
	rtp, rtcp, err := e.openPair()
	if err != nil {
		return nil, err
	}
	p := &port{rtp: e.newSocket(rtp, false), rtcp: e.newSocket(rtcp, true), alone: alone}
	p.rtp.alone = alone
	size := batchSize
	if alone != nil {
		size = aloneBatch
	}
	for s, n := range map[*socket]int{p.rtp: size, p.rtcp: controlBatch} {
		e.readers.Add(1)
		// The last leg to leave the port wakes it, and Engine.Close waits for it.
		go func() {
			defer e.readers.Done()
			defer s.udp.close()
			s.read(newInbox(n), make([]byte, n*(maxDatagram+headroom)))
		}()
	}
	return p, nil
}

func (e *Engine) newSocket(u *udp, control bool) *socket {
	s := &socket{eng: e, udp: u, addr: netip.AddrPortFrom(e.cfg.Addr, u.localPort()), control: control, box: newOutbox(false)}
	s.found.init(control)
	return s
}

// openPair opens two neighbours of the range, the lower one even, or any two the system has if there is no range.
func (e *Engine) openPair() (rtp, rtcp *udp, err error) {
	if e.cfg.PortMin == 0 {
		return e.openEphemeral()
	}
	first, last := uint32(e.cfg.PortMin), uint32(e.cfg.PortMax)
	for p := first + first&1; p+1 <= last; p += 2 {
		if rtp, rtcp, err = e.bind(uint16(p)); err == nil {
			return rtp, rtcp, nil
		}
	}
	return nil, nil, fmt.Errorf("%w: %d to %d", ErrNoPort, first, last)
}

// openEphemeral lets the system pick and looks for the neighbour of what it got.
func (e *Engine) openEphemeral() (rtp, rtcp *udp, err error) {
	for range 64 {
		u, err := openUDP(netip.AddrPortFrom(e.cfg.Addr, 0))
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrNoPort, err)
		}
		p := u.localPort()
		u.wake()
		u.close()
		if rtp, rtcp, err = e.bind(p &^ 1); err == nil {
			return rtp, rtcp, nil
		}
	}
	return nil, nil, ErrNoPort
}

func (e *Engine) bind(p uint16) (rtp, rtcp *udp, err error) {
	if rtp, err = openUDP(netip.AddrPortFrom(e.cfg.Addr, p)); err != nil {
		return nil, nil, err
	}
	if rtcp, err = openUDP(netip.AddrPortFrom(e.cfg.Addr, p+1)); err != nil {
		rtp.wake()
		rtp.close()
		return nil, nil, err
	}
	return rtp, rtcp, nil
}

// read is the reader goroutine. It returns when the socket is closed. Packets that come thick are gathered before they are handled, because each
// waking costs as much as several packets: see gatherFew.
func (s *socket) read(in *inbox, work []byte) {
	var wakings pulse
	for thick := false; ; {
		n := s.udp.receive(in)
		if n == 0 {
			if s.udp.wait() != nil {
				return
			}
			thick = wakings.beat(time.Now())
			continue
		}
		s.handle(in, n, work)
		if !batches || !thick || in.full(n) {
			continue
		}
		gather := gatherFew
		if n >= manyPackets {
			gather = gatherMany
		}
		time.Sleep(gather - time.Since(wakings.last()))
		wakings.beat(time.Now())
	}
}

// pulse remembers a reader's last wakings.
type pulse struct {
	times [4]time.Time
	next  int
}

// beat notes a waking and reports whether they come so thick that gathering packets saves some.
func (p *pulse) beat(now time.Time) bool {
	oldest := p.times[p.next]
	p.times[p.next] = now
	p.next = (p.next + 1) % len(p.times)
	return now.Sub(oldest) < time.Duration(len(p.times))*gatherFew
}

func (p *pulse) last() time.Time { return p.times[(p.next+len(p.times)-1)%len(p.times)] }

// handle handles a batch.
func (s *socket) handle(in *inbox, n int, work []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for i := range n {
		pkt, src := in.packet(i)
		s.datagram(pkt, work[i*(maxDatagram+headroom):][:maxDatagram+headroom:maxDatagram+headroom], src, now)
	}
	s.box.flush()
}

// datagram handles one received packet. It is the path of every packet of every call: no allocation, and a stranger's costs at most a few tries.
func (s *socket) datagram(in, out []byte, src netip.AddrPort, now time.Time) {
	d := datagram{in: in, out: out, src: src, now: now, box: s.box}
	if s.alone != nil {
		if dtls.IsDTLS(in) {
			s.alone.handshake(in, src, now)
			return
		}
		if as := s.alone.assoc.Load(); as != nil && !as.settled.Load() {
			if as.keep(in, src) {
				return
			}
			for _, e := range as.release() {
				s.datagram(e.pkt, out, e.src, now)
			}
		}
	}
	if !d.classify(s.control) {
		s.strangers++
		return
	}
	l := s.found.flows[flowOf(src, d.ssrc)]
	if l != nil && l.receive(&d, true) {
		return
	}
	if l != nil && len(s.found.sources[src]) < 2 {
		return // only this leg's peer sends from there, and the leg has counted what is wrong with it
	}
	s.search(&d, l)
}

// strangers sums the packets of nobody.
func (p *port) strangers() uint64 {
	sum := uint64(0)
	for _, s := range []*socket{p.rtp, p.rtcp} {
		s.mu.Lock()
		sum += s.strangers
		s.mu.Unlock()
	}
	return sum
}

// sendNow sends one packet for a caller that has no outbox, such as a browser's leg.
func (s *socket) sendNow(pkt []byte, to netip.AddrPort, failed *atomic.Uint64) {
	box, ok := s.eng.boxes.Get().(*outbox)
	if !ok {
		box = newOutbox(false)
	}
	box.add(s, to, pkt, failed)
	box.flush()
	s.eng.boxes.Put(box)
}
