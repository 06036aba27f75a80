package srtptest

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// PhoneConfig describes a Phone.
type PhoneConfig struct {
	// Addr is the IP address the phone receives on, one of this host. If zero, 127.0.0.1.
	Addr netip.Addr
	// Codecs are the audio codecs, best first, of one channel and by names package sdp knows. If empty, PCMU and PCMA.
	Codecs []codec.Codec
	// Policy are the SRTP suites. If zero, those of srtp.Policy.
	Policy srtp.Policy
	// NoMux makes the phone receive RTCP on a port of its own, as old ones do. If false, rtcp-mux.
	NoMux bool
	// Drift says by how many millionths the phone's clock is slow; at most 100000 either way. If zero, it is right.
	Drift float64
	// InsecurePlainRTP makes a phone that speaks RTP/AVP and nothing else, to test what shall refuse or waive it. If false, SRTP and nothing else.
	InsecurePlainRTP bool
}

// Phone is a peer under the control of a test, with keys by SDES. It sends nothing but what it is told to. It is safe for concurrent use.
type Phone struct {
	cfg    PhoneConfig
	list   []string // names of the codecs
	conn   *net.UDPConn
	rtcp   *net.UDPConn
	done   chan struct{}
	work   sync.WaitGroup
	frames time.Duration // between two packets of ours

	mu      sync.Mutex // guards what follows
	closed  bool
	changed chan struct{} // closed and replaced when something was heard or sent
	talk    dialog
	out     mouth
	in      ear
}

// dialog is what was negotiated.
type dialog struct {
	history sdp.History
	id      uint64
	hold    bool
	offered []srtp.Crypto
	local   srtp.Crypto
	remote  srtp.Crypto
	keyed   bool
	agreed  bool
	last    sdp.Agreed
}

const frameTime = 20 * time.Millisecond

// NewPhone opens a phone's ports and starts its clock. The error wraps ErrConfig or is the system's. The caller closes it.
func NewPhone(cfg PhoneConfig) (*Phone, error) {
	if !cfg.Addr.IsValid() {
		cfg.Addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if len(cfg.Codecs) == 0 {
		cfg.Codecs = []codec.Codec{codec.PCMU(), codec.PCMA()}
	}
	if !(cfg.Drift >= -1e5 && cfg.Drift <= 1e5) {
		return nil, fmt.Errorf("%w: drift", ErrConfig)
	}
	p := &Phone{cfg: cfg, done: make(chan struct{}), changed: make(chan struct{})}
	p.frames = time.Duration(float64(frameTime) * (1 + cfg.Drift/1e6))
	for _, c := range cfg.Codecs {
		if c.Channels != 1 {
			return nil, fmt.Errorf("%w: codec %s has not one channel", ErrConfig, c.Name)
		}
		p.list = append(p.list, c.Name)
	}
	l := p.local()
	if err := l.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	p.talk.id = random64() >> 2
	p.out.init()
	p.in.forget()
	var err error
	if p.conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(cfg.Addr, 0))); err != nil {
		return nil, fmt.Errorf("srtptest: opening port: %w", err)
	}
	if p.rtcp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(cfg.Addr, 0))); err != nil {
		_ = p.conn.Close() // the error of the second is the one to tell
		return nil, fmt.Errorf("srtptest: opening port: %w", err)
	}
	for _, c := range []*net.UDPConn{p.conn, p.rtcp} {
		p.work.Add(1)
		// Close closes the socket and waits.
		go func() {
			defer p.work.Done()
			p.listen(c)
		}()
	}
	p.work.Add(1)
	// Close stops it and waits.
	go func() {
		defer p.work.Done()
		p.pace()
	}()
	return p, nil
}

// Close ends the phone. Verbs that wait return ErrClosed; what was heard can still be asked for. It is safe to call again and always returns nil.
func (p *Phone) Close() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	if first {
		close(p.done)
		p.news()
		p.out.wipe()
		p.in.wipe()
		for _, c := range p.talk.offered {
			c.Zero()
		}
		p.talk.local.Zero()
		p.talk.remote.Zero()
	}
	p.mu.Unlock()
	if first {
		_ = p.conn.Close() // nothing to do about a socket that does not close
		_ = p.rtcp.Close()
	}
	p.work.Wait()
	return nil
}

// news wakes whoever waits. The caller holds mu.
func (p *Phone) news() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Addr is where the phone receives.
func (p *Phone) Addr() netip.AddrPort { return addrOf(p.conn) }

func addrOf(c *net.UDPConn) netip.AddrPort {
	a, _ := c.LocalAddr().(*net.UDPAddr)
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Peer is where the phone sends to: what the peer's description says. It is invalid before negotiation.
func (p *Phone) Peer() netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.to
}

// Codec is the name of the codec the phone sends, empty before negotiation.
func (p *Phone) Codec() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.codec.Name
}

// Held reports whether the peer does not want to hear the phone: it put it on hold.
func (p *Phone) Held() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.talk.agreed && p.talk.last.Held
}

// String returns the kind only.
func (*Phone) String() string { return "srtptest.Phone" }

// Format writes the kind only for every verb: fmt would otherwise walk into keys.
func (*Phone) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "srtptest.Phone") }
