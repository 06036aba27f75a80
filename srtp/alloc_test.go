//go:build !race

package srtp_test

import (
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
)

// The race detector makes pools forget on purpose, so allocations are counted without it.
func TestNoAllocationPerPacket(t *testing.T) {
	for _, suite := range suites() {
		s, r := keyed(t, suite, srtp.ReceiverConfig{})
		pkt, buf, back := rtpPacket(s.SSRC(), 0), make([]byte, 0, 256), make([]byte, 0, 256)
		ctl := append(rtcpPacket(s.SSRC()), make([]byte, 60)...)
		seq := uint16(0)
		step := func() {
			seq++
			binary.BigEndian.PutUint16(pkt[2:], seq)
			out, err := s.ProtectRTP(buf, pkt)
			require.NoError(t, err)
			_, err = r.UnprotectRTP(back, out)
			require.NoError(t, err)
			out, err = s.ProtectRTCP(buf, ctl)
			require.NoError(t, err)
			_, err = r.UnprotectRTCP(back, out)
			require.NoError(t, err)
			assert.False(t, s.RekeyDue())
		}
		step()
		assert.Zero(t, testing.AllocsPerRun(200, step), suite.String())
	}
}

// What a stranger sends costs no memory, whatever it is: packets of other keys, floods of sources, replays, packets that were changed, shreds.
func TestNoAllocationForRefusedPackets(t *testing.T) {
	for _, suite := range suites() {
		p := announced(suite, 0)
		offered, err := p.Offer()
		require.NoError(t, err)
		other, err := p.Offer()
		require.NoError(t, err)
		c, err := p.Rekey(offered[0]) // two keys, so that the MKI is looked up
		require.NoError(t, err)
		for _, mki := range []bool{true, false} {
			if !mki {
				c.Keys = []srtp.InlineKey{{Key: c.Keys[0].Key}}
				other[0].Keys[0].MKI = nil
			}
			s, err := srtp.NewSender(c, srtp.SenderConfig{})
			require.NoError(t, err)
			wrong, err := srtp.NewSender(other[0], srtp.SenderConfig{SSRC: s.SSRC()})
			require.NoError(t, err)
			r, err := srtp.NewReceiver(c, srtp.ReceiverConfig{})
			require.NoError(t, err)
			good, err := s.ProtectRTP(nil, rtpPacket(s.SSRC(), 100))
			require.NoError(t, err)
			goodCtl, err := s.ProtectRTCP(nil, rtcpPacket(s.SSRC()))
			require.NoError(t, err)
			foreign, err := wrong.ProtectRTP(nil, rtpPacket(s.SSRC(), 101))
			require.NoError(t, err)
			foreignCtl, err := wrong.ProtectRTCP(nil, rtcpPacket(s.SSRC()))
			require.NoError(t, err)
			foreignCtl2, err := wrong.ProtectRTCP(nil, rtcpPacket(s.SSRC()))
			require.NoError(t, err)
			_, err = r.UnprotectRTP(nil, good)
			require.NoError(t, err)
			_, err = r.UnprotectRTCP(nil, goodCtl)
			require.NoError(t, err)
			before := r.Stats()
			buf, in := make([]byte, 0, 512), make([]byte, 0, 512)
			n := uint32(0)
			refuse := func(open func(dst, pkt []byte) ([]byte, error), pkt []byte, change func([]byte)) func() {
				return func() {
					n++
					b := append(in[:0], pkt...)
					change(b)
					if _, err := open(buf, b); err == nil {
						t.Fatal("accepted")
					}
					b = append(in[:0], pkt...)
					change(b)
					if _, err := open(b[:0], b); err == nil { // in place
						t.Fatal("accepted")
					}
				}
			}
			keep := func([]byte) {}
			for name, step := range map[string]func(){
				"replay":       refuse(r.UnprotectRTP, good, keep),
				"changed":      refuse(r.UnprotectRTP, good, func(b []byte) { b[30] ^= 1; b[3] = byte(n) | 128 }),
				"sources":      refuse(r.UnprotectRTP, good, func(b []byte) { binary.BigEndian.PutUint32(b[8:], n*2654435761|1) }),
				"other key":    refuse(r.UnprotectRTP, foreign, keep),
				"other MKI":    refuse(r.UnprotectRTP, foreign, func(b []byte) { b[len(b)-14] ^= 0x55; b[len(b)-1] ^= 0x55 }),
				"shreds":       refuse(r.UnprotectRTP, good[:int(20)], keep),
				"bad header":   refuse(r.UnprotectRTP, good, func(b []byte) { b[0] = 0x9f; b[14], b[15] = 255, 255 }),
				"replay RTCP":  refuse(r.UnprotectRTCP, goodCtl, keep),
				"other RTCP":   refuse(r.UnprotectRTCP, foreignCtl2, keep),
				"old RTCP":     refuse(r.UnprotectRTCP, foreignCtl, keep),
				"sources RTCP": refuse(r.UnprotectRTCP, foreignCtl2, func(b []byte) { binary.BigEndian.PutUint32(b[4:], n*2654435761|1) }),
				"shreds RTCP":  refuse(r.UnprotectRTCP, goodCtl[:10], keep),
			} {
				for range 20 {
					step() // past the first copy that recovery in place keeps
				}
				assert.Zero(t, testing.AllocsPerRun(200, step), "%s %s", suite, name)
			}
			after := r.Stats()
			assert.Equal(t, before.Sources, after.Sources)
			assert.Equal(t, before.Packets+before.PacketsRTCP, after.Packets+after.PacketsRTCP)
			last, err := s.ProtectRTP(nil, rtpPacket(s.SSRC(), 101))
			require.NoError(t, err)
			_, err = r.UnprotectRTP(nil, last)
			require.NoError(t, err, "the stream goes on")
		}
	}
}

// One direction of a call, sender and receiver together with one source each, in bytes. The figure a media leg of two directions has is the same.
func TestMemoryOfAPair(t *testing.T) {
	for _, suite := range suites() {
		offered, err := only(suite).Offer()
		require.NoError(t, err)
		const n = 500
		keep := make([]any, 0, 2*n)
		var before, after runtime.MemStats
		pkt, buf, out := rtpPacket(0, 1), make([]byte, 0, 256), make([]byte, 0, 256)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range n {
			s, err := srtp.NewSender(offered[0], srtp.SenderConfig{})
			require.NoError(t, err)
			r, err := srtp.NewReceiver(offered[0], srtp.ReceiverConfig{})
			require.NoError(t, err)
			binary.BigEndian.PutUint32(pkt[8:], s.SSRC())
			p, err := s.ProtectRTP(buf, pkt)
			require.NoError(t, err)
			_, err = r.UnprotectRTP(out, p)
			require.NoError(t, err)
			keep = append(keep, s, r)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := (after.HeapAlloc - before.HeapAlloc) / n
		t.Logf("%s: %d bytes", suite, each)
		assert.Less(t, each, uint64(8000), suite.String())
		runtime.KeepAlive(keep)
	}
}
