package webrtc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
	"github.com/ringfence/ringfence/srtp/webrtc"
)

const (
	sha256Of = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
	sha1Of   = "sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33"
)

// chrome is an offer as Chromium makes it for audio and video, shortened.
func chrome() string {
	return strings.Join([]string{"v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1", "a=extmap-allow-mixed",
		"a=msid-semantic: WMS stream", "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
		"a=candidate:1 1 udp 2113937151 5b0b4e5e-7a1c-4dd5-9c0b-3b6c2a1c9e11.local 50000 typ host", "a=ice-ufrag:Zk4t", "a=ice-pwd:s9Lr1mAYYAvCQ2BNg2qOHQZU",
		"a=ice-options:trickle", "a=fingerprint:" + sha256Of, "a=setup:actpass", "a=mid:0", "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
		"a=sendrecv", "a=msid:stream track", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc", "a=fmtp:111 minptime=10;useinbandfec=1",
		"a=rtpmap:63 red/48000/2", "a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:13 CN/8000",
		"a=rtpmap:110 telephone-event/48000", "a=rtpmap:126 telephone-event/8000", "a=ssrc:1234567 cname:abc", "a=ssrc:1234567 msid:stream track",
		"m=video 9 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=ice-ufrag:Zk4t", "a=ice-pwd:s9Lr1mAYYAvCQ2BNg2qOHQZU", "a=fingerprint:" + sha256Of,
		"a=setup:actpass", "a=mid:1", "a=sendrecv", "a=rtcp-mux", "a=rtpmap:96 VP8/90000", ""}, "\r\n")
}

// The answer to a browser: everything it needs in one body, nothing it did not ask for.
func TestAnswerToChrome(t *testing.T) {
	e, _ := setup(t, webrtc.Config{PublicAddr: netip.MustParseAddr("203.0.113.7"), PortMin: 42000, PortMax: 42999}, media.Config{})
	leg := newLeg(t, e, "PCMA", "PCMU")
	out, err := leg.Answer(within(t, 5*time.Second), []byte(chrome()))
	require.NoError(t, err)
	s, err := sdp.Parse(out)
	require.NoError(t, err)
	require.Len(t, s.Media, 2)
	a, v := s.Media[0], s.Media[1]
	assert.Equal(t, "UDP/TLS/RTP/SAVPF", a.Proto)
	assert.Equal(t, []string{"8", "126"}, a.Formats, "our first codec alone, and digits at the audio's clock")
	assert.Equal(t, "203.0.113.7", a.Conn)
	assert.GreaterOrEqual(t, a.Port, 42000)
	assert.LessOrEqual(t, a.Port, 42999)
	group, _ := s.Attr("group")
	assert.Equal(t, "BUNDLE 0", group)
	_, lite := s.Attr("ice-lite")
	assert.True(t, lite)
	for name, want := range map[string]string{"setup": "passive", "mid": "0", "rtcp-mux": "", "sendrecv": "", "end-of-candidates": ""} {
		got, ok := a.Attr(name)
		assert.True(t, ok, name)
		assert.Equal(t, want, got, name)
	}
	var candidates []string
	for _, at := range a.Attrs {
		if at.Name == "candidate" {
			candidates = append(candidates, at.Value)
		}
	}
	require.Len(t, candidates, 1)
	assert.Contains(t, candidates[0], " udp ")
	assert.Contains(t, candidates[0], " 203.0.113.7 ")
	assert.NotContains(t, string(out), ".local")
	assert.NotContains(t, string(out), "127.0.0.1")
	assert.Equal(t, 0, v.Port, "video is switched off")
	mid, _ := v.Attr("mid")
	assert.Equal(t, "1", mid)
	assert.Equal(t, media.Security{KeyMethod: "DTLS-SRTP", Profile: "UDP/TLS/RTP/SAVPF", FingerprintHash: "sha-256", SignallingSecure: true}, leg.Security())
}

// Certificates are the engine's: two legs of one show the same, two engines' are not linked.
func TestOneCertificatePerEngine(t *testing.T) {
	e, m := setup(t, webrtc.Config{}, media.Config{})
	print := func(e *webrtc.Engine) string {
		out, err := newLeg(t, e).Offer(within(t, 5*time.Second))
		require.NoError(t, err)
		return line(string(out), "a=fingerprint")
	}
	first := print(e)
	assert.Equal(t, first, print(e))
	other, err := webrtc.New(webrtc.Config{Media: m, Addr: loopback})
	require.NoError(t, err)
	assert.NotEqual(t, first, print(other))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)},
		&x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	require.NoError(t, err)
	given := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	own, err := webrtc.New(webrtc.Config{Media: m, Addr: loopback, Certificate: given})
	require.NoError(t, err)
	again, err := webrtc.New(webrtc.Config{Media: m, Addr: loopback, Certificate: given})
	require.NoError(t, err)
	assert.Equal(t, print(own), print(again))
}

func TestConfig(t *testing.T) {
	_, m := setup(t, webrtc.Config{}, media.Config{})
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, cfg := range map[string]webrtc.Config{
		"no media":       {Addr: loopback},
		"no address":     {Media: m},
		"any address":    {Media: m, Addr: netip.IPv4Unspecified()},
		"mixed versions": {Media: m, Addr: loopback, PublicAddr: netip.IPv6LinkLocalAllRouters()},
		"one port":       {Media: m, Addr: loopback, PortMin: 1000},
		"ports reversed": {Media: m, Addr: loopback, PortMin: 2000, PortMax: 1000},
		"RSA":            {Media: m, Addr: loopback, Certificate: &tls.Certificate{PrivateKey: weak, Certificate: [][]byte{{1}}}},
	} {
		_, err := webrtc.New(cfg)
		require.ErrorIs(t, err, webrtc.ErrConfig, name)
	}
	e, err := webrtc.New(webrtc.Config{Media: m, Addr: netip.MustParseAddr("203.0.113.9")})
	require.NoError(t, err)
	leg, err := e.NewLeg(media.LegConfig{SignallingSecure: true})
	require.NoError(t, err)
	_, err = leg.Offer(context.Background())
	require.ErrorIs(t, err, media.ErrNoPort, "an address that is not ours")
	_, err = e.NewLeg(media.LegConfig{Codecs: []string{"opus"}})
	require.ErrorIs(t, err, media.ErrConfig)
	require.NoError(t, m.Close())
	_, err = e.NewLeg(media.LegConfig{})
	require.ErrorIs(t, err, media.ErrClosed)
}

// What cannot be made safe is refused, and costs nothing but the reading.
func TestRefusals(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	without := func(prefix string) func(string) string {
		return func(s string) string {
			var out []string
			for _, l := range strings.Split(s, "\r\n") {
				if !strings.HasPrefix(l, prefix) {
					out = append(out, l)
				}
			}
			return strings.Join(out, "\r\n")
		}
	}
	swap := func(a, b string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, a, b) }
	}
	for _, c := range []struct {
		name   string
		change func(string) string
		want   error
	}{
		{"no fingerprint", without("a=fingerprint"), webrtc.ErrNoFingerprint},
		{"SHA-1 only", swap(sha256Of, sha1Of), webrtc.ErrNoFingerprint},
		{"short fingerprint", swap(sha256Of, "sha-256 AB:CD"), webrtc.ErrNoFingerprint},
		{"no hex", swap(sha256Of, strings.ReplaceAll(sha256Of, "AA", "ZZ")), webrtc.ErrNoFingerprint},
		{"passive", swap("a=setup:actpass", "a=setup:passive"), webrtc.ErrSetup},
		{"holdconn", swap("a=setup:actpass", "a=setup:holdconn"), webrtc.ErrSetup},
		{"no ICE", without("a=ice-"), webrtc.ErrICE},
		{"short password", swap("a=ice-pwd:s9Lr1mAYYAvCQ2BNg2qOHQZU", "a=ice-pwd:short"), webrtc.ErrICE},
		{"no rtcp-mux", without("a=rtcp-mux"), webrtc.ErrNoMux},
		{"plain RTP", swap("UDP/TLS/RTP/SAVPF", "RTP/AVP"), media.ErrPlainRTP},
		{"SDES", swap("UDP/TLS/RTP/SAVPF", "RTP/SAVP"), sdp.ErrTransport},
		{"opus only", swap("111 63 9 0 8 13 110 126", "111"), media.ErrNoCodec},
		{"no audio", swap("m=audio 9", "m=audio 0"), sdp.ErrNoAudio},
		{"garbage", func(string) string { return "hello" }, sdp.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			leg := newLeg(t, e)
			_, err := leg.Answer(context.Background(), []byte(c.change(chrome())))
			require.ErrorIs(t, err, c.want)
			assert.Empty(t, leg.Codec())
			require.ErrorIs(t, leg.Play(context.Background(), tone(t, 440, time.Second)), media.ErrNotReady)
			require.NoError(t, leg.Close())
		})
	}
	bare, err := e.NewLeg(media.LegConfig{})
	require.NoError(t, err)
	_, err = bare.Answer(context.Background(), []byte(chrome()))
	require.ErrorIs(t, err, media.ErrInsecureSignalling)
	_, err = bare.Offer(context.Background())
	require.ErrorIs(t, err, media.ErrInsecureSignalling)
	require.ErrorIs(t, newLeg(t, e).Accept(context.Background(), []byte(chrome())), media.ErrState)
}

// A refused answer leaves the leg as it was.
func TestAnswersOfSomebodyElse(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg, b := newLeg(t, e), newBrowser(t)
	offer, err := leg.Offer(context.Background())
	require.NoError(t, err)
	again, err := leg.Offer(context.Background())
	require.NoError(t, err)
	require.Equal(t, string(offer), string(again), "an offer repeated after a challenge is the same")
	answer := b.answer(offer)
	require.ErrorIs(t, leg.Accept(context.Background(), []byte(strings.ReplaceAll(answer, "a=setup:active", "a=setup:actpass"))), webrtc.ErrSetup)
	require.NoError(t, leg.Accept(context.Background(), []byte(answer)))
	require.NoError(t, leg.Accept(context.Background(), []byte(answer)), "a 200 after a 183")
	fork := strings.ReplaceAll(answer, line(answer, "a=fingerprint"), "a=fingerprint:"+sha256Of)
	require.ErrorIs(t, leg.Accept(context.Background(), []byte(fork)), webrtc.ErrFingerprint)
	other := strings.ReplaceAll(answer, line(answer, "a=ice-ufrag"), "a=ice-ufrag:somebody")
	require.ErrorIs(t, leg.Accept(context.Background(), []byte(other)), webrtc.ErrICE)
	require.NoError(t, leg.Play(within(t, 20*time.Second), tone(t, 620, 500*time.Millisecond)))
	b.ear.wait(t, 25)
	assert.InDelta(t, 620, b.ear.pitch(), 3)
	assert.Equal(t, "media.Leg", fmt.Sprintf("%+v", leg))
}

// Where UDP is blocked, media comes over TCP.
func TestMediaOverTCP(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	e, _ := setup(t, webrtc.Config{TCP: l}, media.Config{})
	leg := newLeg(t, e)
	b := newBrowser(t, func(s *pion.SettingEngine) { s.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeTCP4}) })
	b.call(leg)
	heard := newEar()
	leg.SetTap(heard)
	b.mic.sing(440)
	require.NoError(t, leg.Play(within(t, 20*time.Second), tone(t, 620, 500*time.Millisecond)))
	b.ear.wait(t, 25)
	assert.InDelta(t, 620, b.ear.pitch(), 3)
	heard.wait(t, 25)
	assert.InDelta(t, 440, heard.pitch(), 3)
	require.NoError(t, leg.Close())
	require.NoError(t, e.Close())
}

// No description makes the reader or the library panic, and what it accepts is answered readably.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(chrome()))
	f.Add([]byte(strings.ReplaceAll(chrome(), "a=mid:0\r\n", "")))
	f.Add([]byte(strings.ReplaceAll(chrome(), "a=ssrc:1234567", "a=ssrc:99999999999")))
	f.Add([]byte(strings.ReplaceAll(chrome(), "a=sendrecv", "a=inactive")))
	e, _ := setup(f, webrtc.Config{}, media.Config{})
	f.Fuzz(func(t *testing.T, offer []byte) {
		leg, err := e.NewLeg(media.LegConfig{SignallingSecure: true})
		require.NoError(t, err)
		defer func() { _ = leg.Close() }()
		out, err := leg.Answer(context.Background(), offer)
		if err != nil {
			return
		}
		s, err := sdp.Parse(out)
		require.NoError(t, err)
		in, err := sdp.Parse(offer)
		require.NoError(t, err)
		require.Len(t, s.Media, len(in.Media))
	})
}
