package srtp_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
)

func suites() []srtp.Suite {
	return []srtp.Suite{srtp.AEADAES256GCM, srtp.AEADAES128GCM, srtp.AES256CMHMACSHA1Tag80, srtp.AES256CMHMACSHA1Tag32,
		srtp.AESCM128HMACSHA1Tag80, srtp.AESCM128HMACSHA1Tag32}
}

// only is a policy of one suite, however weak.
func only(suite srtp.Suite) srtp.Policy {
	return srtp.Policy{Suites: []srtp.Suite{suite}, Floor: srtp.StrengthShortTag}
}

// keyed returns both ends of one direction.
func keyed(t testing.TB, suite srtp.Suite, cfg srtp.ReceiverConfig) (*srtp.Sender, *srtp.Receiver) {
	t.Helper()
	offer, err := only(suite).Offer()
	require.NoError(t, err)
	s, err := srtp.NewSender(offer[0], srtp.SenderConfig{})
	require.NoError(t, err)
	r, err := srtp.NewReceiver(offer[0], cfg)
	require.NoError(t, err)
	return s, r
}

func rtpPacket(ssrc uint32, seq uint16) []byte {
	b := make([]byte, 172)
	b[0] = 0x80
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return b
}

func rtcpPacket(ssrc uint32) []byte {
	b := []byte{0x80, 201, 0, 1, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(b[4:], ssrc)
	return b
}

func TestRoundTripAndTamper(t *testing.T) {
	for _, suite := range suites() {
		t.Run(suite.String(), func(t *testing.T) {
			s, r := keyed(t, suite, srtp.ReceiverConfig{})
			for seq := range uint16(20) {
				pkt := rtpPacket(s.SSRC(), seq)
				out, err := s.ProtectRTP(nil, pkt)
				require.NoError(t, err)
				require.Len(t, out, len(pkt)+s.Overhead())
				for _, i := range []int{0, 1, 5, 12, 100, len(out) - 1} {
					bad := bytes.Clone(out)
					bad[i] ^= 0x04
					_, err := r.UnprotectRTP(nil, bad)
					require.Error(t, err, "byte %d", i)
				}
				back, err := r.UnprotectRTP(nil, out)
				require.NoError(t, err)
				require.Equal(t, pkt, back)
				_, err = r.UnprotectRTP(nil, out)
				require.ErrorIs(t, err, srtp.ErrReplay)

				ctl := rtcpPacket(s.SSRC())
				out, err = s.ProtectRTCP(nil, ctl)
				require.NoError(t, err)
				require.Len(t, out, len(ctl)+s.OverheadRTCP())
				for i := range out {
					bad := bytes.Clone(out)
					bad[i] ^= 0x04
					_, err := r.UnprotectRTCP(nil, bad)
					require.Error(t, err, "byte %d", i)
				}
				back, err = r.UnprotectRTCP(nil, out)
				require.NoError(t, err)
				require.Equal(t, ctl, back)
				_, err = r.UnprotectRTCP(nil, out)
				require.ErrorIs(t, err, srtp.ErrReplay)
			}
			assert.EqualValues(t, 20, r.Stats().Packets)
			assert.GreaterOrEqual(t, r.Stats().Replays, uint64(40))
			s.Close()
			r.Close()
			_, err := s.ProtectRTP(nil, rtpPacket(s.SSRC(), 100))
			require.ErrorIs(t, err, srtp.ErrClosed)
			_, err = r.UnprotectRTP(nil, make([]byte, 100))
			require.ErrorIs(t, err, srtp.ErrClosed)
		})
	}
}

// A second packet under one index would reveal both: the Sender must never make one.
func TestSenderRefusesTheTwoTimePad(t *testing.T) {
	s, _ := keyed(t, srtp.AEADAES256GCM, srtp.ReceiverConfig{})
	_, err := s.ProtectRTP(nil, rtpPacket(s.SSRC(), 1<<15))
	require.ErrorIs(t, err, srtp.ErrIndexReused, "too high a start loses receivers that miss the first rollover")
	require.NoError(t, protect(s, 100))
	for _, seq := range []uint16{100, 99, 0, 65535, 100 + 1<<15} {
		require.ErrorIs(t, protect(s, seq), srtp.ErrIndexReused, "sequence %d", seq)
	}
	require.NoError(t, protect(s, 101))
	require.NoError(t, protect(s, 101+1<<15-1))
	_, err = s.ProtectRTP(nil, rtpPacket(s.SSRC()+1, 40000))
	require.ErrorIs(t, err, srtp.ErrForeignSSRC)
	_, err = s.ProtectRTP(nil, []byte{0x80})
	require.ErrorIs(t, err, srtp.ErrPacket)
	for range 100 {
		require.Less(t, srtp.RandomSequence(), uint16(1<<15))
	}
}

func protect(s *srtp.Sender, seq uint16) error {
	_, err := s.ProtectRTP(nil, rtpPacket(s.SSRC(), seq))
	return err
}

func TestRolloverAndRecovery(t *testing.T) {
	for _, suite := range []srtp.Suite{srtp.AEADAES256GCM, srtp.AESCM128HMACSHA1Tag80} {
		s, r := keyed(t, suite, srtp.ReceiverConfig{})
		var heard, lost int
		for i := range 3 * 65536 {
			out, err := s.ProtectRTP(nil, rtpPacket(s.SSRC(), uint16(i)))
			require.NoError(t, err)
			if i%4 != 0 || i > 70000 && i < 170000 { // loss, and an outage that hides a rollover
				continue
			}
			if _, err := r.UnprotectRTP(nil, out); err == nil {
				heard++
			} else {
				lost++
			}
		}
		assert.Equal(t, 8, lost, "the packets until recovery is tried")
		assert.EqualValues(t, 1, r.Stats().Recoveries)
		assert.Positive(t, heard)
	}
}

// Sources and extensions in the header are authenticated but not encrypted, and packets may be protected in place.
func TestHeadersAndInPlace(t *testing.T) {
	for _, suite := range suites() {
		s, r := keyed(t, suite, srtp.ReceiverConfig{})
		for seq, head := range [][]byte{{0x82, 0}, {0x90, 0}, {0xb1, 0x80}, {0x80, 0}} {
			pkt := append(rtpPacket(s.SSRC(), uint16(seq)), 3)
			copy(pkt, head)
			n := 12 + 4*int(head[0]&15)
			copy(pkt[n:], []byte{0xbe, 0xde, 0, 1, 0x10, 7, 0, 0})
			buf := append(make([]byte, 0, 512), pkt...)
			out, err := s.ProtectRTP(buf[:0], buf)
			require.NoError(t, err)
			require.Equal(t, pkt[:n], out[:n])
			if head[0]&0x10 != 0 {
				require.Equal(t, pkt[:n+8], out[:n+8])
			}
			back, err := r.UnprotectRTP(out[:0], out)
			require.NoError(t, err)
			require.Equal(t, pkt, back)
		}
		for _, bad := range []byte{0x8f, 0x90} {
			short := rtpPacket(s.SSRC(), 9)[:14]
			short[0] = bad
			_, err := s.ProtectRTP(nil, short)
			require.ErrorIs(t, err, srtp.ErrPacket)
		}
	}
}

func TestLateJoin(t *testing.T) {
	s, r := keyed(t, srtp.AEADAES256GCM, srtp.ReceiverConfig{})
	lost := 0
	for i := range 65536 + 100 {
		out, err := s.ProtectRTP(nil, rtpPacket(s.SSRC(), uint16(i)))
		require.NoError(t, err)
		if i < 65536+10 {
			continue // the receiver joins behind the first rollover
		}
		if _, err := r.UnprotectRTP(nil, out); err != nil {
			lost++
		}
	}
	assert.Equal(t, 8, lost)
}

func TestWrongPacketsLeaveNoState(t *testing.T) {
	s, r := keyed(t, srtp.AEADAES256GCM, srtp.ReceiverConfig{MaxSources: 2})
	for ssrc := range uint32(1000) {
		junk := append(rtpPacket(ssrc, uint16(ssrc)), make([]byte, 16)...)
		_, err := r.UnprotectRTP(nil, junk)
		require.ErrorIs(t, err, srtp.ErrAuth)
	}
	assert.Zero(t, r.Stats().Sources)
	assert.EqualValues(t, 1000, r.Stats().AuthFailures)
	out, err := s.ProtectRTP(nil, rtpPacket(s.SSRC(), 7))
	require.NoError(t, err)
	// A forged packet far ahead must not move the window of the real source.
	far := append(rtpPacket(s.SSRC(), 30000), make([]byte, 16)...)
	for range 20 {
		_, err = r.UnprotectRTP(nil, far)
		require.ErrorIs(t, err, srtp.ErrAuth)
	}
	_, err = r.UnprotectRTP(nil, out)
	require.NoError(t, err)
	_, err = r.UnprotectRTP(nil, []byte{0x80, 0, 0, 0})
	require.ErrorIs(t, err, srtp.ErrPacket)
}

func TestSourceCap(t *testing.T) {
	offer, err := srtp.Policy{}.Offer()
	require.NoError(t, err)
	r, err := srtp.NewReceiver(offer[0], srtp.ReceiverConfig{MaxSources: 2})
	require.NoError(t, err)
	for i := range uint32(3) {
		s, err := srtp.NewSender(offer[0], srtp.SenderConfig{SSRC: i + 1})
		require.NoError(t, err)
		out, err := s.ProtectRTP(nil, rtpPacket(i+1, 1))
		require.NoError(t, err)
		_, err = r.UnprotectRTP(nil, out)
		if i < 2 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, srtp.ErrTooManySources)
		}
	}
}

func TestUnencryptedSRTCPIsRefused(t *testing.T) {
	for _, suite := range []srtp.Suite{srtp.AEADAES256GCM, srtp.AESCM128HMACSHA1Tag80} {
		s, r := keyed(t, suite, srtp.ReceiverConfig{})
		out, err := s.ProtectRTCP(nil, rtcpPacket(s.SSRC()))
		require.NoError(t, err)
		at := len(out) - 4
		if suite == srtp.AESCM128HMACSHA1Tag80 {
			at -= 10
		}
		out[at] &^= 0x80
		_, err = r.UnprotectRTCP(nil, out)
		require.ErrorIs(t, err, srtp.ErrUnencrypted)
	}
}

func TestReceiverConfig(t *testing.T) {
	offer, err := srtp.Policy{}.Offer()
	require.NoError(t, err)
	for _, cfg := range []srtp.ReceiverConfig{{ReplayWindow: 10}, {ReplayWindowRTCP: 1 << 20}, {MaxSources: -1}} {
		_, err := srtp.NewReceiver(offer[0], cfg)
		require.ErrorIs(t, err, srtp.ErrConfig)
	}
	_, err = srtp.NewSender(srtp.Crypto{}, srtp.SenderConfig{})
	require.ErrorIs(t, err, srtp.ErrUnknownSuite)
	_, err = srtp.NewSender(srtp.Crypto{Suite: srtp.AEADAES256GCM}, srtp.SenderConfig{})
	require.ErrorIs(t, err, srtp.ErrMalformed)
}
