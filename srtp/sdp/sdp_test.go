package sdp_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/sdp"
)

func parse(t testing.TB, lines ...string) *sdp.Session {
	t.Helper()
	s, err := sdp.Parse([]byte(strings.Join(lines, "\r\n") + "\r\n"))
	require.NoError(t, err)
	return s
}

func audio(lines ...string) []string {
	return append([]string{"v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"}, lines...)
}

var ours = sdp.Local{ID: 7, RTP: netip.MustParseAddrPort("198.51.100.5:4000"), Crypto: []string{"1 SUITE inline:KEY"}}

func TestParseIsTolerant(t *testing.T) {
	for name, lines := range map[string][]string{
		"no s and t":           {"v=0", "o=- 1 1 IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 0"},
		"no o":                 {"v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 0"},
		"spaces in user":       {"v=0", "o=Mr Big Phone 1 1 IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 0"},
		"text as id":           {"v=0", "o=- abc def IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 0"},
		"broken o":             {"v=0", "o=?", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 0"},
		"unknown lines":        {"v=0", "X=1", "y=2", "no field", "c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 0", "q=z"},
		"address in stream":    {"v=0", "c=IN IP4 10.0.0.1", "m=audio 4000 RTP/SAVP 0", "c=IN IP4 192.0.2.1"},
		"ttl":                  {"v=0", "c=IN IP4 192.0.2.1/127", "m=audio 4000/2 RTP/SAVP 0"},
		"trailing space":       {"v=0 ", "c=IN IP4 192.0.2.1 ", "m=audio  4000  RTP/SAVP  0 "},
		"lower case transport": {"v=0", "c=IN IP4 192.0.2.1", "m=audio 4000 rtp/savp 0"},
		"fax in front": {"v=0", "c=IN IP4 192.0.2.1", "m=image 5000 udptl t38", "a=T38FaxVersion:0",
			"m=audio 4000 RTP/SAVP 0", "m=video 6000 RTP/SAVP 99"},
	} {
		s := parse(t, lines...)
		a, err := sdp.Agree(s, ours)
		require.NoError(t, err, name)
		assert.Equal(t, "192.0.2.1:4000", a.Remote.String(), name)
		assert.Equal(t, []sdp.Codec{{Name: sdp.PCMU, PT: 0, Clock: 8000}}, a.Audio, name)
	}
	lf, err := sdp.Parse([]byte("v=0\nm=audio 4000 RTP/SAVP 0\n"))
	require.NoError(t, err)
	assert.Len(t, lf.Media, 1)
}

func TestParseRefuses(t *testing.T) {
	for name, v := range map[string]struct {
		in   string
		want error
	}{
		"empty":      {"", sdp.ErrMalformed},
		"no version": {"o=- 1 1 IN IP4 1.2.3.4\r\n", sdp.ErrMalformed},
		"short m":    {"v=0\r\nm=audio 1\r\n", sdp.ErrMalformed},
		"bad port":   {"v=0\r\nm=audio 70000 RTP/SAVP 0\r\n", sdp.ErrMalformed},
		"minus port": {"v=0\r\nm=audio -1 RTP/SAVP 0\r\n", sdp.ErrMalformed},
		"size":       {"v=0\r\n" + strings.Repeat("a", 20000), sdp.ErrTooLarge},
		"streams":    {"v=0\r\n" + strings.Repeat("m=audio 1 RTP/SAVP 0\r\n", 17), sdp.ErrTooLarge},
		"attributes": {"v=0\r\n" + strings.Repeat("a=x\r\n", 513), sdp.ErrTooLarge},
	} {
		s, err := sdp.Parse([]byte(v.in))
		require.ErrorIs(t, err, v.want, name)
		require.Nil(t, s, name)
	}
}

func TestAgreeRefuses(t *testing.T) {
	for name, v := range map[string]struct {
		lines []string
		want  error
	}{
		"nothing":       {audio(), sdp.ErrNoAudio},
		"video only":    {audio("m=video 4000 RTP/SAVP 99"), sdp.ErrNoAudio},
		"switched off":  {audio("m=audio 0 RTP/SAVP 0"), sdp.ErrNoAudio},
		"plain":         {audio("m=audio 4000 RTP/AVP 0"), sdp.ErrPlainRTP},
		"plain avpf":    {audio("m=audio 4000 RTP/AVPF 0"), sdp.ErrPlainRTP},
		"opportunistic": {audio("m=audio 4000 RTP/AVP 0", "a=crypto:1 S inline:K"), sdp.ErrPlainRTP},
		"dtls":          {audio("m=audio 4000 UDP/TLS/RTP/SAVP 0"), sdp.ErrTransport},
		"codec":         {audio("m=audio 4000 RTP/SAVP 18 9"), sdp.ErrNoCodec},
		"remapped":      {audio("m=audio 4000 RTP/SAVP 0", "a=rtpmap:0 G726-32/8000"), sdp.ErrNoCodec},
		"wide clock":    {audio("m=audio 4000 RTP/SAVP 96", "a=rtpmap:96 PCMU/16000"), sdp.ErrNoCodec},
		"stereo":        {audio("m=audio 4000 RTP/SAVP 96", "a=rtpmap:96 PCMU/8000/2"), sdp.ErrNoCodec},
		"events only":   {audio("m=audio 4000 RTP/SAVP 96", "a=rtpmap:96 telephone-event/8000"), sdp.ErrNoCodec},
	} {
		_, err := sdp.Agree(parse(t, v.lines...), ours)
		assert.ErrorIs(t, err, v.want, name)
	}
}

func TestAnswer(t *testing.T) {
	offer := parse(t, audio("m=video 5000 RTP/SAVP 99", "m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/SAVPF 8 0 97 126",
		"a=rtpmap:97 opus/48000/2", "a=rtpmap:126 telephone-event/8000", "a=mid:2", "a=rtcp-mux", "a=ptime:30", "a=sendonly",
		"a=crypto:4 X inline:Y", "m=image 6000 udptl t38")...)
	a, err := sdp.Agree(offer, ours)
	require.NoError(t, err)
	assert.Equal(t, 2, a.Index)
	assert.Equal(t, []sdp.Codec{{Name: sdp.PCMU, PT: 0, Clock: 8000}}, a.Audio, "our order")
	assert.Equal(t, sdp.Codec{Name: sdp.TelephoneEvent, PT: 126, Clock: 8000}, a.DTMF)
	assert.Equal(t, 30, a.PTime)
	assert.True(t, a.Mux)
	assert.Equal(t, a.Remote, a.RemoteRTCP)
	assert.Equal(t, sdp.RecvOnly, a.Direction)
	assert.Equal(t, sdp.Keys{"4 X inline:Y"}, a.Crypto)
	out, err := sdp.Answer(offer, a, ours).Marshal()
	require.NoError(t, err)
	assert.Equal(t, strings.Join([]string{"v=0", "o=- 7 0 IN IP4 198.51.100.5", "s=-", "c=IN IP4 198.51.100.5", "t=0 0",
		"m=video 0 RTP/SAVP 99", "m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/SAVPF 0 126", "a=rtpmap:0 PCMU/8000",
		"a=rtpmap:126 telephone-event/8000", "a=fmtp:126 0-15", "a=ptime:20", "a=recvonly", "a=rtcp-mux",
		"a=crypto:1 SUITE inline:KEY", "a=mid:2", "m=image 0 udptl t38", ""}, "\r\n"), string(out))

	one, err := sdp.Agree(offer, sdp.Local{Codecs: []string{sdp.PCMA}})
	require.NoError(t, err)
	assert.Equal(t, []sdp.Codec{{Name: sdp.PCMA, PT: 8, Clock: 8000}}, one.Audio)
}

func TestOfferAndAccept(t *testing.T) {
	out, err := sdp.Offer(ours).Marshal()
	require.NoError(t, err)
	offer, err := sdp.Parse(out)
	require.NoError(t, err)
	a, err := sdp.Agree(offer, ours)
	require.NoError(t, err)
	back, err := sdp.Accept(sdp.Answer(offer, a, ours), ours)
	require.NoError(t, err)
	assert.Equal(t, sdp.SendRecv, back.Direction)
	assert.Equal(t, ours.RTP, back.Remote)
	assert.EqualValues(t, 101, back.DTMF.PT)

	accept := func(lines ...string) error {
		_, err := sdp.Accept(parse(t, audio(lines...)...), sdp.Local{Codecs: []string{sdp.PCMU}})
		return err
	}
	require.ErrorIs(t, accept(), sdp.ErrMismatch)
	require.ErrorIs(t, accept("m=audio 1 RTP/SAVP 0", "m=audio 3 RTP/SAVP 0"), sdp.ErrMismatch)
	require.ErrorIs(t, accept("m=video 1 RTP/SAVP 0"), sdp.ErrMismatch)
	require.ErrorIs(t, accept("m=audio 0 RTP/SAVP 0"), sdp.ErrNoAudio)
	require.ErrorIs(t, accept("m=audio 1 RTP/AVP 0"), sdp.ErrPlainRTP)
	require.ErrorIs(t, accept("m=audio 1 RTP/SAVP 8"), sdp.ErrNoCodec, "only what was offered")
}

// RFC 3264 section 6.1 as a table: what we want against what the peer wrote.
func TestDirections(t *testing.T) {
	all := []sdp.Direction{sdp.SendRecv, sdp.SendOnly, sdp.RecvOnly, sdp.Inactive}
	for _, mine := range all {
		for _, peer := range all {
			got := mine.And(peer)
			assert.Equal(t, mine.Sends() && peer.Receives(), got.Sends(), "%v %v", mine, peer)
			assert.Equal(t, mine.Receives() && peer.Sends(), got.Receives(), "%v %v", mine, peer)
		}
		assert.Equal(t, mine, mine.Reverse().Reverse())
	}
	for attr, want := range map[string]sdp.Direction{"sendonly": sdp.RecvOnly, "recvonly": sdp.SendOnly, "inactive": sdp.Inactive, "sendrecv": sdp.SendRecv} {
		session := append([]string{"v=0", "c=IN IP4 192.0.2.1", "a=" + attr}, "m=audio 4000 RTP/SAVP 0")
		a, err := sdp.Agree(parse(t, session...), ours)
		require.NoError(t, err)
		assert.Equal(t, want, a.Direction, "at session level")
		a, err = sdp.Agree(parse(t, append(session, "a=sendrecv")...), ours)
		require.NoError(t, err)
		assert.Equal(t, sdp.SendRecv, a.Direction, "the stream's own wins")
	}
}

func TestAddresses(t *testing.T) {
	for name, v := range map[string]struct {
		lines     []string
		rtp, rtcp string
	}{
		"next port":   {[]string{"c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 0"}, "192.0.2.1:4000", "192.0.2.1:4001"},
		"rtcp port":   {[]string{"c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 0", "a=rtcp:5555"}, "192.0.2.1:4000", "192.0.2.1:5555"},
		"rtcp addr":   {[]string{"c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 0", "a=rtcp:5555 IN IP4 192.0.2.9"}, "192.0.2.1:4000", "192.0.2.9:5555"},
		"mux":         {[]string{"c=IN IP4 192.0.2.1", "m=audio 4000 RTP/SAVP 0", "a=rtcp-mux"}, "192.0.2.1:4000", "192.0.2.1:4000"},
		"ipv6":        {[]string{"c=IN IP6 2001:db8::1", "m=audio 4000 RTP/SAVP 0"}, "[2001:db8::1]:4000", "[2001:db8::1]:4001"},
		"host name":   {[]string{"c=IN IP4 phone.example.com", "m=audio 4000 RTP/SAVP 0"}, "invalid AddrPort", "invalid AddrPort"},
		"no address":  {[]string{"m=audio 4000 RTP/SAVP 0"}, "invalid AddrPort", "invalid AddrPort"},
		"old hold":    {[]string{"c=IN IP4 0.0.0.0", "m=audio 4000 RTP/SAVP 0"}, "0.0.0.0:4000", "0.0.0.0:4001"},
		"last port":   {[]string{"c=IN IP4 192.0.2.1", "m=audio 65535 RTP/SAVP 0"}, "192.0.2.1:65535", "invalid AddrPort"},
		"zone is not": {[]string{"c=IN IP6 fe80::1%eth0", "m=audio 4000 RTP/SAVP 0"}, "invalid AddrPort", "invalid AddrPort"},
	} {
		a, err := sdp.Agree(parse(t, append([]string{"v=0"}, v.lines...)...), ours)
		require.NoError(t, err, name)
		if v.rtp == "invalid AddrPort" {
			assert.False(t, a.Remote.Addr().IsValid(), name)
			continue
		}
		assert.Equal(t, v.rtp, a.Remote.String(), name)
		assert.Equal(t, v.rtcp, a.RemoteRTCP.String(), name)
	}
}

func TestMarshalRefusesInjection(t *testing.T) {
	for name, s := range map[string]*sdp.Session{
		"name":      {Name: "x\r\na=crypto:1"},
		"attribute": {Attrs: []sdp.Attr{{Name: "x", Value: "1\nm=audio"}}},
		"attr name": {Attrs: []sdp.Attr{{Name: "x:y"}}},
		"no name":   {Attrs: []sdp.Attr{{}}},
		"user":      {Origin: sdp.Origin{User: "a b"}},
		"kind":      {Media: []sdp.Media{{Kind: "audio video", Proto: "RTP/SAVP", Formats: []string{"0"}}}},
		"formats":   {Media: []sdp.Media{{Kind: "audio", Proto: "RTP/SAVP"}}},
		"port":      {Media: []sdp.Media{{Kind: "audio", Port: 1 << 16, Proto: "RTP/SAVP", Formats: []string{"0"}}}},
		"zone":      {Conn: "fe80::1%eth0"},
	} {
		out, err := s.Marshal()
		require.ErrorIs(t, err, sdp.ErrMalformed, name)
		require.Nil(t, out, name)
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	s := sdp.Offer(ours)
	s.Attrs = append(s.Attrs, sdp.Attr{Name: "key", Value: "clear:SECRET"}, sdp.Attr{Name: "key-mgmt", Value: "mikey SECRET"})
	j, err := json.Marshal(s)
	require.NoError(t, err)
	for _, out := range []string{fmt.Sprintf("%v %+v %#v %s %q", *s, s, s, s.Media[0].Attrs, s.Attrs), string(j)} {
		assert.NotContains(t, out, "inline:KEY")
		assert.NotContains(t, out, "SECRET")
		assert.Contains(t, out, "REDACTED")
	}
}
