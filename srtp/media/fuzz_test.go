package media_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec/opus"
	"github.com/ringfence/ringfence/srtp/media"
)

// FuzzAuthenticPacket: a peer with the right key may still send nonsense. Whatever it sends, nothing panics, at most one digit
// comes of one packet, and the bridge sends at most one packet for it.
func FuzzAuthenticPacket(f *testing.F) {
	f.Add([]byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3})
	f.Add([]byte{0xbf, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x80, 3, 4, 0, 0, 0, 0, 9})
	f.Add([]byte{0xb0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 200})
	e, err := media.New(media.Config{Addr: loopback})
	require.NoError(f, err)
	f.Cleanup(func() { _ = e.Close() })
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < 12 || len(in) > 1400 {
			return
		}
		phone, leg, other := newBarePhone(t), newLeg(t, e), newLeg(t, e)
		phone.call(leg)
		newBarePhone(t).call(other)
		_, err := media.NewBridge(leg, other)
		require.NoError(t, err)
		leg.SetTap(newEar())
		out := make([]byte, media.DatagramBuffer)
		for seq := range uint16(3) {
			pkt := append([]byte(nil), in...)
			pkt[0] = pkt[0]&0x3f | 0x80
			if pkt[1]&0x7f >= 64 && pkt[1]&0x7f < 96 {
				pkt[1] &^= 0x40 // these would be RTCP on a shared port
			}
			binary.BigEndian.PutUint16(pkt[2:], seq)
			binary.BigEndian.PutUint32(pkt[8:], phone.tx.SSRC())
			p, err := phone.tx.ProtectRTP(nil, pkt)
			if err != nil {
				require.ErrorIs(t, err, srtp.ErrPacket)
				return
			}
			leg.Datagram(p, out, phone.addr())
		}
		require.LessOrEqual(t, len(leg.Digits()), 3)
		require.LessOrEqual(t, other.Stats().Sent, uint64(3))
	})
}

// FuzzDescription: whatever a peer writes as its offer or answer, a leg says yes or no and stays usable.
func FuzzDescription(f *testing.F) {
	f.Add([]byte("v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 AEAD_AES_128_GCM inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\r\n"))
	e, err := media.New(media.Config{Addr: loopback})
	require.NoError(f, err)
	f.Cleanup(func() { _ = e.Close() })
	f.Fuzz(func(t *testing.T, in []byte) {
		a, b := newLeg(t, e), newLeg(t, e)
		out, err := a.Answer(t.Context(), in)
		require.Equal(t, err != nil, out == nil)
		offer, err := b.Offer(t.Context())
		require.NoError(t, err)
		_ = b.Accept(t.Context(), in)
		good, err := a.Answer(t.Context(), offer)
		require.NoError(t, err)
		require.NoError(t, b.Accept(t.Context(), good))
	})
}

// The length of an Opus packet is read as the decoder reads it, and is 20 ms for what the decoder refuses.
func FuzzOpusTicks(f *testing.F) {
	for _, b := range [][]byte{nil, {8, 1}, {0x4b, 2, 0, 0}, {0x4b, 0xff}, {0xfb, 6, 1}, {3}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := media.OpusTicks(b)
		if want, err := opus.Samples(b, 48000); err == nil && want > 0 {
			assert.Equal(t, want, got)
		}
		assert.LessOrEqual(t, got, 48*120)
		assert.Positive(t, got)
	})
}

// Whatever a peer sends as events, what comes out has the duration of what went in as far as 16 bits hold it, and time does not go back within a key.
func FuzzEventScaler(f *testing.F) {
	f.Add([]byte{5, 10, 0, 160, 5, 10, 1, 64, 5, 0x8a, 1, 64}, uint32(1000), true)
	f.Add([]byte{5, 10, 0xff, 0xff, 5, 10, 1, 64}, uint32(0xffffff00), false)
	f.Fuzz(func(t *testing.T, events []byte, ts uint32, up bool) {
		from, to := uint32(48000), uint32(8000)
		if up {
			from, to = to, from
		}
		var s media.Scaler
		last, key := uint32(0), uint32(0)
		for ; len(events) >= 4; events = events[4:] {
			payload := append([]byte(nil), events[:4]...)
			behind, first, ok := s.Scale(payload, ts, from, to)
			if !ok {
				continue
			}
			if first == key && behind < last {
				t.Fatalf("went back from %d to %d", last, behind)
			}
			last, key = behind, first
			assert.Equal(t, events[:2], payload[:2])
			if events[1]&0x40 != 0 {
				ts += uint32(binary.BigEndian.Uint16(events[2:])) // the next is another segment or another key
			}
		}
	})
}
