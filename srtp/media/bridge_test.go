package media_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

func TestBridgeCarriesBothWaysAndTranscodes(t *testing.T) {
	e := newEngine(t, media.Config{})
	for _, codecs := range [][2]string{{sdp.PCMU, sdp.PCMU}, {sdp.PCMU, sdp.PCMA}, {sdp.PCMA, sdp.PCMU},
		{sdp.G722, sdp.G722}, {sdp.G722, sdp.PCMU}, {sdp.Opus, sdp.Opus}, {sdp.Opus, sdp.PCMU}, {sdp.G722, sdp.Opus}} {
		t.Run(codecs[0]+"-"+codecs[1], func(t *testing.T) {
			t.Parallel()
			alice, la := pair(t, e, codecs[0])
			bob, lb := pair(t, e, codecs[1])
			br, err := media.NewBridge(la, lb)
			require.NoError(t, err)
			_, err = media.NewBridge(la, lb)
			require.ErrorIs(t, err, media.ErrBusy)
			for _, way := range []struct {
				from, to *media.Leg
				freq     float64
				codec    string
			}{{alice, bob, 620, codecs[1]}, {bob, alice, 950, codecs[0]}} {
				heard := newEar()
				way.to.SetTap(heard)
				require.NoError(t, way.from.Play(within(t, 5*time.Second), tone(t, way.freq, 500*time.Millisecond)))
				heard.wait(t, 25)
				assert.InDelta(t, way.freq, heard.pitch(), 3)
				assert.Equal(t, map[string]int{way.codec: 25}, heard.codecs)
				require.NoError(t, way.from.SendDigits(within(t, 5*time.Second), "42#"))
				for _, want := range []byte("42#") {
					d, err := way.to.ReadDigit(within(t, 5*time.Second))
					require.NoError(t, err)
					assert.Equal(t, want, d)
				}
			}
			br.Close()
			br.Close()
			again, err := media.NewBridge(lb, la)
			require.NoError(t, err)
			require.NoError(t, la.Close())
			again.Close()
			third, _ := pair(t, e)
			_, err = media.NewBridge(lb, third)
			require.NoError(t, err, "a leg whose partner ended can be bridged again")
		})
	}
	unready := newLeg(t, e)
	_, ready := pair(t, e)
	_, err := media.NewBridge(ready, unready)
	require.ErrorIs(t, err, media.ErrNotReady)
}

func TestNothingPassesAfterUnbridging(t *testing.T) {
	e := newEngine(t, media.Config{})
	alice, la := pair(t, e)
	_, lb := pair(t, e)
	stop := alice.Loop(tone(t, 500, time.Second))
	defer stop()
	heard := newEar()
	la.SetTap(heard)
	for range 5 {
		br, err := media.NewBridge(la, lb)
		require.NoError(t, err)
		heard.wait(t, 3)
		br.Close()
		sent := lb.Stats().Sent
		heard.wait(t, 3)
		require.Equal(t, sent, lb.Stats().Sent)
	}
}

// One stream to the peer, whatever feeds it: prompt, bridge, prompt again, music, with digits in between.
func TestOutgoingStreamIsOne(t *testing.T) {
	e := newEngine(t, media.Config{})
	bob := newBarePhone(t)
	lb := newLeg(t, e)
	bob.call(lb)
	alice, la := newBarePhone(t), newLeg(t, e)
	alice.call(la)
	alice.seq = 1000
	alice.ts = 4000000000
	require.NoError(t, lb.Play(within(t, 5*time.Second), tone(t, 440, 100*time.Millisecond)))
	br, err := media.NewBridge(la, lb)
	require.NoError(t, err)
	var got [][]byte
	take := func(n int) {
		for range n {
			got = append(got, bob.receive())
		}
	}
	take(5)
	for i := range 10 {
		if i == 5 { // one packet lost on the way from alice: bob's side shows the gap
			alice.next()
		}
		alice.send(alice.packet(0, frame(byte(i))))
		take(1)
	}
	alice.send(alice.packet(13, []byte{60})) // comfort noise nobody agreed on: not relayed, and no gap either
	alice.send(alice.packet(0, frame(77)))
	take(1)
	require.NoError(t, lb.Play(within(t, 5*time.Second), tone(t, 440, 40*time.Millisecond)))
	take(2)
	alice.send(alice.packet(0, frame(78)))
	take(1)
	br.Close()
	stop := lb.Loop(tone(t, 440, time.Second))
	take(3)
	stop()
	ssrc := binary.BigEndian.Uint32(got[0][8:])
	markers := []int{}
	for i, p := range got {
		require.Equal(t, ssrc, binary.BigEndian.Uint32(p[8:]))
		if p[1]&0x80 != 0 {
			markers = append(markers, i)
		}
		if i == 0 {
			continue
		}
		step := binary.BigEndian.Uint16(p[2:]) - binary.BigEndian.Uint16(got[i-1][2:])
		tsStep := int32(binary.BigEndian.Uint32(p[4:]) - binary.BigEndian.Uint32(got[i-1][4:]))
		if i == 10 {
			assert.EqualValues(t, 2, step, "the loss is visible, packet %d", i)
			assert.EqualValues(t, 320, tsStep)
		} else {
			assert.EqualValues(t, 1, step, "packet %d", i)
			assert.GreaterOrEqual(t, tsStep, int32(160), "packet %d", i)
			assert.Less(t, tsStep, int32(8000), "packet %d", i)
		}
	}
	assert.Equal(t, []int{0, 5, 16, 18, 19}, markers, "each switch begins a talkspurt")
	assert.EqualValues(t, frame(77), got[15][12:])
	assert.EqualValues(t, frame(78), got[18][12:], "the payload is not touched")
}

func TestLateRelayedPacketIsDroppedNotReordered(t *testing.T) {
	e := newEngine(t, media.Config{})
	alice, la := newBarePhone(t), newLeg(t, e)
	alice.call(la)
	bob, lb := newBarePhone(t), newLeg(t, e)
	bob.call(lb)
	br, err := media.NewBridge(la, lb)
	require.NoError(t, err)
	defer br.Close()
	a, b, c := alice.packet(0, frame(1)), alice.packet(0, frame(2)), alice.packet(0, frame(3))
	for _, p := range [][]byte{a, c, b} {
		alice.send(p)
	}
	alice.send(alice.packet(0, frame(4)))
	for _, want := range []byte{1, 3, 4} {
		assert.Equal(t, frame(want), bob.receive()[12:])
	}
	assert.EqualValues(t, 1, lb.Stats().LateRelayed)
}
