package media_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/srtp/dtls"
	"github.com/ringfence/ringfence/srtp/media"
)

func identity(t testing.TB) *dtls.Identity {
	t.Helper()
	id, err := dtls.NewIdentity(time.Now())
	require.NoError(t, err)
	return id
}

func dtlsLeg(t testing.TB, e *media.Engine, cfg media.LegConfig) *media.Leg {
	t.Helper()
	cfg.SignallingSecure = true
	if cfg.DTLS == nil {
		cfg.DTLS = identity(t)
	}
	l, err := e.NewLeg(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// verified waits until the leg's handshake is over.
func verified(t testing.TB, l *media.Leg) {
	t.Helper()
	require.Eventually(t, func() bool { return l.Security().PeerVerified }, 10*time.Second, time.Millisecond)
}

func TestDTLSKeysALegBothWays(t *testing.T) {
	leaktest.Check(t)
	e := newEngine(t, media.Config{})
	phone, leg := dtlsLeg(t, e, media.LegConfig{Propose: media.ProposeDTLS}), dtlsLeg(t, e, media.LegConfig{})
	negotiate(t, phone, leg)
	heard, back := newEar(), newEar()
	phone.SetTap(heard)
	leg.SetTap(back)
	// A prompt begun before the handshake is over waits for it, and nothing of it is lost.
	require.NoError(t, leg.Play(within(t, 10*time.Second), tone(t, 440, 500*time.Millisecond)))
	heard.wait(t, 25)
	assert.InDelta(t, 440, heard.pitch(), 3)
	require.NoError(t, phone.Play(within(t, 10*time.Second), tone(t, 1000, 500*time.Millisecond)))
	back.wait(t, 25)
	assert.InDelta(t, 1000, back.pitch(), 3)
	for _, l := range []*media.Leg{phone, leg} {
		verified(t, l)
		s := l.Security()
		assert.Equal(t, "DTLS-SRTP", s.KeyMethod)
		assert.Equal(t, "AEAD_AES_256_GCM", s.Suite)
		assert.Equal(t, "UDP/TLS/RTP/SAVP", s.Profile)
		assert.Equal(t, "sha-256", s.FingerprintHash)
		assert.True(t, s.Authenticated)
	}
	// A session refresh begins no handshake, and the stream goes on.
	negotiate(t, phone, leg)
	negotiate(t, leg, phone)
	require.NoError(t, leg.Play(within(t, 10*time.Second), tone(t, 440, 100*time.Millisecond)))
	heard.wait(t, 5)
	assert.Zero(t, phone.Stats().AuthFailures)
}

func TestDTLSAndSDESLegsAreBridged(t *testing.T) {
	e := newEngine(t, media.Config{})
	a, toA := dtlsLeg(t, e, media.LegConfig{Propose: media.ProposeDTLS}), dtlsLeg(t, e, media.LegConfig{})
	negotiate(t, a, toA)
	b, toB := pair(t, e)
	br, err := media.NewBridge(toA, toB)
	require.NoError(t, err)
	defer br.Close()
	heard := newEar()
	b.SetTap(heard)
	require.NoError(t, a.Play(within(t, 10*time.Second), tone(t, 700, 500*time.Millisecond)))
	heard.wait(t, 20)
	assert.InDelta(t, 700, heard.pitch(), 3)
}

// Who changes the fingerprint on its way, or answers with another certificate, gets no media: the leg ends.
func TestWrongCertificateEndsTheLeg(t *testing.T) {
	leaktest.Check(t)
	e := newEngine(t, media.Config{})
	phone, leg := dtlsLeg(t, e, media.LegConfig{Propose: media.ProposeDTLS}), dtlsLeg(t, e, media.LegConfig{})
	ctx := context.Background()
	offer, err := phone.Offer(ctx)
	require.NoError(t, err)
	mallory := identity(t).Fingerprint().String()
	before, after, _ := strings.Cut(string(offer), "a=fingerprint:")
	_, rest, _ := strings.Cut(after, "\r\n")
	answer, err := leg.Answer(ctx, []byte(before+"a=fingerprint:"+mallory+"\r\n"+rest))
	require.NoError(t, err)
	heard := newEar()
	leg.SetTap(heard)
	require.NoError(t, phone.Accept(ctx, answer))
	_ = phone.Play(within(t, time.Second), tone(t, 700, 100*time.Millisecond))
	select {
	case <-leg.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the leg goes on with a peer nobody knows")
	}
	assert.Zero(t, heard.frames())
	assert.False(t, leg.Security().PeerVerified)
}

func TestDTLSOffersThatAreRefused(t *testing.T) {
	e := newEngine(t, media.Config{})
	ctx := context.Background()
	offer, err := dtlsLeg(t, e, media.LegConfig{Propose: media.ProposeDTLS}).Offer(ctx)
	require.NoError(t, err)
	_, err = newLeg(t, e).Answer(ctx, offer)
	require.Error(t, err, "a leg without a certificate cannot")
	without := func(name string) []byte {
		var lines [][]byte
		for _, line := range bytes.SplitAfter(offer, []byte("\r\n")) {
			if !bytes.HasPrefix(line, []byte("a="+name)) {
				lines = append(lines, line)
			}
		}
		return bytes.Join(lines, nil)
	}
	_, err = dtlsLeg(t, e, media.LegConfig{}).Answer(ctx, without("fingerprint"))
	require.Error(t, err)
	weak := append(without("fingerprint"), "a=fingerprint:sha-1 "+strings.Repeat("AB:", 19)+"AB\r\n"...)
	_, err = dtlsLeg(t, e, media.LegConfig{}).Answer(ctx, weak)
	require.ErrorIs(t, err, dtls.ErrWeakFingerprint)
	_, err = e.NewLeg(media.LegConfig{SignallingSecure: true, Propose: media.ProposeDTLS})
	require.ErrorIs(t, err, media.ErrConfig)
	plain, err := e.NewLeg(media.LegConfig{DTLS: identity(t)})
	require.NoError(t, err)
	_, err = plain.Answer(ctx, offer)
	require.ErrorIs(t, err, media.ErrInsecureSignalling)
}

// An offer that brings both gets DTLS, whose keys the signalling never sees.
func TestDTLSGoesBeforeSDES(t *testing.T) {
	e := newEngine(t, media.Config{})
	p := newBarePhone(t)
	answer, err := dtlsLeg(t, e, media.LegConfig{}).Answer(context.Background(), p.offer("a=fingerprint:"+identity(t).Fingerprint().String(), "a=setup:actpass"))
	require.NoError(t, err)
	assert.NotContains(t, string(answer), "a=crypto")
	assert.Contains(t, string(answer), "a=setup:passive")
	answer, err = newLeg(t, e).Answer(context.Background(), p.offer("a=fingerprint:"+identity(t).Fingerprint().String(), "a=setup:actpass"))
	require.NoError(t, err)
	assert.Contains(t, string(answer), "a=crypto")
	assert.NotContains(t, string(answer), "a=fingerprint")
}

// A stranger who sends handshakes from elsewhere, first and often, does not keep the phone out.
func TestStrangersDoNotDisturbAHandshake(t *testing.T) {
	e := newEngine(t, media.Config{})
	phone, leg := dtlsLeg(t, e, media.LegConfig{Propose: media.ProposeDTLS}), dtlsLeg(t, e, media.LegConfig{})
	ctx := context.Background()
	offer, err := phone.Offer(ctx)
	require.NoError(t, err)
	answer, err := leg.Answer(ctx, offer)
	require.NoError(t, err)
	stranger, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.2:0")))
	require.NoError(t, err)
	defer stranger.Close()
	to := portIn(t, answer)
	for range 50 {
		_, err = stranger.WriteToUDPAddrPort(append([]byte{22, 254, 253}, make([]byte, 100)...), to)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return leg.Stats().Strangers >= 50 }, 5*time.Second, time.Millisecond)
	require.NoError(t, phone.Accept(ctx, answer))
	verified(t, leg)
}

func portIn(t *testing.T, desc []byte) netip.AddrPort {
	t.Helper()
	_, after, ok := strings.Cut(string(desc), "m=audio ")
	require.True(t, ok)
	return netip.MustParseAddrPort("127.0.0.1:" + strings.Fields(after)[0])
}

// A new certificate in a re-offer is another association: the media goes on under new keys.
func TestNewCertificateIsANewHandshake(t *testing.T) {
	e := newEngine(t, media.Config{})
	leg := dtlsLeg(t, e, media.LegConfig{})
	first, second := dtlsLeg(t, e, media.LegConfig{Propose: media.ProposeDTLS}), dtlsLeg(t, e, media.LegConfig{Propose: media.ProposeDTLS})
	negotiate(t, first, leg)
	verified(t, leg)
	_ = first.Close()
	negotiate(t, second, leg)
	verified(t, second)
	heard := newEar()
	second.SetTap(heard)
	require.NoError(t, leg.Play(within(t, 10*time.Second), tone(t, 700, 400*time.Millisecond)))
	heard.wait(t, 15)
	assert.InDelta(t, 700, heard.pitch(), 3)
}

// A phone of which nobody knows what it speaks is offered both, and takes what it has.
func TestThePhoneChoosesHowToKey(t *testing.T) {
	e := newEngine(t, media.Config{})
	for name, phone := range map[string]*media.Leg{"SDES": newLeg(t, e), "DTLS-SRTP": dtlsLeg(t, e, media.LegConfig{})} {
		t.Run(name, func(t *testing.T) {
			leg := dtlsLeg(t, e, media.LegConfig{Propose: media.ProposeBoth})
			negotiate(t, leg, phone)
			heard := newEar()
			phone.SetTap(heard)
			require.NoError(t, leg.Play(within(t, 10*time.Second), tone(t, 700, 300*time.Millisecond)))
			heard.wait(t, 10)
			assert.InDelta(t, 700, heard.pitch(), 3)
			assert.Equal(t, name, leg.Security().KeyMethod)
			negotiate(t, leg, phone)
			negotiate(t, phone, leg)
			require.NoError(t, leg.Play(within(t, 10*time.Second), tone(t, 700, 100*time.Millisecond)))
			heard.wait(t, 5)
		})
	}
}
