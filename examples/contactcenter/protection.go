package main

import (
	"math"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/srtp/media"
)

// protection is the security record of one leg of a call: how its signalling and its audio were protected. Every leg of a call has one, whoever was at
// its other end.
type protection struct {
	Leg       string `json:"leg"` // caller, agent, transfer, carrier
	Transport string `json:"transport"`
	TLS       string `json:"tls,omitempty"`
	Cipher    string `json:"cipher,omitempty"`
	Verified  string `json:"verified,omitempty"` // what proved who the other side is
	Media     string `json:"media,omitempty"`    // suite of SRTP; empty before it was agreed
	Keys      string `json:"keys,omitempty"`     // how its keys were agreed
	Authentic bool   `json:"authentic"`          // a packet of the peer was checked with them
	Sound     *sound `json:"sound,omitempty"`    // how it sounded; nil: nothing was heard
}

// sound is what a leg sounded like, by the E-model of ITU-T G.107, and what the network did to it.
type sound struct {
	MOS       float64 `json:"mos"`                 // of what we heard, 1 to 4.5
	MOSThere  float64 `json:"mos_there,omitempty"` // of what the other side heard, as far as it reports that
	Loss      float64 `json:"loss"`                // share of its packets that did not arrive
	Jitter    float64 `json:"jitter_ms"`
	RoundTrip float64 `json:"round_trip_ms,omitempty"`
}

func soundOf(s media.Stats) *sound {
	if s.Heard.R == 0 {
		return nil
	}
	ms := func(d time.Duration) float64 { return math.Round(d.Seconds()*1e5) / 100 }
	two := func(v float64) float64 { return math.Round(v*100) / 100 }
	return &sound{MOS: two(s.Heard.MOS), MOSThere: two(s.HeardByPeer.MOS), Loss: math.Round(s.Heard.Loss*1e4) / 1e4, Jitter: ms(s.Jitter), RoundTrip: ms(s.RoundTrip)}
}

func protectionOf(name string, c *sip.Call, leg *media.Leg) protection {
	p, m := c.Protection(), leg.Security()
	return protection{Leg: name, Transport: p.Transport, TLS: p.Version, Cipher: p.Suite, Verified: p.Verified, Media: m.Suite, Keys: m.KeyMethod, Authentic: m.Authenticated, Sound: soundOf(leg.Stats())}
}

// side is one leg that a call has or had.
type side struct {
	name string
	call *sip.Call
	leg  *media.Leg
}

// joins adds a leg to the call's security record.
func (p *phone) joins(name string, c *sip.Call, leg *media.Leg) {
	p.site.mu.Lock()
	defer p.site.mu.Unlock()
	p.sides = append(p.sides, side{name, c, leg})
}

// protections is the security record of a call so far; nil for work that is no call any more.
func (s *site) protections(work string) []protection {
	s.mu.Lock()
	p := s.callers[work]
	var sides []side
	if p != nil {
		sides = append(sides, p.sides...)
	}
	s.mu.Unlock()
	var out []protection
	for _, x := range sides {
		out = append(out, protectionOf(x.name, x.call, x.leg))
	}
	return out
}
