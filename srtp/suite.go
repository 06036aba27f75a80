package srtp

import (
	"strings"
	"time"
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

// Strength orders suites by what they protect against. A policy's floor is a Strength.
type Strength uint8

// The strengths, weakest first.
const (
	StrengthUnset    Strength = iota // no suite has it; as a floor it means StrengthStandard
	StrengthShortTag                 // counter mode with a 32-bit tag: one forged packet in 2^32 is accepted
	StrengthStandard                 // counter mode with an 80-bit SHA-1 tag, keys of 128 or 256 bits
	StrengthAEAD                     // AES-GCM with a 128-bit key
	StrengthTop                      // AES-GCM with a 256-bit key
)

// String returns a name for logs.
func (s Strength) String() string {
	switch s {
	case StrengthUnset:
		return "unset"
	case StrengthShortTag:
		return "short tag"
	case StrengthStandard:
		return "standard"
	case StrengthAEAD:
		return "aead"
	case StrengthTop:
		return "top"
	}
	return "invalid"
}

type suiteInfo struct {
	name     string
	alias    string // seen in the wild
	key      int    // bytes of master key
	salt     int    // bytes of master salt
	tag      int    // bytes of RTP authentication tag
	rtcpTag  int    // bytes of RTCP authentication tag; RFC 3711 section 5.2 keeps 80 bits for RTCP under the 32-bit suites
	gcm      bool
	strength Strength
	sunset   time.Time // the first moment the suite is refused by default; zero for never
}

// The dates are data for a reviewer to change in one place, or in Policy.Sunset.
func sunsetShortTag() time.Time { return time.Date(2028, time.January, 1, 0, 0, 0, 0, time.UTC) }

// NIST withdraws SHA-1 from all use at the end of 2030.
func sunsetSHA1() time.Time { return time.Date(2031, time.January, 1, 0, 0, 0, 0, time.UTC) }

// At the end of 2035 NIST IR 8547 disallows what quantum computers break; long-lived recordings of 128-bit keys should not outlive it.
func sunsetAES128() time.Time { return time.Date(2036, time.January, 1, 0, 0, 0, 0, time.UTC) }

func (s Suite) info() (suiteInfo, bool) {
	switch s {
	case AEADAES256GCM:
		return suiteInfo{name: "AEAD_AES_256_GCM", key: 32, salt: 12, tag: 16, rtcpTag: 16, gcm: true, strength: StrengthTop}, true
	case AEADAES128GCM:
		return suiteInfo{name: "AEAD_AES_128_GCM", key: 16, salt: 12, tag: 16, rtcpTag: 16, gcm: true, strength: StrengthAEAD, sunset: sunsetAES128()}, true
	case AES256CMHMACSHA1Tag80:
		return suiteInfo{name: "AES_256_CM_HMAC_SHA1_80", alias: "AES_CM_256_HMAC_SHA1_80", key: 32, salt: 14, tag: 10, rtcpTag: 10,
			strength: StrengthStandard, sunset: sunsetSHA1()}, true
	case AES256CMHMACSHA1Tag32:
		return suiteInfo{name: "AES_256_CM_HMAC_SHA1_32", alias: "AES_CM_256_HMAC_SHA1_32", key: 32, salt: 14, tag: 4, rtcpTag: 10,
			strength: StrengthShortTag, sunset: sunsetShortTag()}, true
	case AESCM128HMACSHA1Tag80:
		return suiteInfo{name: "AES_CM_128_HMAC_SHA1_80", alias: "AES_128_CM_HMAC_SHA1_80", key: 16, salt: 14, tag: 10, rtcpTag: 10,
			strength: StrengthStandard, sunset: sunsetSHA1()}, true
	case AESCM128HMACSHA1Tag32:
		return suiteInfo{name: "AES_CM_128_HMAC_SHA1_32", alias: "AES_128_CM_HMAC_SHA1_32", key: 16, salt: 14, tag: 4, rtcpTag: 10,
			strength: StrengthShortTag, sunset: sunsetShortTag()}, true
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

// SaltLen returns the bytes of master salt alone, the last of KeyLen; 0 for no suite.
func (s Suite) SaltLen() int {
	in, _ := s.info()
	return in.salt
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

// Strength returns where the suite stands; StrengthUnset for no suite.
func (s Suite) Strength() Strength {
	in, _ := s.info()
	return in.strength
}

// Sunset returns the first moment the suite is refused unless a Policy says otherwise: the 32-bit tags on 1 January 2028, the other
// SHA-1 suites on 1 January 2031, AEAD_AES_128_GCM on 1 January 2036, all UTC. The zero time means no date; AEAD_AES_256_GCM has none.
func (s Suite) Sunset() time.Time {
	in, _ := s.info()
	return in.sunset
}
