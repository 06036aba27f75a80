package media_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/media"
)

func TestPlainRTPIsRefused(t *testing.T) {
	control.Proves(t, "ENC-09")
	e := newEngine(t, media.Config{})
	for _, offer := range []string{
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n",
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVPF 0\r\n",
		// opportunistic encryption, RFC 8643
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + strings.Repeat("A", 40) + "\r\n",
	} {
		leg := newLeg(t, e)
		_, err := leg.Answer(context.Background(), []byte(offer))
		require.ErrorIs(t, err, media.ErrPlainRTP)
	}
	// Unprotected packets on a protected port are dropped and counted.
	leg := newLeg(t, e)
	phone := newBarePhone(t)
	phone.call(leg)
	heard := newEar()
	leg.SetTap(heard)
	plain := append([]byte{0x80, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4}, frame(1)...)
	phone.send(plain)
	phone.send(phone.packet(0, frame(1)))
	heard.wait(t, 1)
	phone.send(plain)
	phone.send(phone.packet(0, frame(1)))
	heard.wait(t, 1)
	assert.Equal(t, 2, heard.frames())
	assert.EqualValues(t, 2, leg.Stats().AuthFailures)
	// What we send is protected: the payload is not in the clear.
	require.NoError(t, leg.Play(within(t, 5*time.Second), tone(t, 440, 20*time.Millisecond)))
	clear := phone.receive()
	assert.Len(t, clear, 172)
}

func TestKeysNeedSecureSignalling(t *testing.T) {
	control.Proves(t, "ENC-10")
	e := newEngine(t, media.Config{})
	leg, err := e.NewLeg(media.LegConfig{})
	require.NoError(t, err)
	ctx := context.Background()
	_, err = leg.Offer(ctx)
	require.ErrorIs(t, err, media.ErrInsecureSignalling)
	_, err = leg.Answer(ctx, newBarePhone(t).offer())
	require.ErrorIs(t, err, media.ErrInsecureSignalling)
	require.ErrorIs(t, leg.Accept(ctx, nil), media.ErrInsecureSignalling)

	// Two calls never share a key, nor do the directions of one.
	seen := map[string]bool{}
	inline := regexp.MustCompile(`inline:(\S+)`)
	for range 20 {
		a, b := newLeg(t, e), newLeg(t, e)
		offer, err := a.Offer(ctx)
		require.NoError(t, err)
		answer, err := b.Answer(ctx, offer)
		require.NoError(t, err)
		for _, m := range inline.FindAllStringSubmatch(string(offer)+string(answer), -1) {
			require.False(t, seen[m[1]], "a key appeared twice")
			seen[m[1]] = true
		}
		_, _ = a.Close(), b.Close()
	}
	require.Len(t, seen, 20*5)

	// Keys never appear in logs or in anything printed.
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	e2 := newEngine(t, media.Config{Logger: logger})
	phone, leg2 := newLeg(t, e2), newLeg(t, e2)
	offer, err := phone.Offer(ctx)
	require.NoError(t, err)
	answer, err := leg2.Answer(ctx, offer)
	require.NoError(t, err)
	require.NoError(t, phone.Accept(ctx, answer))
	for _, v := range []any{phone, leg2, e2, leg2.Security(), leg2.Stats(), e2.Stats()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
		logger.Info("value", "v", v)
		j, _ := json.Marshal(v)
		log.Write(j)
	}
	_, err = leg2.Answer(ctx, bytes.ReplaceAll(offer, []byte("inline:"), []byte("inline;")))
	require.Error(t, err)
	fmt.Fprintln(&log, err)
	_ = e2.Close()
	for _, m := range inline.FindAllStringSubmatch(string(offer)+string(answer), -1) {
		assert.NotContains(t, log.String(), m[1][:16])
	}
	assert.Contains(t, log.String(), "media leg ended", "the log was looked at")
}

func TestStrangersForgersAndReplaysAreNeverHeard(t *testing.T) {
	e := newEngine(t, media.Config{})
	leg := newLeg(t, e)
	phone := newBarePhone(t)
	phone.call(leg)
	heard := newEar()
	leg.SetTap(heard)
	stranger, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	require.NoError(t, err)
	defer stranger.Close()

	// Before anything authentic: a stranger's junk must not latch.
	phone.sendFrom(stranger, append([]byte{0x80, 0, 0, 1}, make([]byte, 200)...))
	first := phone.packet(0, frame(1))
	phone.send(first)
	heard.wait(t, 1)
	s := leg.Stats()
	assert.EqualValues(t, 1, s.Strangers)
	assert.Zero(t, s.AuthFailures, "what a stranger sends is no failure of the phone's")

	// After: even a packet the phone made itself is dropped when it comes from elsewhere, before any cryptography.
	second := phone.packet(0, frame(2))
	phone.sendFrom(stranger, second)
	// A replay of a packet that was heard, a forged one, and then a good one.
	phone.send(first)
	forged := bytes.Clone(phone.packet(0, frame(3)))
	forged[20] ^= 1
	phone.send(forged)
	phone.send(phone.packet(0, frame(4)))
	heard.wait(t, 1)
	assert.Equal(t, 2, heard.frames())
	s = leg.Stats()
	assert.EqualValues(t, 2, s.Strangers)
	assert.EqualValues(t, 1, s.Replays)
	assert.EqualValues(t, 1, s.AuthFailures)
	assert.EqualValues(t, 2, s.Received)
	assert.EqualValues(t, 2, e.Stats().Strangers)

	// The leg sends to the phone, not to the stranger.
	require.NoError(t, leg.Play(within(t, 5*time.Second), tone(t, 440, 20*time.Millisecond)))
	phone.receive()
}

func TestSourceMayMoveOnlyWhenTheOldOneIsSilent(t *testing.T) {
	e := newEngine(t, media.Config{})
	leg := newLeg(t, e)
	phone := newBarePhone(t)
	phone.call(leg)
	heard := newEar()
	leg.SetTap(heard)
	phone.send(phone.packet(0, frame(1)))
	heard.wait(t, 1)
	moved, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	require.NoError(t, err)
	defer moved.Close()
	// The phone goes on from another port. Its packets are strangers' until the old port has been silent for two seconds.
	start := time.Now()
	require.Eventually(t, func() bool {
		phone.sendFrom(moved, phone.packet(0, frame(2)))
		return heard.frames() > 1
	}, 10*time.Second, 50*time.Millisecond)
	assert.Greater(t, time.Since(start), 1500*time.Millisecond)
	assert.Greater(t, leg.Stats().Strangers, uint64(10))
	old := phone.conn
	phone.conn = moved
	require.NoError(t, leg.Play(within(t, 5*time.Second), tone(t, 440, 20*time.Millisecond)))
	phone.receive()
	phone.conn = old
}

func TestWithheldAudioNeverReachesTheTap(t *testing.T) {
	e := newEngine(t, media.Config{})
	leg := newLeg(t, e)
	phone := newBarePhone(t)
	phone.call(leg)
	heard := newEar()
	leg.SetTap(heard)
	phone.send(phone.packet(0, frame(1)))
	heard.wait(t, 1)
	leg.WithholdTaps(true)
	phone.send(phone.packet(0, frame(2)))
	phone.send(phone.packet(96, []byte{7, 0x0a, 0, 160}))
	d, err := leg.ReadDigit(within(t, 5*time.Second))
	require.NoError(t, err)
	assert.Equal(t, byte('7'), d, "the IVR still gets the digit")
	leg.WithholdTaps(false)
	phone.send(phone.packet(0, frame(3)))
	heard.wait(t, 1)
	assert.Equal(t, 2, heard.frames())
	assert.Equal(t, 60*time.Millisecond, heard.at[1]-heard.at[0], "the gap has the right length")
	assert.NotContains(t, fmt.Sprint(heard.codecs), "event")
}

func TestNewEngineRefusesUnsafeConfigurations(t *testing.T) {
	for name, cfg := range map[string]media.Config{
		"no address":    {},
		"unspecified":   {Addr: netip.IPv4Unspecified()},
		"multicast":     {Addr: netip.MustParseAddr("224.0.0.1")},
		"half a range":  {Addr: loopback, PortMin: 4000},
		"range upside":  {Addr: loopback, PortMin: 4000, PortMax: 3000},
		"short timeout": {Addr: loopback, Timeout: time.Millisecond},
		"bad policy":    {Addr: loopback, Policy: srtp.Policy{Suites: []srtp.Suite{99}}},
	} {
		_, err := media.New(cfg)
		assert.ErrorIs(t, err, media.ErrConfig, name)
	}
	e := newEngine(t, media.Config{})
	for _, codecs := range [][]string{{"G729"}, {"PCMU", "PCMU"}} {
		_, err := e.NewLeg(media.LegConfig{Codecs: codecs})
		assert.ErrorIs(t, err, media.ErrConfig)
	}
}
