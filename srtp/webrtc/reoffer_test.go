package webrtc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
	"github.com/ringfence/ringfence/srtp/webrtc"
)

// Our offer in a call the browser began keeps its streams in number and order, their names, and what payload types mean (RFC 3264 section 8, RFC 5888).
func TestOurReofferFitsTheCall(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg := newLeg(t, e)
	theirs := strings.NewReplacer("a=mid:0", "a=mid:voice", "BUNDLE 0 1", "BUNDLE voice 1").Replace(chrome())
	answer, err := leg.Answer(within(t, 5*time.Second), []byte(theirs))
	require.NoError(t, err)
	offer, err := leg.Offer(within(t, 5*time.Second))
	require.NoError(t, err)
	s, err := sdp.Parse(offer)
	require.NoError(t, err)
	require.Len(t, s.Media, 2)
	assert.Equal(t, "audio", s.Media[0].Kind)
	assert.Equal(t, "UDP/TLS/RTP/SAVPF", s.Media[0].Proto)
	assert.Equal(t, []string{"0", "8", "126"}, s.Media[0].Formats)
	assert.Equal(t, 0, s.Media[1].Port, "video stays off, in its place")
	for i, want := range []string{"voice", "1"} {
		mid, _ := s.Media[i].Attr("mid")
		assert.Equal(t, want, mid)
	}
	group, _ := s.Attr("group")
	assert.Equal(t, "BUNDLE voice", group)
	assert.Equal(t, origin(answer)+1, origin(offer))
	assert.Equal(t, line(string(answer), "a=ice-ufrag"), line(string(offer), "a=ice-ufrag"), "the connection is the same")
	again, err := leg.Offer(within(t, 5*time.Second))
	require.NoError(t, err)
	assert.Equal(t, string(offer), string(again))
}

// A real peer takes such an offer, and media goes on over the connection there is.
func TestOurReofferKeepsTheConnection(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg, b := newLeg(t, e), newBrowser(t)
	heard := newEar()
	leg.SetTap(heard)
	b.call(leg)
	b.mic.sing(440)
	heard.wait(t, 5)
	b.ring(leg)
	defer leg.Loop(tone(t, 620, time.Second))()
	heard.forget()
	heard.wait(t, 25)
	assert.InDelta(t, 440, heard.pitch(), 3)
	b.ear.wait(t, 25)
	assert.InDelta(t, 620, b.ear.pitch(), 3)
	assert.Equal(t, 1, b.sources())
	b.mic.sing(0)
	b.mic.press(3)
	d, err := leg.ReadDigit(within(t, 5*time.Second))
	require.NoError(t, err)
	assert.Equal(t, "3", string(d))
}

// RFC 8842: a new tls-id is a new association, with a connection of its own; the same one, new ICE credentials and a peer without any are not.
func TestTLSID(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg := newLeg(t, e)
	with := func(id string) []byte {
		return []byte(strings.Replace(chrome(), "a=mid:0\r\n", "a=mid:0\r\na=tls-id:"+id+"\r\n", 1))
	}
	answer := func(offer []byte) string {
		out, err := leg.Answer(within(t, 5*time.Second), offer)
		require.NoError(t, err)
		return string(out)
	}
	answer([]byte(chrome())) // a peer may begin to name its association
	first := answer(with("aaaaaaaaaaaaaaaaaaaaaaaaa"))
	assert.Len(t, line(first, "a=tls-id:"), len("a=tls-id:")+26)
	assert.Equal(t, first, answer(with("aaaaaaaaaaaaaaaaaaaaaaaaa")))
	without := answer([]byte(chrome()))
	assert.Empty(t, line(without, "a=tls-id:"), "not answered where it is not offered")
	assert.Equal(t, line(first, "a=ice-ufrag"), line(without, "a=ice-ufrag"))
	answer(with("aaaaaaaaaaaaaaaaaaaaaaaaa"))
	second := answer(with("bbbbbbbbbbbbbbbbbbbbbbbbb"))
	assert.NotEqual(t, line(first, "a=ice-ufrag"), line(second, "a=ice-ufrag"))
	assert.NotEqual(t, line(first, "a=tls-id:"), line(second, "a=tls-id:"))
	offer, err := leg.Offer(within(t, 5*time.Second))
	require.NoError(t, err)
	assert.Equal(t, line(second, "a=tls-id:"), line(string(offer), "a=tls-id:"), "our offers name the association too")
}

// RFC 8858: we say that there is no port for RTCP, and believe a peer that says it.
func TestRTCPMuxOnly(t *testing.T) {
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg := newLeg(t, e)
	offer, err := leg.Offer(within(t, 5*time.Second))
	require.NoError(t, err)
	assert.Contains(t, string(offer), "a=rtcp-mux\r\n")
	assert.Contains(t, string(offer), "a=rtcp-mux-only\r\n")
	assert.NotContains(t, string(offer), "a=rtcp:")
	leg = newLeg(t, e)
	out, err := leg.Answer(within(t, 5*time.Second), []byte(strings.ReplaceAll(chrome(), "a=rtcp-mux", "a=rtcp-mux-only")))
	require.NoError(t, err)
	assert.Contains(t, string(out), "a=rtcp-mux\r\n")
	assert.NotContains(t, string(out), "a=rtcp-mux-only", "an answer does not repeat it")
}
