package sip

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// defects are what was found wrong in the library that reads and sends messages for us (v1.7.2), and the test that shows that it cannot be
// reached through this package. "" means that we do not use what is broken, and why.
var defects = []struct{ id, what, test, why string }{
	{"D1", "an idle connection stalls the WebSocket accept loop", "TestIdleConnectionsDoNotStopBrowsers", ""},
	{"D2", "a WebSocket ping with payload breaks the stream", "TestOneMessageIsOneMessage", ""},
	{"", "a WebSocket message over 32 KiB is cut", "TestOneMessageIsOneMessage", ""},
	{"D3", "every forged UDP source is remembered for ever", "TestForgedSourcesCostNothing", ""},
	{"D3", "as are real ones", "TestLibraryForgetsSources", ""},
	{"D4", "a 2xx without ACK leaves the call up, without BYE", "TestUnacknowledged2xxIsRepeatedAndEndsInBye", ""},
	{"D5", "parameter names in other letter case are not found", "TestCanonical", ""},
	{"D5", "a header may carry CR LF", "TestLimitsOfOneMessage", ""},
	{"D5", "and so may what we write", "TestHeaderInjectionIsRefused", ""},
	{"D7", "a Record-Route that cannot be read hangs the call", "TestFaults", ""},
	{"D8", "an error of the read filter ends the UDP listener", "TestForgedSourcesCostNothing", ""},
	{"D9", "more than ten provisional responses end a call", "TestManyProvisionalResponses", ""},
	{"D10", "a forked 2xx is acknowledged with the tag of another", "TestEveryForkThatAnswersIsAcknowledgedAndTheExtraOnesEnded", ""},
	{"D12", "listeners of one name serve another transport", "", "its listeners are not used; ours hand over connections"},
	{"D14", "each response has another To tag", "TestOneToTagForAllResponses", ""},
	{"D15", "messages over 1300 bytes are not sent by UDP", "TestBigDatagramsAreSent", ""},
	{"D16", "ACK and CANCEL carry the CSeq of a later request", "TestReliableResponsesAreAcknowledged", ""},
	{"D17", "the handshake has no deadline", "TestSlowHandshakeIsCut", ""},
	{"D19", "a request is sent to whoever connected last", "TestLibraryDialsAndAsksNobody", ""},
	{"D20", "a lost connection is dialed at the address of its peer", "TestLibraryDialsAndAsksNobody", ""},
	{"", "the text of a message that cannot be read is logged", "TestMutatedMessagesLeaveNothing", ""},
	{"", "a panic of a handler ends the process", "TestHandlerThatReturnsEndsTheCall", ""},
	{"", "a CANCEL is taken from anybody who knows the branch", "TestCancelFromElsewhereIsRefused", ""},
}

func TestDefectsHaveTests(t *testing.T) {
	known := map[string]bool{}
	for _, pattern := range []string{"*_test.go", "internal/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, f := range files {
			file, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
			require.NoError(t, err)
			for _, d := range file.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") {
					known[fn.Name.Name] = true
				}
			}
		}
	}
	for _, d := range defects {
		require.NotEqual(t, d.test == "", d.why == "", "%s: %s", d.id, d.what)
		require.True(t, d.test == "" || known[d.test], "%s names %s, which there is not", d.id, d.test)
	}
}

// TestLibraryDialsAndAsksNobody (D19, D20): whatever the library wants to connect to or to look up, it gets nothing.
func TestLibraryDialsAndAsksNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	d := noDialer(nil)
	_, err = d.Dial("tcp", l.Addr().String())
	require.ErrorIs(t, err, ErrFlowGone)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = noResolver().LookupHost(ctx, "chosen-by-a-stranger.example")
	require.ErrorContains(t, err, ErrFlowGone.Error())
	require.NoError(t, ctx.Err())
}
