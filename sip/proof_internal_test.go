package sip

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProofsAreBoundedAndSecret(t *testing.T) {
	var p proofs
	key := func(i int) proofKey {
		return proofKey{at: route{address: "192.0.2.1:5061"}, domain: "acme.test", user: fmt.Sprint(i), password: "hunter2"}
	}
	first := p.client(key(0))
	for i := range 3 * maxProofs {
		p.client(key(i))
		require.Same(t, first, p.client(key(0)), "what is used is kept")
	}
	require.LessOrEqual(t, len(p.young)+len(p.old), 2*maxProofs)
	for _, s := range []string{fmt.Sprint(key(1)), fmt.Sprintf("%+v %#v %s", key(1), key(1), key(1)), fmt.Sprintf("%v", first)} {
		require.NotContains(t, s, "hunter2")
	}
	p.clear()
	require.Empty(t, p.young)
	require.Empty(t, p.old)
}
