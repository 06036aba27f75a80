package srtp_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
)

// libsrtpPeer answers one JSON line per case: what it makes of our packets, our packets under another key, and packets of its own.
const libsrtpPeer = `
import sys, json, base64
from pylibsrtp import Policy, Session, Error
prof = {"AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM, "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80, "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32}
for line in sys.stdin:
    c = json.loads(line)
    key, rtp, rtcp = base64.b64decode(c["key"]), bytes.fromhex(c["rtp"]), bytes.fromhex(c["rtcp"])
    def s(k, d): return Session(policy=Policy(key=k, ssrc_type=d, srtp_profile=prof[c["suite"]]))
    rx = s(key, Policy.SSRC_ANY_INBOUND)
    out = {"rtp": rx.unprotect(rtp).hex(), "rtcp": rx.unprotect_rtcp(rtcp).hex(), "other": "accepted"}
    try: s(bytes([key[0] ^ 1]) + key[1:], Policy.SSRC_ANY_INBOUND).unprotect(rtp)
    except Error: out["other"] = "refused"
    tx = s(key, Policy.SSRC_ANY_OUTBOUND)
    out["tx"] = tx.protect(bytes.fromhex(out["rtp"])).hex()
    out["txc"] = tx.protect_rtcp(bytes.fromhex(out["rtcp"])).hex()
    print(json.dumps(out))
`

// libsrtp is the implementation most phones and browsers use: it must open what we protect, refuse it under another key, and make what we open.
func TestLibsrtpUnderstandsUs(t *testing.T) {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import pylibsrtp").Run() != nil {
		t.Skip("python3-pylibsrtp is not installed")
	}
	type result struct{ RTP, RTCP, Other, Tx, Txc string }
	var in strings.Builder
	var crypto []srtp.Crypto
	var rtp, rtcp [][]byte
	for _, suite := range []srtp.Suite{srtp.AEADAES256GCM, srtp.AEADAES128GCM, srtp.AESCM128HMACSHA1Tag80, srtp.AESCM128HMACSHA1Tag32} {
		offer, err := only(suite).Offer()
		require.NoError(t, err)
		s, err := srtp.NewSender(offer[0], srtp.SenderConfig{})
		require.NoError(t, err)
		pkt, ctl := rtpPacket(s.SSRC(), 77), append(rtcpPacket(s.SSRC()), rtcpPacket(s.SSRC())...)
		p, err := s.ProtectRTP(nil, pkt)
		require.NoError(t, err)
		c, err := s.ProtectRTCP(nil, ctl)
		require.NoError(t, err)
		j, err := json.Marshal(map[string]string{"suite": suite.String(), "key": offer[0].Keys[0].Key.ExportSecret(),
			"rtp": hex.EncodeToString(p), "rtcp": hex.EncodeToString(c)})
		require.NoError(t, err)
		in.Write(append(j, '\n'))
		crypto, rtp, rtcp = append(crypto, offer[0]), append(rtp, pkt), append(rtcp, ctl)
	}
	cmd := exec.Command(python, "-c", libsrtpPeer)
	cmd.Stdin = strings.NewReader(in.String())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, len(crypto))
	for i, line := range lines {
		var r result
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		assert.Equal(t, hex.EncodeToString(rtp[i]), r.RTP, crypto[i].Suite)
		assert.Equal(t, hex.EncodeToString(rtcp[i]), r.RTCP, crypto[i].Suite)
		assert.Equal(t, "refused", r.Other, crypto[i].Suite)
		rx, err := srtp.NewReceiver(crypto[i], srtp.ReceiverConfig{})
		require.NoError(t, err)
		got, err := rx.UnprotectRTP(nil, unhex(t, r.Tx))
		require.NoError(t, err)
		assert.Equal(t, rtp[i], got)
		got, err = rx.UnprotectRTCP(nil, unhex(t, r.Txc))
		require.NoError(t, err)
		assert.Equal(t, rtcp[i], got)
	}
}
