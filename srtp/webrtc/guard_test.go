package webrtc_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
	pion "github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
	"github.com/ringfence/ringfence/srtp/webrtc"
)

// wiretap remembers a browser's sockets, so that a test can send with its source address.
type wiretap struct {
	transport.Net
	mu    sync.Mutex
	conns []transport.UDPConn
}

func (w *wiretap) ListenUDP(network string, laddr *net.UDPAddr) (transport.UDPConn, error) {
	c, err := w.Net.ListenUDP(network, laddr)
	if err == nil {
		w.mu.Lock()
		w.conns = append(w.conns, c)
		w.mu.Unlock()
	}
	return c, err
}

// record is a DTLS record without protection.
func record(kind byte, seq byte, body ...byte) []byte {
	return append([]byte{kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 1, seq, byte(len(body) >> 8), byte(len(body))}, body...)
}

// Whoever forges a browser's address but has no key cannot end its call: not by a plain close_notify, not by records that make no sense.
func TestForgedRecordsDoNotEndTheLeg(t *testing.T) {
	real, err := stdnet.NewNet()
	require.NoError(t, err)
	tap := &wiretap{Net: real}
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg := newLeg(t, e)
	b := newBrowser(t, func(s *pion.SettingEngine) { s.SetNet(tap) })
	answer := b.call(leg)
	b.connected()
	heard := newEar()
	leg.SetTap(heard)
	b.mic.sing(440)
	heard.wait(t, 10)
	s, err := sdp.Parse([]byte(answer))
	require.NoError(t, err)
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.Media[0].Port}
	stranger, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer stranger.Close()
	for seq, forged := range [][]byte{
		record(21, 1, 1, 0),  // close_notify
		record(21, 2, 2, 40), // fatal: handshake failure
		record(21, 3, 2),     // an alert cut short
		record(23, 4, 'h', 'i'),
		record(20, 5, 9),
		record(63, 6, 0),
		append(record(22, 7), record(21, 8, 1, 0)...), // behind something harmless
		record(21, 9, 1, 0)[:14],
	} {
		tap.mu.Lock()
		for _, c := range tap.conns {
			_, err := c.WriteTo(forged, to)
			assert.NoError(t, err)
		}
		tap.mu.Unlock()
		_, err := stranger.WriteTo(forged, to)
		require.NoError(t, err)
		heard.forget()
		heard.wait(t, 5)
		select {
		case <-leg.TimedOut():
			t.Fatalf("record %d ended the leg", seq)
		case <-leg.Done():
			t.Fatalf("record %d closed the leg", seq)
		default:
		}
	}
	heard.forget()
	heard.wait(t, 20)
	assert.InDelta(t, 440, heard.pitch(), 3)
	require.NoError(t, leg.Play(within(t, 5*time.Second), tone(t, 620, 500*time.Millisecond)))
	assert.InDelta(t, 620, b.ear.pitch(), 3)
	// The browser's own goodbye, which is protected, counts.
	b.hang()
	select {
	case <-leg.TimedOut():
	case <-time.After(20 * time.Second):
		t.Fatal("nobody noticed")
	}
}
