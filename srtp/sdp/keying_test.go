package sdp_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/sdp"
)

// DTLS roles of RFC 5763 section 5, in an offer and in an answer.
func TestSetup(t *testing.T) {
	with := func(setup string) *sdp.Session {
		lines := []string{"m=audio 4000 UDP/TLS/RTP/SAVP 0", "a=fingerprint:" + sha256Of}
		if setup != "" {
			lines = append(lines, "a=setup:"+setup)
		}
		return parse(t, audio(lines...)...)
	}
	for _, c := range []struct {
		ours, peer, offer, answer string // our role towards an offer and an answer; empty: refused
	}{
		{"", "actpass", "passive", ""}, {"", "active", "passive", "passive"}, {"", "passive", "active", "active"},
		{"", "", "passive", "active"}, {"", "holdconn", "", ""}, {"", "ACTIVE", "passive", "passive"},
		{"active", "actpass", "active", ""}, {"active", "active", "", ""}, {"active", "passive", "active", "active"},
		{"passive", "actpass", "passive", ""}, {"passive", "active", "passive", "passive"}, {"passive", "passive", "", ""},
	} {
		name := c.ours + " against " + c.peer
		l := dtls
		l.Setup, l.Fingerprints = c.ours, []string{sha256Of, "sha-512 AA"}
		s := with(c.peer)
		a, err := sdp.Agree(s, l)
		if c.offer == "" {
			assert.ErrorIs(t, err, sdp.ErrSetup, name)
		} else {
			require.NoError(t, err, name)
			out, err := sdp.Answer(s, a, l).Marshal()
			require.NoError(t, err)
			assert.Contains(t, string(out), "a=setup:"+c.offer+"\r\n", name)
			assert.Contains(t, string(out), "a=fingerprint:sha-512 AA\r\n", name)
			assert.Equal(t, c.offer == "active", a.Client, name)
		}
		a, err = sdp.Accept(s, l)
		if c.answer == "" {
			assert.ErrorIs(t, err, sdp.ErrSetup, name)
		} else {
			require.NoError(t, err, name)
			assert.Equal(t, c.answer == "active", a.Client, name)
		}
	}
	_, err := sdp.Agree(parse(t, audio("m=audio 4000 UDP/TLS/RTP/SAVP 0")...), dtls)
	require.ErrorIs(t, err, sdp.ErrNoFingerprint)
	_, err = sdp.Agree(parse(t, audio("m=audio 4000 RTP/SAVP 0", "a=crypto:1 "+sdes80)...), dtls)
	require.ErrorIs(t, err, sdp.ErrNoFingerprint, "keys in the signalling were not asked for")
}

// What stands before the streams holds for each of them, unless it says otherwise itself.
func TestSessionLevelDTLS(t *testing.T) {
	s := parse(t, append([]string{"v=0", "c=IN IP4 192.0.2.1", "a=fingerprint:" + sha256Of, "a=fingerprint:sha-1 AA", "a=setup:active",
		"a=tls-id:0123456789012345678901"}, "m=audio 4000 UDP/TLS/RTP/SAVP 0")...)
	a, err := sdp.Agree(s, dtls)
	require.NoError(t, err)
	require.Equal(t, []string{sha256Of, "sha-1 AA"}, a.Fingerprints)
	require.Equal(t, "0123456789012345678901", a.TLSID)
	s.Media[0].Attrs = []sdp.Attr{{Name: "fingerprint", Value: "sha-256 BB"}, {Name: "setup", Value: "passive"}}
	a, err = sdp.Agree(s, dtls)
	require.NoError(t, err)
	require.Equal(t, []string{"sha-256 BB"}, a.Fingerprints)
	require.True(t, a.Client)
}

func TestOfferOfBothKinds(t *testing.T) {
	l := both
	l.Crypto, l.Fingerprints, l.TLSID = sdp.Keys{"1 " + sdes80}, []string{sha256Of}, strings.Repeat("t", 20)
	out, err := sdp.Offer(l).Marshal()
	require.NoError(t, err)
	require.Contains(t, string(out), "RTP/SAVP 111 9 0 8 13 110 101\r\n")
	require.Contains(t, string(out), "a=crypto:1 "+sdes80+"\r\na=fingerprint:"+sha256Of+"\r\na=setup:actpass\r\na=tls-id:"+l.TLSID+"\r\n")
	l.Crypto = nil
	out, err = sdp.Offer(l).Marshal()
	require.NoError(t, err)
	require.Contains(t, string(out), "UDP/TLS/RTP/SAVP 111")

	// Roles that do not fit leave SDES where it is there, and only there.
	s := parse(t, audio("m=audio 4000 RTP/SAVP 0", "a=fingerprint:"+sha256Of, "a=setup:holdconn", "a=crypto:1 "+sdes80)...)
	a, err := sdp.Agree(s, both)
	require.NoError(t, err)
	require.Empty(t, a.Fingerprints)
	s.Media[0].Attrs = s.Media[0].Attrs[:2]
	_, err = sdp.Agree(s, both)
	require.ErrorIs(t, err, sdp.ErrSetup)
}

func TestBestStream(t *testing.T) {
	key := "a=crypto:1 " + sdes80
	for name, c := range map[string]struct {
		lines []string
		want  int
	}{
		"secure before plain":  {audio("m=audio 1000 RTP/AVP 0", "m=audio 2000 RTP/SAVP 0", key), 1},
		"secure behind":        {audio("m=audio 1000 RTP/SAVP 0", key, "m=audio 2000 RTP/AVP 0"), 0},
		"keys before none":     {audio("m=audio 1000 RTP/SAVP 0", "m=audio 2000 RTP/SAVP 8", key), 1},
		"the better codec":     {audio("m=audio 1000 RTP/SAVP 8", key, "m=audio 2000 RTP/SAVP 0", key), 1},
		"the first of equals":  {audio("m=audio 1000 RTP/SAVP 0", key, "m=audio 2000 RTP/SAVP 0", key), 0},
		"one that is on":       {audio("m=audio 0 RTP/SAVP 0", key, "m=audio 2000 RTP/SAVP 8", key), 1},
		"one with a codec":     {audio("m=audio 1000 RTP/SAVP 18", key, "m=audio 2000 RTP/SAVP 8", key), 1},
		"one we can transport": {audio("m=audio 1000 UDP/TLS/RTP/SAVP 0", "a=fingerprint:"+sha256Of, "m=audio 2000 RTP/SAVP 8", key), 1},
	} {
		a, err := sdp.Agree(parse(t, c.lines...), ours)
		require.NoError(t, err, name)
		assert.Equal(t, c.want, a.Index, name)
	}
}

// Plain RTP never comes out of a Local that does not say so, and never with keys.
func TestPlainRTPIsExplicit(t *testing.T) {
	offer := parse(t, audio("m=audio 4000 RTP/AVP 0", "a=x")...)
	_, err := sdp.Agree(offer, ours)
	require.ErrorIs(t, err, sdp.ErrPlainRTP)
	a, err := sdp.Agree(offer, plain)
	require.NoError(t, err)
	out, err := sdp.Answer(offer, a, plain).Marshal()
	require.NoError(t, err)
	require.Contains(t, string(out), "m=audio 4000 RTP/AVP 0\r\n")
	_, err = sdp.Answer(offer, a, ours).Marshal()
	require.ErrorIs(t, err, sdp.ErrLocal, "an agreement of a plain leg is nothing to a secure one")
	secure := parse(t, audio("m=audio 4000 RTP/SAVP 0", "a=crypto:1 "+sdes80)...)
	b, err := sdp.Agree(secure, ours)
	require.NoError(t, err)
	_, err = sdp.Answer(secure, b, plain).Marshal()
	require.ErrorIs(t, err, sdp.ErrLocal)
	out, err = sdp.Offer(plain).Marshal()
	require.NoError(t, err)
	require.Contains(t, string(out), "m=audio 4000 RTP/AVP 0 8 101\r\n")
	_, err = sdp.Accept(secure, plain)
	require.ErrorIs(t, err, sdp.ErrTransport)
	_, err = sdp.Accept(offer, ours)
	require.ErrorIs(t, err, sdp.ErrPlainRTP)
}

func TestLocalIsChecked(t *testing.T) {
	for name, change := range map[string]func(*sdp.Local){
		"unknown codec":   func(l *sdp.Local) { l.Codecs = []string{"PCMU", "G729"} },
		"spelling":        func(l *sdp.Local) { l.Codecs = []string{"pcmu"} },
		"events":          func(l *sdp.Local) { l.Codecs = []string{"PCMU", sdp.TelephoneEvent} },
		"twice":           func(l *sdp.Local) { l.Codecs = []string{"PCMU", "PCMU"} },
		"only noise":      func(l *sdp.Local) { l.Codecs = []string{sdp.CN} },
		"ptime":           func(l *sdp.Local) { l.PTime = 25 },
		"long ptime":      func(l *sdp.Local) { l.PTime = 70 },
		"maxptime":        func(l *sdp.Local) { l.MaxPTime = 10 },
		"direction":       func(l *sdp.Local) { l.Direction = 9 },
		"keying":          func(l *sdp.Local) { l.Keying = 8 },
		"setup":           func(l *sdp.Local) { l.Setup = "holdconn" },
		"tls-id":          func(l *sdp.Local) { l.TLSID = "short" },
		"plain with keys": func(l *sdp.Local) { l.InsecurePlainRTP = true },
	} {
		l := ours
		change(&l)
		require.ErrorIs(t, l.Check(), sdp.ErrLocal, name)
		_, err := sdp.Offer(l).Marshal()
		require.ErrorIs(t, err, sdp.ErrLocal, name)
		_, err = sdp.Agree(sdp.Offer(ours), l)
		require.ErrorIs(t, err, sdp.ErrLocal, name)
		_, err = sdp.Accept(sdp.Offer(ours), l)
		require.ErrorIs(t, err, sdp.ErrLocal, name)
		a, err := sdp.Agree(sdp.Offer(ours), ours)
		require.NoError(t, err)
		_, err = sdp.Answer(sdp.Offer(ours), a, l).Marshal()
		require.ErrorIs(t, err, sdp.ErrLocal, name)
	}
	none := ours
	none.Crypto = nil
	require.NoError(t, none.Check(), "keys are not needed to read")
	for name, s := range map[string]*sdp.Session{
		"no keys":       sdp.Offer(none),
		"no address":    sdp.Offer(sdp.Local{Crypto: ours.Crypto}),
		"no agreement":  sdp.Answer(sdp.Offer(ours), sdp.Agreed{Proto: "RTP/SAVP", Crypto: ours.Crypto}, ours),
		"another offer": sdp.Answer(&sdp.Session{}, sdp.Agreed{Proto: "RTP/SAVP", Crypto: ours.Crypto, Audio: []sdp.Codec{{Name: sdp.PCMU}}}, ours),
	} {
		out, err := s.Marshal()
		require.Error(t, err, name)
		require.Nil(t, out)
	}
	inject := ours
	inject.RTP = netip.MustParseAddrPort("192.0.2.1:4000")
	inject.Params = map[string]string{sdp.PCMU: "x\r\na=crypto:1"}
	_, err := sdp.Offer(inject).Marshal()
	require.ErrorIs(t, err, sdp.ErrMalformed)
}

// Keys come out of the values of this package in one way only: the text that goes to the peer.
func TestKeysOfAnAgreementAreNotPrinted(t *testing.T) {
	l := ours
	l.Crypto = sdp.Keys{"1 SUITE inline:SECRET"}
	var h sdp.History
	_, err := h.Marshal(sdp.Offer(l))
	require.NoError(t, err)
	a, err := sdp.Agree(sdp.Offer(l), l)
	require.NoError(t, err)
	require.Equal(t, l.Crypto, a.Crypto)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "a", a, "l", l, "k", a.Crypto, "h", h)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "a", a, "l", l, "k", a.Crypto, "h", h)
	j, err := json.Marshal([]any{a, l.Crypto})
	require.NoError(t, err)
	out := log.String() + string(j)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		out += fmt.Sprintf(strings.Repeat(verb+" ", 5), a, l, a.Crypto, h, &h)
	}
	assert.NotContains(t, out, "SECRET")
	assert.NotContains(t, out, fmt.Sprintf("%x", "SECRET"))
	assert.Contains(t, out, "[redacted]")
}
