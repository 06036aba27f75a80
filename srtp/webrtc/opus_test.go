package webrtc_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	pion "github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/internal/carrier"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
	"github.com/ringfence/ringfence/srtp/webrtc"
)

// pipe is the upper side of a carrier: it takes what a leg would.
type pipe struct {
	agreed  sdp.Agreed
	wire    carrier.Wire
	packets chan []byte
}

func (p *pipe) Local() (netip.Addr, uint16, uint16) { return loopback, 0, 0 }
func (p *pipe) Stranger()                           {}
func (p *pipe) Agree(a sdp.Agreed, w carrier.Wire)  { p.agreed, p.wire = a, w }
func (p *pipe) RTCP([]byte)                         {}
func (p *pipe) Lost()                               {}
func (p *pipe) Fail(string)                         {}
func (p *pipe) RTP(b []byte) {
	select {
	case p.packets <- bytes.Clone(b):
	default:
	}
}

// until sends again and again until something comes.
func until(t *testing.T, from <-chan []byte, send func()) []byte {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		send()
		select {
		case b := <-from:
			return b
		case <-tick.C:
		case <-deadline:
			t.Fatal("heard nothing")
		}
	}
}

// A leg that lists Opus gets it, with digits at its clock, whoever offers, and payloads pass as they are: what one browser says another hears without a codec
// in between.
func TestOpusPassesUntouched(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	for _, browserOffers := range []bool{true, false} {
		p, b := &pipe{packets: make(chan []byte, 100)}, newBrowser(t)
		c := webrtc.NewCarrier(e, p, sdp.Opus, sdp.PCMU)
		t.Cleanup(c.Close)
		ours := ""
		if browserOffers {
			answer, err := c.Answer(within(t, 5*time.Second), []byte(b.offer()))
			require.NoError(t, err)
			b.take(pion.SDPTypeAnswer, answer)
			ours = string(answer)
			assert.Contains(t, ours, "m=audio ")
			assert.Contains(t, ours, " UDP/TLS/RTP/SAVPF 105 100\r\n", "one codec, and its digits")
			assert.Contains(t, ours, "a=fmtp:105 minptime=10;useinbandfec=1\r\n")
		} else {
			offer, err := c.Offer(within(t, 5*time.Second))
			require.NoError(t, err)
			require.NoError(t, c.Accept(within(t, 5*time.Second), []byte(b.answer(offer))))
			ours = string(offer)
			assert.Contains(t, ours, " UDP/TLS/RTP/SAVPF 111 0 ")
			assert.Contains(t, ours, "a=rtpmap:0 PCMU/8000\r\n")
			assert.Contains(t, ours, " telephone-event/8000\r\n")
			assert.Contains(t, ours, "a=fmtp:111 minptime=10;useinbandfec=1\r\n")
		}
		assert.Contains(t, ours, " opus/48000/2\r\n")
		assert.Contains(t, ours, " telephone-event/48000\r\n")
		require.Equal(t, sdp.Opus, p.agreed.Audio[0].Name)
		assert.Equal(t, 48000, p.agreed.DTMF.Clock)
		require.Eventually(t, p.wire.Up, 20*time.Second, 10*time.Millisecond)

		// Opus of any length, and nothing of it is a frame of ours.
		payload := append([]byte{0x78}, bytes.Repeat([]byte{0xa5, 0x5a, 7}, 30)...)
		pt := p.agreed.Audio[0].PT
		got := until(t, p.packets, func() {
			b.mic.mu.Lock()
			defer b.mic.mu.Unlock()
			b.mic.head.Timestamp += 960
			b.mic.send(pt, false, b.mic.head.Timestamp, payload)
		})
		assert.Equal(t, payload, got[12:])
		assert.Equal(t, pt, got[1]&0x7f)
		pkt := append([]byte{0x80, pt, 0, 9, 0, 0, 3, 0xc0, 0, 0, 0, 0}, payload...)
		binary.BigEndian.PutUint32(pkt[8:], p.wire.SSRC())
		back := until(t, b.raw, func() {
			pkt[3]++
			pkt[6] += 4 // about 20 ms
			assert.NoError(t, p.wire.WriteRTP(pkt))
		})
		assert.Equal(t, payload, back)
		c.Close()
	}
}

// A leg that does not list Opus does not get it, and G.711 is what a browser without Opus gets from one that does.
func TestOpusIsAChoice(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	c := webrtc.NewCarrier(e, &pipe{}, sdp.PCMA)
	t.Cleanup(c.Close)
	out, err := c.Answer(within(t, 5*time.Second), []byte(chrome()))
	require.NoError(t, err)
	assert.NotContains(t, string(out), "opus")
	assert.NotContains(t, string(out), "48000")
	p := &pipe{}
	c = webrtc.NewCarrier(e, p, sdp.Opus, sdp.PCMU)
	t.Cleanup(c.Close)
	_, err = c.Answer(within(t, 5*time.Second), bytes.ReplaceAll([]byte(chrome()), []byte("111 63 9 0"), []byte("63 9 0")))
	require.NoError(t, err)
	assert.Equal(t, sdp.PCMU, p.agreed.Audio[0].Name)
	assert.Equal(t, 8000, p.agreed.DTMF.Clock)
}
