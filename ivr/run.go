package ivr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	errNoInput = errors.New("no input")
	errNoMatch = errors.New("no match")
)

// Run leads one call through the flow and returns when the flow is over for it. The Outcome is complete in every case.
//
// A caller who hangs up, or ctx ending, is a normal outcome with a nil error. An error wraps [ErrUnsupported] (nothing was played)
// or [ErrPhone]; in both cases Run has hung the call up with reason "failed", so that no caller is left on a silent line.
func (f *Flow) Run(ctx context.Context, call Call) (Outcome, error) {
	r := &runner{call: call, lang: f.language, out: Outcome{Flow: f.name, Variables: map[string]string{}, Secrets: map[string]Secret{}}}
	if err := f.Supports(call); err != nil {
		return r.give(ctx, ResultFailed, "failed"), err
	}
	for next := f.start; next != ""; {
		if len(r.out.Path) == f.maxSteps {
			return r.give(ctx, ResultStepLimit, "step-limit"), nil
		}
		r.out.Node = next
		r.out.Path = append(r.out.Path, next)
		var err error
		next, err = f.nodes[next].run(ctx, r)
		switch {
		case err == nil:
		case errors.Is(err, ErrHangup) || ctx.Err() != nil:
			r.out.Result = ResultCallerHangup
			return r.out, nil
		default:
			return r.give(ctx, ResultFailed, "failed"), fmt.Errorf("%w: flow %q, step %q: %w", ErrPhone, f.name, r.out.Node, err)
		}
	}
	return r.out, nil
}

// runner is the state of one Run.
type runner struct {
	call Call
	lang string
	out  Outcome
}

// give hangs up a call that cannot go on. It does so even if ctx has just ended, within hangupWait.
func (r *runner) give(ctx context.Context, result Result, reason string) Outcome {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangupWait)
	defer cancel()
	if err := r.call.Hangup(ctx, reason); err != nil && !errors.Is(err, ErrHangup) {
		r.out.Faults = append(r.out.Faults, fmt.Errorf("hang up: %w", err))
	}
	r.out.Result, r.out.Reason = result, reason
	return r.out
}

// fault notes an error that the flow goes around. A hang-up is returned: it is not a fault.
func (r *runner) fault(ctx context.Context, n node, err error) error {
	if err == nil || errors.Is(err, ErrHangup) || ctx.Err() != nil {
		if err == nil {
			err = ctx.Err()
		}
		return err
	}
	r.out.Faults = append(r.out.Faults, fmt.Errorf("step %q: %w", n.base().name, err))
	return nil
}

func (r *runner) setVariable(name, digits string) { r.out.Variables[name] = digits }

func (r *runner) setSecret(name string, digits []byte) {
	r.out.Secrets[name].Wipe()
	r.out.Secrets[name] = Secret{b: bytes.Clone(digits)} // no string in between: strings cannot be wiped
}

func (r *runner) mask(ctx context.Context) (func(), error) {
	m, ok := r.call.(Masker)
	if !ok {
		return func() {}, nil
	}
	unmask, err := m.Mask(ctx)
	if err != nil {
		return nil, fmt.Errorf("mask: %w", err)
	}
	return unmask, nil
}

// play plays prompts to the end.
func (r *runner) play(ctx context.Context, prompts []string) error {
	for _, p := range prompts {
		if err := r.call.Play(ctx, p, r.lang); err != nil {
			return fmt.Errorf("prompt %q: %w", p, err)
		}
	}
	return nil
}

// playAndRead plays prompts until they end or a key is pressed, whichever is first, and waits timeout more for a key. It returns
// errNoInput if none came.
func (r *runner) playAndRead(ctx context.Context, prompts []string, timeout time.Duration) (byte, error) {
	// A key typed ahead answers the prompt before it starts, always and not only when it wins a race.
	ended, end := context.WithCancel(ctx)
	end()
	if digit, err := r.call.ReadDigit(ended); err == nil || errors.Is(err, ErrHangup) {
		return digit, err
	}
	rctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	// Stopped by cancel, waited for by <-done, both below.
	go func() {
		defer close(done)
		if err := r.play(rctx, prompts); err != nil {
			cancel(err)
			return
		}
		t := time.NewTimer(timeout)
		defer t.Stop()
		select {
		case <-t.C:
			cancel(errNoInput)
		case <-rctx.Done():
		}
	}()
	digit, err := r.call.ReadDigit(rctx)
	cause := context.Cause(rctx) // before cancel, which would hide it
	cancel(nil)
	<-done
	if err != nil && cause != nil && ctx.Err() == nil {
		err = cause
	}
	return digit, err
}

// read waits timeout for a key.
func (r *runner) read(ctx context.Context, timeout time.Duration) (byte, error) {
	rctx, cancel := context.WithTimeoutCause(ctx, timeout, errNoInput)
	defer cancel()
	digit, err := r.call.ReadDigit(rctx)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(rctx), errNoInput) && !errors.Is(err, ErrHangup) {
		err = errNoInput
	}
	return digit, err
}
