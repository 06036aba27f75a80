package srtptest_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"time"

	"github.com/ringfence/ringfence/srtp/srtptest"
)

// A phone calls another through a network that loses and doubles packets; the other tells what it hears.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	network, err := srtptest.NewRelay(srtptest.RelayConfig{AB: srtptest.PathConfig{Loss: 0.01, Duplicate: 0.02, Delay: 20 * time.Millisecond}})
	if err != nil {
		log.Fatal(err)
	}
	defer network.Close()
	caller, err := srtptest.NewPhone(srtptest.PhoneConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer caller.Close()
	callee, err := srtptest.NewPhone(srtptest.PhoneConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer callee.Close()

	// Each description passes the network, which puts its own address into it. The callee is what a program under test would be.
	offer, err := caller.Offer(ctx)
	if err == nil {
		offer, err = network.FromA(offer)
	}
	if err != nil {
		log.Fatal(err)
	}
	answer, err := callee.Answer(ctx, offer)
	if err == nil {
		answer, err = network.FromB(answer)
	}
	if err == nil {
		err = caller.Accept(ctx, answer)
	}
	if err != nil {
		log.Fatal(err)
	}

	caller.Sing(440)
	heard, err := callee.Listen(ctx, time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("a tone within 3 Hz of 440:", math.Abs(heard.Pitch()-440) < 3)
	// Output: a tone within 3 Hz of 440: true
}
