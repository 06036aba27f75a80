package media_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
)

func lineOf(t *testing.T, desc []byte, prefix string) string {
	t.Helper()
	for line := range strings.Lines(string(desc)) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("no %s line", prefix)
	return ""
}

// Calls of another server like this one all come from one address and port. Each is heard on its own leg from the first packet on.
func TestManyCallsFromOneAddress(t *testing.T) {
	const calls = 300
	ours, theirs := newEngine(t, media.Config{}), newEngine(t, media.Config{})
	var legs []*media.Leg
	for range calls {
		peer, leg := newLeg(t, theirs), newLeg(t, ours)
		negotiate(t, peer, leg)
		defer peer.Loop(tone(t, 440, time.Second))()
		legs = append(legs, leg)
	}
	require.Eventually(t, func() bool {
		for _, l := range legs {
			if l.Stats().Received < 10 {
				return false
			}
		}
		return true
	}, 20*time.Second, 20*time.Millisecond)
	s := ours.Stats()
	assert.Zero(t, s.AuthFailures)
	assert.LessOrEqual(t, s.Strangers, uint64(calls/10), "hardly a packet was taken for nobody's")
}

// A phone that announces no source and writes an address nobody can reach is found by its key, among many that could be meant.
func TestAPhoneBehindANATIsFoundByItsKey(t *testing.T) {
	e := newEngine(t, media.Config{})
	var phones []*barePhone
	var ears []*ear
	for range 60 {
		p, l := newBarePhone(t), newLeg(t, e)
		offer := strings.Replace(string(p.offer()), "c=IN IP4 127.0.0.1", "c=IN IP4 10.1.2.3", 1)
		answer, err := l.Answer(within(t, time.Second), []byte(offer))
		require.NoError(t, err)
		p.take(answer)
		heard := newEar()
		l.SetTap(heard)
		phones, ears = append(phones, p), append(ears, heard)
	}
	for i, p := range phones {
		p.send(p.packet(0, frame(byte(i))))
	}
	for i, heard := range ears {
		heard.wait(t, 1)
		assert.Equal(t, 1, heard.frames(), i)
	}
}
