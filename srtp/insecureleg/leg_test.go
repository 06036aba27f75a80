package insecureleg_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/insecureleg"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
	"github.com/ringfence/ringfence/srtp/srtptest"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// clock is a clock that a test moves.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock(at time.Time) *clock {
	c := &clock{}
	c.at.Store(&at)
	return c
}
func (c *clock) now() time.Time      { return *c.at.Load() }
func (c *clock) set(at time.Time)    { c.at.Store(&at) }
func day(year, d int) time.Time      { return time.Date(year, 3, d, 0, 0, 0, 0, time.UTC) }
func (c *clock) add(d time.Duration) { c.set(c.now().Add(d)) }

func newEngine(t testing.TB, cfg media.Config) *media.Engine {
	t.Helper()
	cfg.Addr = loopback
	e, err := media.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func waiver() insecureleg.Waiver {
	return insecureleg.Waiver{Name: "carrier-x", Until: time.Now().Add(time.Hour), Reason: "no SRTP before spring"}
}

func newLeg(t testing.TB, e *media.Engine) *media.Leg {
	t.Helper()
	l, err := insecureleg.NewLeg(e, media.LegConfig{}, waiver())
	require.NoError(t, err)
	return l
}

func newPhone(t testing.TB, cfg srtptest.PhoneConfig) *srtptest.Phone {
	t.Helper()
	p, err := srtptest.NewPhone(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func plainPhone(t testing.TB) *srtptest.Phone {
	return newPhone(t, srtptest.PhoneConfig{InsecurePlainRTP: true})
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

type verbs interface {
	Offer(ctx context.Context) ([]byte, error)
	Answer(ctx context.Context, offer []byte) ([]byte, error)
	Accept(ctx context.Context, answer []byte) error
}

// connect lets a call b and returns the answer.
func connect(t testing.TB, a, b verbs) string {
	t.Helper()
	ctx := context.Background()
	offer, err := a.Offer(ctx)
	require.NoError(t, err)
	answer, err := b.Answer(ctx, offer)
	require.NoError(t, err)
	require.NoError(t, a.Accept(ctx, answer))
	return string(answer)
}

// Tones, digits and reports pass both ways, whoever offers, with RTCP on one port or two, and the record says what protects them: nothing.
func TestPlainTrunk(t *testing.T) {
	for _, c := range []struct {
		name   string
		phone  srtptest.PhoneConfig
		trunk  bool // calls us
		secure bool
	}{
		{"trunk calls", srtptest.PhoneConfig{}, true, false},
		{"we call", srtptest.PhoneConfig{Codecs: []codec.Codec{codec.PCMA()}}, false, true},
		{"two ports, trunk calls", srtptest.PhoneConfig{NoMux: true}, true, true},
		{"two ports, we call", srtptest.PhoneConfig{NoMux: true}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t, media.Config{PortMin: 47000, PortMax: 47999})
			w := waiver()
			leg, err := insecureleg.NewLeg(e, media.LegConfig{SignallingSecure: c.secure}, w)
			require.NoError(t, err)
			assert.Equal(t, media.Security{Waiver: w.Name, WaivedUntil: w.Until, SignallingSecure: c.secure}, leg.Security(), "before the first word")
			require.ErrorIs(t, leg.Accept(context.Background(), nil), media.ErrState)
			c.phone.InsecurePlainRTP = true
			phone := newPhone(t, c.phone)
			if c.trunk {
				connect(t, phone, leg)
			} else {
				connect(t, leg, phone)
			}
			port := phone.Peer().Port()
			assert.True(t, port >= 47000 && port < 47999 && port%2 == 0, "port %d", port)

			prompt, err := media.Tone(620, time.Second)
			require.NoError(t, err)
			stop := leg.Loop(prompt)
			heard, err := phone.Listen(within(t, 10*time.Second), time.Second)
			require.NoError(t, err)
			assert.InDelta(t, 620, heard.Pitch(), 3)
			assert.Zero(t, heard.Clicks())
			tap := newTap()
			leg.SetTap(tap)
			phone.Sing(440)
			tap.wait(t, 50)
			assert.InDelta(t, 440, tap.recording().Pitch(), 3)
			stop()

			require.NoError(t, phone.Press(within(t, 5*time.Second), "19#"))
			for _, want := range "19#" {
				d, err := leg.ReadDigit(within(t, 5*time.Second))
				require.NoError(t, err)
				assert.Equal(t, string(want), string(d))
			}
			require.NoError(t, leg.SendDigits(within(t, 5*time.Second), "*2"))
			for _, want := range "*2" {
				d, err := phone.Digit(within(t, 5*time.Second))
				require.NoError(t, err)
				assert.Equal(t, string(want), string(d))
			}
			// A receiver report about our source: five lost.
			report, err := phone.Report(within(t, 10*time.Second))
			require.NoError(t, err)
			rr := append([]byte{0x81, 201, 0, 7, 0, 0, 0, 0}, report[4:8]...)
			rr = append(rr, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
			require.NoError(t, phone.SendRTCP(rr))
			require.Eventually(t, func() bool { return leg.Stats().RemoteLost == 5 }, 5*time.Second, 10*time.Millisecond)

			profile := "RTP/AVP"
			assert.Equal(t, media.Security{KeyMethod: "none", Profile: profile, Waiver: w.Name, WaivedUntil: w.Until, SignallingSecure: c.secure}, leg.Security())
			assert.Zero(t, leg.Stats().Strangers)
			assert.Equal(t, 1, phone.Stats().Sources)
			require.NoError(t, leg.Close())
			assert.Equal(t, "carrier-x", leg.Security().Waiver, "the record outlives the call")
			_, err = leg.Offer(context.Background())
			require.ErrorIs(t, err, media.ErrClosed)
		})
	}
}

// Hold by direction and by the address of RFC 2543; a refresh changes nothing.
func TestHold(t *testing.T) {
	leg, phone := newLeg(t, newEngine(t, media.Config{})), plainPhone(t)
	first := connect(t, phone, leg)
	assert.Equal(t, first, connect(t, phone, leg), "a refresh keeps the version")
	prompt, err := media.Tone(620, time.Second)
	require.NoError(t, err)
	defer leg.Loop(prompt)()
	_, err = phone.Listen(within(t, 5*time.Second), 100*time.Millisecond)
	require.NoError(t, err)
	phone.Hold(true)
	assert.Contains(t, connect(t, phone, leg), "a=recvonly")
	assert.True(t, leg.Held())
	sent := leg.Stats().Sent
	phone.Sing(440) // its own music on hold
	tap := newTap()
	leg.SetTap(tap)
	tap.wait(t, 10)
	assert.LessOrEqual(t, leg.Stats().Sent, sent+1, "one may have been under way")
	phone.Hold(false)
	offer, err := phone.Offer(context.Background())
	require.NoError(t, err)
	old := strings.Replace(string(offer), "c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0", 1)
	require.NotEqual(t, string(offer), old)
	_, err = leg.Answer(context.Background(), []byte(old))
	require.NoError(t, err)
	assert.True(t, leg.Held())
	connect(t, phone, leg)
	assert.False(t, leg.Held())
	heard, err := phone.Listen(within(t, 5*time.Second), 500*time.Millisecond)
	require.NoError(t, err)
	assert.InDelta(t, 620, heard.Pitch(), 3)
}

// RTP bleed: who is not at the address of the description is not heard, presses no key, and is sent nothing, not even before the peer spoke.
func TestStrangersAreNotHeard(t *testing.T) {
	leg, phone := newLeg(t, newEngine(t, media.Config{})), plainPhone(t)
	connect(t, phone, leg)
	tap := newTap()
	leg.SetTap(tap)
	elsewhere, err := phone.StrangerAt(netip.MustParseAddr("127.0.0.2"))
	require.NoError(t, err)
	defer elsewhere.Close()
	neighbour, err := phone.Stranger()
	require.NoError(t, err)
	defer neighbour.Close()
	prompt, err := media.Tone(620, time.Second)
	require.NoError(t, err)
	defer leg.Loop(prompt)()

	require.NoError(t, elsewhere.Plain(1500, 20))
	require.NoError(t, elsewhere.Event('9'))
	heard, err := phone.Listen(within(t, 5*time.Second), 300*time.Millisecond)
	require.NoError(t, err, "the sound still goes to the phone")
	assert.InDelta(t, 620, heard.Pitch(), 3)
	phone.Sing(440)
	tap.wait(t, 10)
	for range 5 {
		require.NoError(t, elsewhere.Plain(1500, 10))
		require.NoError(t, elsewhere.Event('9'))
		require.NoError(t, elsewhere.Flood(100))
		require.NoError(t, neighbour.Plain(1500, 10), "same address, another port: while the phone talks, it is nobody")
		tap.wait(t, 10)
	}
	got := tap.recording()
	assert.InDelta(t, 440, got.Pitch(), 3)
	assert.Less(t, got.Share(1500), 0.01)
	s := leg.Stats()
	assert.GreaterOrEqual(t, s.Strangers, uint64(500), "counted, but for what the system dropped")
	heard, err = phone.Listen(within(t, 5*time.Second), 300*time.Millisecond)
	require.NoError(t, err)
	assert.InDelta(t, 620, heard.Pitch(), 3)
	require.NoError(t, phone.Press(within(t, 5*time.Second), "1"))
	d, err := leg.ReadDigit(within(t, 5*time.Second))
	require.NoError(t, err)
	assert.Equal(t, "1", string(d), "and not the stranger's 9")
	assert.False(t, leg.Security().Authenticated)
}

// Symmetric RTP: a peer whose NAT maps its port is heard and answered at the port it sends from, within its address.
func TestSymmetricPort(t *testing.T) {
	leg, phone := newLeg(t, newEngine(t, media.Config{})), plainPhone(t)
	offer, err := phone.Offer(context.Background())
	require.NoError(t, err)
	written := fmt.Sprintf("m=audio %d ", phone.Addr().Port())
	mapped := strings.Replace(string(offer), written, "m=audio 9 ", 1)
	require.NotEqual(t, string(offer), mapped)
	answer, err := leg.Answer(context.Background(), []byte(mapped))
	require.NoError(t, err)
	require.NoError(t, phone.Accept(context.Background(), answer))
	prompt, err := media.Tone(620, time.Second)
	require.NoError(t, err)
	defer leg.Loop(prompt)()
	phone.Sing(440)
	heard, err := phone.Listen(within(t, 5*time.Second), 500*time.Millisecond)
	require.NoError(t, err)
	assert.InDelta(t, 620, heard.Pitch(), 3)

	// Its NAT forgets the port: another one of the same address takes over, but not before two silent seconds.
	phone.Sing(0)
	neighbour, err := phone.Stranger()
	require.NoError(t, err)
	defer neighbour.Close()
	tap := newTap()
	leg.SetTap(tap)
	start := time.Now()
	require.Eventually(t, func() bool {
		assert.NoError(t, neighbour.Plain(900, 1))
		return len(tap.recording().PCM) > 0
	}, 10*time.Second, 50*time.Millisecond)
	assert.Greater(t, time.Since(start), 1500*time.Millisecond)
	assert.NotZero(t, leg.Stats().Strangers)
}

// A protected leg and a plain one are joined as any two: the sound passes, and each record says what it is.
func TestBridgeOfPlainAndProtected(t *testing.T) {
	e := newEngine(t, media.Config{})
	plain, trunk := newLeg(t, e), plainPhone(t)
	connect(t, trunk, plain)
	safe, err := e.NewLeg(media.LegConfig{SignallingSecure: true})
	require.NoError(t, err)
	agent := newPhone(t, srtptest.PhoneConfig{Codecs: []codec.Codec{codec.PCMA()}})
	connect(t, agent, safe)
	br, err := media.NewBridge(plain, safe)
	require.NoError(t, err)
	defer br.Close()
	trunk.Sing(440)
	agent.Sing(700)
	atAgent, err := agent.Listen(within(t, 10*time.Second), time.Second)
	require.NoError(t, err)
	atTrunk, err := trunk.Listen(within(t, 10*time.Second), time.Second)
	require.NoError(t, err)
	assert.InDelta(t, 440, atAgent.Pitch(), 3)
	assert.InDelta(t, 700, atTrunk.Pitch(), 3)
	trunk.Sing(0)
	require.NoError(t, trunk.Press(within(t, 5*time.Second), "5"))
	d, err := agent.Digit(within(t, 5*time.Second))
	require.NoError(t, err)
	assert.Equal(t, "5", string(d))
	assert.Equal(t, "SDES", safe.Security().KeyMethod)
	assert.Empty(t, safe.Security().Waiver)
	assert.Equal(t, "none", plain.Security().KeyMethod)
	assert.Zero(t, agent.Stats().AuthFailures)
}

// Plain RTP is no fallback: whoever could do SRTP is told where to go, in whatever form it says so.
func TestProtectedPeersAreRefused(t *testing.T) {
	e := newEngine(t, media.Config{})
	head := "v=0\r\nc=IN IP4 127.0.0.1\r\n"
	crypto := "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + strings.Repeat("A", 40) + "\r\n"
	print := "a=fingerprint:sha-256 00\r\n"
	prompt, err := media.Tone(440, time.Second)
	require.NoError(t, err)
	for name, offer := range map[string]string{
		"SDES":              head + "m=audio 4000 RTP/SAVP 0\r\n" + crypto,
		"DTLS":              head + "m=audio 4000 UDP/TLS/RTP/SAVP 0\r\n" + print,
		"opportunistic":     head + "m=audio 4000 RTP/AVP 0\r\n" + crypto,
		"fingerprint above": "v=0\r\nc=IN IP4 127.0.0.1\r\n" + print + "m=audio 4000 RTP/AVP 0\r\n",
		"two lines":         head + "m=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/SAVP 0\r\n" + crypto,
		"SAVP without keys": head + "m=audio 4002 RTP/SAVPF 0\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			leg := newLeg(t, e)
			_, err := leg.Answer(context.Background(), []byte(offer))
			require.ErrorIs(t, err, insecureleg.ErrProtected)
			assert.Contains(t, err.Error(), "use a leg of media.Engine.NewLeg")
			assert.NotContains(t, err.Error(), "AAAA")
			require.ErrorIs(t, leg.Play(context.Background(), prompt), media.ErrNotReady)
		})
	}
	leg := newLeg(t, e)
	_, err = leg.Offer(context.Background())
	require.NoError(t, err)
	require.ErrorIs(t, leg.Accept(context.Background(), []byte(head+"m=audio 4000 RTP/SAVP 0\r\n"+crypto)), insecureleg.ErrProtected)
	require.ErrorIs(t, leg.Accept(context.Background(), []byte(head+"m=audio 4000 RTP/AVP 0\r\n"+crypto)), insecureleg.ErrProtected)
	for body, want := range map[string]error{
		"hello": sdp.ErrMalformed,
		head:    sdp.ErrNoAudio,
		"v=0\r\nc=IN IP4 sbc.example\r\nm=audio 4000 RTP/AVP 0\r\n":      insecureleg.ErrNoAddress,
		"v=0\r\nc=IN IP4 224.0.0.9\r\nm=audio 4000 RTP/AVP 0\r\n":        insecureleg.ErrNoAddress,
		"v=0\r\nc=IN IP4 255.255.255.255\r\nm=audio 4000 RTP/AVP 0\r\n":  insecureleg.ErrNoAddress,
		"v=0\r\nc=IN IP6 2001:db8::1\r\nm=audio 4000 RTP/AVP 0\r\n":      media.ErrAddressFamily,
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 18 3\r\n":     sdp.ErrNoCodec,
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 TCP/MRCPv2 1\r\n":     sdp.ErrTransport,
		"v=0\r\nc=IN IP4 127.0.0.1\r\nm=image 4000 udptl t38\r\na=x\r\n": sdp.ErrNoAudio,
	} {
		_, err := newLeg(t, e).Answer(context.Background(), []byte(body))
		require.ErrorIs(t, err, want, body)
	}
	// A normal leg goes on refusing plain RTP.
	safe, err := e.NewLeg(media.LegConfig{SignallingSecure: true})
	require.NoError(t, err)
	_, err = safe.Answer(context.Background(), []byte(head+"m=audio 4000 RTP/AVP 0\r\n"))
	require.ErrorIs(t, err, media.ErrPlainRTP)
}

// A waiver needs a name, a date within a year and a reason, and ends by itself: for new legs and for what legs negotiate.
func TestWaiver(t *testing.T) {
	e := newEngine(t, media.Config{})
	c := newClock(day(2027, 1))
	good := insecureleg.Waiver{Name: "carrier-x", Until: day(2027, 10), Reason: "no SRTP before spring; agreed by J. Doe", Now: c.now}
	for name, change := range map[string]func(*insecureleg.Waiver){
		"nothing":      func(w *insecureleg.Waiver) { *w = insecureleg.Waiver{} },
		"no name":      func(w *insecureleg.Waiver) { w.Name = " " },
		"long name":    func(w *insecureleg.Waiver) { w.Name = strings.Repeat("x", 65) },
		"name in two":  func(w *insecureleg.Waiver) { w.Name = "a\nb" },
		"no reason":    func(w *insecureleg.Waiver) { w.Reason = "" },
		"no date":      func(w *insecureleg.Waiver) { w.Until = time.Time{} },
		"over a year":  func(w *insecureleg.Waiver) { w.Until = day(2028, 2) },
		"far too long": func(w *insecureleg.Waiver) { w.Until = day(2099, 1) },
	} {
		w := good
		change(&w)
		_, err := insecureleg.NewLeg(e, media.LegConfig{}, w)
		require.ErrorIs(t, err, insecureleg.ErrWaiver, name)
	}
	w := good
	w.Until = day(2028, 1)
	_, err := insecureleg.NewLeg(e, media.LegConfig{}, w)
	require.NoError(t, err, "a year is not too long")
	_, err = insecureleg.NewLeg(nil, media.LegConfig{}, good)
	require.ErrorIs(t, err, media.ErrConfig)
	_, err = insecureleg.NewLeg(e, media.LegConfig{Codecs: []string{"G729"}}, good)
	require.ErrorIs(t, err, media.ErrConfig)

	running, err := insecureleg.NewLeg(e, media.LegConfig{}, good)
	require.NoError(t, err)
	waiting, err := insecureleg.NewLeg(e, media.LegConfig{}, good)
	require.NoError(t, err)
	phone := plainPhone(t)
	connect(t, phone, running)
	c.set(day(2027, 10).Add(-time.Nanosecond))
	_, err = running.Offer(context.Background())
	require.NoError(t, err, "its last moment")
	c.add(time.Nanosecond)
	offer, err := phone.Offer(context.Background())
	require.NoError(t, err)
	_, fresh := insecureleg.NewLeg(e, media.LegConfig{}, good)
	_, answer := waiting.Answer(context.Background(), offer)
	_, offered := waiting.Offer(context.Background())
	_, again := running.Answer(context.Background(), offer)
	for _, err := range []error{fresh, answer, offered, again} {
		require.ErrorIs(t, err, insecureleg.ErrExpired)
		assert.Contains(t, err.Error(), `"carrier-x" ended at 2027-03-10T00:00:00Z`)
	}
	// The call that is up is not cut.
	phone.Sing(440)
	tap := newTap()
	running.SetTap(tap)
	tap.wait(t, 10)
}

// A range without a free pair is said so.
func TestNoPort(t *testing.T) {
	e := newEngine(t, media.Config{PortMin: 46101, PortMax: 46103})
	one, two := newLeg(t, e), newLeg(t, e)
	_, err := one.Offer(context.Background())
	require.NoError(t, err)
	_, err = two.Offer(context.Background())
	require.ErrorIs(t, err, media.ErrNoPort)
	require.NoError(t, one.Close())
	_, err = two.Offer(context.Background())
	require.NoError(t, err, "a closed leg gives its ports back")
}

// No description makes a leg panic, and what it accepts is answered with as many lines as were offered, none of them protected.
func FuzzAnswer(f *testing.F) {
	f.Add("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp:4001\r\n")
	f.Add("v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVPF 0\r\na=inactive\r\nm=video 5000 RTP/AVP 96\r\n")
	f.Add("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/SAVP 0\r\n")
	e := newEngine(f, media.Config{})
	f.Fuzz(func(t *testing.T, offer string) {
		leg := newLeg(t, e)
		defer func() { _ = leg.Close() }()
		out, err := leg.Answer(context.Background(), []byte(offer))
		if err != nil {
			return
		}
		in, err := sdp.Parse([]byte(offer))
		require.NoError(t, err)
		s, err := sdp.Parse(out)
		require.NoError(t, err)
		require.Len(t, s.Media, len(in.Media))
		assert.NotContains(t, string(out), "crypto")
		assert.Equal(t, "none", leg.Security().KeyMethod)
	})
}
