package ivrtest_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/ivr"
	"github.com/ringfence/ringfence/ivr/ivrtest"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func flow(t *testing.T) *ivr.Flow {
	t.Helper()
	p, err := ivr.Compile(fstest.MapFS{"x.ivr.hcl": {Data: []byte(`
flow "x" {
  language = "en"
  start    = "top"
  menu "top" {
    prompt   = "hello"
    attempts = 1
    timeout  = "60s"
    choice "1" { goto = "echo" }
    no_input { goto = "bye" }
    no_match { goto = "bye" }
  }
  echo "echo" {
    limit = "1h"
    next  = "bye"
  }
  hangup "bye" {}
}`)}}, ivr.Env{Prompts: map[string][]string{"en": {"hello"}}})
	require.NoError(t, err)
	f, err := p.Flow("x")
	require.NoError(t, err)
	return f
}

func TestAnHourTakesNoTime(t *testing.T) {
	start := time.Now()
	ivrtest.Run(t, flow(t), ivrtest.Hear("hello"), ivrtest.Press("1"), ivrtest.Echoed(), ivrtest.Ends("normal"))
	require.Less(t, time.Since(start), time.Minute)
}

func TestSilenceEndsInTheNoInputBranch(t *testing.T) {
	out := ivrtest.Run(t, flow(t), ivrtest.Hear("hello"), ivrtest.Ends("normal"))
	require.Equal(t, []string{"top", "bye"}, out.Path)
}

func TestStepsDescribeThemselves(t *testing.T) {
	for want, s := range map[string]ivrtest.Step{
		`Hear("a" )`: ivrtest.Hear("a"), `Hear("a" da)`: ivrtest.HearIn("a", "da"), `Press("1")`: ivrtest.Press("1"), `Interrupt("1")`: ivrtest.Interrupt("1"),
		`Silence(1s)`: ivrtest.Silence(time.Second), `HangUp()`: ivrtest.HangUp(), `Queued("q", 2)`: ivrtest.Queued("q", 2, ""), `Voicemailed("b")`: ivrtest.Voicemailed("b", ""), `Echoed()`: ivrtest.Echoed(),
		`Noted("n")`: ivrtest.Noted("n"), `Fails()`: ivrtest.Fails(), `Ends("x")`: ivrtest.Ends("x"), "an invalid step": {},
	} {
		require.Equal(t, want, s.String())
	}
}
