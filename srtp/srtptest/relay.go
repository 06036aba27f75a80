package srtptest

import (
	"container/heap"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp/sdp"
)

// RelayConfig describes a Relay.
type RelayConfig struct {
	// Addr is the IP address of the relay, one of this host. If zero, 127.0.0.1.
	Addr netip.Addr
	// AB is the way of packets from endpoint A to endpoint B, and BA the way back. If zero, a perfect network.
	AB, BA PathConfig
}

// Relay is a network between two endpoints, A and B, that see each other's descriptions only after they passed through it. It carries RTP, and
// RTCP on the same port (rtcp-mux); RTCP on a port of its own goes nowhere. It is safe for concurrent use.
type Relay struct {
	addr  netip.Addr
	start time.Time
	sides [2]side
	wake  chan struct{}
	done  chan struct{}
	work  sync.WaitGroup

	mu     sync.Mutex // guards what follows and the paths
	flying flights
	order  uint64
	closed bool
}

// side is one endpoint as the other sees it.
type side struct {
	front *net.UDPConn   // where the other endpoint sends to reach this one
	path  *Path          // of packets to this endpoint
	real  netip.AddrPort // where this endpoint is; guarded by Relay.mu
}

const (
	sideA = 0
	sideB = 1
	// maxFlying is how many packets are under way at most: a flood must not take all memory.
	maxFlying = 1 << 16
	// maxDatagram is the longest packet read.
	maxDatagram = 1500
)

// flight is a packet under way.
type flight struct {
	at    time.Duration
	order uint64 // of equal times, the one sent first
	to    int
	data  []byte
}

type flights []flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	return f[i].at < f[j].at || f[i].at == f[j].at && f[i].order < f[j].order
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { v, _ := x.(flight); *f = append(*f, v) }
func (f *flights) Pop() any {
	old := *f
	x := old[len(old)-1]
	old[len(old)-1] = flight{}
	*f = old[:len(old)-1]
	return x
}

// NewRelay opens the relay's two ports and starts it. The error wraps ErrConfig or is the system's. The caller closes it.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	if !cfg.Addr.IsValid() {
		cfg.Addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	r := &Relay{addr: cfg.Addr, start: time.Now(), wake: make(chan struct{}, 1), done: make(chan struct{})}
	for i, c := range []PathConfig{sideA: cfg.BA, sideB: cfg.AB} {
		var err error
		if r.sides[i].path, err = NewPath(c); err != nil {
			return nil, err
		}
	}
	for i := range r.sides {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(cfg.Addr, 0)))
		if err != nil {
			if i == sideB {
				_ = r.sides[sideA].front.Close() // the error of the second is the one to tell
			}
			return nil, fmt.Errorf("srtptest: opening port: %w", err)
		}
		r.sides[i].front = c
	}
	r.work.Add(3)
	for i := range r.sides {
		// Close closes the socket and waits.
		go func() {
			defer r.work.Done()
			r.read(i)
		}()
	}
	// Close stops it and waits.
	go func() {
		defer r.work.Done()
		r.deliver()
	}()
	return r, nil
}

// Close ends the relay; packets under way are lost. It is safe to call again and always returns nil.
func (r *Relay) Close() error {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	r.mu.Unlock()
	if first {
		close(r.done)
		for i := range r.sides {
			_ = r.sides[i].front.Close() // nothing to do about a socket that does not close
		}
	}
	r.work.Wait()
	return nil
}

// FromA takes a description A makes and returns what B shall see: the same with the relay's address. The errors are those of sdp.Parse,
// ErrNoAddress and ErrClosed. The result holds keys if the description does.
func (r *Relay) FromA(description []byte) ([]byte, error) { return r.rewrite(sideA, description) }

// FromB is FromA for a description B makes and A shall see.
func (r *Relay) FromB(description []byte) ([]byte, error) { return r.rewrite(sideB, description) }

func (r *Relay) rewrite(from int, description []byte) ([]byte, error) {
	s, err := sdp.Parse(description)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.Media, func(m sdp.Media) bool { return m.Kind == "audio" && m.Port != 0 })
	if i < 0 {
		return nil, ErrNoAddress
	}
	m := &s.Media[i]
	host := m.Conn
	if host == "" {
		host = s.Conn
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Is4() != r.addr.Is4() {
		return nil, ErrNoAddress
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, ErrClosed
	}
	if !ip.IsUnspecified() { // the hold of RFC 2543 says nothing about where the phone is
		r.sides[from].real = netip.AddrPortFrom(ip, uint16(m.Port))
		m.Conn = r.addr.String()
	}
	r.mu.Unlock()
	m.Port = r.sides[from].front.LocalAddr().(*net.UDPAddr).Port
	m.Attrs = slices.DeleteFunc(m.Attrs, func(a sdp.Attr) bool { return strings.EqualFold(a.Name, "rtcp") })
	return s.Marshal()
}

// Stats returns what happened to packets from A to B, and from B to A.
func (r *Relay) Stats() (ab, ba PathStats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sides[sideB].path.Stats(), r.sides[sideA].path.Stats()
}

// read takes what is sent to one endpoint. Whoever knows the relay's address may send: an attacker in a test does.
func (r *Relay) read(to int) {
	buf := make([]byte, maxDatagram)
	for {
		n, _, err := r.sides[to].front.ReadFromUDPAddrPort(buf)
		select {
		case <-r.done:
			return
		default:
		}
		if err != nil {
			continue // an ICMP error of an earlier packet
		}
		r.launch(to, buf[:n])
	}
}

// launch sends a packet on its way.
func (r *Relay) launch(to int, packet []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range r.sides[to].path.Send(time.Since(r.start), packet) {
		if len(r.flying) == maxFlying {
			return
		}
		r.order++
		heap.Push(&r.flying, flight{at, r.order, to, slices.Clone(packet)})
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// deliver lets packets arrive.
func (r *Relay) deliver() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.done:
			return
		case <-r.wake:
		case <-timer.C:
		}
		for {
			f, to, wait := r.next()
			if wait > 0 {
				timer.Reset(wait)
				break
			}
			if to.IsValid() {
				// From the other endpoint's front: that is where this endpoint thinks the packet comes from.
				_, _ = r.sides[1-f.to].front.WriteToUDPAddrPort(f.data, to)
			}
		}
	}
}

// next returns the next packet that has arrived and for where, or how long to wait.
func (r *Relay) next() (f flight, to netip.AddrPort, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.flying) == 0 {
		return flight{}, netip.AddrPort{}, time.Hour
	}
	if wait = r.flying[0].at - time.Since(r.start); wait > 0 {
		return flight{}, netip.AddrPort{}, wait
	}
	f, _ = heap.Pop(&r.flying).(flight)
	return f, r.sides[f.to].real, 0
}
