package webrtc_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/pion/interceptor"
	pion "github.com/pion/webrtc/v4"

	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/webrtc"
)

// A browser calls, hears a greeting and is joined to a phone. offer comes in the INVITE over secure WebSocket, and answer goes out in the 200 OK.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	engine, err := media.New(media.Config{Addr: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		panic(err)
	}
	defer engine.Close()
	browsers, err := webrtc.New(webrtc.Config{Media: engine, Addr: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		panic(err)
	}
	defer browsers.Close()

	leg, err := browsers.NewLeg(media.LegConfig{SignallingSecure: true})
	if err != nil {
		panic(err)
	}
	page := openPage()
	defer page.GracefulClose()
	answer, err := leg.Answer(ctx, []byte(page.LocalDescription().SDP))
	if err != nil {
		panic(err)
	}
	if err := page.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeAnswer, SDP: string(answer)}); err != nil {
		panic(err)
	}
	greeting, _ := media.Tone(440, 200*time.Millisecond)
	if err := leg.Play(ctx, greeting); err != nil { // waits for the handshake
		panic(err)
	}

	phone := answeredPhone(ctx, engine)
	bridge, err := media.NewBridge(leg, phone)
	if err != nil {
		panic(err)
	}
	fmt.Println(leg.Security().KeyMethod, leg.Security().Suite, leg.Security().PeerVerified)
	fmt.Println(phone.Security().KeyMethod, phone.Security().Suite)
	bridge.Close()
	// Output:
	// DTLS-SRTP AEAD_AES_256_GCM true
	// SDES AEAD_AES_256_GCM
}

// openPage stands for the browser: a connection with an offer.
func openPage() *pion.PeerConnection {
	var s pion.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	pc, err := pion.NewAPI(pion.WithSettingEngine(s), pion.WithInterceptorRegistry(&interceptor.Registry{})).NewPeerConnection(pion.Configuration{})
	if err != nil {
		panic(err)
	}
	mic, _ := pion.NewTrackLocalStaticRTP(pion.RTPCodecCapability{MimeType: pion.MimeTypePCMU, ClockRate: 8000}, "mic", "page")
	if _, err := pc.AddTrack(mic); err != nil {
		panic(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		panic(err)
	}
	done := pion.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		panic(err)
	}
	<-done
	return pc
}

// answeredPhone stands for a SIP phone's leg after its call was answered.
func answeredPhone(ctx context.Context, engine *media.Engine) *media.Leg {
	phone, _ := engine.NewLeg(media.LegConfig{SignallingSecure: true})
	leg, _ := engine.NewLeg(media.LegConfig{SignallingSecure: true})
	offer, _ := phone.Offer(ctx)
	answer, _ := leg.Answer(ctx, offer)
	if err := phone.Accept(ctx, answer); err != nil {
		panic(err)
	}
	return leg
}
