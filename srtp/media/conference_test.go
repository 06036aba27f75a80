package media_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// full is the amplitude of a tone of media.Tone. leak is what no frame may have of a tone that is not for the listener: less than a millisecond of it. Voices that begin within a frame,
// as they do behind filters, have something of every frequency, so for wideband listeners it is four milliseconds.
const (
	full     = 8192
	leak     = 500
	wideLeak = 1600
)

// amplitude is how much of a frequency, a multiple of 50 Hz, is in 20 ms at 8000 Hz.
func amplitude(pcm []int16, freq float64) float64 {
	var re, im float64
	for i, v := range pcm {
		s, c := math.Sincos(2 * math.Pi * freq * float64(i) / 8000)
		re += float64(v) * c
		im += float64(v) * s
	}
	return 2 * math.Hypot(re, im) / float64(len(pcm))
}

// hearing is a phone's ear in a conference: each frame's amplitude of each party's tone.
type hearing struct {
	ear
	mu     sync.Mutex
	freqs  []float64
	frames [][]float64
	more   chan struct{}
}

func (h *hearing) WriteFrame(_ time.Duration, name string, payload []byte) {
	pcm := h.decode(name, payload)
	if name == sdp.G722 {
		// The filters of encoder, decoder and resampler put 6 ms of a packet's audio into the time of the next one; each frame is looked at from 8 ms on.
		if h.pcm = append(h.pcm, pcm...); len(h.pcm) < 320 {
			return
		}
		h.pcm = h.pcm[len(h.pcm)-320:]
		pcm = h.pcm[64 : 64+160]
	}
	amps := make([]float64, len(h.freqs))
	for i, f := range h.freqs {
		amps[i] = amplitude(pcm, f)
	}
	h.mu.Lock()
	h.frames = append(h.frames, amps)
	close(h.more)
	h.more = make(chan struct{})
	h.mu.Unlock()
}

// until returns when n frames have come since the phone's ear was set.
func (h *hearing) until(t testing.TB, n int) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		h.mu.Lock()
		have, more := len(h.frames), h.more
		h.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("%d frames of %d", have, n)
		}
	}
}

func (h *hearing) between(from, to int) [][]float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.frames[min(from, len(h.frames)):min(to, len(h.frames))]
}

// party is a phone that says one tone without end, and our leg to it.
type party struct {
	name       string
	phone, leg *media.Leg
	freq       float64
	hears      *hearing
	member     *media.Member
	leak       float64
}

// sent is how many packets the party's phone was sent: the number of the next frame in hears.
func (p *party) sent() int { return int(p.leg.Stats().Sent) }

func parties(t testing.TB, e *media.Engine, codecs []string, freqs ...float64) []*party {
	t.Helper()
	out := make([]*party, len(freqs))
	for i, f := range freqs {
		p := &party{name: []string{"caller", "agent", "supervisor", "guest"}[i], freq: f, hears: &hearing{freqs: freqs, more: make(chan struct{})}}
		p.phone, p.leg = pair(t, e, codecs[i%len(codecs)])
		p.phone.SetTap(p.hears)
		if p.leak = leak; p.leg.Codec() == sdp.G722 {
			p.leak = wideLeak
		}
		voice, err := media.NewCallTone(codec.CallTone{Parts: []codec.TonePart{{F1: int(f)}}}) // it has no fades, which would look like other tones
		require.NoError(t, err)
		t.Cleanup(p.phone.Loop(voice))
		out[i] = p
	}
	return out
}

func join(t testing.TB, c *media.Conference, p *party) {
	t.Helper()
	m, err := c.Join(p.leg)
	require.NoError(t, err)
	p.member = m
}

// check looks at what a party heard from a frame on: of all, nothing that is forbidden in any frame; of the last ten, everything that is allowed.
func check(t testing.TB, p *party, all []*party, from, settled int, hears func(speaker *party) bool, what string) {
	t.Helper()
	p.hears.until(t, settled+10)
	for i, s := range all {
		if !hears(s) {
			for n, f := range p.hears.between(from, settled+10) {
				if f[i] > p.leak {
					t.Fatalf("%s: the %s heard the %s in frame %d after the switch (amplitude %.0f)", what, p.name, s.name, n, f[i])
				}
			}
			continue
		}
		got := 0
		for _, f := range p.hears.between(settled, settled+10) {
			if f[i] > full/2 {
				got++
			}
		}
		if got < 7 {
			t.Fatalf("%s: the %s heard the %s in %d frames of 10", what, p.name, s.name, got)
		}
	}
}

// modes is who hears whom in each mode, by name, as the caller of a contact center would put it.
var modes = map[media.Mode]map[string]string{
	media.Listen:   {"caller": "agent", "agent": "caller", "supervisor": "caller agent"},
	media.Whisper:  {"caller": "agent", "agent": "caller supervisor", "supervisor": "caller agent"},
	media.Barge:    {"caller": "agent supervisor", "agent": "caller supervisor", "supervisor": "caller agent"},
	media.Takeover: {"caller": "supervisor", "agent": "", "supervisor": "caller"},
}

func hearsIn(mode media.Mode, p *party) func(*party) bool {
	return func(s *party) bool { return p != s && slices.Contains(strings.Fields(modes[mode][p.name]), s.name) }
}

// A bridged call becomes a conference, is supervised in every mode, and becomes a bridge again; each party hears exactly whom it should, frame by frame.
func TestSupervisedCall(t *testing.T) {
	for name, codecs := range map[string][]string{
		"narrow": {sdp.PCMU, sdp.PCMA, sdp.PCMU}, "wide": {sdp.G722}, "mixed": {sdp.PCMA, sdp.G722, sdp.Opus},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, media.Config{})
			all := parties(t, e, codecs, 400, 700, 1100)
			caller, agent, supervisor := all[0], all[1], all[2]
			br, err := media.NewBridge(caller.leg, agent.leg)
			require.NoError(t, err)
			bridged := func(p *party) func(*party) bool {
				return func(s *party) bool { return s != p && s != supervisor && p != supervisor }
			}
			for _, p := range all[:2] {
				check(t, p, all, 0, 10, bridged(p), "bridge")
			}
			c, a, b, err := br.Conference(media.ConferenceConfig{})
			require.NoError(t, err)
			caller.member, agent.member = a, b
			assert.Same(t, caller.leg, a.Leg())
			_, err = media.NewBridge(caller.leg, supervisor.leg)
			require.ErrorIs(t, err, media.ErrBusy)
			_, _, _, err = br.Conference(media.ConferenceConfig{})
			require.ErrorIs(t, err, media.ErrClosed)
			before := []int{caller.sent(), agent.sent()}
			join(t, c, supervisor)
			_, err = c.Bridge()
			require.ErrorIs(t, err, media.ErrMembers)
			for i, p := range all[:2] {
				check(t, p, all, before[i], p.sent()+15, bridged(p), "conference")
			}
			check(t, supervisor, all, 0, supervisor.sent()+5, bridged(supervisor), "who joins is apart")
			s := media.Supervision{Callers: []*media.Member{a}, Agents: []*media.Member{b}, Supervisor: supervisor.member}
			for _, mode := range []media.Mode{media.Listen, media.Whisper, media.Barge, media.Takeover, media.Listen} {
				s.Mode = mode
				require.NoError(t, c.Arrange(s.Hears))
				for _, p := range all {
					from := p.sent()
					check(t, p, all, from, from+15, hearsIn(mode, p), mode.String())
				}
			}
			supervisor.member.Leave()
			supervisor.member.Leave()
			quietFrom := supervisor.sent()
			again, err := c.Bridge()
			require.NoError(t, err)
			for _, p := range all[:2] {
				from := p.sent()
				check(t, p, all, from, from+15, bridged(p), "bridge again")
			}
			assert.Equal(t, quietFrom, supervisor.sent(), "who left is sent nothing")
			require.ErrorIs(t, c.Arrange(media.Everybody), media.ErrClosed)
			_, err = c.Join(supervisor.leg)
			require.ErrorIs(t, err, media.ErrClosed)
			again.Close()
			for _, p := range all {
				assert.Zero(t, p.phone.Stats().Replays+p.phone.Stats().Lost, "the stream to the %s is one, whatever fed it", p.name)
			}
		})
	}
}

// Switching to and fro, also in the middle of talk and of lost packets, never lets one frame through to who may not hear it.
func TestSwitchingLeaksNothing(t *testing.T) {
	leaktest.Check(t)
	for name, codecs := range map[string][]string{"narrow": {sdp.PCMU, sdp.PCMA, sdp.PCMU}, "wide": {sdp.G722, sdp.PCMU, sdp.G722}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, media.Config{})
			all := parties(t, e, codecs, 400, 700, 1100)
			c, err := media.NewConference(e, media.ConferenceConfig{})
			require.NoError(t, err)
			for _, p := range all {
				join(t, c, p)
			}
			caller, agent, supervisor := all[0], all[1], all[2]
			s := media.Supervision{Callers: []*media.Member{caller.member}, Agents: []*media.Member{agent.member}, Supervisor: supervisor.member}
			type window struct {
				p        *party
				from, to int
				mode     media.Mode
			}
			var windows []window
			for i := range 40 {
				s.Mode = []media.Mode{media.Listen, media.Whisper, media.Barge, media.Listen, media.Takeover}[i%5]
				require.NoError(t, c.Arrange(s.Hears))
				from := []int{caller.sent(), agent.sent(), supervisor.sent()}
				caller.hears.until(t, from[0]+2+i%4)
				for k, p := range all {
					windows = append(windows, window{p, from[k], p.sent(), s.Mode})
				}
			}
			for _, p := range all {
				p.hears.until(t, p.sent())
			}
			frames := 0
			for _, w := range windows {
				for i, sp := range all {
					if hearsIn(w.mode, w.p)(sp) {
						continue
					}
					for n, f := range w.p.hears.between(w.from, w.to) {
						frames++
						require.Less(t, f[i], w.p.leak, "%s: the %s heard the %s in frame %d of %d", w.mode, w.p.name, sp.name, n, w.to-w.from)
					}
				}
			}
			assert.Greater(t, frames, 200)
		})
	}
}

// What was said before somebody was let in is not played to them, though it waits in the speaker's playout buffer.
func TestNewListenersHearNothingFromBefore(t *testing.T) {
	e := newEngine(t, media.Config{})
	lp, l := newBarePhone(t), newLeg(t, e)
	lp.call(l)
	phone, leg := newBarePhone(t), newLeg(t, e)
	phone.call(leg)
	c, err := media.NewConference(e, media.ConferenceConfig{})
	require.NoError(t, err)
	listener, err := c.Join(l)
	require.NoError(t, err)
	speaker, err := c.Join(leg)
	require.NoError(t, err)
	secret, public := toneFrame(700), toneFrame(1100)
	heard := 0
	for i := range 60 {
		payload := secret
		if i >= 20 {
			payload = public
		}
		if i == 20 {
			for range 4 { // a burst: the buffer holds 100 ms
				phone.send(phone.packet(0, secret))
			}
			require.Eventually(t, func() bool { return leg.Stats().Received == 24 }, 5*time.Second, time.Millisecond)
			require.NoError(t, c.Arrange(media.Among(listener, speaker)))
		}
		phone.send(phone.packet(0, payload))
		pcm := (&ear{}).decode(sdp.PCMU, lp.receive()[12:]) // its pace is the test's
		require.Less(t, amplitude(pcm, 700), float64(leak), "frame %d", i)
		if amplitude(pcm, 1100) > full/2 {
			heard++
		}
	}
	assert.Greater(t, heard, 25)
}

func TestConferenceSkipsNoOneAndRefusesTheRest(t *testing.T) {
	e := newEngine(t, media.Config{})
	other := newEngine(t, media.Config{})
	c, err := media.NewConference(e, media.ConferenceConfig{Hears: media.Everybody})
	require.NoError(t, err)
	_, foreign := pair(t, other)
	_, err = c.Join(foreign)
	require.ErrorIs(t, err, media.ErrConfig)
	_, err = c.Join(newLeg(t, e))
	require.ErrorIs(t, err, media.ErrNotReady)
	_, err = media.NewConference(nil, media.ConferenceConfig{})
	require.ErrorIs(t, err, media.ErrConfig)
	all := parties(t, e, []string{sdp.PCMU}, 400, 700, 1100, 1500)
	for i, p := range all {
		join(t, c, p)
		_, err = c.Join(p.leg)
		require.ErrorIs(t, err, media.ErrBusy)
		require.Len(t, c.Members(), i+1)
	}
	require.ErrorIs(t, all[0].leg.Echo(context.Background()), media.ErrBusy)
	others := func(p *party) func(*party) bool { return func(s *party) bool { return s != p } }
	for _, p := range all {
		check(t, p, all, 0, p.sent()+15, others(p), "everybody")
	}
	require.NoError(t, all[3].leg.Close())
	require.Len(t, c.Members(), 3)
	for _, p := range all[:3] {
		from := p.sent()
		check(t, p, all, from, from+5, func(s *party) bool { return s != p && s != all[3] }, "one hung up")
	}
	c.Close()
	c.Close()
	assert.Empty(t, c.Members())
	_, err = media.NewBridge(all[0].leg, all[1].leg)
	require.NoError(t, err, "the legs are free")
}

// Music plays to who hears nobody, a prompt goes before the conference, and tapes keep the parties apart.
func TestConferenceMusicPromptsAndTaps(t *testing.T) {
	e := newEngine(t, media.Config{})
	all := parties(t, e, []string{sdp.PCMU, sdp.G722}, 400, 700)
	alone, second := all[0], all[1]
	alone.hears.freqs = []float64{400, 700, 1100, 1500}
	c, err := media.NewConference(e, media.ConferenceConfig{Hears: media.Everybody, Music: tone(t, 1100, 200*time.Millisecond)})
	require.NoError(t, err)
	join(t, c, alone)
	alone.hears.until(t, 15)
	for i, f := range alone.hears.between(3, 15) {
		require.Greater(t, f[2], float64(full/3), "music in frame %d", i)
	}
	tape := newEar()
	alone.leg.SetTap(tape)
	join(t, c, second)
	from := alone.sent()
	alone.hears.until(t, from+25)
	for _, f := range alone.hears.between(from+15, from+25) {
		require.Greater(t, f[1], float64(full/2))
		require.Less(t, f[2], float64(leak))
	}
	require.NoError(t, alone.leg.Play(within(t, 5*time.Second), tone(t, 1500, 200*time.Millisecond)))
	alone.hears.until(t, alone.sent())
	last := alone.hears.between(alone.sent()-8, alone.sent()-3)
	for _, f := range last {
		require.Greater(t, f[3], float64(full/3), "%v", last)
		require.Less(t, f[1], float64(leak))
	}
	tape.wait(t, 10)
	assert.InDelta(t, 400, tape.pitch(), 3, "a tap hears its own party alone")
}

func TestConferenceDigits(t *testing.T) {
	e := newEngine(t, media.Config{})
	for _, relay := range []bool{false, true} {
		t.Run(fmt.Sprint(relay), func(t *testing.T) {
			all := parties(t, e, []string{sdp.PCMU, sdp.Opus}, 400, 700)
			c, err := media.NewConference(e, media.ConferenceConfig{Hears: media.Everybody, RelayDigits: relay})
			require.NoError(t, err)
			for _, p := range all {
				join(t, c, p)
			}
			all[1].hears.until(t, 20)
			require.NoError(t, all[0].phone.SendDigits(within(t, 5*time.Second), "7"))
			d, err := all[0].leg.ReadDigit(within(t, 5*time.Second))
			require.NoError(t, err)
			assert.Equal(t, byte('7'), d)
			if relay {
				d, err = all[1].phone.ReadDigit(within(t, 5*time.Second))
				require.NoError(t, err)
				assert.Equal(t, byte('7'), d)
				return
			}
			from := all[1].sent()
			all[1].hears.until(t, from+10)
			select {
			case <-all[1].phone.Digits():
				t.Fatal("a digit went to somebody else")
			default:
			}
		})
	}
}

func toneFrame(freq float64) []byte {
	pcm := make([]int16, 160)
	for i := range pcm {
		pcm[i] = int16(full * math.Sin(2*math.Pi*freq*float64(i)/8000))
	}
	return mulaw(pcm)
}
