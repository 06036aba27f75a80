package srtptest_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
	"github.com/ringfence/ringfence/srtp/srtptest"
)

// tap writes down what a leg's recorder would hear, each frame at its media time.
type tap struct {
	mu     sync.Mutex
	pcm    []int16
	frames int
	heard  chan struct{}
}

func newTap() *tap { return &tap{heard: make(chan struct{}, 10000)} }

func (e *tap) WriteFrame(at time.Duration, name string, payload []byte) {
	pcm := make([]int16, len(payload))
	if name == sdp.PCMA {
		codec.DecodeAlaw(pcm, payload)
	} else {
		codec.DecodeMulaw(pcm, payload)
	}
	from := int(at * 8000 / time.Second)
	e.mu.Lock()
	if need := from + len(pcm); need > len(e.pcm) {
		e.pcm = append(e.pcm, make([]int16, need-len(e.pcm))...)
	}
	copy(e.pcm[from:], pcm)
	e.frames++
	e.mu.Unlock()
	select {
	case e.heard <- struct{}{}:
	default:
	}
}

func (e *tap) wait(t testing.TB, n int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for range n {
		select {
		case <-e.heard:
		case <-deadline:
			t.Fatal("heard too little")
		}
	}
}

func (e *tap) recording() *srtptest.Recording {
	e.mu.Lock()
	defer e.mu.Unlock()
	pcm := append([]int16(nil), e.pcm...)
	for len(pcm) > 0 && pcm[0] == 0 {
		pcm = pcm[1:] // before the phone began
	}
	return &srtptest.Recording{PCM: pcm, Rate: 8000}
}

func newLeg(t testing.TB) *media.Leg {
	t.Helper()
	e, err := media.New(media.Config{Addr: newPhone(t, srtptest.PhoneConfig{}).Addr().Addr()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Close() })
	l, err := e.NewLeg(media.LegConfig{SignallingSecure: true})
	require.NoError(t, err)
	return l
}

// A leg and a phone that share no code above the packet transform understand each other through a network that loses, reorders and doubles.
func TestLegThroughBadNetwork(t *testing.T) {
	bad := srtptest.PathConfig{Seed: 1, Loss: 0.01, Delay: 10 * time.Millisecond, Jitter: 10 * time.Millisecond, Reorder: 0.03, Duplicate: 0.03}
	for _, c := range []struct {
		name  string
		offer bool
	}{{"phone offers", true}, {"leg offers", false}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRelay(t, srtptest.RelayConfig{AB: bad, BA: bad})
			leg, phone := newLeg(t), newPhone(t, srtptest.PhoneConfig{})
			if c.offer {
				connect(t, phone, leg, r)
			} else {
				connect(t, leg, phone, r)
			}
			heard := newTap()
			leg.SetTap(heard)
			prompt, err := media.Tone(620, time.Second)
			require.NoError(t, err)
			stop := leg.Loop(prompt)
			defer stop()
			phone.Sing(440)
			got, err := phone.Listen(within(t, 20*time.Second), 3*time.Second)
			require.NoError(t, err)
			assert.InDelta(t, 620, got.Pitch(), 3)
			assert.Greater(t, got.Share(620), 0.8)
			heard.wait(t, 100)
			assert.InDelta(t, 440, heard.recording().Pitch(), 3)
			assert.Greater(t, heard.recording().Share(440), 0.8)
			assert.Equal(t, 1, phone.Stats().Sources)
			ab, ba := r.Stats()
			assert.NotZero(t, ab.Duplicated+ba.Duplicated)
			assert.NotZero(t, leg.Stats().Replays, "second copies are not heard twice")
			stop()
			phone.Sing(0)
			require.NoError(t, phone.Press(within(t, 5*time.Second), "7"))
			d, err := leg.ReadDigit(within(t, 5*time.Second))
			require.NoError(t, err)
			assert.Equal(t, "7", string(d))
			require.NoError(t, leg.SendDigits(within(t, 5*time.Second), "#"))
			d, err = phone.Digit(within(t, 5*time.Second))
			require.NoError(t, err)
			assert.Equal(t, "#", string(d))
		})
	}
}

// Whoever has no key is never heard by a leg, from wherever its packets seem to come.
func TestLegNeverHearsAttackers(t *testing.T) {
	leg, phone := newLeg(t), newPhone(t, srtptest.PhoneConfig{})
	connect(t, phone, leg, nil)
	heard := newTap()
	leg.SetTap(heard)
	stranger, err := phone.Stranger()
	require.NoError(t, err)
	defer stranger.Close()
	spoofer := phone.Spoofer()
	// Before the phone said anything, when a leg has to listen to anybody.
	require.NoError(t, stranger.Plain(1500, 5))
	require.NoError(t, stranger.Forge(1500, 5))
	require.NoError(t, stranger.Event('9'))
	phone.Sing(440)
	heard.wait(t, 10)
	for range 5 {
		for _, a := range []*srtptest.Attacker{stranger, spoofer} {
			require.NoError(t, a.Plain(1500, 5))
			require.NoError(t, a.Forge(1500, 5))
			require.NoError(t, a.Replay(10))
			require.NoError(t, a.Flood(50))
			require.NoError(t, a.Event('9'))
		}
		heard.wait(t, 10)
	}
	got := heard.recording()
	assert.InDelta(t, 440, got.Pitch(), 3)
	assert.Less(t, got.Share(1500), 0.01)
	assert.Zero(t, got.Clicks(), "not one sample of a replay is in it")
	s := leg.Stats()
	assert.NotZero(t, s.Strangers)
	assert.NotZero(t, s.AuthFailures)
	assert.NotZero(t, s.Replays)
	require.NoError(t, phone.Press(within(t, 5*time.Second), "1"))
	d, err := leg.ReadDigit(within(t, 5*time.Second))
	require.NoError(t, err)
	assert.Equal(t, "1", string(d), "and not the attacker's 9")
}
