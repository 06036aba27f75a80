package srtp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"strconv"
	"strings"
)

// Crypto is one `a=crypto` attribute (RFC 4568 section 4): a tag, a suite and the master keys for one direction.
// It prints without its keys. The zero Crypto is unusable.
type Crypto struct {
	// Tag ties an answer to the offered attribute, 1 to 999999999.
	Tag int
	// Suite is the crypto suite of all Keys.
	Suite Suite
	// Keys holds one to four master keys. With more than one, every key has an MKI of one common length.
	Keys []InlineKey
}

// InlineKey is one master key with its limits (RFC 4568 section 6.1).
type InlineKey struct {
	// Key is master key and salt.
	Key Key
	// Lifetime is the greatest number of packets to protect with Key. If zero, the limits of RFC 3711 section 9.2: 2^48 SRTP and
	// 2^31 SRTCP packets.
	Lifetime uint64
	// MKI names the key in every packet, big endian as on the wire. If nil, packets carry no MKI.
	MKI []byte
}

// ParseCrypto reads the value of an `a=crypto` attribute, the part after the colon. The errors wrap ErrMalformed,
// ErrUnknownSuite or ErrSessionParameter with a reason that never holds a part of the key.
func ParseCrypto(value string) (Crypto, error) {
	if len(value) > maxCryptoLine {
		return Crypto{}, malformed("longer than %d bytes", maxCryptoLine)
	}
	fields := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(fields) < 3 {
		return Crypto{}, malformed("tag, suite and key are required")
	}
	tag, err := parseTag(fields[0])
	if err != nil {
		return Crypto{}, err
	}
	suite, err := ParseSuite(fields[1])
	if err != nil {
		return Crypto{}, err
	}
	// Parameters are read before keys: a line that weakens protection is refused for that reason whatever its key is.
	if err := checkSessionParams(fields[3:]); err != nil {
		return Crypto{}, err
	}
	keys, err := parseKeys(suite, fields[2])
	if err != nil {
		return Crypto{}, err
	}
	return Crypto{Tag: tag, Suite: suite, Keys: keys}, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// parseTag reads 1*9DIGIT without a leading zero (RFC 4568 section 9.1).
func parseTag(s string) (int, error) {
	if len(s) > 9 || s[0] == '0' || !allDigits(s) {
		return 0, malformed("tag is not a number from 1 to 999999999")
	}
	tag, err := strconv.Atoi(s)
	if err != nil {
		return 0, malformed("tag")
	}
	return tag, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// parseKeys reads "inline:" key-params separated by semicolons.
func parseKeys(suite Suite, s string) ([]InlineKey, error) {
	parts := strings.Split(s, ";")
	if len(parts) > maxInlineKeys {
		return nil, malformed("more than %d keys", maxInlineKeys)
	}
	keys := make([]InlineKey, 0, len(parts))
	for _, part := range parts {
		method, info, ok := strings.Cut(part, ":")
		if !ok || !strings.EqualFold(method, "inline") {
			return nil, malformed("key method is not inline")
		}
		k, err := parseKey(suite, info)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	// RFC 4568 section 6.1: with several keys each has a unique MKI, and all MKIs have one length.
	for i, k := range keys {
		if len(keys) > 1 && len(k.MKI) == 0 {
			return nil, malformed("several keys need an MKI each")
		}
		for _, o := range keys[:i] {
			if len(o.MKI) != len(k.MKI) {
				return nil, malformed("MKI lengths differ")
			}
			if bytes.Equal(o.MKI, k.MKI) {
				return nil, malformed("MKI used twice")
			}
			if o.Key.Equal(k.Key) {
				return nil, malformed("key used twice")
			}
		}
	}
	return keys, nil
}

// parseKey reads "<base64>[|lifetime][|MKI:length]".
func parseKey(suite Suite, s string) (InlineKey, error) {
	b64, rest, hasRest := strings.Cut(s, "|")
	key, err := parseKeySalt(suite, b64)
	if err != nil {
		return InlineKey{}, err
	}
	k := InlineKey{Key: key}
	if !hasRest {
		return k, nil
	}
	parts := strings.Split(rest, "|")
	if len(parts) > 2 {
		return InlineKey{}, malformed("too many key parameters")
	}
	// The lifetime has no colon and comes first; the MKI has one (RFC 4568 section 6.1).
	if !strings.Contains(parts[0], ":") {
		if k.Lifetime, err = parseLifetime(parts[0]); err != nil {
			return InlineKey{}, err
		}
		parts = parts[1:]
	}
	if len(parts) == 0 {
		return k, nil
	}
	if len(parts) > 1 {
		return InlineKey{}, malformed("MKI must come last and once")
	}
	k.MKI, err = parseMKI(parts[0])
	return k, err
}

func parseKeySalt(suite Suite, b64 string) (Key, error) {
	want := suite.KeyLen()
	// RFC 4568 pads; several phones leave the padding away. Both spell the same bytes.
	raw := strings.TrimRight(b64, "=")
	if len(b64)-len(raw) > 2 {
		return Key{}, malformed("key padding")
	}
	var buf [64]byte
	defer clear(buf[:])
	if base64.RawStdEncoding.DecodedLen(len(raw)) != want {
		return Key{}, malformed("key and salt of %s are %d bytes", suite, want)
	}
	n, err := base64.RawStdEncoding.Strict().Decode(buf[:], []byte(raw))
	if err != nil || n != want {
		return Key{}, malformed("key is not base64") // not the decoder's error, which quotes input
	}
	return newKey(buf[:n]), nil
}

// parseLifetime reads a decimal number or 2^n with n from 1 to 48. Zero is illegal, as is anything over 2^48.
func parseLifetime(s string) (uint64, error) {
	if exp, ok := strings.CutPrefix(s, "2^"); ok {
		n, err := strconv.ParseUint(exp, 10, 8)
		if err != nil || !allDigits(exp) || n < 1 || n > 48 {
			return 0, malformed("lifetime is 2^1 to 2^48")
		}
		return 1 << n, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || !allDigits(s) || n < 1 || n > maxPacketsRTP {
		return 0, malformed("lifetime is 1 to 2^48 packets")
	}
	return n, nil
}

// parseMKI reads "<decimal value>:<length in bytes>". Values over 64 bits are refused: no implementation writes them.
func parseMKI(s string) ([]byte, error) {
	val, length, ok := strings.Cut(s, ":")
	if !ok || !allDigits(val) || !allDigits(length) {
		return nil, malformed("MKI is value:length")
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 1 || n > maxMKI {
		return nil, malformed("MKI length is 1 to %d", maxMKI)
	}
	v, err := strconv.ParseUint(val, 10, 64)
	if err != nil {
		return nil, malformed("MKI value over 64 bits")
	}
	if n < 8 && v>>(8*n) != 0 {
		return nil, malformed("MKI value does not fit its length")
	}
	mki := make([]byte, n)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	if n >= 8 {
		copy(mki[n-8:], b[:])
	} else {
		copy(mki, b[8-n:])
	}
	return mki, nil
}

// checkSessionParams refuses what weakens protection or what this package does not do. RFC 4568 section 6.3.7: a parameter that
// starts with a dash may be ignored by whoever does not know it; any other unknown parameter makes the line unusable.
func checkSessionParams(params []string) error {
	for _, p := range params {
		name, val, _ := strings.Cut(p, "=")
		switch strings.ToUpper(name) {
		case "WSH":
			// A hint for our replay window, at least 64 (section 6.3.6). Ours is wider; the hint changes nothing.
			n, err := strconv.ParseUint(val, 10, 32)
			if err != nil || n < minReplayWindow {
				return fmt.Errorf("%w: WSH is a number of at least %d", ErrSessionParameter, minReplayWindow)
			}
		case "KDR":
			return fmt.Errorf("%w: KDR: key derivation rates are not supported", ErrSessionParameter)
		case "UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP":
			return fmt.Errorf("%w: %s would send media without protection", ErrSessionParameter, strings.ToUpper(name))
		case "FEC_ORDER", "FEC_KEY":
			return fmt.Errorf("%w: %s: forward error correction is not supported", ErrSessionParameter, strings.ToUpper(name))
		default:
			if !strings.HasPrefix(name, "-") {
				return fmt.Errorf("%w: unknown parameter", ErrSessionParameter)
			}
		}
	}
	return nil
}

// ExportSecret returns the attribute's value with its keys, to be written after "a=crypto:". Keep it out of logs.
func (c Crypto) ExportSecret() string {
	return c.format(func(k Key) string { return k.ExportSecret() })
}

func (c Crypto) format(key func(Key) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s ", c.Tag, c.Suite)
	for i, k := range c.Keys {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString("inline:")
		b.WriteString(key(k.Key))
		if k.Lifetime != 0 {
			b.WriteByte('|')
			b.WriteString(formatLifetime(k.Lifetime))
		}
		if len(k.MKI) > 0 {
			fmt.Fprintf(&b, "|%d:%d", mkiValue(k.MKI), len(k.MKI))
		}
	}
	return b.String()
}

func formatLifetime(n uint64) string {
	if n > 1 && bits.OnesCount64(n) == 1 {
		return "2^" + strconv.Itoa(bits.TrailingZeros64(n))
	}
	return strconv.FormatUint(n, 10)
}

func mkiValue(mki []byte) uint64 {
	var v uint64
	for _, b := range mki {
		v = v<<8 | uint64(b)
	}
	return v
}

// Equal reports whether both attributes agree on tag, suite and every key, in constant time for the keys.
func (c Crypto) Equal(o Crypto) bool {
	if c.Tag != o.Tag || c.Suite != o.Suite || len(c.Keys) != len(o.Keys) {
		return false
	}
	same := true
	for i := range c.Keys {
		a, b := c.Keys[i], o.Keys[i]
		same = a.Key.Equal(b.Key) && a.Lifetime == b.Lifetime && bytes.Equal(a.MKI, b.MKI) && same
	}
	return same
}

// Zero overwrites the keys; the attribute and its copies are unusable afterwards.
func (c Crypto) Zero() {
	for _, k := range c.Keys {
		k.Key.zero()
	}
}

// String returns the attribute's value with REDACTED in place of every key.
func (c Crypto) String() string { return c.format(func(Key) string { return redacted }) }

// GoString returns the same as String.
func (c Crypto) GoString() string { return c.String() }

// Format writes the same as String for every verb.
func (c Crypto) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue returns the same as String.
func (c Crypto) LogValue() slog.Value { return slog.StringValue(c.String()) }
