package srtp

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// Crypto is one `a=crypto` attribute (RFC 4568 section 4): a tag, a suite and the master keys for one direction.
// It prints without its keys. The zero Crypto is unusable.
type Crypto struct {
	// Tag ties an answer to the offered attribute, 0 to 999999999. Our own offers count from 1.
	Tag int
	// Suite is the crypto suite of all Keys.
	Suite Suite
	// Keys holds one to four master keys. With more than one, every key has an MKI of one common length.
	Keys []InlineKey
	// Params are the session parameters. NewSender and NewReceiver refuse those they cannot honour.
	Params SessionParams
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

// ParseCrypto reads the value of an `a=crypto` attribute, the part after the colon, and applies the zero ParamRules. The errors wrap
// ErrMalformed, ErrUnknownSuite or ErrSessionParameter with a reason that never holds a part of the key.
func ParseCrypto(value string) (Crypto, error) { return ParamRules{}.ParseCrypto(value) }

// ParseCrypto reads the value of an `a=crypto` attribute and applies the rules; see the function of the same name.
func (r ParamRules) ParseCrypto(value string) (Crypto, error) {
	c, err := InspectCrypto(value)
	if err != nil {
		return Crypto{}, err
	}
	if err := r.check(c.Params); err != nil {
		c.Zero()
		return Crypto{}, err
	}
	return c, nil
}

// InspectCrypto reads whatever RFC 4568 section 9 allows, acceptable or not, for a tool that shows what a peer sent. Session parameters that
// weaken protection are in Params; NewSender and NewReceiver refuse such an attribute. The errors are those of ParseCrypto.
func InspectCrypto(value string) (Crypto, error) {
	if len(value) > maxCryptoLine {
		return Crypto{}, malformed("longer than %d bytes", maxCryptoLine)
	}
	fields := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(fields) < 3 {
		return Crypto{}, malformed("tag, suite and key are required")
	}
	for _, f := range fields {
		if !allVisible(f) {
			return Crypto{}, malformed("characters outside of visible ASCII")
		}
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
	params, err := parseParams(suite, fields[3:])
	if err != nil {
		return Crypto{}, err
	}
	keys, err := parseKeys(suite, fields[2])
	if err != nil {
		return Crypto{}, err
	}
	return Crypto{Tag: tag, Suite: suite, Keys: keys, Params: params}, nil
}

func allVisible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// parseTag reads 1*9DIGIT without leading zeros (RFC 4568 sections 4.1 and 9.1).
func parseTag(s string) (int, error) {
	if len(s) > 9 || len(s) > 1 && s[0] == '0' || !allDigits(s) {
		return 0, malformed("tag is not a number from 0 to 999999999")
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

// parseMKI reads "<decimal value>:<length in bytes>". The value has as many digits as 128 bytes can need, hence no machine integer.
func parseMKI(s string) ([]byte, error) {
	val, length, ok := strings.Cut(s, ":")
	if !ok || !allDigits(val) || !allDigits(length) {
		return nil, malformed("MKI is value:length")
	}
	n, err := strconv.Atoi(length)
	if err != nil || len(length) > 3 || n < 1 || n > maxMKI {
		return nil, malformed("MKI length is 1 to %d", maxMKI)
	}
	if len(val) > maxMKIDigits {
		return nil, malformed("MKI value does not fit its length")
	}
	v, ok := new(big.Int).SetString(val, 10)
	if !ok || v.BitLen() > 8*n {
		return nil, malformed("MKI value does not fit its length")
	}
	return v.FillBytes(make([]byte, n)), nil
}

// ExportSecret returns the attribute's value with its keys, to be written after "a=crypto:". Keep it out of logs.
func (c Crypto) ExportSecret() string {
	return c.format(func(k Key) string { return k.ExportSecret() })
}

func (c Crypto) format(key func(Key) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s ", c.Tag, c.Suite)
	formatKeys(&b, c.Keys, key)
	c.Params.format(&b, key)
	return b.String()
}

func formatKeys(b *strings.Builder, keys []InlineKey, key func(Key) string) {
	for i, k := range keys {
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
			fmt.Fprintf(b, "|%s:%d", new(big.Int).SetBytes(k.MKI), len(k.MKI))
		}
	}
}

func formatLifetime(n uint64) string {
	if n > 1 && bits.OnesCount64(n) == 1 {
		return "2^" + strconv.Itoa(bits.TrailingZeros64(n))
	}
	return strconv.FormatUint(n, 10)
}

// Equal reports whether both attributes agree on tag, suite and every key, in constant time for the keys. Session parameters do not count.
func (c Crypto) Equal(o Crypto) bool { return c.Tag == o.Tag && c.SameKeys(o) }

// SameKeys reports whether both attributes agree on suite and every key with its lifetime and MKI, whatever their tags are: a peer that offers
// SameKeys again wants nothing changed, and its stream goes on under the Receiver it has. Constant time for the keys.
func (c Crypto) SameKeys(o Crypto) bool {
	if c.Suite != o.Suite || len(c.Keys) != len(o.Keys) {
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
	for _, k := range c.Params.FECKey {
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
