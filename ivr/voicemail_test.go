package ivr_test

import (
	"testing"
	"testing/fstest"

	"github.com/ringfence/ringfence/ivr"
	"github.com/ringfence/ringfence/ivr/ivrtest"
	"github.com/stretchr/testify/require"
)

func TestVoicemailBranches(t *testing.T) {
	f := good(t, "message")
	for result, want := range map[string][2]string{
		ivr.VoicemailLeft: {"bye", "normal"}, ivr.VoicemailNothing: {"bye", "normal"}, ivr.VoicemailRetrieved: {"bye", "normal"},
		ivr.VoicemailFull: {"busy", "full"}, "another": {"closed", "failed"}, "": {"closed", "failed"},
	} {
		t.Run(result, func(t *testing.T) {
			out := ivrtest.Run(t, f, ivrtest.Voicemailed("9004", result), ivrtest.Hear(want[0]), ivrtest.Ends(want[1]))
			require.Equal(t, "9004", out.Box)
			require.Empty(t, out.Faults)
		})
	}
	t.Run("a fault", func(t *testing.T) {
		out := ivrtest.Run(t, f, ivrtest.Fails(), ivrtest.Hear("closed"), ivrtest.Ends("failed"))
		require.Len(t, out.Faults, 1)
	})
	t.Run("hang-up", func(t *testing.T) {
		out := ivrtest.Run(t, f, ivrtest.HangUp())
		require.Equal(t, ivr.ResultCallerHangup, out.Result)
	})
}

func TestVoicemailOfAFullMailboxWithoutABranchForIt(t *testing.T) {
	p := compile(t, `flow "x" {
  language = "en"
  start    = "a"
  voicemail "a" {
    box  = "9004"
    next = "b"
    otherwise { goto = "c" }
  }
  hangup "b" {}
  hangup "c" { reason = "other" }
}`)
	f, err := p.Flow("x")
	require.NoError(t, err)
	ivrtest.Run(t, f, ivrtest.Voicemailed("9004", ivr.VoicemailFull), ivrtest.Ends("other"))
	require.ErrorIs(t, f.Supports(masked{}), ivr.ErrUnsupported)
}

// Where nobody lists mailboxes, any is accepted: the step's otherwise branch is what a caller of one that does not exist gets.
func TestMailboxesThatAreNotListed(t *testing.T) {
	src := fstest.MapFS{"x.ivr.hcl": {Data: []byte("flow \"x\" {\n  language = \"en\"\n  start = \"a\"\n  voicemail \"a\" {\n    box = \"77\"\n    next = \"b\"\n    otherwise { goto = \"b\" }\n  }\n  hangup \"b\" {}\n}\n")}}
	env := testEnv()
	env.Boxes = nil
	_, err := ivr.Compile(src, env)
	require.NoError(t, err)
	env.Boxes = []string{}
	_, err = ivr.Compile(src, env)
	require.ErrorContains(t, err, "unknown mailbox")
}

func TestVoicemailIsDrawn(t *testing.T) {
	require.Contains(t, good(t, "message").Mermaid(), `n0[("voicemail: message")]
  n0 --> n1
  n0 -->|"on_full"| n2
  n0 -->|"otherwise"| n3
`)
}
