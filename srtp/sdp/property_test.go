package sdp_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/srtp/sdp"
)

// genSession makes what Marshal may be asked to write.
func genSession() *rapid.Generator[*sdp.Session] {
	word := rapid.StringMatching(`[A-Za-z0-9._+-]{1,8}`)
	text := rapid.StringMatching(`[!-9;-~]([ -~]{0,12}[!-~])?`)
	addr := rapid.SampledFrom([]string{"192.0.2.1", "2001:db8::1", "phone.example.com", "0.0.0.0"})
	attr := rapid.Custom(func(t *rapid.T) sdp.Attr {
		a := sdp.Attr{Name: word.Draw(t, "name")}
		if rapid.Bool().Draw(t, "has value") {
			a.Value = text.Draw(t, "value")
		}
		return a
	})
	attrs := func(t *rapid.T) []sdp.Attr {
		if n := rapid.SliceOfN(attr, 0, 4).Draw(t, "attrs"); len(n) > 0 {
			return n
		}
		return nil
	}
	return rapid.Custom(func(t *rapid.T) *sdp.Session {
		s := &sdp.Session{Name: text.Draw(t, "s"), Attrs: attrs(t),
			Origin: sdp.Origin{User: word.Draw(t, "user"), ID: word.Draw(t, "id"), Version: rapid.Uint64().Draw(t, "version"), Addr: addr.Draw(t, "origin")}}
		if rapid.Bool().Draw(t, "has c") {
			s.Conn = addr.Draw(t, "c")
		}
		for range rapid.IntRange(0, 4).Draw(t, "streams") {
			m := sdp.Media{Kind: strings.ToLower(word.Draw(t, "kind")), Port: rapid.IntRange(0, 65535).Draw(t, "port"), Attrs: attrs(t),
				Proto:   rapid.SampledFrom([]string{"RTP/SAVP", "udptl", "UDP/TLS/RTP/SAVPF", "TCP/MRCPv2"}).Draw(t, "proto"),
				Formats: rapid.SliceOfN(word, 1, 4).Draw(t, "formats")}
			if rapid.Bool().Draw(t, "has own c") {
				m.Conn = addr.Draw(t, "own c")
			}
			s.Media = append(s.Media, m)
		}
		return s
	})
}

// What is written reads back as it was.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genSession().Draw(t, "session")
		out, err := s.Marshal()
		require.NoError(t, err)
		back, err := sdp.Parse(out)
		require.NoError(t, err)
		require.Equal(t, s, back)
	})
}

// Two ends that negotiate at random stay in step: lines never shrink, dynamic types never change their meaning, what one sends the other receives,
// and versions count changes.
func TestNegotiationStaysInStep(t *testing.T) {
	names := []string{sdp.PCMU, sdp.PCMA, sdp.G722, sdp.Opus, sdp.CN}
	rapid.Check(t, func(t *rapid.T) {
		ends := [2]sdp.Local{}
		var hist [2]sdp.History
		for i := range ends {
			ends[i] = sdp.Local{ID: uint64(i), RTP: netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:4000", i+1)),
				Crypto: sdp.Keys{"1 " + sdes80}, History: &hist[i]}
		}
		meaning, lines, last := map[uint8]string{}, 0, [2]string{}
		note := func(i int, text []byte) {
			s, err := sdp.Parse(text)
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(s.Media), lines)
			lines = len(s.Media)
			old, err := sdp.Parse([]byte(last[i]))
			if err == nil {
				want := old.Origin.Version
				if last[i] != string(text) {
					want++
				}
				require.Equal(t, want, s.Origin.Version)
			}
			last[i] = string(text)
			for _, a := range s.Media[0].Attrs {
				var pt uint8
				var name string
				if _, err := fmt.Sscanf(a.Value, "%d %s", &pt, &name); a.Name != "rtpmap" || err != nil {
					continue
				}
				if meaning[pt] == "" {
					meaning[pt] = name
				}
				require.Equal(t, meaning[pt], name, "payload type %d", pt)
			}
		}
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			from := rapid.IntRange(0, 1).Draw(t, "from")
			for i := range ends {
				ends[i].Codecs = append([]string{sdp.PCMU}, rapid.SliceOfNDistinct(rapid.SampledFrom(names[1:]), 0, 4, rapid.ID).Draw(t, "codecs")...)
				ends[i].Direction = sdp.Direction(rapid.IntRange(0, 4).Draw(t, "direction"))
				ends[i].NoMux = rapid.Bool().Draw(t, "no mux")
			}
			a, b := from, 1-from
			offer, err := hist[a].Marshal(sdp.Offer(ends[a]))
			require.NoError(t, err)
			note(a, offer)
			parsed, err := sdp.Parse(offer)
			require.NoError(t, err)
			hist[b].Received(parsed)
			there, err := sdp.Agree(parsed, ends[b])
			require.NoError(t, err)
			answer, err := hist[b].Marshal(sdp.Answer(parsed, there, ends[b]))
			require.NoError(t, err)
			note(b, answer)
			back, err := sdp.Parse(answer)
			require.NoError(t, err)
			hist[a].Received(back)
			here, err := sdp.Accept(back, ends[a])
			require.NoError(t, err)
			require.Equal(t, there.Direction.Reverse(), here.Direction)
			require.Equal(t, texts(there.Receive), texts(here.Receive))
			require.Equal(t, there.Mux, here.Mux)
			require.Equal(t, there.DTMF.PT, here.DTMF.PT)
		}
	})
}

// FuzzParse: what parses can be agreed on and answered without a panic, and what we write reads back as it was.
func FuzzParse(f *testing.F) {
	f.Add([]byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=crypto:1 X inline:Y\r\n"))
	f.Add([]byte("v=0\nm=image 5000 udptl t38\nm=audio 4000/2 RTP/SAVPF 0\nc=IN IP6 ::1\na=rtcp:9 IN IP6 ::2\na=rtcp-mux\na=ptime:20.5\na=mid:x\n"))
	for _, c := range carriers() {
		f.Add([]byte(c.text))
	}
	locals := []sdp.Local{ours, both, plain}
	locals[0].Crypto, locals[1].Crypto = sdp.Keys{"1 " + sdes80}, sdp.Keys{"1 " + sdes80}
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := sdp.Parse(in)
		if err != nil {
			require.Nil(t, s)
			return
		}
		if out, err := s.Marshal(); err == nil {
			back, err := sdp.Parse(out)
			require.NoError(t, err)
			again, err := back.Marshal()
			require.NoError(t, err)
			require.Equal(t, string(out), string(again))
		}
		for _, l := range locals {
			l.History = &sdp.History{}
			l.History.Received(s)
			a, err := sdp.Agree(s, l)
			if err != nil {
				continue
			}
			if len(a.Crypto) == 0 && len(a.Fingerprints) > 0 {
				l.Crypto, l.Fingerprints = nil, []string{sha256Of}
			}
			ans := sdp.Answer(s, a, l)
			out, err := l.History.Marshal(ans)
			if err != nil {
				continue // no keys in the offer, or a kind or mid no line can hold
			}
			back, err := sdp.Parse(out)
			require.NoError(t, err)
			checkAnswer(t, s, back, a.Index)
			if offer, err := l.History.Marshal(sdp.Offer(l)); err == nil {
				next, err := sdp.Parse(offer)
				require.NoError(t, err)
				require.Len(t, next.Media, len(s.Media))
			}
			_, _ = sdp.Accept(s, l)
		}
	})
}
