package ivr_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringfence/ringfence/ivr"
	"github.com/ringfence/ringfence/ivr/ivrtest"
	"github.com/stretchr/testify/require"
)

func TestMenuChoice(t *testing.T) {
	out := ivrtest.Run(t, good(t, "main"), ivrtest.Hear("welcome"), ivrtest.Press("1"), ivrtest.Queued("sales", 0, ivr.QueueAnswered))
	require.Equal(t, ivr.ResultAnswered, out.Result)
	require.Equal(t, []string{"welcome", "sales"}, out.Path)
	require.Equal(t, "sales", out.Queue)
	require.Equal(t, "sales", out.Node)
}

func TestBargeInDuringPrompt(t *testing.T) {
	out := ivrtest.Run(t, good(t, "main"), ivrtest.Hear("welcome"), ivrtest.Interrupt("0"), ivrtest.Queued("sales", 5, ivr.QueueAbandoned))
	require.Equal(t, ivr.ResultAbandoned, out.Result)
}

func TestTypeAheadIsKept(t *testing.T) {
	out := ivrtest.Run(t, good(t, "main"), ivrtest.Hear("welcome"), ivrtest.Interrupt("3123456#"),
		ivrtest.Hear("thanks"), ivrtest.Hear("bye"), ivrtest.Ends("normal"))
	require.Equal(t, ivr.ResultHungUp, out.Result)
	require.True(t, out.Secrets["account"].Equal("123456"))
}

func TestSecretDigits(t *testing.T) {
	out := ivrtest.Run(t, good(t, "main"), ivrtest.Hear("welcome"), ivrtest.Press("3"), ivrtest.Hear("enter-account"), ivrtest.Press("867530#"),
		ivrtest.Hear("thanks"), ivrtest.Hear("bye"), ivrtest.Ends("normal"))
	s := out.Secrets["account"]
	require.Equal(t, "867530", s.ExportSecret())
	require.Empty(t, out.Variables)
	j, err := json.Marshal(out)
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("done", "outcome", out, "secret", s)
	for _, seen := range []string{string(j), log.String(), fmt.Sprintf("%v %+v %#v %s %q %x %d", out, out, out, s, s, s, s), fmt.Sprint(out.Secrets)} {
		require.NotContains(t, seen, "867530")
		require.NotContains(t, seen, "383637353330") // the same in hex
		require.NotContains(t, seen, "56 54 55")     // and as numbers
		require.Contains(t, seen, "REDACTED")
	}
	s.Wipe()
	require.False(t, out.Secrets["account"].Equal("867530"))
}

func TestSilentCallerReachesTheEnd(t *testing.T) {
	out := ivrtest.Run(t, good(t, "main"), ivrtest.Hear("welcome"), ivrtest.Hear("no-input"), ivrtest.Hear("welcome"), ivrtest.Hear("no-input"),
		ivrtest.Hear("welcome"), ivrtest.Hear("no-input"), ivrtest.Hear("bye"), ivrtest.Ends("normal"))
	require.Equal(t, []string{"welcome", "bye"}, out.Path)
	require.Equal(t, "normal", out.Reason)
}

func TestWrongKeys(t *testing.T) {
	ivrtest.Run(t, good(t, "main"), ivrtest.Hear("welcome"), ivrtest.Press("9"), ivrtest.Hear("no-match"), ivrtest.Hear("welcome"), ivrtest.Press("3"),
		ivrtest.Hear("enter-account"), ivrtest.Press("12#"), ivrtest.Hear("no-match"),
		ivrtest.Hear("enter-account"), ivrtest.Press("1234567"), ivrtest.Hear("no-match"),
		ivrtest.Hear("enter-account"), ivrtest.Press("12"), ivrtest.Silence(2*time.Second), ivrtest.Press("*"), ivrtest.Hear("no-match"),
		ivrtest.Hear("bye"), ivrtest.Ends("normal"))
}

func TestTerminatorMayBeForgotten(t *testing.T) {
	ivrtest.Run(t, good(t, "main"), ivrtest.Hear("welcome"), ivrtest.Press("3"), ivrtest.Hear("enter-account"), ivrtest.Press("123456"),
		ivrtest.Hear("thanks"), ivrtest.Hear("bye"), ivrtest.Ends("normal"))
}

func TestQueueBranches(t *testing.T) {
	for result, want := range map[string]string{ivr.QueueFull: "busy", ivr.QueueNoAgents: "closed", ivr.QueueTimeout: "closed", "something new": "closed"} {
		out := ivrtest.Run(t, good(t, "main"), ivrtest.Hear("welcome"), ivrtest.Press("2"), ivrtest.Queued("support", 0, result),
			ivrtest.Hear(want), ivrtest.Ends(map[string]string{"busy": "busy", "closed": "unavailable"}[want]))
		require.Equal(t, want, out.Node)
	}
}

func TestQueueFaultTakesOtherwise(t *testing.T) {
	out := ivrtest.Run(t, good(t, "main"), ivrtest.Hear("welcome"), ivrtest.Press("2"), ivrtest.Fails(), ivrtest.Hear("closed"), ivrtest.Ends("unavailable"))
	require.Len(t, out.Faults, 1)
	require.ErrorIs(t, out.Faults[0], ivrtest.ErrFailed)
}

func TestPhoneFailureHangsUp(t *testing.T) {
	out, err := ivrtest.RunErr(t, good(t, "main"), ivrtest.Hear("welcome"), ivrtest.Press("9"), ivrtest.Fails(), ivrtest.Ends("failed"))
	require.ErrorIs(t, err, ivr.ErrPhone)
	require.ErrorIs(t, err, ivrtest.ErrFailed)
	require.ErrorContains(t, err, `"welcome"`)
	require.Equal(t, ivr.ResultFailed, out.Result)
}

func TestCallerHangsUpAnywhere(t *testing.T) {
	for name, c := range map[string]struct {
		flow, node string
		result     ivr.Result
		script     []ivrtest.Step
	}{
		"before":     {"main", "welcome", ivr.ResultCallerHangup, []ivrtest.Step{ivrtest.HangUp()}},
		"in prompt":  {"main", "welcome", ivr.ResultCallerHangup, []ivrtest.Step{ivrtest.Hear("welcome"), ivrtest.HangUp()}},
		"in silence": {"main", "welcome", ivr.ResultCallerHangup, []ivrtest.Step{ivrtest.Hear("welcome"), ivrtest.Silence(5 * time.Second), ivrtest.HangUp()}},
		"in digits":  {"main", "account", ivr.ResultCallerHangup, []ivrtest.Step{ivrtest.Hear("welcome"), ivrtest.Press("3"), ivrtest.Hear("enter-account"), ivrtest.Press("12"), ivrtest.Silence(time.Second), ivrtest.HangUp()}},
		"in queue":   {"main", "sales", ivr.ResultAbandoned, []ivrtest.Step{ivrtest.Hear("welcome"), ivrtest.Press("1"), ivrtest.Queued("sales", 0, ivr.QueueAbandoned)}},
		"in echo":    {"echo", "echo", ivr.ResultCallerHangup, []ivrtest.Step{ivrtest.Echoed(), ivrtest.Silence(time.Minute), ivrtest.HangUp()}},
		"in notice":  {"notice", "notice", ivr.ResultCallerHangup, []ivrtest.Step{ivrtest.Hear("notice"), ivrtest.HangUp()}},
	} {
		t.Run(name, func(t *testing.T) {
			out := ivrtest.Run(t, good(t, c.flow), c.script...)
			require.Equal(t, c.node, out.Node)
			require.Equal(t, c.result, out.Result)
		})
	}
}

func TestContextEndIsAHangup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		out, err := good(t, "main").Run(ctx, silent{})
		require.NoError(t, err)
		require.Equal(t, ivr.ResultCallerHangup, out.Result)
		require.Equal(t, "welcome", out.Node)
	})
}

func TestEchoLimit(t *testing.T) {
	out := ivrtest.Run(t, good(t, "echo"), ivrtest.Echoed(), ivrtest.Ends("normal"))
	require.Empty(t, out.Faults)
}

func TestOrder(t *testing.T) {
	out := ivrtest.Run(t, good(t, "order"), ivrtest.HearIn("choose-language", "en"), ivrtest.Press("2"),
		ivrtest.HearIn("enter", "da"), ivrtest.Hear("order"), ivrtest.Press("42"),
		ivrtest.Hear("press-1-if-right"), ivrtest.Press("*"), ivrtest.Hear("you-typed"), ivrtest.Hear("digit-4"), ivrtest.HearIn("digit-2", "da"),
		ivrtest.Hear("press-1-if-right"), ivrtest.Press("1"), ivrtest.Noted("order 42!"), ivrtest.Ends("normal"))
	require.Equal(t, map[string]string{"order": "42"}, out.Variables)
}

func TestStepLimit(t *testing.T) {
	env := testEnv()
	env.MaxSteps = 7
	p, err := ivr.Compile(os.DirFS("testdata/good"), env)
	require.NoError(t, err)
	f, err := p.Flow("order")
	require.NoError(t, err)
	script := []ivrtest.Step{ivrtest.Hear("choose-language"), ivrtest.Press("1")}
	for range 3 {
		script = append(script, ivrtest.Hear("enter"), ivrtest.Hear("order"), ivrtest.Press("4211"), ivrtest.Hear("press-1-if-right"), ivrtest.Press("2"))
	}
	out := ivrtest.Run(t, f, append(script, ivrtest.Ends("step-limit"))...)
	require.Equal(t, ivr.ResultStepLimit, out.Result)
	require.Len(t, out.Path, 7)
}

// silent is a phone with no capability and a caller who never presses a key.
type silent struct{}

func (silent) Play(ctx context.Context, _, _ string) error { return nil }
func (silent) ReadDigit(ctx context.Context) (byte, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}
func (silent) Hangup(context.Context, string) error                 { return nil }
func (silent) Enqueue(context.Context, string, int) (string, error) { return "", errors.New("closed") }

// bare lacks every capability.
type bare struct{ reason *string }

func (bare) Play(context.Context, string, string) error   { return errors.New("not reached") }
func (bare) ReadDigit(context.Context) (byte, error)      { return 0, errors.New("not reached") }
func (b bare) Hangup(_ context.Context, why string) error { *b.reason = why; return nil }

func TestMissingCapabilityIsFoundBeforeThePrompt(t *testing.T) {
	for flow, want := range map[string]string{"main": "Enqueuer", "echo": "Echoer", "order": "Noter"} {
		var reason string
		out, err := good(t, flow).Run(t.Context(), bare{&reason})
		require.ErrorIs(t, err, ivr.ErrUnsupported)
		require.ErrorContains(t, err, want)
		require.Equal(t, ivr.ResultFailed, out.Result)
		require.Empty(t, out.Path)
		require.Equal(t, "failed", reason)
	}
	require.NoError(t, good(t, "notice").Supports(bare{}))
}

// masked records the order of prompts, keys and masks.
type masked struct {
	silent
	log  *[]string
	fail error
	keys *strings.Reader
}

func (m masked) Play(_ context.Context, p, _ string) error { *m.log = append(*m.log, p); return nil }
func (m masked) ReadDigit(ctx context.Context) (byte, error) {
	if k, err := m.keys.ReadByte(); err == nil {
		return k, nil
	}
	return 0, ivr.ErrHangup
}
func (m masked) Mask(context.Context) (func(), error) {
	*m.log = append(*m.log, "mask")
	return func() { *m.log = append(*m.log, "unmask") }, m.fail
}

func TestSecretDigitsAreMasked(t *testing.T) {
	src := `flow "x" {
  language = "en"
  start    = "pin"
  collect "pin" {
    prompt = "enter-account"
    digits = 2
    secret = true
    into   = "pin"
    next   = "bye"
    no_input { goto = "bye" }
    no_match { goto = "bye" }
  }
  hangup "bye" { prompt = "bye" }
}`
	f, err := compile(t, src).Flow("x")
	require.NoError(t, err)
	for keys, want := range map[string][]string{"12": {"mask", "unmask", "bye"}, "1": {"mask", "unmask"}} {
		var log []string
		_, err = f.Run(t.Context(), masked{log: &log, keys: strings.NewReader(keys)})
		require.NoError(t, err)
		require.Equal(t, want, log)
	}
	var log []string
	_, err = f.Run(t.Context(), masked{log: &log, keys: strings.NewReader("12"), fail: errors.New("recorder stuck")})
	require.ErrorIs(t, err, ivr.ErrPhone)
	require.Equal(t, []string{"mask"}, log, "no digit is asked for while the recorder runs")
}

func TestFlowIsSafeForConcurrentUse(t *testing.T) {
	f := good(t, "main")
	done := make(chan ivr.Outcome)
	for range 8 {
		go func() {
			out, _ := f.Run(context.Background(), masked{log: new([]string), keys: strings.NewReader("9")})
			done <- out
		}()
	}
	for range 8 {
		require.Equal(t, ivr.ResultCallerHangup, (<-done).Result)
	}
}
