package insecureleg_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/ringfence/ringfence/srtp/insecureleg"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/srtptest"
)

// A trunk that knows plain RTP only calls in under a waiver; the call's record says so.
func ExampleNewLeg() {
	engine, err := media.New(media.Config{Addr: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	waiver := insecureleg.Waiver{Name: "carrier-x", Until: time.Now().Add(24 * time.Hour), Reason: "their border controller gets SRTP tomorrow"}
	leg, err := insecureleg.NewLeg(engine, media.LegConfig{}, waiver)
	if err != nil {
		log.Fatal(err)
	}
	trunk, err := srtptest.NewPhone(srtptest.PhoneConfig{InsecurePlainRTP: true})
	if err != nil {
		log.Fatal(err)
	}
	defer trunk.Close()

	ctx := context.Background()
	offer, err := trunk.Offer(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := leg.Answer(ctx, offer); err != nil {
		log.Fatal(err)
	}
	record := leg.Security()
	fmt.Println(record.Profile, record.KeyMethod, record.Waiver)
	// Output: RTP/AVP none carrier-x
}
