package srtp

import (
	"fmt"
	"strings"

	"github.com/pion/srtp/v3"
)

// Suite is an SRTP crypto suite. The zero value is no suite and is refused everywhere.
type Suite uint8

// The suites, by the names of RFC 4568, RFC 6188 and RFC 7714.
const (
	SuiteInvalid          Suite = iota // no suite
	AEADAES256GCM                      // AEAD_AES_256_GCM, RFC 7714
	AEADAES128GCM                      // AEAD_AES_128_GCM, RFC 7714
	AES256CMHMACSHA1Tag80              // AES_256_CM_HMAC_SHA1_80, RFC 6188
	AES256CMHMACSHA1Tag32              // AES_256_CM_HMAC_SHA1_32, RFC 6188: a 32-bit tag, weak
	AESCM128HMACSHA1Tag80              // AES_CM_128_HMAC_SHA1_80, RFC 4568
	AESCM128HMACSHA1Tag32              // AES_CM_128_HMAC_SHA1_32, RFC 4568: a 32-bit tag, weak
)

type suiteInfo struct {
	name    string
	alias   string // seen in the wild
	key     int    // bytes of master key
	salt    int    // bytes of master salt
	tag     int    // bytes of RTP authentication tag
	rtcpTag int    // bytes of RTCP authentication tag; RFC 3711 section 5.2 keeps 80 bits for RTCP under the 32-bit suites
	profile srtp.ProtectionProfile
}

func (s Suite) info() (suiteInfo, bool) {
	switch s {
	case AEADAES256GCM:
		return suiteInfo{name: "AEAD_AES_256_GCM", key: 32, salt: 12, tag: 16, rtcpTag: 16, profile: srtp.ProtectionProfileAeadAes256Gcm}, true
	case AEADAES128GCM:
		return suiteInfo{name: "AEAD_AES_128_GCM", key: 16, salt: 12, tag: 16, rtcpTag: 16, profile: srtp.ProtectionProfileAeadAes128Gcm}, true
	case AES256CMHMACSHA1Tag80:
		return suiteInfo{name: "AES_256_CM_HMAC_SHA1_80", alias: "AES_CM_256_HMAC_SHA1_80", key: 32, salt: 14, tag: 10, rtcpTag: 10, profile: srtp.ProtectionProfileAes256CmHmacSha1_80}, true
	case AES256CMHMACSHA1Tag32:
		return suiteInfo{name: "AES_256_CM_HMAC_SHA1_32", alias: "AES_CM_256_HMAC_SHA1_32", key: 32, salt: 14, tag: 4, rtcpTag: 10, profile: srtp.ProtectionProfileAes256CmHmacSha1_32}, true
	case AESCM128HMACSHA1Tag80:
		return suiteInfo{name: "AES_CM_128_HMAC_SHA1_80", alias: "AES_128_CM_HMAC_SHA1_80", key: 16, salt: 14, tag: 10, rtcpTag: 10, profile: srtp.ProtectionProfileAes128CmHmacSha1_80}, true
	case AESCM128HMACSHA1Tag32:
		return suiteInfo{name: "AES_CM_128_HMAC_SHA1_32", alias: "AES_128_CM_HMAC_SHA1_32", key: 16, salt: 14, tag: 4, rtcpTag: 10, profile: srtp.ProtectionProfileAes128CmHmacSha1_32}, true
	case SuiteInvalid:
	}
	return suiteInfo{}, false
}

// allSuites is every suite this package knows, strongest first.
func allSuites() []Suite {
	return []Suite{
		AEADAES256GCM, AEADAES128GCM, AES256CMHMACSHA1Tag80, AESCM128HMACSHA1Tag80,
		AES256CMHMACSHA1Tag32, AESCM128HMACSHA1Tag32,
	}
}

// ParseSuite returns the suite with the given registered name or an alias seen in the wild, such as AES_CM_256_HMAC_SHA1_80.
// Case matters not. The error is ErrUnknownSuite.
func ParseSuite(name string) (Suite, error) {
	for _, s := range allSuites() {
		in, _ := s.info()
		if strings.EqualFold(name, in.name) || in.alias != "" && strings.EqualFold(name, in.alias) {
			return s, nil
		}
	}
	return SuiteInvalid, ErrUnknownSuite
}

// String returns the registered name, or "invalid".
func (s Suite) String() string {
	if in, ok := s.info(); ok {
		return in.name
	}
	return "invalid"
}

// KeyLen returns the bytes of master key and salt together, as SDES writes them; 0 for no suite.
func (s Suite) KeyLen() int {
	in, _ := s.info()
	return in.key + in.salt
}

// Overhead returns by how many bytes the suite makes an RTP packet longer, without an MKI; 0 for no suite.
func (s Suite) Overhead() int {
	in, _ := s.info()
	return in.tag
}

// OverheadRTCP returns by how many bytes the suite makes an RTCP packet longer, without an MKI; 0 for no suite.
func (s Suite) OverheadRTCP() int {
	in, ok := s.info()
	if !ok {
		return 0
	}
	return in.rtcpTag + 4 // the index with its encryption bit, RFC 3711 section 3.4
}

// Policy says which suites a service is willing to use. The zero Policy is the safest and is ready for use.
// It is a plain value; its methods are pure apart from drawing keys and are safe for concurrent use.
type Policy struct {
	// Suites lists the acceptable suites, best first. An answerer follows this order, not the offerer's.
	// If zero, AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES_256_CM_HMAC_SHA1_80, AES_CM_128_HMAC_SHA1_80.
	Suites []Suite
}

// resolved returns the suites after defaults and checks.
func (p Policy) resolved() ([]Suite, error) {
	if len(p.Suites) == 0 {
		return defaultSuites(), nil
	}
	for i, s := range p.Suites {
		if _, ok := s.info(); !ok {
			return nil, fmt.Errorf("%w: suite %d is unknown", ErrBadPolicy, i)
		}
		for _, t := range p.Suites[:i] {
			if s == t {
				return nil, fmt.Errorf("%w: %s is listed twice", ErrBadPolicy, s)
			}
		}
	}
	return p.Suites, nil
}

// Validate reports whether the policy is usable. The error is ErrBadPolicy with the reason.
func (p Policy) Validate() error {
	_, err := p.resolved()
	return err
}
