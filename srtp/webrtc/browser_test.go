package webrtc_test

import (
	"context"
	"encoding/binary"
	"math"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
	"github.com/ringfence/ringfence/srtp/webrtc"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// setup returns both engines on loopback.
func setup(t testing.TB, cfg webrtc.Config, mcfg media.Config) (*webrtc.Engine, *media.Engine) {
	t.Helper()
	mcfg.Addr = loopback
	m, err := media.New(mcfg)
	require.NoError(t, err)
	cfg.Media = m
	if !cfg.Addr.IsValid() {
		cfg.Addr = loopback
	}
	e, err := webrtc.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = m.Close()
		_ = e.Close()
	})
	return e, m
}

func newLeg(t testing.TB, e *webrtc.Engine, codecs ...string) *media.Leg {
	t.Helper()
	l, err := e.NewLeg(media.LegConfig{SignallingSecure: true, Codecs: codecs})
	require.NoError(t, err)
	return l
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// ear is a tap that collects linear samples and signals every frame.
type ear struct {
	mu     sync.Mutex
	pcm    []int16
	frames int
	heard  chan struct{}
}

func newEar() *ear { return &ear{heard: make(chan struct{}, 10000)} }

func (e *ear) WriteFrame(_ time.Duration, name string, payload []byte) {
	pcm := make([]int16, len(payload))
	if name == sdp.PCMA {
		codec.DecodeAlaw(pcm, payload)
	} else {
		codec.DecodeMulaw(pcm, payload)
	}
	e.mu.Lock()
	e.pcm = append(e.pcm, pcm...)
	e.frames++
	e.mu.Unlock()
	select {
	case e.heard <- struct{}{}:
	default:
	}
}

func (e *ear) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.frames
}

// forget drops what was heard so far.
func (e *ear) forget() {
	e.mu.Lock()
	e.pcm = nil
	e.mu.Unlock()
	for {
		select {
		case <-e.heard:
		default:
			return
		}
	}
}

// wait returns after n more frames.
func (e *ear) wait(t testing.TB, n int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for range n {
		select {
		case <-e.heard:
		case <-deadline:
			t.Fatalf("heard %d frames only", e.count())
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

// browser is a full-ICE peer made with the library alone: it shares no code with the leg but that.
type browser struct {
	t     testing.TB
	pc    *pion.PeerConnection
	mic   *mic
	ear   *ear
	state chan pion.PeerConnectionState

	mu    sync.Mutex
	event uint32
	ssrcs map[uint32]bool
	seen  chan byte
	raw   chan []byte // payloads of Opus
	stop  chan struct{}
	work  sync.WaitGroup
}

// mic is the browser's outgoing track.
type mic struct {
	mu    sync.Mutex
	w     pion.TrackLocalWriter
	head  rtp.Header
	event uint8   // payload type of digits
	freq  float64 // 0: silent, nothing is sent
	n     int
}

func (m *mic) Bind(c pion.TrackLocalContext) (pion.RTPCodecParameters, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.w = c.WriteStream()
	for _, p := range c.CodecParameters() {
		if p.MimeType == "audio/telephone-event" && p.ClockRate == 8000 {
			m.event = uint8(p.PayloadType)
		}
	}
	m.head = rtp.Header{Version: 2, SSRC: uint32(c.SSRC()), SequenceNumber: 100, Timestamp: 5000}
	return c.CodecParameters()[0], nil
}
func (m *mic) Unbind(pion.TrackLocalContext) error { return nil }
func (m *mic) ID() string                          { return "mic" }
func (m *mic) RID() string                         { return "" }
func (m *mic) StreamID() string                    { return "browser" }
func (m *mic) Kind() pion.RTPCodecType             { return pion.RTPCodecTypeAudio }

// send sends one packet; errors are the network's.
func (m *mic) send(pt uint8, marker bool, ts uint32, payload []byte) {
	if m.w == nil {
		return
	}
	m.head.SequenceNumber++
	h := m.head
	h.PayloadType, h.Marker, h.Timestamp = pt, marker, ts
	_, _ = m.w.WriteRTP(&h, payload)
}

// frame sends 20 ms of the tone.
func (m *mic) frame() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.head.Timestamp += 160
	if m.freq == 0 {
		return
	}
	pcm := make([]int16, 160)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*m.freq*float64(m.n)/8000))
		m.n++
	}
	out := make([]byte, 160)
	codec.EncodeMulaw(out, pcm)
	m.send(0, false, m.head.Timestamp, out)
}

func (m *mic) sing(freq float64) {
	m.mu.Lock()
	m.freq = freq
	m.mu.Unlock()
}

// press sends a digit as a browser does.
func (m *mic) press(event byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.head.Timestamp += 160
	ts := m.head.Timestamp
	for i := range 7 {
		p := [4]byte{event, 10}
		binary.BigEndian.PutUint16(p[2:], uint16(min(i+1, 5)*160))
		if i >= 4 {
			p[1] |= 0x80
		}
		m.send(m.event, i == 0, ts, p[:])
	}
	m.head.Timestamp += 5 * 160
}

// Not what the leg offers, so that a test sees who chooses.
const (
	eventPT = 109 // digits beside G.711
	widePT  = 100 // digits beside Opus
	opusPT  = 105
)

// newBrowser returns a browser with a microphone. change may alter its settings.
func newBrowser(t testing.TB, change ...func(*pion.SettingEngine)) *browser {
	t.Helper()
	var s pion.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	s.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4})
	// Browsers answer actpass with active; the library alone would not for an ICE-lite peer.
	require.NoError(t, s.SetAnsweringDTLSRole(pion.DTLSRoleClient))
	for _, f := range change {
		f(&s)
	}
	var me pion.MediaEngine
	for _, c := range []struct {
		pt   pion.PayloadType
		name string
	}{{0, "PCMU"}, {8, "PCMA"}, {eventPT, "telephone-event"}} {
		require.NoError(t, me.RegisterCodec(pion.RTPCodecParameters{PayloadType: c.pt,
			RTPCodecCapability: pion.RTPCodecCapability{MimeType: "audio/" + c.name, ClockRate: 8000}}, pion.RTPCodecTypeAudio))
	}
	for pt, c := range map[pion.PayloadType]pion.RTPCodecCapability{
		opusPT: {MimeType: pion.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"},
		widePT: {MimeType: "audio/telephone-event", ClockRate: 48000},
	} {
		require.NoError(t, me.RegisterCodec(pion.RTPCodecParameters{PayloadType: pt, RTPCodecCapability: c}, pion.RTPCodecTypeAudio))
	}
	api := pion.NewAPI(pion.WithSettingEngine(s), pion.WithMediaEngine(&me), pion.WithInterceptorRegistry(&interceptor.Registry{}))
	pc, err := api.NewPeerConnection(pion.Configuration{})
	require.NoError(t, err)
	b := &browser{t: t, pc: pc, mic: &mic{}, ear: newEar(), state: make(chan pion.PeerConnectionState, 100), seen: make(chan byte, 100),
		raw: make(chan []byte, 100), stop: make(chan struct{}), ssrcs: map[uint32]bool{}}
	pc.OnConnectionStateChange(func(s pion.PeerConnectionState) {
		select {
		case b.state <- s:
		default:
		}
	})
	pc.OnTrack(b.listen)
	_, err = pc.AddTrack(b.mic)
	require.NoError(t, err)
	b.work.Add(1)
	go func() { // hang ends it and waits
		defer b.work.Done()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-b.stop:
				return
			case <-tick.C:
				b.mic.frame()
			}
		}
	}()
	t.Cleanup(b.hang)
	return b
}

// hang closes the browser.
func (b *browser) hang() {
	b.mu.Lock()
	select {
	case <-b.stop:
	default:
		close(b.stop)
	}
	b.mu.Unlock()
	b.work.Wait()
	_ = b.pc.GracefulClose()
}

func (b *browser) listen(t *pion.TrackRemote, _ *pion.RTPReceiver) {
	buf := make([]byte, 1500)
	for {
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		var p rtp.Packet
		if p.Unmarshal(buf[:n]) != nil {
			continue
		}
		b.mu.Lock()
		b.ssrcs[p.SSRC] = true
		b.mu.Unlock()
		switch p.PayloadType {
		case 0:
			b.ear.WriteFrame(0, sdp.PCMU, p.Payload)
		case 8:
			b.ear.WriteFrame(0, sdp.PCMA, p.Payload)
		case opusPT, 111: // its own number, and the one a leg offers
			select {
			case b.raw <- p.Payload:
			default:
			}
		default:
			b.mu.Lock()
			fresh := p.Timestamp != b.event
			b.event = p.Timestamp
			b.mu.Unlock()
			if fresh && len(p.Payload) == 4 {
				b.seen <- "0123456789*#"[p.Payload[0]]
			}
		}
	}
}

// offer makes the browser's offer, complete.
func (b *browser) offer() string {
	b.t.Helper()
	d, err := b.pc.CreateOffer(nil)
	require.NoError(b.t, err)
	return b.describe(d)
}

func (b *browser) describe(d pion.SessionDescription) string {
	b.t.Helper()
	done := pion.GatheringCompletePromise(b.pc)
	require.NoError(b.t, b.pc.SetLocalDescription(d))
	<-done
	return b.pc.LocalDescription().SDP
}

func (b *browser) take(typ pion.SDPType, body []byte) {
	b.t.Helper()
	require.NoError(b.t, b.pc.SetRemoteDescription(pion.SessionDescription{Type: typ, SDP: string(body)}), "%s", body)
}

// answer makes the browser's answer to the leg's offer.
func (b *browser) answer(offer []byte) string {
	b.t.Helper()
	b.take(pion.SDPTypeOffer, offer)
	d, err := b.pc.CreateAnswer(nil)
	require.NoError(b.t, err)
	return b.describe(d)
}

// call lets the browser call the leg.
func (b *browser) call(leg *media.Leg) string {
	b.t.Helper()
	answer, err := leg.Answer(within(b.t, 10*time.Second), []byte(b.offer()))
	require.NoError(b.t, err)
	b.take(pion.SDPTypeAnswer, answer)
	return string(answer)
}

// ring lets the leg call the browser.
func (b *browser) ring(leg *media.Leg) {
	b.t.Helper()
	offer, err := leg.Offer(within(b.t, 10*time.Second))
	require.NoError(b.t, err)
	require.NoError(b.t, leg.Accept(within(b.t, 10*time.Second), []byte(b.answer(offer))))
}

// connected waits for the browser's side of the handshake.
func (b *browser) connected() { b.t.Helper(); b.reaches(pion.PeerConnectionStateConnected) }

func (b *browser) reaches(want pion.PeerConnectionState) {
	b.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case s := <-b.state:
			if s == want {
				return
			}
		case <-deadline:
			b.t.Fatalf("browser never %s", want)
		}
	}
}

// direction rewrites every direction of a description.
func direction(body, d string) string {
	for _, other := range []string{"sendrecv", "sendonly", "recvonly", "inactive"} {
		body = strings.ReplaceAll(body, "a="+other+"\r\n", "a="+d+"\r\n")
	}
	return body
}

func tone(t testing.TB, freq float64, d time.Duration) *media.Prompt {
	t.Helper()
	p, err := media.Tone(freq, d)
	require.NoError(t, err)
	return p
}

// sources is from how many sources the browser heard anything.
func (b *browser) sources() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ssrcs)
}
