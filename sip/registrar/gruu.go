package registrar

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Key is a secret of 32 random bytes. It cannot be printed.
type Key [32]byte

const redacted = "[redacted]"

// String says nothing.
func (Key) String() string { return redacted }

// GoString says nothing.
func (Key) GoString() string { return redacted }

// Format says nothing, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalJSON says nothing.
func (Key) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue says nothing.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// sealer makes the user parts of temporary GRUUs: the name of an epoch, sealed by AES-256-GCM with a random nonce. Nonces repeat with a
// probability below 2^-32 for the first four thousand million addresses, and a repetition would show no more than that two are of one device.
type sealer struct{ aead cipher.AEAD }

func newSealer(k Key) sealer {
	if k == (Key{}) {
		_, _ = rand.Read(k[:]) // never fails: the process ends instead
	}
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic("registrar: internal error: " + err.Error()) // 32 bytes are a key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("registrar: internal error: " + err.Error())
	}
	return sealer{aead}
}

func (s sealer) make(epoch string) string {
	raw, err := hex.DecodeString(epoch)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, raw, nil))
}

func (s sealer) open(user string) (epoch string, ok bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(user)
	if err != nil {
		return "", false
	}
	raw, err := s.aead.Open(nil, nil, sealed, nil)
	return hex.EncodeToString(raw), err == nil
}

// PublicGRUU is the address of one device of a user (RFC 5627 section 3.1.1): it names both. It is empty if instance cannot be written into a URI.
func PublicGRUU(user, domain, instance string) string {
	if instance == "" || user == "" || strings.ContainsFunc(instance, func(c rune) bool { return !paramRune(c) }) {
		return ""
	}
	return "sip:" + user + "@" + domain + ";gr=" + instance
}

// TemporaryGRUU makes a new address of the device of b that names neither it nor its user (RFC 5627 section 3.1.2). b is a result of Update or Lookup. All of
// them are valid until the device registers with another Call-ID, unregisters or expires. It is empty for a device without Instance.
func (r *Registrar) TemporaryGRUU(b Binding, domain string) string {
	if b.Epoch == "" {
		return ""
	}
	return "sip:" + r.seal.make(b.Epoch) + "@" + domain + ";gr"
}

// Resolve finds the device that a GRUU names, in the realm of its domain: the user and the reachable bindings of the device, in the order in which they are
// to be tried. ok is false for what is no GRUU or not one of ours. A device that is known and not reachable has no bindings.
func (r *Registrar) Resolve(realm, uri string, now time.Time) (user string, flows []Binding, ok bool) {
	name, instance, ok := parseGRUU(uri)
	if !ok {
		return "", nil, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d := device{key{realm, name}, instance}
	if instance == "" {
		epoch, sealed := r.seal.open(name)
		if d, ok = r.epochs[epoch]; !sealed || !ok || d.realm != realm {
			return "", nil, false
		}
	}
	known := false
	for _, b := range visible(r.users[d.key], now, true) {
		if b.Instance != d.instance {
			continue
		}
		if known = true; !b.Gone {
			flows = append(flows, b)
		}
	}
	if !known {
		return "", nil, false
	}
	return d.user, flows, true
}

// parseGRUU reads user and instance of a sip: or sips: URI with a gr parameter. The instance of a temporary one is empty.
func parseGRUU(uri string) (user, instance string, ok bool) {
	scheme, rest, _ := strings.Cut(uri, ":")
	if !strings.EqualFold(scheme, "sip") && !strings.EqualFold(scheme, "sips") {
		return "", "", false
	}
	user, rest, ok = strings.Cut(rest, "@")
	if !ok || user == "" || strings.ContainsAny(user, ":;?") {
		return "", "", false
	}
	rest, _, _ = strings.Cut(rest, "?")
	params := strings.Split(rest, ";")
	for _, p := range params[1:] {
		name, value, has := strings.Cut(p, "=")
		if strings.EqualFold(name, "gr") {
			return user, value, !has || value != ""
		}
	}
	return "", "", false
}

// paramRune reports whether c may stand in the value of a URI parameter as it is (RFC 3261 section 25.1).
func paramRune(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.!~*'()[]/:&+$", c)
}
