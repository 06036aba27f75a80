package media_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
)

// A relay is measured in a process of its own, so that its CPU time is its own: this test program starts itself again with relayEnv set to what it shall be.
// The parent plays the phones. They talk over pipes: a line for each leg with an offer in and an answer out (a port for the plain relay), then "mark", to
// which the child answers with its CPU time in microseconds and its memory, until the pipe is closed.
const relayEnv = "RINGFENCE_BENCH_RELAY"

// plainRelay is the baseline: a goroutine for each socket, nothing encrypted. Leg i's packets go to leg i^1.
const plainRelay = "plain"

// relayProcess is the child. It never returns.
func relayProcess(kind string) {
	in, out := bufio.NewScanner(os.Stdin), bufio.NewWriter(os.Stdout)
	in.Buffer(nil, 1<<20)
	say := func(s string) { fmt.Fprintln(out, s); _ = out.Flush() }
	var answer func(line string) string
	if kind == plainRelay {
		answer = plainLegs()
	} else {
		answer = securedLegs(kind)
	}
	for in.Scan() {
		if in.Text() == "mark" {
			say(fmt.Sprint(cpuTime().Microseconds(), memory()))
			continue
		}
		say(answer(in.Text()))
	}
	os.Exit(0)
}

func plainLegs() func(string) string {
	var mu sync.Mutex
	var conns []*net.UDPConn
	peers := make([]atomic.Pointer[netip.AddrPort], 1<<14)
	return func(line string) string {
		to := netip.MustParseAddrPort(line)
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
		if err != nil {
			panic(err)
		}
		mu.Lock()
		i := len(conns)
		conns = append(conns, c)
		mu.Unlock()
		peers[i].Store(&to)
		go func() { // ends with the process
			b := make([]byte, 1500)
			var other *net.UDPConn
			for {
				n, _, err := c.ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				if other == nil {
					mu.Lock()
					other = conns[i^1]
					mu.Unlock()
				}
				_, _ = other.WriteToUDPAddrPort(b[:n], *peers[i^1].Load())
			}
		}()
		return c.LocalAddr().String()
	}
}

func securedLegs(kind string) func(string) string {
	e, err := media.New(media.Config{Addr: loopback})
	if err != nil {
		panic(err)
	}
	var waiting *media.Leg
	return func(line string) string {
		offer, _ := base64.StdEncoding.DecodeString(line)
		l, err := e.NewLeg(media.LegConfig{SignallingSecure: true})
		if err != nil {
			panic(err)
		}
		answer, err := l.Answer(context.Background(), offer)
		if err != nil {
			panic(err)
		}
		if strings.HasSuffix(kind, "tapped") {
			l.SetTap(deafTap{})
		}
		if waiting == nil {
			waiting = l
		} else {
			if _, err := media.NewBridge(waiting, l); err != nil {
				panic(err)
			}
			waiting = nil
		}
		return base64.StdEncoding.EncodeToString(answer)
	}
}

// relayFigures is what one run of a relay showed.
type relayFigures struct {
	perPacket      time.Duration // CPU of the relay for each packet received
	memory         uint64        // bytes in use by the relay at the end, for each call
	sent, received int64
	p50, p99       time.Duration // from the sender's socket to the receiver's
}

// runRelay runs calls through a relay for d.
func runRelay(t *testing.T, kind string, calls int, d time.Duration) relayFigures {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), relayEnv+"="+kind)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { _ = stdin.Close(); _ = cmd.Wait() }()
	replies := bufio.NewReader(stdout)
	ask := func(line string) string {
		_, err := fmt.Fprintln(stdin, line)
		require.NoError(t, err)
		reply, err := replies.ReadString('\n')
		require.NoError(t, err)
		return strings.TrimSpace(reply)
	}
	mark := func() (cpu time.Duration, memory uint64) {
		f := strings.Fields(ask("mark"))
		us, err := strconv.ParseInt(f[0], 10, 64)
		require.NoError(t, err)
		memory, err = strconv.ParseUint(f[1], 10, 64)
		require.NoError(t, err)
		return time.Duration(us) * time.Microsecond, memory
	}
	_, empty := mark()
	phones := make([]*barePhone, 2*calls)
	for i := range phones {
		p := newBarePhone(t)
		_ = p.conn.SetReadBuffer(1 << 20)
		stampArrivals(t, p.conn)
		phones[i] = p
		if kind == plainRelay {
			p.to = netip.MustParseAddrPort(ask(p.addr().String()))
			continue
		}
		answer, err := base64.StdEncoding.DecodeString(ask(base64.StdEncoding.EncodeToString(p.offer())))
		require.NoError(t, err)
		p.take(answer)
	}
	return measure(t, phones, kind == plainRelay, empty, mark, d)
}

// measure makes every phone send 50 packets a second, spread evenly, and times one in 50 on its way. The packets are made beforehand: protecting them would take the
// relay's share of two cores.
func measure(t *testing.T, phones []*barePhone, plain bool, empty uint64, mark func() (time.Duration, uint64), d time.Duration) relayFigures {
	ticks := int(d / time.Millisecond)
	packets, sentAt := make([][][]byte, len(phones)), make([][]atomic.Int64, len(phones))
	payload := frame(0xd5)
	for i, p := range phones {
		packets[i], sentAt[i] = make([][]byte, ticks/20+1), make([]atomic.Int64, ticks/20+1)
		for k := range packets[i] {
			binary.BigEndian.PutUint32(payload, uint32(i))
			binary.BigEndian.PutUint32(payload[4:], uint32(k))
			packets[i][k] = p.fill(make([]byte, 12+160+64), payload, plain)
		}
	}
	var received atomic.Int64
	var mu sync.Mutex
	var through []time.Duration
	var readers sync.WaitGroup
	for _, p := range phones {
		readers.Add(1)
		go func() {
			defer readers.Done()
			buf, clear, stamp := make([]byte, 1500), make([]byte, 1500), make([]byte, 64)
			for n := 0; ; n++ {
				size, stamped, _, _, err := p.conn.ReadMsgUDPAddrPort(buf, stamp)
				if err != nil {
					return
				}
				if size < 172 || isReport(buf) {
					continue
				}
				received.Add(1)
				if n%50 != 0 {
					continue
				}
				now, pkt := arrived(stamp[:stamped]), buf[:size]
				if !plain {
					if pkt, err = p.rx.UnprotectRTP(clear, pkt); err != nil {
						continue
					}
				}
				took := now - sentAt[binary.BigEndian.Uint32(pkt[12:])][binary.BigEndian.Uint32(pkt[16:])].Load()
				mu.Lock()
				through = append(through, time.Duration(took))
				mu.Unlock()
			}
		}()
	}
	cpu0, _ := mark()
	sent, begin := int64(0), time.Now()
	for tick := range ticks {
		if wait := time.Until(begin.Add(time.Duration(tick) * time.Millisecond)); wait > 0 {
			<-time.After(wait)
		}
		for i := tick % 20; i < len(phones); i += 20 {
			p, k := phones[i], tick/20
			sentAt[i][k].Store(time.Now().UnixNano())
			if _, err := p.conn.WriteToUDPAddrPort(packets[i][k], p.to); err == nil {
				sent++
			}
		}
	}
	<-time.After(100 * time.Millisecond)
	cpu1, used := mark()
	for _, p := range phones {
		_ = p.conn.Close()
	}
	readers.Wait()
	slices.Sort(through)
	f := relayFigures{sent: sent, received: received.Load(), perPacket: (cpu1 - cpu0) / time.Duration(sent), memory: max(used, empty) - empty}
	f.memory /= uint64(len(phones) / 2)
	if n := len(through); n > 0 {
		f.p50, f.p99 = through[n/2], through[n*99/100]
	}
	return f
}

func isReport(b []byte) bool { return b[1] >= 192 && b[1] <= 223 }

// fill makes the phone's next packet in b.
func (p *barePhone) fill(b, payload []byte, plain bool) []byte {
	seq := p.next()
	b = b[:12+copy(b[12:], payload)]
	b[0], b[1] = 0x80, 0
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], p.ts)
	if plain {
		return b
	}
	binary.BigEndian.PutUint32(b[8:], p.tx.SSRC())
	out, err := p.tx.ProtectRTP(b[:0], b)
	if err != nil {
		return nil
	}
	return out
}

// TestRelayDesigns prints the figures of both relays side by side; TestBenchRatios has the goals.
func TestRelayDesigns(t *testing.T) {
	benchOnly(t)
	for _, calls := range []int{1, 50, 500} {
		for _, kind := range []string{plainRelay, "secured", "secured+tapped"} {
			f := runRelay(t, kind, calls, 4*time.Second)
			fmt.Printf("%-15s %4d calls: %v a packet, p50 %v, p99 %v, %d of %d lost, %d KB a call\n", kind, calls, f.perPacket, f.p50, f.p99, f.sent-f.received, f.sent, f.memory/1024)
		}
	}
}

func benchOnly(t *testing.T) {
	t.Helper()
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
}

// relayRatios prints CPU a packet of two bridged SRTP legs against the plain relay, at two rates, as the median of three pairs, and what else the runs showed.
func relayRatios(t *testing.T) {
	const d = 4 * time.Second
	for _, calls := range []int{50, 500} {
		var ratios []float64
		var last relayFigures
		for range 3 {
			plain := runRelay(t, plainRelay, calls, d)
			last = runRelay(t, "secured", calls, d)
			ratios = append(ratios, float64(last.perPacket)/float64(plain.perPacket))
		}
		slices.Sort(ratios)
		fmt.Printf("ratio srtp/relay-%d-packets-a-second %.2f goal <= 0.50\n", calls*100, ratios[1])
		fmt.Printf("figure srtp/relay-%d-calls-cpu %.2f ms per call and second goal <= 0.80\n", calls, last.perPacket.Seconds()*1000*100)
		fmt.Printf("figure srtp/relay-%d-calls-through-p99 %.1f ms goal <= 5\n", calls, last.p99.Seconds()*1000)
		fmt.Printf("figure srtp/relay-%d-calls-memory %d KB a call goal <= 60\n", calls, last.memory/1024)
	}
	mixedMemory(t)
	fmt.Printf("figure srtp/relayed-calls-held %d calls goal >= 500\n", callsHeld(t, "secured"))
	fmt.Printf("figure srtp/tapped-calls-held %d calls goal >= 500\n", callsHeld(t, "secured+tapped"))
}

// mixedMemory prints what a call costs more when it is mixed, with a playout buffer for each party, than when it is relayed.
func mixedMemory(t *testing.T) {
	const calls = 50
	ours, theirs := newEngine(t, media.Config{}), newEngine(t, media.Config{})
	music := tone(t, 440, time.Second)
	var bridges []*media.Bridge
	var legs []*media.Leg
	for range calls {
		var both [2]*media.Leg
		for i := range both {
			peer := newLeg(t, theirs)
			both[i] = newLeg(t, ours)
			negotiate(t, peer, both[i])
			defer peer.Loop(music)()
		}
		br, err := media.NewBridge(both[0], both[1])
		require.NoError(t, err)
		bridges, legs = append(bridges, br), append(legs, both[0], both[1])
	}
	flowing := func(packets uint64) {
		from := make([]uint64, len(legs))
		for i, l := range legs {
			from[i] = l.Stats().Received
		}
		require.Eventually(t, func() bool {
			for i, l := range legs {
				if l.Stats().Received < from[i]+packets {
					return false
				}
			}
			return true
		}, 20*time.Second, 10*time.Millisecond)
	}
	flowing(20)
	relayed := memory()
	for _, br := range bridges {
		c, _, _, err := br.Conference(media.ConferenceConfig{})
		require.NoError(t, err)
		defer c.Close()
	}
	flowing(50)
	fmt.Printf("figure srtp/mixed-call-memory-above-relayed %d KB a call goal <= 60\n", (max(memory(), relayed)-relayed)/calls/1024)
}

type deafTap struct{}

func (deafTap) WriteFrame(time.Duration, string, []byte) {}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
