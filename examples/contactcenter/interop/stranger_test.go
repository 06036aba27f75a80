package interop

import (
	"encoding/binary"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec"
)

// voice makes RTP packets of a tone, 20 ms of µ-law each.
type voice struct {
	ssrc uint32
	pcm  []int16
	seq  uint16
}

func newVoice(ssrc uint32, freq float64) *voice {
	return &voice{ssrc: ssrc, pcm: codec.Tone(freq, time.Second, 0.5)} // over and over: whole hertz fit
}

func (v *voice) next() []byte {
	b := make([]byte, 12+160)
	b[0] = 0x80
	binary.BigEndian.PutUint16(b[2:], v.seq)
	binary.BigEndian.PutUint32(b[4:], uint32(v.seq)*160)
	binary.BigEndian.PutUint32(b[8:], v.ssrc)
	codec.EncodeMulaw(b[12:], v.pcm[int(v.seq)%50*160:][:160])
	v.seq++
	return b
}

var mediaPort = regexp.MustCompile(`(?m)^m=audio (\d+) `)

// A stranger who knows the port of a call, and even one who replays the caller's own packets, is neither heard nor sent anything, and is counted.
func TestStrangersAreNotHeard(t *testing.T) {
	need(t, "sipp", "socat")
	t.Parallel()
	const callerSays, strangerSays = 700, 1500
	s := startServer(t, siteConfig{})
	port := tunnel(t, s, asAcme)
	sippRun{scenario: "refused.xml", user: "1009", number: "9002", port: port, profile: "RTP/AVP"}.run(t, s)

	caller, stranger := newSocket(t), newSocket(t)
	trace, wait := sippRun{scenario: "call.xml", user: "1009", number: "9002", port: port, media: caller.port(), pause: 20 * time.Second}.start(t, s)
	answer := answerOf(t, trace)
	m := mediaPort.FindStringSubmatch(answer)
	require.NotNil(t, m, answer)
	n, err := strconv.Atoi(m[1])
	require.NoError(t, err)
	target := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n}

	own, err := srtp.ParseCrypto(sdesKey[len("crypto:"):])
	require.NoError(t, err)
	sender, err := srtp.NewSender(own, srtp.SenderConfig{})
	require.NoError(t, err)
	defer sender.Close()
	theirs, err := srtp.ParseCrypto(cryptoLine.FindStringSubmatch(answer)[1])
	require.NoError(t, err)
	receiver, err := srtp.NewReceiver(theirs, srtp.ReceiverConfig{})
	require.NoError(t, err)
	defer receiver.Close()

	// The caller talks until the end; what was sent is kept for the replay.
	var mu sync.Mutex
	var sent [][]byte
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		v := newVoice(sender.SSRC(), callerSays)
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				p, err := sender.ProtectRTP(nil, v.next())
				if err == nil {
					_, err = caller.conn.WriteToUDP(p, target)
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				sent = append(sent, p)
				mu.Unlock()
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	eventually(t, "the caller hears the echo", func() bool { return len(caller.received()) > 25 })

	before := s.metrics()
	const each = 40
	forged := newVoice(0xbad, strangerSays)
	for i := range each {
		mu.Lock()
		replay := sent[i%len(sent)]
		mu.Unlock()
		_, err := caller.conn.WriteToUDP(replay, target) // and from the caller's own address, as somebody on the path can
		require.NoError(t, err)
		for _, p := range [][]byte{forged.next(), replay} {
			_, err := stranger.conn.WriteToUDP(p, target)
			require.NoError(t, err)
		}
		// Plain RTP from the caller's own address: somebody behind the same NAT, or a phone that fell back to no encryption.
		_, err = caller.conn.WriteToUDP(forged.next(), target)
		require.NoError(t, err)
	}
	grown := func(what string) float64 {
		name := `contactcenter_media_packets_total{what="` + what + `"}`
		return s.metrics()[name] - before[name]
	}
	eventually(t, "strangers are counted", func() bool { return grown("stranger") == 2*each })
	eventually(t, "what was not made with the key is counted", func() bool { return grown("unauthentic") == each })

	heard := len(caller.received())
	eventually(t, "the call goes on", func() bool { return len(caller.received()) > heard+60 })
	var pcm []int16
	for _, p := range caller.received() {
		raw, err := receiver.UnprotectRTP(nil, p)
		require.NoError(t, err, "the caller is sent nothing that is not encrypted")
		frame := make([]int16, len(raw)-12)
		codec.DecodeMulaw(frame, raw[12:])
		pcm = append(pcm, frame...)
	}
	requireTone(t, pcm[len(pcm)-8000:], callerSays, "the echo, of which the last second followed the attack")
	for at := 0; at+1600 <= len(pcm); at += 1600 {
		require.Less(t, codec.Goertzel(pcm[at:at+1600], strangerSays), 0.05, "the stranger in the echo")
	}
	require.Empty(t, stranger.received(), "nothing is sent to a stranger")
	wait()
	for _, kind := range []string{"srtp-replay", "srtp-forged", "srtp-stranger"} {
		eventually(t, "the security log", func() bool { return strings.Contains(s.stderr.String(), "msg=security kind="+kind) })
	}
	control.Proves(t, "ENC-09", "LOG-13")
}
