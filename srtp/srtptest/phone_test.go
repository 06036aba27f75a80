package srtptest_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
	"github.com/ringfence/ringfence/srtp/srtptest"
)

func newPhone(t testing.TB, cfg srtptest.PhoneConfig) *srtptest.Phone {
	t.Helper()
	p, err := srtptest.NewPhone(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func newRelay(t testing.TB, cfg srtptest.RelayConfig) *srtptest.Relay {
	t.Helper()
	r, err := srtptest.NewRelay(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// verbs is what signalling sees of a phone or a leg.
type verbs interface {
	Offer(ctx context.Context) ([]byte, error)
	Answer(ctx context.Context, offer []byte) ([]byte, error)
	Accept(ctx context.Context, answer []byte) error
}

// connect lets a call b, through a relay if there is one.
func connect(t testing.TB, a, b verbs, r *srtptest.Relay) {
	t.Helper()
	ctx := context.Background()
	offer, err := a.Offer(ctx)
	require.NoError(t, err)
	if r != nil {
		offer, err = r.FromA(offer)
		require.NoError(t, err)
	}
	answer, err := b.Answer(ctx, offer)
	require.NoError(t, err)
	if r != nil {
		answer, err = r.FromB(answer)
		require.NoError(t, err)
	}
	require.NoError(t, a.Accept(ctx, answer))
}

func TestPhonesTalk(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b srtptest.PhoneConfig
		want string
	}{
		{"SDES", srtptest.PhoneConfig{}, srtptest.PhoneConfig{}, "PCMU"},
		{"A-law, RTCP on its own port", srtptest.PhoneConfig{NoMux: true}, srtptest.PhoneConfig{Codecs: []codec.Codec{codec.PCMA()}}, "PCMA"},
		{"wideband", srtptest.PhoneConfig{Codecs: []codec.Codec{codec.G722()}}, srtptest.PhoneConfig{Codecs: []codec.Codec{codec.PCMA(), codec.G722()}}, "G722"},
		{"plain", srtptest.PhoneConfig{InsecurePlainRTP: true}, srtptest.PhoneConfig{InsecurePlainRTP: true}, "PCMU"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := newPhone(t, c.a), newPhone(t, c.b)
			require.ErrorIs(t, a.Send(0, nil), srtptest.ErrNotReady)
			connect(t, a, b, nil)
			assert.Equal(t, c.want, a.Codec())
			a.Sing(440)
			heard, err := b.Listen(within(t, 10*time.Second), time.Second)
			require.NoError(t, err)
			assert.InDelta(t, 440, heard.Pitch(), 3)
			assert.Greater(t, heard.Share(440), 0.95)
			if c.want != "G722" { // its predictor settles in first
				assert.Zero(t, heard.Clicks())
			}
			assert.Zero(t, heard.Lost)
			assert.InDelta(t, -12, heard.Level(), 1)
			assert.InDelta(t, float64(time.Second), float64(heard.Duration()), float64(50*time.Millisecond))
			a.Sing(0)
			b.Forget()
			require.NoError(t, b.Play(within(t, 5*time.Second), codec.Tone(900, 500*time.Millisecond, 0.5), 8000))
			require.NoError(t, b.Press(within(t, 5*time.Second), "1*"))
			for _, want := range "1*" {
				d, err := a.Digit(within(t, 5*time.Second))
				require.NoError(t, err)
				assert.Equal(t, string(want), string(d))
			}
			assert.InDelta(t, 900, a.Heard().Pitch(), 3)
			require.NoError(t, a.SendRTCP([]byte{0x80, 201, 0, 1, 0, 0, 0, 0}))
			report, err := b.Report(within(t, 5*time.Second))
			require.NoError(t, err)
			assert.Equal(t, byte(201), report[1])
			assert.NotEqual(t, make([]byte, 4), report[4:8], "it names the phone's source")
			s := b.Stats()
			assert.Equal(t, 1, s.Sources)
			assert.Zero(t, s.AuthFailures+s.Replays+s.Strangers+s.Unknown)
			require.NoError(t, b.Close())
			_, err = b.Digit(context.Background())
			require.ErrorIs(t, err, srtptest.ErrClosed)
			require.ErrorIs(t, b.Play(context.Background(), make([]int16, 160), 8000), srtptest.ErrClosed)
			_, err = b.Offer(context.Background())
			require.ErrorIs(t, err, srtptest.ErrClosed)
			require.NotNil(t, b.Heard(), "what was heard outlives the phone")
		})
	}
}

// Hold stops the sound in the direction it should, a refresh changes nothing.
func TestPhoneHolds(t *testing.T) {
	a, b := newPhone(t, srtptest.PhoneConfig{}), newPhone(t, srtptest.PhoneConfig{})
	connect(t, a, b, nil)
	connect(t, a, b, nil)
	b.Sing(600)
	_, err := a.Listen(within(t, 5*time.Second), 100*time.Millisecond)
	require.NoError(t, err)
	a.Hold(true)
	connect(t, a, b, nil)
	assert.True(t, b.Held())
	assert.False(t, a.Held())
	require.NoError(t, b.Press(within(t, 5*time.Second), "5"), "it plays unheard")
	a.Forget()
	before := a.Stats().Received
	a.Hold(false)
	connect(t, a, b, nil)
	heard, err := a.Listen(within(t, 5*time.Second), 300*time.Millisecond)
	require.NoError(t, err)
	assert.InDelta(t, 600, heard.Pitch(), 3)
	assert.Greater(t, a.Stats().Received, before)
	assert.Zero(t, a.Stats().AuthFailures, "the key stayed")
}

// What a network does is measured: the phone hears a tone through it, and counts what is missing.
func TestPhonesThroughBadNetwork(t *testing.T) {
	bad := srtptest.PathConfig{Seed: 3, Delay: 20 * time.Millisecond, Jitter: 15 * time.Millisecond, Reorder: 0.05, Duplicate: 0.05,
		Drop: func(n uint64, _ []byte) bool { return n%40 == 20 }}
	r := newRelay(t, srtptest.RelayConfig{AB: bad})
	a, b := newPhone(t, srtptest.PhoneConfig{Drift: 50}), newPhone(t, srtptest.PhoneConfig{})
	connect(t, a, b, r)
	a.Sing(440)
	b.Sing(700)
	heard, err := b.Listen(within(t, 20*time.Second), 3*time.Second)
	require.NoError(t, err)
	assert.InDelta(t, 440, heard.Pitch(), 3)
	ab, _ := r.Stats()
	assert.NotZero(t, ab.Lost)
	assert.NotZero(t, ab.Reordered)
	assert.NotZero(t, ab.Duplicated)
	assert.InDelta(t, 4, heard.Lost, 2, "one in forty")
	assert.NotZero(t, heard.Late)
	assert.GreaterOrEqual(t, heard.Clicks(), heard.Lost, "each loss clicks where it begins or ends")
	assert.NotZero(t, b.Stats().Replays, "SRTP drops the second copies")
	back, err := a.Listen(within(t, 20*time.Second), time.Second)
	require.NoError(t, err)
	assert.InDelta(t, 700, back.Pitch(), 3)
	assert.Zero(t, back.Lost)
	assert.Zero(t, back.Clicks())
}

// Attackers without a key are noticed and not heard, at least by a phone with keys.
func TestAttackers(t *testing.T) {
	a, b := newPhone(t, srtptest.PhoneConfig{}), newPhone(t, srtptest.PhoneConfig{})
	spoofer := a.Spoofer()
	require.ErrorIs(t, spoofer.Send([]byte{1}), srtptest.ErrNotReady)
	require.ErrorIs(t, spoofer.Plain(1000, 1), srtptest.ErrNotReady)
	connect(t, a, b, nil)
	require.ErrorIs(t, spoofer.Replay(1), srtptest.ErrNotReady)
	stranger, err := a.Stranger()
	require.NoError(t, err)
	a.Sing(440)
	_, err = b.Listen(within(t, 5*time.Second), 200*time.Millisecond)
	require.NoError(t, err)
	for _, attack := range []error{spoofer.Replay(5), spoofer.Forge(1500, 5), spoofer.Plain(1500, 5), stranger.Replay(5), stranger.Flood(20), spoofer.Event('9')} {
		require.NoError(t, attack)
	}
	heard, err := b.Listen(within(t, 5*time.Second), 500*time.Millisecond)
	require.NoError(t, err)
	assert.InDelta(t, 440, heard.Pitch(), 3)
	assert.Less(t, heard.Share(1500), 0.01)
	s := b.Stats()
	assert.EqualValues(t, 10, s.Replays)
	assert.EqualValues(t, 31, s.AuthFailures)
	assert.Equal(t, 1, s.Sources)
	require.NoError(t, stranger.Close())
	require.NoError(t, stranger.Close())
	require.ErrorIs(t, stranger.Send(nil), srtptest.ErrClosed)
}

// A phone with keys refuses plain RTP, and the other way round; no key is ever printed.
func TestPhoneRefusals(t *testing.T) {
	ctx := context.Background()
	safe, plain := newPhone(t, srtptest.PhoneConfig{}), newPhone(t, srtptest.PhoneConfig{InsecurePlainRTP: true})
	offer, err := plain.Offer(ctx)
	require.NoError(t, err)
	_, err = safe.Answer(ctx, offer)
	require.ErrorIs(t, err, sdp.ErrPlainRTP)
	require.ErrorIs(t, safe.Accept(ctx, offer), srtptest.ErrState)
	offer, err = safe.Offer(ctx)
	require.NoError(t, err)
	_, err = plain.Answer(ctx, offer)
	require.ErrorIs(t, err, sdp.ErrTransport)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		fmt.Fprintf(&out, verb, safe)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "phone", safe)
	for _, m := range regexp.MustCompile(`inline:(\S{16})`).FindAllStringSubmatch(string(offer), -1) {
		assert.NotContains(t, out.String(), m[1])
	}
	for name, cfg := range map[string]srtptest.PhoneConfig{
		"stereo":  {Codecs: []codec.Codec{{Name: "L16", Channels: 2}}},
		"unknown": {Codecs: []codec.Codec{{Name: "G729", Channels: 1}}},
		"drift":   {Drift: 1e6},
	} {
		_, err := srtptest.NewPhone(cfg)
		require.ErrorIs(t, err, srtptest.ErrConfig, name)
	}
	r := newRelay(t, srtptest.RelayConfig{})
	_, err = r.FromA([]byte("hello"))
	require.ErrorIs(t, err, sdp.ErrMalformed)
	_, err = r.FromA([]byte("v=0\r\nc=IN IP4 phone.example\r\nm=audio 4000 RTP/SAVP 0\r\n"))
	require.ErrorIs(t, err, srtptest.ErrNoAddress)
	_, err = r.FromA([]byte("v=0\r\nc=IN IP4 127.0.0.1\r\nm=video 4000 RTP/SAVP 0\r\n"))
	require.ErrorIs(t, err, srtptest.ErrNoAddress)
	require.NoError(t, r.Close())
	_, err = r.FromA(offer)
	require.ErrorIs(t, err, srtptest.ErrClosed)
}
