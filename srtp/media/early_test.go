package media_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/dtls"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// The peer's end of a handshake finishes first, and its media overtakes its last flight. What was said first is heard first, once the keys are there.
func TestMediaBeforeItsKeysIsHeard(t *testing.T) {
	const frames = 5
	leg := dtlsLeg(t, newEngine(t, media.Config{}), media.LegConfig{Propose: media.ProposeDTLS})
	heard := newEar()
	leg.SetTap(heard)
	offer, err := leg.Offer(context.Background())
	require.NoError(t, err)
	p := newBarePhone(t)
	desc, err := sdp.Parse(offer)
	require.NoError(t, err)
	p.to = netip.AddrPortFrom(loopback, uint16(desc.Media[0].Port))

	// Everything from the last flight's ChangeCipherSpec (content type 20) on is held back until the media was sent.
	var mu sync.Mutex
	var last [][]byte
	hold := true
	id := identity(t)
	_, told, _ := strings.Cut(string(offer), "a=fingerprint:")
	told, _, _ = strings.Cut(told, "\r\n")
	legs, err := dtls.ParseFingerprint(told)
	require.NoError(t, err)
	conn, err := dtls.New(dtls.Config{Identity: id, Role: dtls.SetupPassive, Fingerprints: []dtls.Fingerprint{legs}, Send: func(pkt []byte) error {
		mu.Lock()
		defer mu.Unlock()
		if hold && (len(last) > 0 || pkt[0] == 20) {
			last = append(last, bytes.Clone(pkt))
			return nil
		}
		p.send(pkt)
		return nil
	}})
	require.NoError(t, err)
	delivered := make(chan struct{})
	defer func() { conn.Close(); _ = p.conn.Close(); <-delivered }()
	go func() { // ends when the socket is closed, waited for above
		defer close(delivered)
		b := make([]byte, 1500)
		for {
			n, err := p.conn.Read(b)
			if err != nil {
				return
			}
			if dtls.IsDTLS(b[:n]) {
				conn.Deliver(bytes.Clone(b[:n]))
			}
		}
	}()
	answer := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %s UDP/TLS/RTP/SAVP 0\r\na=rtcp-mux\r\na=setup:passive\r\n"+
		"a=fingerprint:%s\r\n", portOf(p.addr()), id.Fingerprint())
	require.NoError(t, leg.Accept(context.Background(), []byte(answer)))
	keys, err := conn.Handshake(within(t, 10*time.Second))
	require.NoError(t, err)
	p.tx, err = srtp.NewSender(keys.Local, srtp.SenderConfig{})
	require.NoError(t, err)
	for range frames {
		p.send(p.packet(0, frame(0xd5)))
	}
	mu.Lock()
	hold = false
	for _, pkt := range last {
		p.send(pkt)
	}
	mu.Unlock()
	verified(t, leg)
	p.send(p.packet(0, frame(0xd5)))
	heard.wait(t, frames+1)
	assert.Zero(t, leg.Stats().AuthFailures)
}
