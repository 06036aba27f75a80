package interop

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
)

// python is Debian's own: its pylibsrtp is built for it.
const python = "/usr/bin/python3"

func needLibsrtp(t *testing.T) {
	t.Helper()
	if exec.Command(python, "-c", "import pylibsrtp").Run() != nil {
		missing(t, "python3-pylibsrtp is not installed")
	}
}

// decrypt gives captured packets and a key to libsrtp.
func decrypt(t *testing.T, suite string, key []byte, packets [][]byte) (payloads [][]byte, refused int) {
	t.Helper()
	job := map[string]any{"suite": suite, "key": base64.StdEncoding.EncodeToString(key)}
	text := make([]string, len(packets))
	for i, p := range packets {
		text[i] = hex.EncodeToString(p)
	}
	job["packets"] = text
	in, err := json.Marshal(job)
	require.NoError(t, err)
	cmd := exec.Command(python, "testdata/decrypt.py")
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var result struct {
		Payloads []string
		Refused  int
	}
	require.NoError(t, json.Unmarshal(out, &result))
	for _, p := range result.Payloads {
		b, err := hex.DecodeString(p)
		require.NoError(t, err)
		payloads = append(payloads, b)
	}
	return payloads, result.Refused
}

// requireDecrypts checks that libsrtp opens every packet with the key and finds the tone, and opens none with another key.
func requireDecrypts(t *testing.T, suite, inline string, packets [][]byte, freq float64) (payloads [][]byte) {
	t.Helper()
	require.Greater(t, len(packets), 100, "more than two seconds of media")
	key, err := base64.StdEncoding.DecodeString(inline)
	require.NoError(t, err)
	payloads, refused := decrypt(t, suite, key, packets)
	require.Zero(t, refused)
	var pcm []int16
	for _, p := range payloads {
		frame := make([]int16, len(p))
		codec.DecodeMulaw(frame, p)
		pcm = append(pcm, frame...)
	}
	requireTone(t, middle(t, pcm), freq, "inside SRTP")

	key[len(key)-20] ^= 1
	payloads2, refused := decrypt(t, suite, key, packets)
	require.Empty(t, payloads2, "another key")
	require.Len(t, packets, refused)
	return payloads
}

// socket receives media as a phone would, and keeps what came as it came.
type socket struct {
	conn    *net.UDPConn
	mu      sync.Mutex
	packets [][]byte
}

func newSocket(t *testing.T) *socket {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	s := &socket{conn: conn}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buf := make([]byte, 2048); ; {
			n, _, err := conn.ReadFromUDP(buf)
			if err != nil {
				return // closed with the test
			}
			if n > 1 && (buf[1] < 192 || buf[1] > 223) { // RTP, not RTCP (RFC 5761 section 4)
				s.mu.Lock()
				s.packets = append(s.packets, bytes.Clone(buf[:n]))
				s.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return s
}

func (s *socket) port() int { return s.conn.LocalAddr().(*net.UDPAddr).Port }

func (s *socket) received() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.packets...)
}

// answerOf waits for the 200 with a session description in the trace of a run, and returns it.
func answerOf(t *testing.T, trace func() string) string {
	t.Helper()
	answer := ""
	eventually(t, "the call is answered", func() bool {
		for _, r := range responses(trace(), "200") {
			if strings.Contains(r, "m=audio") && strings.Contains(r, "a=crypto") {
				answer = r
			}
		}
		return answer != ""
	})
	return answer
}

// libsrtp, which most phones and browsers are built on, opens our media with the key we told over TLS, and with no other.
func TestLibsrtpDecryptsACall(t *testing.T) {
	need(t, "sipp", "socat")
	t.Parallel()
	needLibsrtp(t)
	s := startServer(t, siteConfig{})
	port := tunnel(t, s, asAcme)
	for suite, size := range map[string]int{"AES_CM_128_HMAC_SHA1_80": 30, "AEAD_AES_256_GCM": 44} {
		t.Run(suite, func(t *testing.T) {
			media := newSocket(t)
			own := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{'k'}, size))
			trace, wait := sippRun{
				scenario: "stay.xml", user: "1009", number: "9003", port: port, media: media.port(), profile: "RTP/SAVP", keys: "crypto:1 " + suite + " inline:" + own,
			}.start(t, s)
			m := cryptoLine.FindStringSubmatch(answerOf(t, trace))
			require.NotNil(t, m)
			require.Equal(t, suite, m[2], "as offered")
			require.NotEqual(t, own, m[3], "each direction has its own key")
			wait() // the server hangs up after its three seconds
			requireDecrypts(t, suite, m[3], media.received(), 1000)
		})
	}
}
