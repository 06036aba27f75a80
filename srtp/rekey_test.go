package srtp_test

import (
	"bytes"
	"fmt"
	"testing"

	pion "github.com/pion/srtp/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
)

// announced returns a policy whose keys have an MKI and a lifetime.
func announced(suite srtp.Suite, lifetime uint64) srtp.Policy {
	p := only(suite)
	p.Announce = srtp.Announce{Lifetime: lifetime, MKILength: 4}
	return p
}

func TestLifetimeIsOfEachKey(t *testing.T) {
	for _, suite := range suites() {
		a, err := only(suite).Offer()
		require.NoError(t, err)
		b, err := only(suite).Offer()
		require.NoError(t, err)
		c, err := srtp.ParseCrypto(fmt.Sprintf("1 %s inline:%s|2^2|1:4;inline:%s|3|258:4", suite,
			a[0].Keys[0].Key.ExportSecret(), b[0].Keys[0].Key.ExportSecret()))
		require.NoError(t, err)
		s, err := srtp.NewSender(c, srtp.SenderConfig{})
		require.NoError(t, err)
		r, err := srtp.NewReceiver(c, srtp.ReceiverConfig{})
		require.NoError(t, err)
		assert.EqualValues(t, 4, s.Remaining())
		for seq := range uint16(7) { // four under the first, three under the second, without a word from the owner
			assert.Equal(t, seq >= 7, s.RekeyDue(), "a further key is announced, and half of three is not an eighth")
			out, err := s.ProtectRTP(nil, rtpPacket(s.SSRC(), seq))
			require.NoError(t, err, "packet %d", seq)
			_, err = r.UnprotectRTP(nil, out)
			require.NoError(t, err, "packet %d", seq)
		}
		assert.True(t, s.RekeyDue())
		require.ErrorIs(t, protect(s, 7), srtp.ErrKeyExhausted)
		_, err = s.ProtectRTCP(nil, rtcpPacket(s.SSRC()))
		require.ErrorIs(t, err, srtp.ErrKeyExhausted, "the limit reached first ends the key for RTCP as well")
		// A peer that goes on under a dead key is not heard.
		long := c
		long.Keys = []srtp.InlineKey{{Key: c.Keys[0].Key, MKI: c.Keys[0].MKI}}
		rude, err := srtp.NewSender(long, srtp.SenderConfig{SSRC: s.SSRC()})
		require.NoError(t, err)
		out, err := rude.ProtectRTP(nil, rtpPacket(s.SSRC(), 9))
		require.NoError(t, err)
		_, err = r.UnprotectRTP(nil, out)
		require.ErrorIs(t, err, srtp.ErrKeyExhausted)
	}
}

func TestLifetimeCountsRTCP(t *testing.T) {
	p := announced(srtp.AEADAES128GCM, 8)
	offered, err := p.Offer()
	require.NoError(t, err)
	s, err := srtp.NewSender(offered[0], srtp.SenderConfig{})
	require.NoError(t, err)
	r, err := srtp.NewReceiver(offered[0], srtp.ReceiverConfig{})
	require.NoError(t, err)
	for i := range 8 {
		assert.Equal(t, i >= 7, s.RekeyDue(), "after %d reports", i)
		out, err := s.ProtectRTCP(nil, rtcpPacket(s.SSRC()))
		require.NoError(t, err)
		_, err = r.UnprotectRTCP(nil, out)
		require.NoError(t, err)
	}
	require.ErrorIs(t, protect(s, 1), srtp.ErrKeyExhausted)
	assert.Zero(t, s.Remaining())
}

func TestRekeyDueMargin(t *testing.T) {
	p := announced(srtp.AEADAES128GCM, 100)
	offered, err := p.Offer()
	require.NoError(t, err)
	for margin, want := range map[uint64]int{0: 88, 1: 99, 40: 60, 100: 0, 5000: 0} {
		s, err := srtp.NewSender(offered[0], srtp.SenderConfig{RekeyMargin: margin})
		require.NoError(t, err)
		sent := 0
		for !s.RekeyDue() {
			require.NoError(t, protect(s, uint16(sent)))
			sent++
		}
		assert.Equal(t, want, sent, "margin %d", margin)
		s.Close()
		assert.False(t, s.RekeyDue())
	}
}

// A whole rekey in the middle of a stream: offered again, answered, gone over to and cleaned up, and every packet of it arrives, RTP and RTCP,
// at our Receiver and at another implementation.
func TestRekeyMidStream(t *testing.T) {
	for _, suite := range suites() {
		t.Run(suite.String(), func(t *testing.T) {
			p := announced(suite, 64)
			offered, err := p.Offer()
			require.NoError(t, err)
			c := offered[0]
			s, err := srtp.NewSender(c, srtp.SenderConfig{})
			require.NoError(t, err)
			r, err := srtp.NewReceiver(c, srtp.ReceiverConfig{})
			require.NoError(t, err)
			other := oracle(t, c)
			ssrc, rekeys := s.SSRC(), 0
			for seq := range uint16(1000) {
				if s.RekeyDue() {
					next, err := p.Rekey(c)
					require.NoError(t, err)
					seen, err := srtp.ParseCrypto(next.ExportSecret()) // what the peer reads
					require.NoError(t, err)
					fresh := seen.Keys[len(seen.Keys)-1]
					require.NoError(t, r.AddKey(fresh))
					b := mustDecode(t, fresh.Key.ExportSecret())
					n := len(b) - suite.SaltLen()
					require.NoError(t, other.AddCipherForMKI(fresh.MKI, b[:n], b[n:]))
					late, err := s.ProtectRTP(nil, rtpPacket(ssrc, seq*2))
					require.NoError(t, err)
					require.NoError(t, s.Rekey(fresh))
					early, err := s.ProtectRTP(nil, rtpPacket(ssrc, seq*2+1))
					require.NoError(t, err)
					_, err = r.UnprotectRTP(nil, early) // the first of the new key overtakes the last of the old
					require.NoError(t, err)
					_, err = r.UnprotectRTP(nil, late)
					require.NoError(t, err)
					require.NoError(t, r.RemoveKey(c.Keys[len(c.Keys)-1].MKI))
					require.ErrorIs(t, s.Rekey(fresh), srtp.ErrKeyReused)
					require.ErrorIs(t, s.Rekey(c.Keys[0]), srtp.ErrKeyReused)
					c = next
					rekeys++
					continue
				}
				pkt := rtpPacket(ssrc, seq*2)
				out, err := s.ProtectRTP(nil, pkt)
				require.NoError(t, err)
				theirs, err := other.DecryptRTP(nil, bytes.Clone(out), nil)
				require.NoError(t, err)
				require.Equal(t, pkt, theirs)
				back, err := r.UnprotectRTP(nil, out)
				require.NoError(t, err)
				require.Equal(t, pkt, back)
				if seq%9 == 0 {
					out, err := s.ProtectRTCP(nil, rtcpPacket(ssrc))
					require.NoError(t, err)
					_, err = other.DecryptRTCP(nil, bytes.Clone(out), nil)
					require.NoError(t, err)
					_, err = r.UnprotectRTCP(nil, out)
					require.NoError(t, err)
				}
			}
			assert.GreaterOrEqual(t, rekeys, 15)
			assert.Equal(t, ssrc, s.SSRC())
			assert.Equal(t, 1, r.Stats().Sources, "one stream throughout")
		})
	}
}

func TestSwitchMKI(t *testing.T) {
	p := announced(srtp.AEADAES256GCM, 0)
	offered, err := p.Offer()
	require.NoError(t, err)
	c, err := p.Rekey(offered[0])
	require.NoError(t, err)
	s, err := srtp.NewSender(c, srtp.SenderConfig{})
	require.NoError(t, err)
	r, err := srtp.NewReceiver(c, srtp.ReceiverConfig{})
	require.NoError(t, err)
	for seq := range uint16(10) {
		if seq == 5 {
			require.NoError(t, s.SwitchMKI(c.Keys[1].MKI))
			require.NoError(t, s.SwitchMKI(c.Keys[1].MKI), "to itself is nothing")
			require.ErrorIs(t, s.SwitchMKI(c.Keys[0].MKI), srtp.ErrUnknownMKI, "there is no way back")
			require.ErrorIs(t, s.Rekey(c.Keys[0]), srtp.ErrKeyReused)
		}
		out, err := s.ProtectRTP(nil, rtpPacket(s.SSRC(), seq))
		require.NoError(t, err)
		assert.True(t, bytes.HasSuffix(out, c.Keys[seq/5].MKI))
		_, err = r.UnprotectRTP(nil, out)
		require.NoError(t, err)
	}
	require.ErrorIs(t, s.SwitchMKI([]byte{9}), srtp.ErrUnknownMKI)
}

func TestKeySetRules(t *testing.T) {
	s, r := keyed(t, srtp.AEADAES256GCM, srtp.ReceiverConfig{})
	other, err := announced(srtp.AEADAES256GCM, 0).Offer()
	require.NoError(t, err)
	require.ErrorIs(t, s.Rekey(other[0].Keys[0]), srtp.ErrMalformed, "a stream without MKI")
	require.ErrorIs(t, r.AddKey(other[0].Keys[0]), srtp.ErrMalformed)
	require.ErrorIs(t, r.RemoveKey(nil), srtp.ErrUnknownMKI)

	s, err = srtp.NewSender(other[0], srtp.SenderConfig{})
	require.NoError(t, err)
	r, err = srtp.NewReceiver(other[0], srtp.ReceiverConfig{})
	require.NoError(t, err)
	key := func(mki ...byte) srtp.InlineKey {
		c, err := only(srtp.AEADAES256GCM).Offer()
		require.NoError(t, err)
		return srtp.InlineKey{Key: c[0].Keys[0].Key, MKI: mki}
	}
	require.ErrorIs(t, s.Rekey(key(1)), srtp.ErrMalformed, "another MKI length")
	require.ErrorIs(t, s.Rekey(key(0, 0, 0, 1)), srtp.ErrKeyReused, "an MKI that names another key")
	require.ErrorIs(t, s.Rekey(srtp.InlineKey{Key: srtp.NewKey(make([]byte, 3)), MKI: make([]byte, 4)}), srtp.ErrMalformed)
	require.ErrorIs(t, r.RemoveKey(other[0].Keys[0].MKI), srtp.ErrMalformed, "the last")
	for i := range byte(3) {
		require.NoError(t, r.AddKey(key(0, 0, 1, i)))
	}
	require.ErrorIs(t, r.AddKey(key(0, 0, 2, 0)), srtp.ErrMalformed, "a fifth")
	require.NoError(t, r.RemoveKey([]byte{0, 0, 1, 1}))
	require.ErrorIs(t, r.AddKey(key(0, 0, 1, 0)), srtp.ErrKeyReused)
	out, err := s.ProtectRTP(nil, rtpPacket(s.SSRC(), 0))
	require.NoError(t, err)
	_, err = r.UnprotectRTP(nil, out)
	require.NoError(t, err)
	require.NoError(t, r.RemoveKey(other[0].Keys[0].MKI))
	out, err = s.ProtectRTP(nil, rtpPacket(s.SSRC(), 1))
	require.NoError(t, err)
	_, err = r.UnprotectRTP(nil, out)
	require.ErrorIs(t, err, srtp.ErrAuth)
	s.Close()
	r.Close()
	for _, err := range []error{s.Rekey(key(1)), s.SwitchMKI(nil), r.AddKey(key(1)), r.RemoveKey(nil)} {
		require.ErrorIs(t, err, srtp.ErrClosed)
	}
}

// oracle is another implementation under the same keys.
func oracle(t testing.TB, c srtp.Crypto, opts ...pion.ContextOption) *pion.Context {
	t.Helper()
	profile := map[srtp.Suite]pion.ProtectionProfile{
		srtp.AEADAES256GCM: pion.ProtectionProfileAeadAes256Gcm, srtp.AEADAES128GCM: pion.ProtectionProfileAeadAes128Gcm,
		srtp.AES256CMHMACSHA1Tag80: pion.ProtectionProfileAes256CmHmacSha1_80, srtp.AES256CMHMACSHA1Tag32: pion.ProtectionProfileAes256CmHmacSha1_32,
		srtp.AESCM128HMACSHA1Tag80: pion.ProtectionProfileAes128CmHmacSha1_80, srtp.AESCM128HMACSHA1Tag32: pion.ProtectionProfileAes128CmHmacSha1_32,
	}[c.Suite]
	n := c.Suite.KeyLen() - c.Suite.SaltLen()
	b := mustDecode(t, c.Keys[0].Key.ExportSecret())
	if len(c.Keys[0].MKI) > 0 {
		opts = append(opts, pion.MasterKeyIndicator(c.Keys[0].MKI))
	}
	ctx, err := pion.CreateContext(b[:n], b[n:], profile, opts...)
	require.NoError(t, err)
	for _, k := range c.Keys[1:] {
		b := mustDecode(t, k.Key.ExportSecret())
		require.NoError(t, ctx.AddCipherForMKI(k.MKI, b[:n], b[n:]))
	}
	return ctx
}
