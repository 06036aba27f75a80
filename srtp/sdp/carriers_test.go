package sdp_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/sdp"
)

// Key material of the examples: the shape is right, the bytes are not anybody's.
const (
	sdes80   = "AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
	sdesGCM  = "AEAD_AES_256_GCM inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKis="
	sha256Of = "sha-256 6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08"
)

// carrier is a description in the style of a make of equipment, and what we make of it.
type carrier struct {
	name  string
	text  string
	local sdp.Local
	err   error
	index int
	audio string // name/clock@payload type
	dtmf  int    // payload type; -1: none
	to    string
	rtcp  string
	keys  string // sdes, dtls, both, none
	check func(t *testing.T, a sdp.Agreed)
}

var (
	wide  = sdp.Local{RTP: ours.RTP, Codecs: []string{sdp.Opus, sdp.G722, sdp.PCMU, sdp.PCMA, sdp.CN}}
	dtls  = sdp.Local{RTP: ours.RTP, Keying: sdp.KeyDTLS, Codecs: wide.Codecs}
	both  = sdp.Local{RTP: ours.RTP, Keying: sdp.KeyDTLS | sdp.KeySDES, Codecs: wide.Codecs}
	plain = sdp.Local{RTP: ours.RTP, InsecurePlainRTP: true}
)

func carriers() []carrier {
	return []carrier{
		{name: "Cisco CUBE", local: wide, audio: "PCMU/8000@0", dtmf: 101, to: "203.0.113.10:16510", rtcp: "203.0.113.10:16511", keys: "sdes", text: `v=0
o=CiscoSystemsSIP-GW-UserAgent 6642 8441 IN IP4 203.0.113.10
s=SIP Call
c=IN IP4 203.0.113.10
t=0 0
m=audio 16510 RTP/SAVP 0 8 18 101 19
c=IN IP4 203.0.113.10
a=crypto:1 ` + sdes80 + `
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=rtpmap:19 CN/8000
a=ptime:20`, check: func(t *testing.T, a sdp.Agreed) {
			assert.EqualValues(t, 19, a.CN.PT, "the old number of comfort noise")
		}},
		{name: "Ribbon SBC, no s and t, early media held", local: wide, audio: "PCMU/8000@0", dtmf: 100, to: "203.0.113.20:40022", keys: "sdes", text: `v=0
o=Sonus_UAC 23915 17563 IN IP4 203.0.113.20
c=IN IP4 203.0.113.20
b=AS:80
b=RS:0
b=RR:0
m=audio 40022 RTP/SAVP 18 0 8 100
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=yes
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:100 telephone-event/8000
a=fmtp:100 0-15
a=sendonly
a=maxptime:20
a=crypto:1 ` + sdes80 + `|2^31|1:1`, check: func(t *testing.T, a sdp.Agreed) {
			assert.Equal(t, sdp.RecvOnly, a.Direction)
			assert.True(t, a.Held)
			assert.Equal(t, 20, a.MaxPTime)
		}},
		{name: "Genband with spaces in the user and words for numbers", local: wide, audio: "PCMA/8000@8", dtmf: -1, to: "203.0.113.21:11000", keys: "sdes", text: `v=0
o=GENBAND Mediation Gateway v7 session version IN IP4 203.0.113.21
s= 
c=IN IP4 203.0.113.21
t=0 0
m=audio 11000/1 RTP/SAVP 8
a=X-nat:0
X-unknown: not a line
a=crypto:1 ` + sdes80},
		{name: "Asterisk offers plain RTP with keys", local: both, err: sdp.ErrPlainRTP, text: `v=0
o=- 1712 1712 IN IP4 203.0.113.30
s=Asterisk
c=IN IP4 203.0.113.30
t=0 0
m=audio 12008 RTP/AVP 107 9 0 101
a=crypto:1 ` + sdes80 + `
a=rtpmap:107 opus/48000/2
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=ptime:20
a=maxptime:140
a=sendrecv`},
		{name: "Asterisk", local: wide, audio: "opus/48000@107", dtmf: -1, to: "203.0.113.30:12008", keys: "sdes", text: `v=0
o=- 1712 1712 IN IP4 203.0.113.30
s=Asterisk
c=IN IP4 203.0.113.30
t=0 0
m=audio 12008 RTP/SAVP 107 9 0 101
a=crypto:1 ` + sdes80 + `
a=rtpmap:107 opus/48000/2
a=fmtp:107 useinbandfec=1
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:60
a=sendrecv`, check: func(t *testing.T, a sdp.Agreed) {
			assert.Equal(t, "useinbandfec=1", a.Audio[0].Params)
			assert.Empty(t, a.Events, "keys at 8000 Hz do not go beside opus")
		}},
		{name: "FreeSWITCH with DTLS and SDES", local: both, audio: "opus/48000@102", dtmf: 106, to: "203.0.113.31:25012", rtcp: "203.0.113.31:25012", keys: "both", text: `v=0
o=FreeSWITCH 1690000000 1690000001 IN IP4 203.0.113.31
s=FreeSWITCH
c=IN IP4 203.0.113.31
t=0 0
a=fingerprint:` + sha256Of + `
m=audio 25012 RTP/SAVPF 102 9 0 106 101 13
a=rtpmap:102 opus/48000/2
a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:106 telephone-event/48000
a=rtpmap:101 telephone-event/8000
a=rtpmap:13 CN/8000
a=setup:actpass
a=rtcp-mux
a=rtcp:25012 IN IP4 203.0.113.31
a=crypto:1 ` + sdesGCM + `
a=ptime:20`, check: func(t *testing.T, a sdp.Agreed) {
			assert.False(t, a.Client, "the phone begins, so that its NAT opens")
			assert.Empty(t, a.CN.Name, "no comfort noise at 8000 Hz beside opus")
		}},
		{name: "Teams direct routing", local: wide, audio: "PCMU/8000@0", dtmf: 101, to: "198.51.100.40:52000", rtcp: "198.51.100.40:52001", keys: "sdes", text: `v=0
o=- 95310 0 IN IP4 198.51.100.40
s=session
c=IN IP4 198.51.100.40
b=CT:10000000
t=0 0
m=audio 52000 RTP/SAVP 104 9 111 18 0 8 103 97 13 118 101
c=IN IP4 198.51.100.40
a=rtcp:52001
a=label:Audio
a=mid:1
a=sendrecv
a=crypto:1 ` + sdes80 + `|2^31
a=rtpmap:104 SILK/16000
a=rtpmap:9 G722/8000/2
a=rtpmap:111 SIREN/16000
a=rtpmap:18 G729/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:103 SILK/8000
a=rtpmap:97 RED/8000
a=rtpmap:13 CN/8000
a=rtpmap:118 CN/16000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20`, check: func(t *testing.T, a sdp.Agreed) {
			assert.EqualValues(t, 13, a.CN.PT)
		}},
		{name: "Twilio", local: wide, audio: "PCMU/8000@0", dtmf: 101, to: "203.0.113.50:18020", keys: "sdes", text: `v=0
o=root 1209000000 1209000000 IN IP4 203.0.113.50
s=Twilio Media Gateway
c=IN IP4 203.0.113.50
t=0 0
m=audio 18020 RTP/SAVP 0 8 101
a=crypto:1 ` + sdes80 + `
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=silenceSupp:off - - - -
a=ptime:20
a=sendrecv`},
		{name: "Yealink, two alternatives of one stream", local: wide, index: 1, audio: "G722/8000@9", dtmf: 101, to: "192.0.2.60:11782", keys: "sdes", text: `v=0
o=- 20055 20055 IN IP4 192.0.2.60
s=SDP data
c=IN IP4 192.0.2.60
t=0 0
m=audio 11780 RTP/AVP 9 0 8 18 101
a=rtpmap:9 G722/8000
a=rtpmap:101 telephone-event/8000
m=audio 11782 RTP/SAVP 9 0 8 18 101
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
a=crypto:1 ` + sdes80},
		{name: "Snom, several suites, host name", local: wide, audio: "G722/8000@9", dtmf: 101, to: "invalid AddrPort", keys: "sdes", text: `v=0
o=root 550 550 IN IP4 snom.example.com
s=call
c=IN IP4 snom.example.com
t=0 0
m=audio 61882 RTP/SAVP 9 8 0 3 99 112 18 101
a=crypto:1 ` + sdes80 + `
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz
a=rtpmap:9 G722/16000
a=rtpmap:8 pcma/8000
a=rtpmap:0 pcmu/8000
a=rtpmap:3 gsm/8000
a=rtpmap:101 Telephone-Event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv`, check: func(t *testing.T, a sdp.Agreed) { assert.Equal(t, "snom.example.com", a.RemoteHost) }},
		{name: "Grandstream with the key before the streams and without rtpmap", local: wide, audio: "PCMU/8000@0", dtmf: 101, to: "192.0.2.70:5004", keys: "sdes", text: `v=0
o=1000 8000 8000 IN IP4 192.0.2.70
s=SIP Call
c=IN IP4 192.0.2.70
t=0 0
a=crypto:1 ` + sdes80 + `|2^32
m=audio 5004 RTP/SAVP 0 8 18 101
a=sendrecv
a=ptime:20
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15`},
		{name: "fax gateway, only T.38", local: wide, err: sdp.ErrNoAudio, text: `v=0
o=faxgw 1 2 IN IP4 192.0.2.80
s=-
c=IN IP4 192.0.2.80
t=0 0
m=image 5000 udptl t38
a=T38FaxVersion:0
a=T38MaxBitRate:14400
a=T38FaxRateManagement:transferredTCF
a=T38FaxMaxBuffer:262
a=T38FaxUdpEC:t38UDPRedundancy`},
		{name: "fax gateway, fax beside voice", local: wide, index: 1, audio: "PCMA/8000@8", dtmf: -1, to: "192.0.2.80:5002", keys: "sdes", text: `v=0
o=faxgw 1 2 IN IP4 192.0.2.80
s=-
c=IN IP4 192.0.2.80
t=0 0
m=image 5000 udptl t38
a=T38FaxVersion:0
m=audio 5002 RTP/SAVP 8
a=crypto:1 ` + sdes80 + `
m=video 5004 RTP/AVP 34
a=rtpmap:34 H263/90000
m=application 5006 TCP/MRCPv2 1
m=text 5008 RTP/AVP 98 100
a=rtpmap:98 t140/1000`},
		{name: "JsSIP in Chrome", local: dtls, audio: "opus/48000@111", dtmf: 110, to: "198.51.100.90:54321", rtcp: "198.51.100.90:54321", keys: "dtls", text: `v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 54321 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 198.51.100.90
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:Uf8k
a=ice-pwd:x9cml/YzichV2+XlhiMu8g
a=ice-options:trickle
a=fingerprint:` + sha256Of + `
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:stream track
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:3570614608 cname:4TOk42mSjXCkVIa6`},
		{name: "Firefox", local: dtls, audio: "opus/48000@109", dtmf: -1, to: "0.0.0.0:9", rtcp: "0.0.0.0:9", keys: "dtls", text: `v=0
o=mozilla...THIS_IS_SDPARTA-99.0 4294967296 0 IN IP4 0.0.0.0
s=-
t=0 0
a=fingerprint:` + sha256Of + `
a=group:BUNDLE 0
a=ice-options:trickle
a=ice-ufrag:8f3a91c2
m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
c=IN IP4 0.0.0.0
a=sendrecv
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=fmtp:101 0-15
a=mid:0
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:109 opus/48000/2
a=rtpmap:9 G722/8000/1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000/1
a=setup:actpass
a=tls-id:89abcdef0123456789abcdef01234567`, check: func(t *testing.T, a sdp.Agreed) {
			assert.Len(t, a.TLSID, 32)
			assert.False(t, a.Held, "no candidate yet is no hold")
			assert.Equal(t, sdp.SendRecv, a.Direction)
		}},
		{name: "browser for a leg without DTLS", local: wide, err: sdp.ErrTransport, text: `v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
m=audio 9 UDP/TLS/RTP/SAVPF 0
a=fingerprint:` + sha256Of + `
a=setup:actpass`},
		{name: "IPv6 phone with events twice and numbers reused", local: wide, audio: "PCMU/8000@0", dtmf: 97, to: "[2001:db8::5]:7000", rtcp: "[2001:db8::6]:7009", keys: "sdes", text: `v=0
o=- 1 1 IN IP6 2001:db8::5
s=-
c=IN IP6 2001:db8::5
t=0 0
m=audio 7000 RTP/SAVP 97 97 0 0 96 102
a=rtpmap:97 telephone-event/8000
a=rtpmap:97 G722/8000
a=rtpmap:96 telephone-event/8000
a=rtpmap:102 telephone-event/16000
a=rtcp:7009 IN IP6 2001:db8::6
a=maxptime:30
a=ptime:60
a=crypto:1 ` + sdes80, check: func(t *testing.T, a sdp.Agreed) { assert.Equal(t, 30, a.PacketTime()) }},
		{name: "old phone on a plain leg", local: plain, audio: "PCMU/8000@0", dtmf: -1, to: "192.0.2.99:8000", keys: "none", text: `v=0
o=- 1 1 IN IP4 192.0.2.99
s=-
c=IN IP4 192.0.2.99
m=audio 8000 RTP/AVP 0`},
		{name: "keys on a plain leg", local: plain, err: sdp.ErrPlainRTP, text: `v=0
c=IN IP4 192.0.2.99
m=audio 8000 RTP/AVP 0
a=crypto:1 ` + sdes80},
		{name: "protection on a plain leg", local: plain, err: sdp.ErrTransport, text: `v=0
c=IN IP4 192.0.2.99
m=audio 8000 RTP/SAVP 0
a=crypto:1 ` + sdes80},
	}
}

func TestCarriers(t *testing.T) {
	for _, c := range carriers() {
		for eol, end := range map[string]string{"CRLF": "\r\n", "LF": "\n", "CR": "\r"} {
			t.Run(c.name+" "+eol, func(t *testing.T) { c.run(t, end) })
		}
	}
}

func (c carrier) run(t *testing.T, end string) {
	offer, err := sdp.Parse([]byte(strings.ReplaceAll(c.text, "\n", end) + end))
	require.NoError(t, err)
	a, err := sdp.Agree(offer, c.local)
	require.ErrorIs(t, err, c.err)
	if c.err != nil {
		return
	}
	assert.Equal(t, c.index, a.Index)
	assert.Equal(t, c.audio, codecText(a.Audio[0]))
	assert.Equal(t, c.dtmf >= 0, a.DTMF.Name != "")
	if c.dtmf >= 0 {
		assert.EqualValues(t, c.dtmf, a.DTMF.PT)
		assert.Equal(t, a.Audio[0].Clock, a.DTMF.Clock)
	}
	if c.to == "invalid AddrPort" {
		assert.False(t, a.Remote.IsValid())
	} else {
		assert.Equal(t, c.to, a.Remote.String())
	}
	if c.rtcp != "" {
		assert.Equal(t, c.rtcp, a.RemoteRTCP.String())
	}
	assert.Equal(t, c.keys == "sdes" || c.keys == "both", len(a.Crypto) > 0)
	assert.Equal(t, c.keys == "dtls" || c.keys == "both", len(a.Fingerprints) > 0)
	if c.check != nil {
		c.check(t, a)
	}
	c.answer(t, offer, a)
}

// answer checks what every answer owes every offer.
func (c carrier) answer(t *testing.T, offer *sdp.Session, a sdp.Agreed) {
	l := c.local
	switch c.keys {
	case "sdes", "both":
		l.Crypto = sdp.Keys{"1 " + sdes80}
	case "dtls":
		l.Fingerprints = []string{sha256Of}
	}
	out, err := sdp.Answer(offer, a, l).Marshal()
	require.NoError(t, err)
	back, err := sdp.Parse(out)
	require.NoError(t, err)
	checkAnswer(t, offer, back, a.Index)
	if c.keys == "both" {
		l.Crypto, l.Fingerprints = nil, []string{sha256Of}
		out, err = sdp.Answer(offer, a, l).Marshal()
		require.NoError(t, err)
		assert.Contains(t, string(out), "a=setup:passive")
		assert.NotContains(t, string(out), "a=crypto")
		l.Crypto = sdp.Keys{"1 " + sdes80}
		_, err = sdp.Answer(offer, a, l).Marshal()
		require.ErrorIs(t, err, sdp.ErrLocal, "an answer has keys of one kind")
	}
}

// checkAnswer states RFC 3264 section 6: as many streams as the offer, in its order, and nothing the offer lacks.
func checkAnswer(t require.TestingT, offer, answer *sdp.Session, index int) {
	require.Len(t, answer.Media, len(offer.Media))
	for i := range answer.Media {
		o, m := &offer.Media[i], &answer.Media[i]
		require.Equal(t, o.Kind, m.Kind)
		require.Equal(t, o.Proto, m.Proto)
		require.Equal(t, i == index, m.Port != 0, "stream %d", i)
		mid, _ := o.Attr("mid")
		same, _ := m.Attr("mid")
		require.Equal(t, mid, same)
		if i == index {
			require.Subset(t, o.Formats, m.Formats)
		}
	}
}

func codecText(c sdp.Codec) string { return fmt.Sprintf("%s/%d@%d", c.Name, c.Clock, c.PT) }
