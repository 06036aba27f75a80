package srtp_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/srtp"
)

// Whatever the packet looks like, ours and pion's are the same bytes in both directions: headers with sources and extensions, payloads of
// no and many blocks, rollovers, RTCP compounds, MKIs of every length.
func TestSamePacketsAsPion(t *testing.T) {
	control.Proves(t, "ENC-09")
	rapid.Check(t, func(rt *rapid.T) {
		p := only(rapid.SampledFrom(suites()).Draw(rt, "suite"))
		p.Announce.MKILength = rapid.SampledFrom([]int{0, 0, 1, 4, 128}).Draw(rt, "mki")
		offered, err := p.Offer()
		require.NoError(t, err)
		s, err := srtp.NewSender(offered[0], srtp.SenderConfig{})
		require.NoError(t, err)
		r, err := srtp.NewReceiver(offered[0], srtp.ReceiverConfig{})
		require.NoError(t, err)
		tx, rx := oracle(t, offered[0]), oracle(t, offered[0])
		seq := uint16(rapid.IntRange(0, 1<<15-1).Draw(rt, "first"))
		for range rapid.IntRange(1, 12).Draw(rt, "packets") {
			pkt := rtpPacket(s.SSRC(), seq)[:12]
			sources := rapid.IntRange(0, 15).Draw(rt, "csrc")
			pkt[0] |= byte(sources)
			pkt[1] = rapid.Byte().Draw(rt, "type")
			pkt = append(pkt, make([]byte, 4*sources)...)
			if rapid.Bool().Draw(rt, "extension") {
				pkt[0] |= 0x10
				words := rapid.IntRange(0, 5).Draw(rt, "words")
				pkt = append(pkt, 0x12, 0x34, 0, byte(words))
				pkt = append(pkt, bytes.Repeat([]byte{7}, 4*words)...)
			}
			pkt = append(pkt, rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(rt, "payload")...)
			ours, err := s.ProtectRTP(nil, pkt)
			require.NoError(t, err)
			theirs, err := tx.EncryptRTP(nil, pkt, nil)
			require.NoError(t, err)
			require.Equal(t, theirs, ours)
			back, err := rx.DecryptRTP(nil, bytes.Clone(ours), nil)
			require.NoError(t, err)
			require.Equal(t, pkt, back)
			back, err = r.UnprotectRTP(nil, theirs)
			require.NoError(t, err)
			require.Equal(t, pkt, back)
			seq += uint16(rapid.IntRange(1, 1<<15-1).Draw(rt, "step"))

			ctl := append(rtcpPacket(s.SSRC()), rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "reports")...)
			ours, err = s.ProtectRTCP(nil, ctl)
			require.NoError(t, err)
			theirs, err = tx.EncryptRTCP(nil, ctl, nil)
			require.NoError(t, err)
			require.Equal(t, theirs, ours)
			back, err = r.UnprotectRTCP(nil, theirs)
			require.NoError(t, err)
			require.Equal(t, ctl, back)
		}
	})
}

// A receiver that joins late or loses a rollover finds the counter again, also when the packets are opened in place, and while strangers and forgers
// send in between.
func TestRecoveryUnderFire(t *testing.T) {
	for _, suite := range []srtp.Suite{srtp.AEADAES256GCM, srtp.AEADAES128GCM, srtp.AESCM128HMACSHA1Tag80, srtp.AES256CMHMACSHA1Tag32} {
		for rollovers := 1; rollovers <= 4; rollovers++ {
			for _, known := range []bool{false, true} {
				s, r := keyed(t, suite, srtp.ReceiverConfig{})
				open := func(pkt []byte) error {
					buf := append(make([]byte, 0, 300), pkt...)
					_, err := r.UnprotectRTP(buf[:0], buf)
					return err
				}
				for i := range 65536*rollovers + 200 {
					pkt := rtpPacket(s.SSRC(), uint16(i))
					if i > 10 && i < 65536*rollovers {
						if i%16384 == 0 {
							require.NoError(t, protect(s, uint16(i))) // the counter moves on unheard
						}
						continue
					}
					out, err := s.ProtectRTP(nil, pkt)
					require.NoError(t, err)
					if i < 65536*rollovers {
						if known {
							require.NoError(t, open(out))
						}
						continue
					}
					forged := bytes.Clone(out)
					forged[20] ^= 1
					require.Error(t, open(forged))
					stranger := bytes.Clone(out)
					binary.BigEndian.PutUint32(stranger[8:], s.SSRC()^0xff)
					if known { // strangers share one count with a newcomer, and no more than that
						require.Error(t, open(stranger))
					}
					if open(out) == nil {
						break
					}
					require.Less(t, i, 65536*rollovers+100, "%s %d rollovers, known %v", suite, rollovers, known)
				}
				require.EqualValues(t, 1, r.Stats().Recoveries)
			}
		}
	}
}
