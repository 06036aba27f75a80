package sdp_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/sdp"
)

// end is one side of a session, as a program would write it.
type end struct {
	t     testing.TB
	h     sdp.History
	local sdp.Local
}

func newEnd(t testing.TB, id uint64, addr string) *end {
	return &end{t: t, local: sdp.Local{ID: id, RTP: netip.MustParseAddrPort(addr), Crypto: sdp.Keys{"1 " + sdes80}}}
}

func (e *end) l() sdp.Local {
	l := e.local
	l.History = &e.h
	return l
}

func (e *end) offer() string {
	e.t.Helper()
	out, err := e.h.Marshal(sdp.Offer(e.l()))
	require.NoError(e.t, err)
	return string(out)
}

func (e *end) answer(offer string) (string, sdp.Agreed) {
	e.t.Helper()
	s, err := sdp.Parse([]byte(offer))
	require.NoError(e.t, err)
	e.h.Received(s)
	a, err := sdp.Agree(s, e.l())
	require.NoError(e.t, err)
	out, err := e.h.Marshal(sdp.Answer(s, a, e.l()))
	require.NoError(e.t, err)
	return string(out), a
}

func (e *end) accept(answer string) sdp.Agreed {
	e.t.Helper()
	s, err := sdp.Parse([]byte(answer))
	require.NoError(e.t, err)
	e.h.Received(s)
	a, err := sdp.Accept(s, e.l())
	require.NoError(e.t, err)
	return a
}

func version(t testing.TB, text string) uint64 {
	s, err := sdp.Parse([]byte(text))
	require.NoError(t, err)
	return s.Origin.Version
}

// RFC 3264 section 8: a description that says the same has the same version and is the same; another one has the next.
func TestVersions(t *testing.T) {
	a, b := newEnd(t, 1, "192.0.2.1:4000"), newEnd(t, 2, "192.0.2.2:5000")
	a.local.Version = 41
	offer := a.offer()
	require.EqualValues(t, 41, version(t, offer))
	require.Equal(t, offer, a.offer(), "a refresh changes nothing")
	answer, _ := b.answer(offer)
	a.accept(answer)
	again, _ := b.answer(a.offer())
	require.Equal(t, answer, again)

	a.local.Direction = sdp.SendOnly
	held := a.offer()
	require.EqualValues(t, 42, version(t, held))
	heldAnswer, agreed := b.answer(held)
	require.EqualValues(t, version(t, answer)+1, version(t, heldAnswer))
	require.Equal(t, sdp.RecvOnly, agreed.Direction)
	require.True(t, agreed.Held)
	require.Equal(t, sdp.SendOnly, a.accept(heldAnswer).Direction)
	require.Equal(t, held, a.offer())

	a.local.Direction = sdp.SendRecv
	a.local.ID, a.local.Version, a.local.RTP = 99, 7, netip.MustParseAddrPort("198.51.100.1:4000")
	back := a.offer()
	require.Contains(t, back, "o=- 1 43 IN IP4 192.0.2.1\r\n", "the origin names the session, not where its media is")
	require.Contains(t, back, "c=IN IP4 198.51.100.1\r\n")
	backAnswer, agreed := b.answer(back)
	require.False(t, agreed.Held)
	require.Equal(t, sdp.SendRecv, a.accept(backAnswer).Direction)

	_, err := a.h.Marshal(sdp.Offer(sdp.Local{History: &a.h}))
	require.ErrorIs(t, err, sdp.ErrLocal)
	require.Equal(t, back, a.offer(), "what could not be written is not remembered")
}

// An answerer that offers later keeps every line of the first offer, its names, its transport and its payload types.
func TestReofferKeepsLines(t *testing.T) {
	e := newEnd(t, 2, "192.0.2.2:5000")
	e.local.Codecs = []string{sdp.PCMU, sdp.Opus, sdp.G722}
	out, a := e.answer(strings.Join(audio("a=group:BUNDLE a v", "m=video 6000 RTP/SAVPF 111", "a=mid:v", "m=audio 4000 RTP/SAVPF 0 96 110 101",
		"a=rtpmap:96 opus/48000/2", "a=rtpmap:110 iLBC/8000", "a=rtpmap:101 telephone-event/48000", "a=mid:a", "a=crypto:1 "+sdes80,
		"m=image 7000 udptl t38", "")[0:], "\r\n"))
	require.Equal(t, 1, a.Index)
	require.Contains(t, out, "m=audio 5000 RTP/SAVPF 0\r\n", "the events have the clock of another codec")
	offer := e.offer()
	require.Contains(t, offer, "m=video 0 RTP/SAVPF 111\r\na=mid:v\r\nm=audio 5000 RTP/SAVPF 0 96 9 97 101\r\n")
	require.Contains(t, offer, "a=rtpmap:96 opus/48000/2\r\n", "what 96 meant it means for the whole session")
	require.Contains(t, offer, "a=rtpmap:97 telephone-event/8000\r\n", "101 is taken by 48000 Hz and 110 by a codec of the peer's")
	require.Contains(t, offer, "a=rtpmap:101 telephone-event/48000\r\n")
	require.Contains(t, offer, "a=mid:a\r\nm=image 0 udptl t38\r\n")
	require.Equal(t, version(t, out)+1, version(t, offer))

	// The peer's answer must have the same three lines.
	s := parse(t, audio("m=audio 4000 RTP/SAVPF 0", "a=crypto:1 "+sdes80)...)
	_, err := sdp.Accept(s, e.l())
	require.ErrorIs(t, err, sdp.ErrMismatch)
	s = parse(t, audio("m=video 0 RTP/SAVPF 111", "m=audio 4000 RTP/SAVPF 0", "a=crypto:1 "+sdes80, "m=image 0 udptl t38")...)
	agreed, err := sdp.Accept(s, e.l())
	require.NoError(t, err)
	require.Equal(t, 1, agreed.Index)
}

// A peer adds and removes streams; ours stays where it is, even when a better one appears.
func TestStreamsAddedAndRemoved(t *testing.T) {
	e := newEnd(t, 2, "192.0.2.2:5000")
	line := func(port int, codec string) []string {
		return []string{fmt.Sprintf("m=audio %d RTP/SAVP %s", port, codec), "a=crypto:1 " + sdes80}
	}
	text := func(lines ...[]string) string {
		var all []string
		for _, l := range lines {
			all = append(all, l...)
		}
		return strings.Join(audio(all...), "\r\n") + "\r\n"
	}
	_, a := e.answer(text(line(4000, "8")))
	require.Equal(t, 0, a.Index)
	out, a := e.answer(text(line(4000, "8"), line(4002, "0")))
	require.Equal(t, 0, a.Index, "the stream in use")
	require.Equal(t, 1, strings.Count(out, "m=audio 0 "))
	out, a = e.answer(text(line(0, "8"), line(4002, "0")))
	require.Equal(t, 1, a.Index, "the first was removed")
	require.Contains(t, out, "m=audio 0 RTP/SAVP 8\r\nm=audio 5000 RTP/SAVP 0\r\n")
	// Fax takes the place of voice: there is nothing to agree on, and the answer that keeps the call switches all off.
	fax := parse(t, audio("m=image 4000 udptl t38", "m=audio 0 RTP/SAVP 0")...)
	_, err := sdp.Agree(fax, e.l())
	require.ErrorIs(t, err, sdp.ErrNoAudio)
	none, err := e.h.Marshal(sdp.Off(fax, e.l()))
	require.NoError(t, err)
	require.Contains(t, string(none), "m=image 0 udptl t38\r\nm=audio 0 RTP/SAVP 0\r\n")
	require.Contains(t, e.offer(), "m=image 0 udptl t38\r\nm=audio 5000 RTP/SAVP 0 8 101\r\n", "audio comes back to its place")
	// Audio that never was takes the first free place.
	f := newEnd(t, 3, "192.0.2.3:5000")
	_, err = f.h.Marshal(sdp.Off(fax, f.l()))
	require.NoError(t, err)
	require.Contains(t, f.offer(), "m=audio 5000 RTP/SAVP 0 8 101\r\n")
	require.Contains(t, f.offer(), "m=audio 0 RTP/SAVP 0\r\n")
	// 3PCC: an offer without streams has an answer without streams.
	g := newEnd(t, 4, "192.0.2.4:5000")
	_, err = g.h.Marshal(sdp.Off(parse(t, audio()...), g.l()))
	require.NoError(t, err)
	require.Contains(t, g.offer(), "m=audio 5000 RTP/SAVP 0 8 101\r\n")
}

func TestMuxIsTakenBack(t *testing.T) {
	a, b := newEnd(t, 1, "192.0.2.1:4000"), newEnd(t, 2, "192.0.2.2:5000")
	a.local.RTCP, b.local.RTCP = netip.MustParseAddrPort("192.0.2.1:4001"), netip.MustParseAddrPort("[2001:db8::1]:5001")
	answer, agreed := b.answer(a.offer())
	require.True(t, agreed.Mux)
	require.Contains(t, answer, "a=rtcp:5001 IN IP6 2001:db8::1\r\n")
	require.True(t, a.accept(answer).Mux)
	a.local.NoMux = true
	offer := a.offer()
	require.NotContains(t, offer, "rtcp-mux")
	answer, agreed = b.answer(offer)
	require.False(t, agreed.Mux)
	require.Equal(t, "192.0.2.1:4001", agreed.RemoteRTCP.String())
	require.NotContains(t, answer, "rtcp-mux")
	require.False(t, a.accept(strings.Replace(answer, "a=sendrecv", "a=sendrecv\r\na=rtcp-mux", 1)).Mux, "not offered, so not agreed")
	a.local.NoMux, b.local.NoMux = false, true
	answer, agreed = b.answer(a.offer())
	require.False(t, agreed.Mux)
	require.NotContains(t, answer, "rtcp-mux")

	require.NotContains(t, answer, "rtcp-rsize")
	a.local.ReducedSize = true
	answer, agreed = b.answer(a.offer())
	require.False(t, agreed.ReducedSize)
	require.False(t, a.accept(answer).ReducedSize)
	b.local.ReducedSize = true
	answer, agreed = b.answer(a.offer())
	require.True(t, agreed.ReducedSize)
	require.True(t, a.accept(answer).ReducedSize)
}

// The hold matrix of RFC 3264 section 8.4: what each side wants, and the old style.
func TestHold(t *testing.T) {
	all := []sdp.Direction{sdp.DirectionNone, sdp.SendRecv, sdp.SendOnly, sdp.RecvOnly, sdp.Inactive}
	want := func(d sdp.Direction) sdp.Direction {
		if d == sdp.DirectionNone {
			return sdp.SendRecv
		}
		return d
	}
	for _, offers := range all {
		for _, answers := range all {
			a, b := newEnd(t, 1, "192.0.2.1:4000"), newEnd(t, 2, "192.0.2.2:5000")
			a.local.Direction, b.local.Direction = offers, answers
			answer, at := b.answer(a.offer())
			back := a.accept(answer)
			name := fmt.Sprint(offers, answers)
			assert.Equal(t, at.Direction.Reverse(), back.Direction, name)
			assert.Equal(t, want(offers).Sends() && want(answers).Receives(), back.Direction.Sends(), name)
			assert.Equal(t, want(offers).Receives() && want(answers).Sends(), back.Direction.Receives(), name)
			assert.Equal(t, !want(offers).Receives(), at.Held, name)
			assert.Contains(t, answer, "a="+at.Direction.String()+"\r\n", name)
			// Whoever was put on hold offers what it wants itself, so both must let go.
			a.local.Direction, b.local.Direction = sdp.SendRecv, sdp.SendRecv
			answer, at = a.answer(b.offer())
			assert.Equal(t, sdp.SendRecv, at.Direction, name)
			assert.Equal(t, sdp.SendRecv, b.accept(answer).Direction, name)
		}
	}
	for name, c := range map[string]struct {
		conn, dir string
		want      sdp.Direction
	}{
		"RFC 2543":          {"IP4 0.0.0.0", "sendrecv", sdp.RecvOnly},
		"RFC 2543 inactive": {"IP4 0.0.0.0", "inactive", sdp.Inactive},
		"RFC 2543 recvonly": {"IP4 0.0.0.0", "recvonly", sdp.Inactive},
		"IPv6":              {"IP6 ::", "sendonly", sdp.RecvOnly},
		"no host":           {"IP6 hold.invalid", "sendrecv", sdp.RecvOnly},
	} {
		e := newEnd(t, 2, "192.0.2.2:5000")
		out, a := e.answer("v=0\r\nc=IN " + c.conn + "\r\nm=audio 4000 RTP/SAVP 0\r\na=" + c.dir + "\r\na=crypto:1 " + sdes80 + "\r\n")
		assert.Equal(t, c.want, a.Direction, name)
		assert.True(t, a.Held, name)
		assert.Contains(t, out, "a="+c.want.String(), name)
	}
}

// RFC 3264 section 6.1 lets the two sides use different numbers for one codec.
func TestAsymmetricPayloadTypes(t *testing.T) {
	e := newEnd(t, 1, "192.0.2.1:4000")
	e.local.Codecs = []string{sdp.Opus, sdp.PCMU, sdp.CN}
	e.local.Params = map[string]string{sdp.Opus: "useinbandfec=1"}
	offer := e.offer()
	require.Contains(t, offer, "m=audio 4000 RTP/SAVP 111 0 13 110 101\r\n")
	require.Contains(t, offer, "a=fmtp:111 useinbandfec=1\r\n")
	a := e.accept(strings.Join(audio("m=audio 5000 RTP/SAVP 0 97 98 13 99", "a=rtpmap:97 opus/48000/2", "a=rtpmap:98 telephone-event/8000",
		"a=rtpmap:99 telephone-event/48000", "a=crypto:1 "+sdes80, ""), "\r\n"))
	require.Equal(t, []string{"PCMU/8000@0", "opus/48000@97"}, texts(a.Audio))
	require.Equal(t, "telephone-event/8000@98", codecText(a.DTMF))
	require.Equal(t, []string{"telephone-event/8000@98", "telephone-event/48000@99"}, texts(a.Events))
	require.Equal(t, []string{"PCMU/8000@0", "opus/48000@111", "CN/8000@13", "telephone-event/8000@101", "telephone-event/48000@110"}, texts(a.Receive))
	require.EqualValues(t, 13, a.CN.PT)
	again := e.offer()
	require.Equal(t, offer, again, "our numbers stay ours")
}

func texts(cs []sdp.Codec) (out []string) {
	for _, c := range cs {
		out = append(out, codecText(c))
	}
	return out
}
