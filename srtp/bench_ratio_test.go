package srtp_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
	pion "github.com/pion/srtp/v3"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
)

// TestBenchRatios prints how long we take against a baseline of the same run: the median of nine alternating pairs.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	const packets = 30000 // below 2^15, so that every run has one key and no rollover
	raw := func() time.Duration {
		block, err := aes.NewCipher(make([]byte, 32))
		require.NoError(t, err)
		gcm, err := cipher.NewGCM(block)
		require.NoError(t, err)
		pkt, buf, nonce := rtpPacket(1, 0), make([]byte, 256), make([]byte, 12)
		start := time.Now()
		for i := range uint16(packets) {
			binary.BigEndian.PutUint16(nonce[10:], i)
			copy(buf, pkt[:12])
			gcm.Seal(buf[12:12], nonce, pkt[12:], buf[:12])
		}
		return time.Since(start)
	}
	for _, suite := range suites() {
		offered, err := only(suite).Offer()
		require.NoError(t, err)
		c := offered[0]
		protect := func() time.Duration {
			s, err := srtp.NewSender(c, srtp.SenderConfig{SSRC: 1})
			require.NoError(t, err)
			pkt, buf := rtpPacket(1, 0), make([]byte, 0, 256)
			start := time.Now()
			for i := range uint16(packets) {
				binary.BigEndian.PutUint16(pkt[2:], i)
				if _, err := s.ProtectRTP(buf, pkt); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(start)
		}
		theirs := func() time.Duration {
			ctx := oracle(t, c)
			pkt, buf := rtpPacket(1, 0), make([]byte, 0, 256)
			var h rtp.Header
			start := time.Now()
			for i := range uint16(packets) {
				binary.BigEndian.PutUint16(pkt[2:], i)
				if _, err := ctx.EncryptRTP(buf, pkt, &h); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(start)
		}
		sealed := make([][]byte, packets)
		s, err := srtp.NewSender(c, srtp.SenderConfig{SSRC: 1})
		require.NoError(t, err)
		for i := range sealed {
			sealed[i], err = s.ProtectRTP(nil, rtpPacket(1, uint16(i)))
			require.NoError(t, err)
		}
		open := func() time.Duration {
			r, err := srtp.NewReceiver(c, srtp.ReceiverConfig{})
			require.NoError(t, err)
			buf := make([]byte, 0, 256)
			start := time.Now()
			for _, p := range sealed {
				if _, err := r.UnprotectRTP(buf, p); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(start)
		}
		theirsOpen := func() time.Duration {
			ctx := oracle(t, c, pion.SRTPReplayProtection(128))
			buf := make([]byte, 0, 256)
			var h rtp.Header
			start := time.Now()
			for _, p := range sealed {
				if _, err := ctx.DecryptRTP(buf, p, &h); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(start)
		}
		if suite == srtp.AEADAES256GCM {
			ratio(t, "protect-gcm256", 1.4, protect, raw)
		}
		ratio(t, "protect-vs-pion-"+suite.String(), 1.15, protect, theirs)
		ratio(t, "unprotect-vs-pion-"+suite.String(), 1.15, open, theirsOpen)
	}
}

func ratio(t *testing.T, name string, goal float64, ours, baseline func() time.Duration) {
	t.Helper()
	var rs []float64
	ours()
	baseline()
	for range 9 {
		a, b := ours(), baseline()
		rs = append(rs, float64(a)/float64(b))
	}
	slices.Sort(rs)
	fmt.Printf("ratio srtp/%s %.2f goal <= %.2f\n", name, rs[len(rs)/2], goal)
}
