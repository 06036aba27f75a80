package media_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

var loopback = netip.MustParseAddr("127.0.0.1")

func newEngine(t testing.TB, cfg media.Config) *media.Engine {
	t.Helper()
	if !cfg.Addr.IsValid() {
		cfg.Addr = loopback
	}
	if cfg.Codecs == nil {
		cfg.Codecs = everyCodec()
	}
	e, err := media.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func newLeg(t testing.TB, e *media.Engine, codecs ...string) *media.Leg {
	t.Helper()
	l, err := e.NewLeg(media.LegConfig{SignallingSecure: true, Codecs: codecs})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// negotiate lets a offer and b answer.
func negotiate(t testing.TB, a, b *media.Leg) {
	t.Helper()
	ctx := context.Background()
	offer, err := a.Offer(ctx)
	require.NoError(t, err)
	answer, err := b.Answer(ctx, offer)
	require.NoError(t, err)
	require.NoError(t, a.Accept(ctx, answer))
}

// pair returns a phone and the leg that talks to it.
func pair(t testing.TB, e *media.Engine, codecs ...string) (phone, leg *media.Leg) {
	t.Helper()
	phone, leg = newLeg(t, e, codecs...), newLeg(t, e, codecs...)
	negotiate(t, phone, leg)
	return phone, leg
}

// within gives a test's waiting verbs a deadline.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// ear is a tap that collects linear samples and signals every frame.
type ear struct {
	mu     sync.Mutex
	pcm    []int16
	at     []time.Duration
	codecs map[string]int
	dec    codec.Decoder
	rate   *codec.Resampler
	heard  chan struct{}
}

// decode expands a payload to 8000 Hz.
func (e *ear) decode(name string, payload []byte) []int16 {
	c, ok := codec.ByName(everyCodec(), name)
	if !ok {
		panic(name)
	}
	if e.dec == nil {
		e.dec, _ = c.NewDecoder()
		e.rate, _ = codec.NewResampler(c.Rate, 8000)
	}
	pcm, out := make([]int16, 6*c.FrameSamples), make([]int16, 6*160)
	n, err := e.dec.Decode(pcm, payload)
	if err != nil {
		panic(err)
	}
	n, err = e.rate.Process(out, pcm[:n])
	if err != nil {
		panic(err)
	}
	return out[:n]
}

// everyCodec are the codecs of the tests' engines: the package's and one with a clock of 48000 Hz.
func everyCodec() []codec.Codec {
	return []codec.Codec{codec.PCMU(), codec.PCMA(), codec.G722(), likeOpus()}
}

// likeOpus goes by Opus's name and clock and has A-law behind the first byte of a packet of 20 ms.
func likeOpus() codec.Codec {
	law := codec.PCMA()
	enc, _ := law.NewEncoder()
	dec, _ := law.NewDecoder()
	return codec.Codec{Name: sdp.Opus, ClockRate: 48000, Rate: 8000, Channels: 1, RTPChannels: 2, FrameSamples: 160, FrameTicks: 960, MaxPayload: 161,
		NewEncoder: func() (codec.Encoder, error) { return tocEncoder{enc}, nil },
		NewDecoder: func() (codec.Decoder, error) { return tocDecoder{dec}, nil },
	}
}

type tocEncoder struct{ law codec.Encoder }

func (e tocEncoder) Encode(dst []byte, pcm []int16) (int, error) {
	dst[0] = 1 << 3 // SILK, narrowband, 20 ms, one frame
	n, err := e.law.Encode(dst[1:], pcm)
	return n + 1, err
}

type tocDecoder struct{ law codec.Decoder }

func (d tocDecoder) Decode(dst []int16, payload []byte) (int, error) {
	return d.law.Decode(dst, payload[1:])
}

func newEar() *ear { return &ear{codecs: map[string]int{}, heard: make(chan struct{}, 10000)} }

func (e *ear) WriteFrame(at time.Duration, name string, payload []byte) {
	pcm := e.decode(name, payload)
	e.mu.Lock()
	e.pcm = append(e.pcm, pcm...)
	e.at = append(e.at, at)
	e.codecs[name]++
	e.mu.Unlock()
	select {
	case e.heard <- struct{}{}:
	default:
	}
}

func (e *ear) frames() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.at)
}

// wait returns after n more frames.
func (e *ear) wait(t testing.TB, n int) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for range n {
		select {
		case <-e.heard:
		case <-deadline:
			t.Fatalf("heard %d frames only", e.frames())
		}
	}
}

// pitch returns the loudest frequency heard, to one hertz.
func (e *ear) pitch() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	best, power := 0.0, 0.0
	for f := 200.0; f < 1500; f++ {
		if p := codec.Goertzel(e.pcm, f); p > power {
			best, power = f, p
		}
	}
	return best
}

func tone(t testing.TB, freq float64, d time.Duration) *media.Prompt {
	t.Helper()
	p, err := media.Tone(freq, d)
	require.NoError(t, err)
	return p
}

// phone is a bare SRTP peer under the test's control: it can send what no Leg would.
type barePhone struct {
	t      testing.TB
	conn   *net.UDPConn
	tx     *srtp.Sender
	rx     *srtp.Receiver
	local  srtp.Crypto
	to     netip.AddrPort
	seq    uint16
	ts     uint32
	answer string
}

func newBarePhone(t testing.TB) *barePhone {
	t.Helper()
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	offered, err := srtp.Policy{}.Offer()
	require.NoError(t, err)
	return &barePhone{t: t, conn: c, local: offered[0], seq: srtp.RandomSequence(), ts: 1000}
}

func (p *barePhone) addr() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (p *barePhone) offer(extra ...string) []byte {
	lines := append([]string{"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
		"m=audio " + portOf(p.addr()) + " RTP/SAVP 0 8 96", "a=rtpmap:96 telephone-event/8000", "a=rtcp-mux",
		"a=crypto:" + p.local.ExportSecret()}, extra...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n")
}

// offerOf is an offer of other payload types: each is an rtpmap such as "111 opus/48000/2".
func (p *barePhone) offerOf(maps []string, extra ...string) []byte {
	pts := ""
	lines := []string{"a=rtcp-mux", "a=crypto:" + p.local.ExportSecret()}
	for _, m := range maps {
		pts += " " + m[:strings.IndexByte(m, ' ')]
		lines = append(lines, "a=rtpmap:"+m)
	}
	lines = append(append([]string{"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio " + portOf(p.addr()) + " RTP/SAVP" + pts},
		lines...), extra...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n")
}

// answerTo lets the phone answer the leg's offer with payload types of its own choice.
func (p *barePhone) answerTo(leg *media.Leg, maps ...string) {
	p.t.Helper()
	offer, err := leg.Offer(context.Background())
	require.NoError(p.t, err)
	desc, err := sdp.Parse(offer)
	require.NoError(p.t, err)
	local, remote, err := srtp.Policy{}.Answer(desc.Media[0].Crypto())
	require.NoError(p.t, err)
	p.local = local
	p.tx, err = srtp.NewSender(local, srtp.SenderConfig{})
	require.NoError(p.t, err)
	p.rx, err = srtp.NewReceiver(remote, srtp.ReceiverConfig{})
	require.NoError(p.t, err)
	p.to = netip.AddrPortFrom(loopback, uint16(desc.Media[0].Port))
	require.NoError(p.t, leg.Accept(context.Background(), p.offerOf(maps)))
}

func portOf(a netip.AddrPort) string { return a.String()[strings.LastIndexByte(a.String(), ':')+1:] }

// call lets the leg answer the phone.
func (p *barePhone) call(leg *media.Leg, extra ...string) {
	p.t.Helper()
	out, err := leg.Answer(context.Background(), p.offer(extra...))
	require.NoError(p.t, err)
	p.take(out)
}

func (p *barePhone) take(out []byte) {
	p.t.Helper()
	p.answer = string(out)
	desc, err := sdp.Parse(out)
	require.NoError(p.t, err)
	a, err := sdp.Accept(desc, sdp.Local{Codecs: []string{sdp.PCMU, sdp.PCMA, sdp.G722, sdp.Opus, sdp.CN}})
	require.NoError(p.t, err)
	local, remote, err := srtp.Policy{}.Accept([]srtp.Crypto{p.local}, a.Crypto)
	require.NoError(p.t, err)
	p.to = a.Remote
	p.tx, err = srtp.NewSender(local, srtp.SenderConfig{})
	require.NoError(p.t, err)
	p.rx, err = srtp.NewReceiver(remote, srtp.ReceiverConfig{})
	require.NoError(p.t, err)
}

// packet makes the next protected packet.
func (p *barePhone) packet(pt uint8, payload []byte) []byte {
	p.t.Helper()
	return p.raw(pt, p.next(), p.ts, payload)
}

func (p *barePhone) next() uint16 {
	p.seq++
	p.ts += 160
	return p.seq
}

func (p *barePhone) raw(pt uint8, seq uint16, ts uint32, payload []byte) []byte {
	p.t.Helper()
	s := p.tx.SSRC()
	b := []byte{0x80, pt, byte(seq >> 8), byte(seq), byte(ts >> 24), byte(ts >> 16), byte(ts >> 8), byte(ts),
		byte(s >> 24), byte(s >> 16), byte(s >> 8), byte(s)}
	out, err := p.tx.ProtectRTP(nil, append(b, payload...))
	require.NoError(p.t, err)
	return out
}

func (p *barePhone) send(b []byte) { p.sendFrom(p.conn, b) }

func (p *barePhone) sendFrom(c *net.UDPConn, b []byte) {
	p.t.Helper()
	_, err := c.WriteToUDPAddrPort(b, p.to)
	require.NoError(p.t, err)
}

// receive returns the next RTP packet the leg sends, decrypted.
func (p *barePhone) receive() []byte {
	p.t.Helper()
	buf := make([]byte, 1500)
	require.NoError(p.t, p.conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	for {
		n, err := p.conn.Read(buf)
		require.NoError(p.t, err)
		if buf[1] >= 192 && buf[1] <= 223 {
			continue
		}
		out, err := p.rx.UnprotectRTP(nil, buf[:n])
		require.NoError(p.t, err)
		return out
	}
}

func frame(b byte) []byte {
	f := make([]byte, 160)
	for i := range f {
		f[i] = b
	}
	return f
}

func mulaw(pcm []int16) []byte {
	b := make([]byte, len(pcm))
	codec.EncodeMulaw(b, pcm)
	return b
}
