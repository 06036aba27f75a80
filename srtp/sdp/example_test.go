package sdp_test

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ringfence/ringfence/srtp/sdp"
)

// A phone offers, puts us on hold, and both sides keep to the rules of a session.
func Example() {
	const key = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
	offer := func(direction string) string {
		return strings.Join([]string{"v=0", "o=phone 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0",
			"m=audio 4000 RTP/SAVP 9 0 101", "a=rtpmap:101 telephone-event/8000", "a=" + direction, "a=crypto:" + key, ""}, "\r\n")
	}
	var h sdp.History
	local := sdp.Local{ID: 7, RTP: netip.MustParseAddrPort("198.51.100.5:5000"), Codecs: []string{sdp.G722, sdp.PCMU}, History: &h}
	for _, direction := range []string{"sendrecv", "sendonly"} {
		s, err := sdp.Parse([]byte(offer(direction)))
		if err != nil {
			panic(err)
		}
		h.Received(s)
		a, err := sdp.Agree(s, local)
		if err != nil {
			panic(err)
		}
		fmt.Println(a.Audio[0].Name, a.Direction, "held:", a.Held, "keys:", a.Crypto)
		local.Crypto = sdp.Keys{key} // a real one is fresh, of package srtp
		out, err := h.Marshal(sdp.Answer(s, a, local))
		if err != nil {
			panic(err)
		}
		lines := strings.Split(string(out), "\r\n")
		fmt.Println(lines[1], "|", lines[5])
	}
	// Output:
	// G722 sendrecv held: false keys: [redacted]
	// o=- 7 0 IN IP4 198.51.100.5 | m=audio 5000 RTP/SAVP 9 101
	// G722 recvonly held: true keys: [redacted]
	// o=- 7 1 IN IP4 198.51.100.5 | m=audio 5000 RTP/SAVP 9 101
}
