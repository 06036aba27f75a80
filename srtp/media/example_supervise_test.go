package media_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
)

// A supervisor listens to a call and then whispers to the agent; the caller hears the agent only. The three phones are legs too here.
func ExampleSupervision() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	engine, err := media.New(media.Config{Addr: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		panic(err)
	}
	defer engine.Close()

	// dial connects a phone that says one tone and notes which tones it hears.
	dial := func(says float64) (leg *media.Leg, hears *tones) {
		phone, _ := engine.NewLeg(media.LegConfig{SignallingSecure: true})
		leg, _ = engine.NewLeg(media.LegConfig{SignallingSecure: true})
		offer, _ := phone.Offer(ctx)
		answer, _ := leg.Answer(ctx, offer)
		if err := phone.Accept(ctx, answer); err != nil {
			panic(err)
		}
		voice, _ := media.Tone(says, 100*time.Millisecond)
		phone.Loop(voice)
		hears = &tones{of: map[float64]string{400: "caller", 700: "agent", 1100: "supervisor"}, heard: make(chan string, 1)}
		phone.SetTap(hears)
		return leg, hears
	}
	callerLeg, callerHears := dial(400)
	agentLeg, agentHears := dial(700)
	supervisorLeg, supervisorHears := dial(1100)

	bridge, err := media.NewBridge(callerLeg, agentLeg)
	if err != nil {
		panic(err)
	}
	call, caller, agent, err := bridge.Conference(media.ConferenceConfig{}) // caller and agent talk on
	if err != nil {
		panic(err)
	}
	supervisor, err := call.Join(supervisorLeg) // apart from both until Arrange
	if err != nil {
		panic(err)
	}
	s := media.Supervision{Callers: []*media.Member{caller}, Agents: []*media.Member{agent}, Supervisor: supervisor, Mode: media.Listen}
	_ = call.Arrange(s.Hears)
	fmt.Println("the supervisor hears", supervisorHears.when("caller agent"))
	s.Mode = media.Whisper
	_ = call.Arrange(s.Hears)
	fmt.Println("the agent hears", agentHears.when("caller supervisor"))
	fmt.Println("the caller hears", callerHears.when("agent"))
	supervisor.Leave()
	if _, err = call.Bridge(); err != nil {
		panic(err)
	}
	// Output:
	// the supervisor hears caller agent
	// the agent hears caller supervisor
	// the caller hears agent
}

// tones is a tap that tells who is heard by the tone they say.
type tones struct {
	of    map[float64]string
	heard chan string // the latest frame's
}

// WriteFrame implements media.Tap.
func (t *tones) WriteFrame(_ time.Duration, _ string, payload []byte) {
	pcm := make([]int16, len(payload))
	codec.DecodeMulaw(pcm, payload)
	names := ""
	for _, f := range []float64{400, 700, 1100} {
		if codec.Goertzel(pcm, f) > 0.3 {
			names += " " + t.of[f]
		}
	}
	select {
	case <-t.heard:
	default:
	}
	select {
	case t.heard <- names:
	default:
	}
}

// when returns what is heard as soon as it is want, and something else after 10 s.
func (t *tones) when(want string) (got string) {
	deadline := time.After(10 * time.Second)
	for {
		select {
		case got = <-t.heard:
			if got == " "+want {
				return want
			}
		case <-deadline:
			return "only" + got
		}
	}
}
