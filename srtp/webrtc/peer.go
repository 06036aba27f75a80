package webrtc

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/webrtc/v4"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/internal/carrier"
	"github.com/ringfence/ringfence/srtp/media"
)

// peer is one connection to a browser: ICE, DTLS and the SRTP that comes of it. A leg has one at a time. It is the leg's carrier.Wire.
type peer struct {
	n     *negotiator
	pc    *webrtc.PeerConnection
	dtls  *webrtc.DTLSTransport
	out   *webrtc.RTPSender
	track *track
	ssrc  uint32
	tlsID string     // of our side of the association (RFC 8842)
	head  rtp.Header // of the packet being sent; the leg sends one at a time

	up    atomic.Bool // packets may pass
	known atomic.Bool // the peer was verified; stays true
	suite atomic.Pointer[string]
	queue atomic.Int32 // buffers made

	mu      sync.Mutex
	closed  bool
	want    fingerprint // of the peer's certificate
	checked bool
	work    sync.WaitGroup // callbacks and readers under way

	// The negotiator's, under the leg's signalling lock.
	local local
	fed   remote // what the library was given
	ready bool   // it was given something
}

// newPeer returns a connection that has not been offered or answered yet.
func newPeer(n *negotiator) (*peer, error) {
	p := &peer{n: n, track: newTrack(), tlsID: rand.Text()}
	settings := n.eng.settings
	network, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("webrtc: opening connection: %w", err)
	}
	settings.SetNet(guardedNet{network, p})
	settings.SetDTLSServerHelloMessageHook(p.noteSuite)
	settings.BufferFactory = p.buffer
	// No interceptors: the leg makes its own reports, and audio is not sent twice.
	api := webrtc.NewAPI(webrtc.WithMediaEngine(n.eng.codecs), webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	if p.pc, err = api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{n.eng.cert}}); err != nil {
		return nil, fmt.Errorf("webrtc: opening connection: %w", err)
	}
	p.pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) { p.changed() })
	p.pc.OnTrack(p.receive)
	if p.out, err = p.pc.AddTrack(p.track); err != nil {
		p.close()
		return nil, fmt.Errorf("webrtc: opening connection: %w", err)
	}
	p.dtls = p.out.Transport()
	p.ssrc = uint32(p.out.GetParameters().Encodings[0].SSRC)
	return p, nil
}

// describe gives the library our description and waits for its candidates, which an ICE-lite engine has at once.
func (p *peer) describe(ctx context.Context, d webrtc.SessionDescription) error {
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(d); err != nil {
		return fmt.Errorf("webrtc: describing: %w", err)
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return ctx.Err()
	}
	l, ok := readLocal([]byte(p.pc.LocalDescription().SDP))
	if !ok {
		return media.ErrNoPort
	}
	p.local = l
	return nil
}

// offer makes our description before there is one of the peer.
func (p *peer) offer(ctx context.Context) error {
	d, err := p.pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("webrtc: describing: %w", err)
	}
	return p.describe(ctx, d)
}

// feed gives the library the peer's description.
func (p *peer) feed(r *remote, typ webrtc.SDPType, mid, setup string) error {
	b, err := r.forLibrary(mid, setup)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.want = r.fp
	p.mu.Unlock()
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: typ, SDP: string(b)}); err != nil {
		return fmt.Errorf("webrtc: peer's description: %w", err)
	}
	p.fed, p.ready = *r, true
	return nil
}

// answer takes an offer and makes our description.
func (p *peer) answer(ctx context.Context, r *remote) error {
	mid := "0"
	if p.ready {
		mid = p.local.mid // whatever the peer calls its stream now, the library knows it by this name
	}
	if err := p.feed(r, webrtc.SDPTypeOffer, mid, "actpass"); err != nil {
		return err
	}
	d, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("webrtc: describing: %w", err)
	}
	return p.describe(ctx, d)
}

// noteSuite sees which SRTP suite the handshake settles on; the library keeps it to itself.
func (p *peer) noteSuite(hello handshake.MessageServerHello) handshake.Message {
	for _, e := range hello.Extensions {
		u, ok := e.(*extension.UseSRTP)
		if !ok || len(u.ProtectionProfiles) != 1 {
			continue
		}
		name := ""
		switch u.ProtectionProfiles[0] {
		case extension.SRTP_AEAD_AES_256_GCM:
			name = srtp.AEADAES256GCM.String()
		case extension.SRTP_AEAD_AES_128_GCM:
			name = srtp.AEADAES128GCM.String()
		case extension.SRTP_AES128_CM_HMAC_SHA1_80:
			name = srtp.AESCM128HMACSHA1Tag80.String()
		}
		p.suite.Store(&name)
	}
	return &hello
}

// enter begins work that close waits for. It returns false when the connection is closed.
func (p *peer) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.work.Add(1)
	return true
}

// changed follows the connection's state.
func (p *peer) changed() {
	if !p.enter() {
		return
	}
	defer p.work.Done()
	state := p.pc.ConnectionState()
	ended := state == webrtc.PeerConnectionStateClosed // the library closes itself when DTLS ends, also before the handshake is over
	switch {
	case p.dtls.State() == webrtc.DTLSTransportStateFailed || ended && !p.known.Load():
		p.up.Store(false)
		p.n.failed(p, "no handshake with the peer of the description")
	case ended || state == webrtc.PeerConnectionStateFailed:
		p.n.lost(p)
	case p.dtls.State() == webrtc.DTLSTransportStateConnected:
		p.verify()
	}
}

// verify compares the certificate of the handshake with the fingerprint of the description, once. Only then packets pass, in either direction.
// The library has compared them before; a fault there must not be enough to let a stranger listen.
func (p *peer) verify() bool {
	p.mu.Lock()
	first := !p.checked && p.dtls.State() == webrtc.DTLSTransportStateConnected
	ok := p.up.Load()
	if first {
		p.checked = true
		ok = p.want.matches(p.dtls.GetRemoteCertificate())
		p.known.Store(ok)
		p.up.Store(ok && !p.closed)
		if ok && !p.closed {
			p.work.Add(1)
			// The peer's reports about what we send. close ends the reading and waits for it.
			go func() {
				defer p.work.Done()
				p.readReports(p.out.Read)
			}()
		}
	}
	p.mu.Unlock()
	if first && !ok {
		p.n.failed(p, "peer's certificate is not the one of its description")
	}
	return ok
}

const (
	// maxBuffers is how many sources a peer may use, RTP and RTCP counted apart. A browser has one of each, and a few over a long call.
	maxBuffers = 32
	// bufferSize is the memory of one source that nobody reads for a moment: half a second of G.711 in 20 ms packets is 5 KB.
	bufferSize = 64 << 10
)

// buffer gives the library the queue of one source. The library keeps each for the whole call and has no limit: a peer that invents sources would
// fill our memory, so its leg ends.
func (p *peer) buffer(packetio.BufferPacketType, uint32) io.ReadWriteCloser {
	b := packetio.NewBuffer()
	b.SetLimitSize(bufferSize)
	if p.queue.Add(1) == maxBuffers+1 {
		p.up.Store(false)
		p.n.failed(p, "peer uses too many sources")
	}
	return b
}

// maxReadErrors is how many errors in a row end a reader.
const maxReadErrors = 100

// receive reads a source of the peer. The library calls it on a goroutine of its own, which ends when the connection is closed.
func (p *peer) receive(t *webrtc.TrackRemote, from *webrtc.RTPReceiver) {
	if !p.enter() {
		return
	}
	defer p.work.Done()
	if !p.verify() {
		return
	}
	p.work.Add(1)
	// The peer's reports about what it sends. close ends the reading and waits for it.
	go func() {
		defer p.work.Done()
		p.readReports(from.Read)
	}()
	buf := make([]byte, maxDatagram, maxDatagram+carrier.Headroom)
	for failures := 0; failures < maxReadErrors; {
		n, _, err := t.Read(buf)
		switch {
		case err == nil:
			failures = 0
			p.n.port.RTP(buf[:n])
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe):
			return
		case n == 0:
			failures++
		default: // a payload type nobody agreed on; the leg counts it
			p.n.port.RTP(buf[:n])
		}
	}
}

// maxDatagram is the longest packet read: an Ethernet frame.
const maxDatagram = 1500

func (p *peer) readReports(read func([]byte) (int, interceptor.Attributes, error)) {
	buf := make([]byte, maxDatagram)
	for failures := 0; failures < maxReadErrors; {
		n, _, err := read(buf)
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
				return
			}
			failures++
			continue
		}
		failures = 0
		p.n.port.RTCP(buf[:n])
	}
}

// close ends the connection and waits for everything that runs for it.
func (p *peer) close() {
	p.mu.Lock()
	p.closed = true
	p.up.Store(false)
	p.mu.Unlock()
	_ = p.pc.GracefulClose() // whatever it could not tell the peer, the peer learns from silence
	p.work.Wait()
}

// SSRC implements carrier.Wire.
func (p *peer) SSRC() uint32 { return p.ssrc }

// Up implements carrier.Wire.
func (p *peer) Up() bool { return p.up.Load() }

// WriteRTP implements carrier.Wire.
func (p *peer) WriteRTP(pkt []byte) error {
	w := p.track.writer.Load()
	if w == nil || !p.up.Load() {
		return io.ErrClosedPipe
	}
	p.head = rtp.Header{Version: 2, Marker: pkt[1]&0x80 != 0, PayloadType: pkt[1] & 0x7f, SequenceNumber: binary.BigEndian.Uint16(pkt[2:]),
		Timestamp: binary.BigEndian.Uint32(pkt[4:]), SSRC: binary.BigEndian.Uint32(pkt[8:])}
	_, err := (*w).WriteRTP(&p.head, pkt[12:])
	return err
}

// WriteRTCP implements carrier.Wire.
func (p *peer) WriteRTCP(pkt []byte) error {
	if !p.up.Load() {
		return io.ErrClosedPipe
	}
	raw := rtcp.RawPacket(pkt)
	_, err := p.dtls.WriteRTCP([]rtcp.Packet{&raw})
	return err
}

// track hands the library the leg's packets as they are: the leg chooses payload types, so that digits share the audio's source.
type track struct {
	id     string
	writer atomic.Pointer[webrtc.TrackLocalWriter]
}

func newTrack() *track { return &track{id: rand.Text()} }

func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := c.CodecParameters()
	if len(codecs) == 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	w := c.WriteStream()
	t.writer.Store(&w)
	return codecs[0], nil
}

func (t *track) Unbind(webrtc.TrackLocalContext) error {
	t.writer.Store(nil)
	return nil
}

func (t *track) ID() string                { return t.id }
func (t *track) RID() string               { return "" }
func (t *track) StreamID() string          { return t.id }
func (t *track) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }
