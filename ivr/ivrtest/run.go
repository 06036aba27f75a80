package ivrtest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringfence/ringfence/ivr"
)

// ErrFailed is what the scripted phone returns where the script says [Fails].
var ErrFailed = errors.New("ivrtest: scripted failure")

// Run plays script against flow and returns the flow's outcome. It fails t if the flow does anything else than the script expects,
// or if the script has steps left when the flow ends. Call it outside any synctest bubble.
func Run(t *testing.T, flow *ivr.Flow, script ...Step) ivr.Outcome {
	t.Helper()
	out, err := RunErr(t, flow, script...)
	if err != nil {
		t.Errorf("flow %q failed: %v", flow.Name(), err)
	}
	return out
}

// RunErr is Run for flows that are expected to fail.
func RunErr(t *testing.T, flow *ivr.Flow, script ...Step) (out ivr.Outcome, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &caller{events: make(chan event), keys: make(chan byte, 4096), gone: make(chan struct{})}
		over := make(chan struct{})
		read := make(chan struct{})
		// Ends with the script or when the flow is over; waited for below.
		go func() {
			defer close(read)
			c.follow(t, script, over)
		}()
		out, err = flow.Run(t.Context(), c)
		close(over)
		<-read
	})
	return out, err
}

// event is something the flow did; the script answers through reply.
type event struct {
	step  Step
	reply chan reply
	ended chan struct{} // closed when the prompt is over
}

type reply struct {
	result string
	err    error
}

// caller is the phone side that a script drives.
type caller struct {
	events chan event
	keys   chan byte
	gone   chan struct{} // closed when the caller hung up
}

var (
	_ ivr.Call        = (*caller)(nil)
	_ ivr.Enqueuer    = (*caller)(nil)
	_ ivr.Echoer      = (*caller)(nil)
	_ ivr.Voicemailer = (*caller)(nil)
	_ ivr.Noter       = (*caller)(nil)
)

func (c *caller) do(ctx context.Context, step Step, ended chan struct{}) (string, error) {
	ev := event{step: step, reply: make(chan reply, 1), ended: ended}
	select {
	case <-c.gone: // first: a caller who is gone does nothing more
		return "", ivr.ErrHangup
	default:
	}
	select {
	case c.events <- ev:
	case <-c.gone:
		return "", ivr.ErrHangup
	case <-ctx.Done():
		return "", ctx.Err()
	}
	r := <-ev.reply
	return r.result, r.err
}

// wait lets d pass, less if the caller hangs up or ctx ends.
func (c *caller) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-c.gone:
		return ivr.ErrHangup
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Play implements [ivr.Call].
func (c *caller) Play(ctx context.Context, prompt, lang string) error {
	ended := make(chan struct{})
	defer close(ended)
	if _, err := c.do(ctx, Step{kind: kindHear, text: prompt, text2: lang}, ended); err != nil {
		return err
	}
	return c.wait(ctx, PromptLength)
}

// ReadDigit implements [ivr.Call].
func (c *caller) ReadDigit(ctx context.Context) (byte, error) {
	select {
	case k := <-c.keys: // keys pressed before hanging up still count
		return k, nil
	default:
	}
	select {
	case k := <-c.keys:
		return k, nil
	case <-c.gone:
		return 0, ivr.ErrHangup
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Hangup implements [ivr.Call].
func (c *caller) Hangup(ctx context.Context, reason string) error {
	_, err := c.do(ctx, Step{kind: kindEnds, text: reason}, nil)
	return err
}

// Enqueue implements [ivr.Enqueuer].
func (c *caller) Enqueue(ctx context.Context, queue string, priority int) (string, error) {
	return c.do(ctx, Step{kind: kindQueue, text: queue, number: priority}, nil)
}

// Voicemail implements [ivr.Voicemailer].
func (c *caller) Voicemail(ctx context.Context, box string) (string, error) {
	return c.do(ctx, Step{kind: kindVoicemail, text: box}, nil)
}

// Echo implements [ivr.Echoer].
func (c *caller) Echo(ctx context.Context) error {
	if _, err := c.do(ctx, Step{kind: kindEcho}, nil); err != nil {
		return err
	}
	select {
	case <-c.gone:
		return ivr.ErrHangup
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Note implements [ivr.Noter].
func (c *caller) Note(ctx context.Context, text string) error {
	_, err := c.do(ctx, Step{kind: kindNote, text: text}, nil)
	return err
}

// follow goes through the script. After the first difference it hangs up, so that the flow ends too.
func (c *caller) follow(t *testing.T, script []Step, over <-chan struct{}) {
	hungUp := false
	hangUp := func() {
		if !hungUp {
			hungUp = true
			close(c.gone)
		}
	}
	defer hangUp()
	var heard chan struct{}
	for i, s := range script {
		switch s.kind {
		case kindInvalid:
			t.Errorf("step %d of the script is invalid", i+1)
			return
		case kindPress, kindInterrupt, kindSilence, kindHangUp:
			d := s.d
			if s.kind == kindInterrupt {
				d = PromptLength / 2
			}
			if s.kind == kindPress && heard != nil {
				select {
				case <-heard:
				case <-over:
				}
			}
			if d > 0 && !c.pause(t, i, s, d, over) {
				return
			}
			for _, k := range []byte(s.text) {
				c.keys <- k
			}
			if s.kind == kindHangUp {
				hangUp()
			}
		default:
			select {
			case ev := <-c.events:
				if s.kind == kindFail {
					ev.reply <- reply{err: ErrFailed}
					continue
				}
				if !matches(s, ev.step) {
					t.Errorf("step %d: the caller expects %v, but the flow does %v", i+1, s, ev.step)
					ev.reply <- reply{err: ivr.ErrHangup}
					return
				}
				heard = ev.ended
				ev.reply <- reply{result: s.text2}
			case <-over:
				t.Errorf("step %d: the caller expects %v, but the flow is over", i+1, s)
				return
			}
		}
	}
	select {
	case ev := <-c.events:
		if !hungUp {
			t.Errorf("the script is over, but the flow does %v", ev.step)
		}
		ev.reply <- reply{err: ivr.ErrHangup}
	case <-over:
	}
}

// pause lets d pass for the caller, during which the flow must do nothing new.
func (c *caller) pause(t *testing.T, i int, s Step, d time.Duration, over <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-over:
	case ev := <-c.events:
		t.Errorf("step %d: the caller is in %v, but the flow does %v", i+1, s, ev.step)
		ev.reply <- reply{err: ivr.ErrHangup}
		return false
	}
	return true
}

func matches(want, got Step) bool {
	if want.kind != got.kind || want.text != got.text || want.number != got.number {
		return false
	}
	return want.kind != kindHear || want.text2 == "" || want.text2 == got.text2
}
