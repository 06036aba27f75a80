package load_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
)

const (
	frame = 160 // bytes of 20 ms of G.711
	slots = 20  // phones do not speak in step: the 20 ms are cut into as many slots
	// sockets is how many ports all phones share. More than cores, because the kernel's buffer of one holds few packets and a reader that waits its turn must not lose any.
	sockets = 32
	// latencies is how many steps of 10 us the time through the server is counted in; what takes longer is in the last.
	latencies = 20000
	magic     = 0x72696e6766656e63 // first bytes of a frame of ours; music has none
)

// air carries the media of all phones.
type air struct {
	conns  []*net.UDPConn
	voice  []byte
	stop   chan struct{}
	wg     sync.WaitGroup
	window atomic.Uint32 // the measurement under way; zero: none
	epoch  time.Time
	delay  [latencies + 1]atomic.Uint32

	mu    sync.Mutex
	next  uint32
	slots [slots]map[*line]struct{}
	peers sync.Map // SSRC of the server's leg, as its description says -> *line
}

func newAir(t *testing.T) *air {
	a := &air{voice: make([]byte, frame), stop: make(chan struct{}), epoch: time.Now()}
	codec.EncodeMulaw(a.voice, codec.Tone(440, 20*time.Millisecond, 0.25))
	for i := range a.slots {
		a.slots[i] = map[*line]struct{}{}
	}
	for range sockets {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		require.NoError(t, err)
		_ = c.SetReadBuffer(1 << 20) // the kernel may give less
		a.conns = append(a.conns, c)
		a.wg.Add(1)
		go func() { // ended by the socket, waited for by close
			defer a.wg.Done()
			a.read(c)
		}()
	}
	a.wg.Add(1)
	go func() { // ended by stop, waited for by close
		defer a.wg.Done()
		a.pace()
	}()
	t.Cleanup(a.close)
	return a
}

func (a *air) close() {
	close(a.stop)
	for _, c := range a.conns {
		c.Close()
	}
	a.wg.Wait()
}

// pace sends every line's next frame each 20 ms, a slot each millisecond.
func (a *air) pace() {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	next := time.Now()
	for slot := 0; ; {
		select {
		case <-a.stop:
			return
		case <-tick.C:
		}
		for now := time.Now(); !now.Before(next); next = next.Add(time.Millisecond) {
			w := a.window.Load()
			a.mu.Lock()
			for l := range a.slots[slot] {
				l.speak(w)
			}
			a.mu.Unlock()
			slot = (slot + 1) % slots
		}
	}
}

func (a *air) read(c *net.UDPConn) {
	in, out := make([]byte, 1500), make([]byte, 1500)
	for {
		n, _, err := c.ReadFromUDPAddrPort(in)
		if err != nil {
			return
		}
		if n < 12 || in[1] >= 192 && in[1] <= 223 { // RTCP
			continue
		}
		if l, ok := a.peers.Load(binary.BigEndian.Uint32(in[8:])); ok {
			l.(*line).hear(in[:n], out)
		}
	}
}

// line is one phone's media in one call. It is what signalling needs (sip.Media).
type line struct {
	air     *air
	id      uint32
	conn    *net.UDPConn
	offered []srtp.Crypto
	remote  netip.AddrPort
	hears   uint32 // the server's source

	tx     *srtp.Sender // of the pacer, once the line is in a slot
	seq    uint16
	ts     uint32
	buf    [12 + frame + 64]byte
	rx     *srtp.Receiver // of the socket's reader, once the line is among the peers
	from   atomic.Uint32  // whom it hears; zero: nobody yet
	mixed  atomic.Uint32  // frames of anybody else
	forged atomic.Uint32  // packets that are not authentic
	sent   atomic.Uint32  // frames of the measurement
	heard  atomic.Uint32  // those of the other side
}

func (a *air) newLine() *line {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	return &line{air: a, id: a.next, conn: a.conns[int(a.next)%len(a.conns)]}
}

func (l *line) local(crypto ...srtp.Crypto) sdp.Local {
	d := sdp.Local{ID: uint64(l.id), RTP: l.conn.LocalAddr().(*net.UDPAddr).AddrPort(), Codecs: []string{sdp.PCMU}}
	for _, c := range crypto {
		d.Crypto = append(d.Crypto, c.ExportSecret())
	}
	return d
}

func (l *line) Offer(context.Context) ([]byte, error) {
	var err error
	if l.offered, err = (srtp.Policy{}).Offer(); err != nil {
		return nil, err
	}
	return sdp.Offer(l.local(l.offered...)).Marshal()
}

func (l *line) Answer(_ context.Context, offer []byte) ([]byte, error) {
	desc, err := sdp.Parse(offer)
	if err != nil {
		return nil, err
	}
	a, err := sdp.Agree(desc, l.local())
	if err != nil {
		return nil, err
	}
	local, remote, err := (srtp.Policy{}).Answer(a.Crypto)
	if err != nil {
		return nil, err
	}
	out, err := sdp.Answer(desc, a, l.local(local)).Marshal()
	if err != nil {
		return nil, err
	}
	return out, l.open(desc, a, local, remote)
}

func (l *line) Accept(_ context.Context, answer []byte) error {
	desc, err := sdp.Parse(answer)
	if err != nil {
		return err
	}
	a, err := sdp.Accept(desc, l.local())
	if err != nil {
		return err
	}
	local, remote, err := (srtp.Policy{}).Accept(l.offered, a.Crypto)
	if err != nil {
		return err
	}
	return l.open(desc, a, local, remote)
}

// open begins to speak and to listen.
func (l *line) open(desc *sdp.Session, a sdp.Agreed, ours, theirs srtp.Crypto) error {
	tx, err := srtp.NewSender(ours, srtp.SenderConfig{})
	if err != nil {
		return err
	}
	if l.rx, err = srtp.NewReceiver(theirs, srtp.ReceiverConfig{}); err != nil {
		return err
	}
	l.remote, l.tx, l.seq = a.Remote, tx, srtp.RandomSequence()
	var b [4]byte
	rand.Read(b[:])
	l.ts = binary.BigEndian.Uint32(b[:])
	named, _ := desc.Media[a.Index].Attr("ssrc")
	id, _, _ := strings.Cut(named, " ")
	ssrc, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return fmt.Errorf("the server names no source: %w", err)
	}
	l.hears = uint32(ssrc)
	l.air.peers.Store(l.hears, l)
	l.air.mu.Lock()
	defer l.air.mu.Unlock()
	l.air.slots[l.id%slots][l] = struct{}{}
	return nil
}

// close ends the line's media. What is still under way to it is nobody's.
func (l *line) close() {
	l.air.peers.CompareAndDelete(l.hears, l)
	l.air.mu.Lock()
	defer l.air.mu.Unlock()
	delete(l.air.slots[l.id%slots], l)
}

// speak sends the next frame. window is the measurement it belongs to.
func (l *line) speak(window uint32) {
	l.seq++
	l.ts += frame
	b := l.buf[:12+frame]
	b[0], b[1] = 0x80, 0 // PCMU
	binary.BigEndian.PutUint16(b[2:], l.seq)
	binary.BigEndian.PutUint32(b[4:], l.ts)
	binary.BigEndian.PutUint32(b[8:], l.tx.SSRC())
	copy(b[12:], l.air.voice)
	binary.BigEndian.PutUint64(b[12:], magic)
	binary.BigEndian.PutUint32(b[20:], l.id)
	binary.BigEndian.PutUint32(b[24:], window)
	binary.BigEndian.PutUint64(b[28:], uint64(time.Since(l.air.epoch)))
	out, err := l.tx.ProtectRTP(b[:0], b)
	if err != nil {
		return // counted as lost by whoever does not get it
	}
	if window != 0 {
		l.sent.Add(1)
	}
	_, _ = l.conn.WriteToUDPAddrPort(out, l.remote) // as lost as on the way
}

// hear counts one packet.
func (l *line) hear(in, out []byte) {
	b, err := l.rx.UnprotectRTP(out[:0], in)
	if err != nil {
		l.forged.Add(1)
		return
	}
	if len(b) < 12+frame || binary.BigEndian.Uint64(b[12:]) != magic {
		return // a prompt or music
	}
	from := binary.BigEndian.Uint32(b[20:])
	l.from.CompareAndSwap(0, from)
	if l.from.Load() != from {
		l.mixed.Add(1)
		return
	}
	if binary.BigEndian.Uint32(b[24:]) == 0 {
		return
	}
	l.heard.Add(1)
	took := time.Since(l.air.epoch) - time.Duration(binary.BigEndian.Uint64(b[28:]))
	l.air.delay[min(latencies, took/(10*time.Microsecond))].Add(1)
}

// measure counts what every line sends for d. It returns once the last packets have had time to arrive.
func (a *air) measure(t *testing.T, d time.Duration) {
	t.Helper()
	for i := range a.delay {
		a.delay[i].Store(0)
	}
	a.window.Add(1)
	pause(d)
	a.window.Store(0)
	pause(500 * time.Millisecond)
}

// quantile returns the time through the server that q of all packets stayed below.
func (a *air) quantile(q float64) time.Duration {
	var total, sum float64
	for i := range a.delay {
		total += float64(a.delay[i].Load())
	}
	for i := range a.delay {
		if sum += float64(a.delay[i].Load()); sum >= q*total {
			return time.Duration(i+1) * 10 * time.Microsecond
		}
	}
	return 0
}

// pause lets the load go on for d.
func pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}
