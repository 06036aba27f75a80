package srtp

import (
	"bytes"
	"fmt"
	"slices"
)

// sessionKey is one master key at work in one direction: what it derived to, what names it, and how far it is used. The master key itself is
// not kept.
type sessionKey struct {
	rtp, rtcp crypter
	mki       []byte
	limit     uint64 // RTP packets
	limitCtl  uint64 // RTCP packets
	used      uint64
	usedCtl   uint64
}

func newSessionKey(in suiteInfo, k InlineKey) (*sessionKey, error) {
	s := &sessionKey{mki: slices.Clone(k.MKI), limit: maxPacketsRTP, limitCtl: maxPacketsRTCP}
	if k.Lifetime > 0 {
		s.limit, s.limitCtl = min(s.limit, k.Lifetime), min(s.limitCtl, k.Lifetime)
	}
	b := k.Key.bytes()
	var err error
	if s.rtp, err = newCrypter(in, b, 0, in.tag); err == nil {
		s.rtcp, err = newCrypter(in, b, labelRTCP, in.rtcpTag)
	}
	if err != nil {
		return nil, fmt.Errorf("srtp: %s: %w", in.name, err)
	}
	return s, nil
}

// exhausted reports whether the key may protect nothing more, RTP or RTCP: the limit reached first ends the key (RFC 3711 section 9.2).
func (s *sessionKey) exhausted() bool { return s.used >= s.limit || s.usedCtl >= s.limitCtl }

// id is what the key derived to that names it without being a secret of its own: the session salts tell two master keys apart.
func (s *sessionKey) id() [2]uint64 { return [2]uint64{s.rtp.saltHi, s.rtcp.saltHi} }

func (s *sessionKey) wipe() {
	s.rtp.wipe()
	s.rtcp.wipe()
}

// checkCrypto refuses what did not come from ParseCrypto or a Policy.
func checkCrypto(c Crypto) (suiteInfo, error) {
	in, ok := c.Suite.info()
	if !ok {
		return in, ErrUnknownSuite
	}
	if err := c.Params.doable(); err != nil {
		return in, err
	}
	if len(c.Keys) == 0 || len(c.Keys) > maxInlineKeys {
		return in, malformed("one to %d keys are required", maxInlineKeys)
	}
	for i, k := range c.Keys {
		if err := checkKey(in, k, len(c.Keys[0].MKI)); err != nil {
			return in, err
		}
		if len(c.Keys) > 1 && len(k.MKI) == 0 {
			return in, malformed("several keys need an MKI each")
		}
		for _, o := range c.Keys[:i] {
			if bytes.Equal(o.MKI, k.MKI) || o.Key.Equal(k.Key) {
				return in, malformed("key or MKI used twice")
			}
		}
	}
	return in, nil
}

func checkKey(in suiteInfo, k InlineKey, mki int) error {
	switch {
	case len(k.Key.bytes()) != in.key+in.salt:
		return malformed("key and salt of %s are %d bytes", in.name, in.key+in.salt)
	case len(k.MKI) > maxMKI || len(k.MKI) != mki:
		return malformed("MKI length")
	case k.Lifetime > maxPacketsRTP:
		return malformed("lifetime is 1 to 2^48 packets")
	}
	return nil
}
