package media_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
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

// Somebody with a call of his own, and so with a key, forges the address and the source of another call. Neither call takes the other's packets, and a flood of junk on top of it does
// not reach the first one.
func TestAForgedFlowTakesNothingFromACall(t *testing.T) {
	e := newEngine(t, media.Config{})
	phone, leg := newBarePhone(t), newLeg(t, e)
	phone.call(leg)
	mallory := newBarePhone(t)
	mallory.conn = phone.conn // whose packets come from the phone's address
	other := newLeg(t, e)
	mallory.call(other, "a=ssrc:1 cname:x") // one that announces a source shares the port
	require.Equal(t, phone.to, mallory.to)
	tx, err := srtp.NewSender(mallory.local, srtp.SenderConfig{SSRC: phone.tx.SSRC()})
	require.NoError(t, err)
	mallory.tx = tx
	src, out := phone.addr(), make([]byte, media.DatagramBuffer)
	for i := range 50 {
		leg.Datagram(phone.packet(0, frame(1)), out, src)
		leg.Datagram(mallory.packet(0, frame(2)), out, src)
		require.EqualValues(t, i+1, leg.Stats().Received)
		require.EqualValues(t, i+1, other.Stats().Received)
	}
	junk := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 1}, make([]byte, 180)...)
	for i := range 25000 {
		binary.BigEndian.PutUint32(junk[8:], uint32(i))
		leg.Datagram(junk, out, src)
	}
	before := leg.Stats().Received
	leg.Datagram(phone.packet(0, frame(3)), out, src)
	assert.Equal(t, before+1, leg.Stats().Received)
}
