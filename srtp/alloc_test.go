//go:build !race

package srtp_test

import (
	"encoding/binary"
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
		seq := uint16(0)
		step := func() {
			seq++
			binary.BigEndian.PutUint16(pkt[2:], seq)
			out, err := s.ProtectRTP(buf, pkt)
			require.NoError(t, err)
			_, err = r.UnprotectRTP(back, out)
			require.NoError(t, err)
		}
		step()
		assert.Zero(t, testing.AllocsPerRun(200, step), suite.String())
	}
}
