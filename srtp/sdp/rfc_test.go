package sdp_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/sdp"
)

func rfcText(media ...string) string {
	return strings.Join(append([]string{"v=0", "o=alice 2890844526 2890844526 IN IP4 host.anywhere.com", "s=", "c=IN IP4 host.anywhere.com", "t=0 0"}, media...), "\r\n") + "\r\n"
}

func lineOf(t testing.TB, text string, n int) string {
	s, err := sdp.Parse([]byte(text))
	require.NoError(t, err)
	out, err := (&sdp.Session{Media: s.Media[n : n+1]}).Marshal()
	require.NoError(t, err)
	for _, l := range strings.Split(string(out), "\r\n") {
		if strings.HasPrefix(l, "m=") {
			return l
		}
	}
	return ""
}

func plainEnd(t testing.TB) *end {
	e := newEnd(t, 2890844730, "192.0.2.2:49920")
	e.local.Crypto, e.local.InsecurePlainRTP = nil, true
	return e
}

// RFC 3264 section 10.1: one audio and two video streams; later the audio moves and events get a line of their own. We take audio only.
func TestRFC3264BasicExchange(t *testing.T) {
	bob := plainEnd(t)
	answer, a := bob.answer(rfcText("m=audio 49170 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "m=video 51372 RTP/AVP 31", "a=rtpmap:31 H261/90000",
		"m=video 53000 RTP/AVP 32", "a=rtpmap:32 MPV/90000"))
	require.Equal(t, "m=audio 49920 RTP/AVP 0", lineOf(t, answer, 0))
	require.Equal(t, "m=video 0 RTP/AVP 31", lineOf(t, answer, 1))
	require.Equal(t, "m=video 0 RTP/AVP 32", lineOf(t, answer, 2))
	require.Equal(t, "host.anywhere.com", a.RemoteHost)

	second := bob.offer()
	require.Equal(t, version(t, answer)+1, version(t, second), "more codecs and rtcp-mux than in the answer")
	require.Equal(t, "m=video 0 RTP/AVP 31", lineOf(t, second, 1))
	agreed := bob.accept(rfcText("m=audio 49170 RTP/AVP 0", "m=video 0 RTP/AVP 31", "m=video 0 RTP/AVP 32"))
	require.Equal(t, "PCMU/8000@0", codecText(agreed.Audio[0]))
	require.Empty(t, agreed.DTMF.Name)

	third, a := bob.answer(rfcText("m=audio 65422 RTP/AVP 0", "m=video 0 RTP/AVP 31", "m=video 53000 RTP/AVP 32", "m=audio 51434 RTP/AVP 110",
		"a=rtpmap:110 telephone-events/8000", "a=recvonly"))
	require.EqualValues(t, 65422, a.Remote.Port())
	require.Equal(t, "m=audio 0 RTP/AVP 110", lineOf(t, third, 3))
}

// RFC 3264 section 10.2: one of several codecs is selected, and the selection is offered again alone.
func TestRFC3264OneOfN(t *testing.T) {
	bob := plainEnd(t)
	answer, a := bob.answer(rfcText("m=audio 62986 RTP/AVP 0 4 18", "a=rtpmap:0 PCMU/8000", "a=rtpmap:4 G723/8000", "a=rtpmap:18 G729/8000", "a=inactive"))
	require.Equal(t, sdp.Inactive, a.Direction)
	require.Contains(t, answer, "a=inactive\r\n")
	answer, a = bob.answer(rfcText("m=audio 62986 RTP/AVP 0 18", "a=sendrecv"))
	require.Equal(t, sdp.SendRecv, a.Direction)
	require.Equal(t, "m=audio 49920 RTP/AVP 0", lineOf(t, answer, 0))
}

// RFC 4317: codec selection (2.1), hold and resume (3.1), a stream added (4.1) and removed (4.3), 3PCC without streams (5.1).
func TestRFC4317(t *testing.T) {
	bob := plainEnd(t)
	bob.local.Codecs = []string{sdp.PCMU}
	codecs := []string{"a=rtpmap:0 PCMU/8000", "a=rtpmap:97 iLBC/8000"}
	offer := func(lines ...string) string {
		return rfcText(append([]string{"m=audio 49170 RTP/AVP 0 97"}, append(codecs, lines...)...)...)
	}
	answer, _ := bob.answer(rfcText("m=audio 49170 RTP/AVP 0 8 97", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:97 iLBC/8000",
		"m=video 51372 RTP/AVP 31 32", "a=rtpmap:31 H261/90000", "a=rtpmap:32 MPV/90000"))
	require.Equal(t, "m=audio 49920 RTP/AVP 0", lineOf(t, answer, 0))
	require.Equal(t, "m=video 0 RTP/AVP 31 32", lineOf(t, answer, 1))

	bob = plainEnd(t)
	answer, _ = bob.answer(offer())
	first := version(t, answer)
	held, a := bob.answer(offer("a=sendonly"))
	require.Equal(t, sdp.RecvOnly, a.Direction)
	require.Equal(t, first+1, version(t, held))
	resumed, a := bob.answer(offer())
	require.Equal(t, sdp.SendRecv, a.Direction)
	require.Equal(t, first+2, version(t, resumed))

	added, a := bob.answer(offer("m=audio 49172 RTP/AVP 98", "a=rtpmap:98 telephone-event/8000", "a=sendonly"))
	require.Equal(t, 0, a.Index)
	require.Equal(t, "m=audio 0 RTP/AVP 98", lineOf(t, added, 1))
	removed, _ := bob.answer(offer("m=audio 0 RTP/AVP 98"))
	require.Equal(t, added, removed)

	none := parse(t, audio()...)
	_, err := sdp.Agree(none, bob.l())
	require.ErrorIs(t, err, sdp.ErrNoAudio)
	require.Empty(t, sdp.Off(none, bob.l()).Media)
}
