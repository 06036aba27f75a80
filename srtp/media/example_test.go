package media_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/ringfence/ringfence/srtp/media"
)

// A caller and an agent, each with a phone of its own, are bridged. The phones are legs too here; the bodies would travel over SIP.
func ExampleNewBridge() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	engine, err := media.New(media.Config{Addr: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		panic(err)
	}
	defer engine.Close()

	dial := func() (phone, leg *media.Leg) {
		phone, _ = engine.NewLeg(media.LegConfig{SignallingSecure: true})
		leg, _ = engine.NewLeg(media.LegConfig{SignallingSecure: true})
		offer, _ := phone.Offer(ctx)
		answer, err := leg.Answer(ctx, offer)
		if err != nil {
			panic(err)
		}
		if err := phone.Accept(ctx, answer); err != nil {
			panic(err)
		}
		return phone, leg
	}
	caller, callerLeg := dial()
	agent, agentLeg := dial()

	bridge, err := media.NewBridge(callerLeg, agentLeg)
	if err != nil {
		panic(err)
	}
	defer bridge.Close()
	if err := caller.SendDigits(ctx, "42"); err != nil {
		panic(err)
	}
	first, _ := agent.ReadDigit(ctx)
	second, _ := agent.ReadDigit(ctx)
	fmt.Printf("the agent's phone heard %c%c, protected by %s\n", first, second, agent.Security().Suite)
	// Output: the agent's phone heard 42, protected by AEAD_AES_256_GCM
}
