package voicemailtest

import (
	"context"
	"sync"
	"time"

	"github.com/ringfence/ringfence/recording/voicemail"
)

// PromptLength is how long every prompt of a Phone takes.
const PromptLength = time.Second

// Phone is a caller who waits for something and does something, in the order of Script. It is for testing/synctest bubbles, where waiting costs no time.
type Phone struct {
	// Script says what the caller does. After its end the caller says and presses nothing.
	Script []Act
	// Voice is what the caller says while recorded, in frames of 20 ms of µ-law. If nil, nothing.
	Voice func(n int) []byte

	mu     sync.Mutex
	heard  []string
	pcm    [][]int16
	keys   chan byte
	gone   chan struct{}
	hung   bool
	next   int
	masked int
}

// Act is one line of a script: once the caller hears Hear, they wait, and then press Keys or hang up.
type Act struct {
	Hear  string // a prompt; "message" is linear audio, "record" is being recorded
	After time.Duration
	Keys  string
	Hang  bool
}

var _ voicemail.Phone = (*Phone)(nil)

func (p *Phone) lines() (keys chan byte, gone chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil {
		p.keys, p.gone = make(chan byte, 1024), make(chan struct{})
	}
	return p.keys, p.gone
}

// hear notes what is heard and returns what the caller does about it.
func (p *Phone) hear(what string) (Act, bool) {
	p.lines()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, what)
	if p.next < len(p.Script) && p.Script[p.next].Hear == what {
		p.next++
		return p.Script[p.next-1], true
	}
	return Act{}, false
}

// wait lets d pass, in which the caller does a.
func (p *Phone) wait(ctx context.Context, d time.Duration, a Act, acts bool) error {
	keys, gone := p.lines()
	if acts && a.After <= d {
		if err := pause(ctx, gone, a.After); err != nil {
			return err
		}
		for _, k := range []byte(a.Keys) {
			keys <- k
		}
		if a.Hang {
			p.HangUp()
		}
		d -= a.After
	}
	return pause(ctx, gone, d)
}

func pause(ctx context.Context, gone chan struct{}, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-gone:
		return voicemail.ErrHangup
	default:
	}
	select {
	case <-t.C:
		return nil
	case <-gone:
		return voicemail.ErrHangup
	case <-ctx.Done():
		return ctx.Err()
	}
}

// HangUp ends the call from the caller's side.
func (p *Phone) HangUp() {
	_, gone := p.lines()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.hung {
		p.hung = true
		close(gone)
	}
}

// Play notes a prompt.
func (p *Phone) Play(ctx context.Context, prompt string) error {
	a, ok := p.hear(prompt)
	return p.wait(ctx, PromptLength, a, ok)
}

// PlayPCM notes a copy of the audio, and "message".
func (p *Phone) PlayPCM(ctx context.Context, pcm []int16) error {
	a, ok := p.hear("message")
	p.mu.Lock()
	p.pcm = append(p.pcm, append([]int16(nil), pcm...))
	p.mu.Unlock()
	return p.wait(ctx, time.Duration(len(pcm))*time.Second/8000, a, ok)
}

// ReadDigit returns the next key of the script.
func (p *Phone) ReadDigit(ctx context.Context) (byte, error) {
	keys, gone := p.lines()
	select {
	case k := <-keys:
		return k, nil
	default:
	}
	select {
	case k := <-keys:
		return k, nil
	case <-gone:
		return 0, voicemail.ErrHangup
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Record speaks with Voice until ctx ends.
func (p *Phone) Record(ctx context.Context, sink voicemail.Sink) error {
	a, ok := p.hear("record")
	_, gone := p.lines()
	for n := 0; ; n++ {
		at := time.Duration(n) * 20 * time.Millisecond
		if ok && at >= a.After {
			ok = false
			if err := p.wait(ctx, 0, Act{Keys: a.Keys, Hang: a.Hang}, true); err != nil {
				return err
			}
		}
		if p.Voice != nil {
			if frame := p.Voice(n); frame != nil {
				sink.WriteFrame(at, "PCMU", frame)
			}
		}
		if err := pause(ctx, gone, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// Mask counts; see Masked.
func (p *Phone) Mask(context.Context) (func(), error) {
	p.mu.Lock()
	p.masked++
	p.heard = append(p.heard, "mask")
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.masked--
		p.heard = append(p.heard, "unmask")
	}, nil
}

// Masked reports whether the phone is masked now.
func (p *Phone) Masked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.masked > 0
}

// Heard returns what the caller has heard so far, with "mask" and "unmask" where the phone was.
func (p *Phone) Heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.heard...)
}

// PCM returns the linear audio that was played so far.
func (p *Phone) PCM() [][]int16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([][]int16(nil), p.pcm...)
}
