package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
)

// softphone is a phone made of the same two packages, for the demo and for tests: real SIP over TLS, real SRTP, no sound card.
type softphone struct {
	ep     *sip.Endpoint
	engine *media.Engine
	cfg    softphoneConfig
	reg    *sip.Registration

	mu    sync.Mutex
	calls []*softcall // incoming ones that were answered
}

type softphoneConfig struct {
	server   string // "ip:port"
	domain   string
	user     string
	password string
	roots    *x509.CertPool
	codecs   []string
	voice    *media.Prompt // what it says, over and over; nil: nothing
	// answer is called for an incoming call; it returns when to answer, or an error to refuse with 486. nil: answer at once.
	answer func(ctx context.Context, c *sip.Call) error
	// talk ends an answered incoming call when it returns. nil: stay until the other side ends it.
	talk func(ctx context.Context, c *softcall)
}

// softcall is a call as a softphone has it.
type softcall struct {
	call *sip.Call
	leg  *media.Leg
	ears *ears
}

func newSoftphone(cfg softphoneConfig) (*softphone, error) {
	client, err := sip.ClientTLS(nil, cfg.roots)
	if err != nil {
		return nil, err
	}
	p := &softphone{cfg: cfg}
	if p.engine, err = media.New(media.Config{Addr: netip.MustParseAddr("127.0.0.1")}); err != nil {
		return nil, err
	}
	p.ep, err = sip.New(sip.Config{Client: client, Trusted: true, OnCall: p.onCall, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		p.engine.Close()
		return nil, err
	}
	return p, nil
}

func (p *softphone) aor() string { return "sip:" + p.cfg.user + "@" + p.cfg.domain }

func (p *softphone) register(ctx context.Context) error {
	r, err := p.ep.Register(ctx, sip.RegisterConfig{AOR: p.aor(), Address: p.cfg.server, Password: p.cfg.password})
	if err != nil {
		return fmt.Errorf("phone %s: %w", p.cfg.user, err)
	}
	p.reg = r
	return nil
}

func (p *softphone) close() {
	if p.reg != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = p.reg.Close(ctx) // the server may be gone before its phones
		cancel()
	}
	p.ep.Close()
	p.engine.Close()
}

func (p *softphone) newLeg() (*softcall, error) {
	leg, err := p.engine.NewLeg(media.LegConfig{SignallingSecure: true, Codecs: p.cfg.codecs})
	if err != nil {
		return nil, err
	}
	c := &softcall{leg: leg, ears: &ears{}}
	leg.SetTap(c.ears)
	if p.cfg.voice != nil {
		leg.Loop(p.cfg.voice)
	}
	return c, nil
}

// dial calls a number; the result is an answered call. The caller hangs it up.
func (p *softphone) dial(ctx context.Context, number string) (*softcall, error) {
	c, err := p.newLeg()
	if err != nil {
		return nil, err
	}
	c.call, err = p.ep.Dial(ctx, sip.DialConfig{Target: "sip:" + number + "@" + p.cfg.domain, Address: p.cfg.server, From: p.aor(), Password: p.cfg.password}, c.leg)
	if err != nil {
		c.leg.Close()
		return nil, err
	}
	return c, nil
}

func (p *softphone) onCall(ctx context.Context, call *sip.Call) {
	if err := call.Ring(); err != nil {
		return
	}
	if p.cfg.answer != nil {
		if err := p.cfg.answer(ctx, call); err != nil {
			_ = call.Reject(486)
			return
		}
	}
	c, err := p.newLeg()
	if err != nil {
		return
	}
	defer c.leg.Close()
	c.call = call
	if err := call.Answer(ctx, c.leg); err != nil {
		return
	}
	p.mu.Lock()
	p.calls = append(p.calls, c)
	p.mu.Unlock()
	if p.cfg.talk != nil {
		p.cfg.talk(ctx, c)
		return
	}
	<-ctx.Done()
}

// answered returns the incoming calls this phone has answered so far.
func (p *softphone) answered() []*softcall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*softcall(nil), p.calls...)
}

// hangup ends the call and frees its leg.
func (c *softcall) hangup() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = c.call.Hangup(ctx) // over for us either way
	c.leg.Close()
}

// ears keep the last second of what a leg hears.
type ears struct {
	mu    sync.Mutex
	codec string
	pcm   []int16 // at most one second
	total int     // samples heard so far
}

var _ media.Tap = (*ears)(nil)

func (e *ears) WriteFrame(_ time.Duration, name string, payload []byte) {
	var buf [480]int16
	pcm := buf[:min(len(payload), len(buf))]
	if name == "PCMA" {
		codec.DecodeAlaw(pcm, payload[:len(pcm)])
	} else {
		codec.DecodeMulaw(pcm, payload[:len(pcm)])
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.codec = name
	e.total += len(pcm)
	e.pcm = append(e.pcm, pcm...)
	if extra := len(e.pcm) - 8000; extra > 0 {
		e.pcm = append(e.pcm[:0], e.pcm[extra:]...)
	}
}

// hears reports whether a tone of freq Hz is most of what was heard in the last fifth of a second.
func (e *ears) hears(freq float64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	const window = 1600
	if len(e.pcm) < window {
		return false
	}
	return codec.Goertzel(e.pcm[len(e.pcm)-window:], freq) > 0.5
}

// heard returns how many samples were heard so far and in which codec.
func (e *ears) heard() (samples int, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.total, e.codec
}
