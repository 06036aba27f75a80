package sip_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
)

// mutator makes broken messages out of good ones, the same ones each time.
type mutator struct{ *rand.Rand }

var hostileBytes = []string{"\r\n", "\n", "\r", "\x00", ":", ";", ",", "<", ">", "\"", "\\", " ", "\t", "%", "@", "[", "]", "=", "-1", "4294967296", "99999999999999999999", "SIP/2.0", "\xff\xfe", ";tag=x", "\r\n "}

func (m mutator) seed(i int) []byte {
	sdp := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n"
	method, body := "INVITE", sdp
	if i%2 == 1 {
		method, body = "REGISTER", ""
	}
	auth := ""
	if i%3 == 0 {
		auth = "Authorization: Digest username=\"1001\", realm=\"acme.test\", nonce=\"AAAA\", uri=\"sip:acme.test\", response=\"00\", algorithm=SHA-256, cnonce=\"c\", qop=auth, nc=00000001\r\n"
	}
	return []byte(fmt.Sprintf("%s sip:1001@acme.test SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5070;branch=z9hG4bKmut%d;rport\r\nMax-Forwards: 70\r\nFrom: \"A\" <sip:1001@acme.test>;tag=m%d\r\n"+
		"To: <sip:1001@acme.test>\r\nCall-ID: mut-%d\r\nCSeq: 1 %s\r\nContact: <sip:1001@127.0.0.1:5070>;expires=120\r\n%sContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		method, i, i, i, method, auth, len(body), body))
}

func (m mutator) next(i int) []byte {
	b := m.seed(i)
	for range 1 + m.IntN(4) {
		at, to := m.IntN(len(b)), m.IntN(len(b))
		at, to = min(at, to), max(at, to)
		switch m.IntN(7) {
		case 0:
			b[at] ^= byte(1 << m.IntN(8))
		case 1: // cut out
			b = append(b[:at:at], b[min(at+m.IntN(20), len(b)):]...)
		case 2: // repeat
			b = append(b[:to:to], b[at:]...)
		case 3: // insert
			b = append(append(b[:at:at], hostileBytes[m.IntN(len(hostileBytes))]...), b[at:]...)
		case 4: // a line twice, or a line gone
			lines := bytes.Split(b, []byte("\r\n"))
			j := m.IntN(len(lines))
			if m.IntN(2) == 0 {
				lines = append(lines[:j:j], lines[max(0, j-1):]...)
			} else {
				lines = append(lines[:j:j], lines[min(j+1, len(lines)):]...)
			}
			b = bytes.Join(lines, []byte("\r\n"))
		case 5: // cut off
			b = b[:max(1, to)]
		case 6: // a long run
			b = append(append(b[:at:at], bytes.Repeat([]byte{b[at]}, m.IntN(3000))...), b[at:]...)
		}
		if len(b) == 0 {
			b = []byte{'\r'}
		}
	}
	return b
}

type countingWriter struct{ n atomic.Int64 }

func (w *countingWriter) Write(b []byte) (int, error) {
	w.n.Add(int64(len(b)))
	return len(b), nil
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMutatedMessagesLeaveNothing(t *testing.T) {
	const all, batch = 20000, 100
	log := &countingWriter{}
	l := newLab(t, sip.Config{
		Logger: slog.New(slog.NewTextHandler(log, nil)), TotalRate: 1e6, TotalBurst: 1e6, // all of them must reach the parsers
		AllowSources: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	})
	m := mutator{rand.New(rand.NewPCG(20261122, 4475))}
	answers := 0
	stream := func(from, to int) {
		c, err := net.Dial("tcp", l.tcp)
		require.NoError(t, err)
		defer c.Close()
		done := make(chan int)
		go func() { // ends with the connection, waited for below
			b, _ := io.ReadAll(c)
			done <- bytes.Count(b, []byte("SIP/2.0 "))
		}()
		for i := from; i < to; i++ {
			if _, err := c.Write(m.next(i)); err != nil { // closed on us, as it should when the framing is lost
				break
			}
		}
		_ = c.(*net.TCPConn).CloseWrite()
		require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
		answers += <-done
	}
	buf := make([]byte, 64<<10)
	packets := func(from, to int) {
		c, err := net.Dial("udp", l.udp)
		require.NoError(t, err)
		defer c.Close()
		for i := from; i < to; i++ {
			_, err := c.Write(m.next(i))
			require.NoError(t, err)
			if (i+1)%10 == 0 { // no more under way than a socket buffer holds
				_, err = io.WriteString(c, probe)
				require.NoError(t, err)
				require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
				for {
					n, err := c.Read(buf)
					require.NoError(t, err)
					answers++
					if bytes.Contains(buf[:n], []byte("Call-ID: probe\r\n")) {
						break
					}
				}
			}
		}
	}
	// On a stream a mutation soon costs the framing and with it the rest, so each connection carries a few only.
	run := func(from, to int) {
		for i := from; i < to; i += batch {
			if i/batch%2 == 0 {
				packets(i, i+batch)
				continue
			}
			for j := i; j < i+batch; j += 4 {
				stream(j, j+4)
			}
		}
	}
	run(0, all/20)
	before, goroutines := heap(), runtime.NumGoroutine()
	run(all/20, all)
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+5 }, 10*time.Second, 10*time.Millisecond)
	after := heap()
	s := l.Stats()
	t.Logf("%d answers; malformed %d, parse errors %d; heap %d KB, then %d KB; log %d bytes", answers, s.Malformed, s.ParseErrors, before>>10, after>>10, log.n.Load())
	require.Zero(t, l.rang.Load())
	require.Zero(t, s.Calls)
	require.Zero(t, l.reg.Len())
	require.Zero(t, s.ParseErrors, "the library saw something it cannot read")
	require.Greater(t, s.Malformed, uint64(all/4))
	require.Greater(t, answers, all/8)
	require.Less(t, after, 2*before)
	require.Less(t, log.n.Load(), int64(2<<20))
	control.Proves(t, "NET-07")
}
