package provision

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrValue is returned for a value that is missing, or that cannot be written into a configuration without becoming something else there.
var ErrValue = errors.New("provision: value")

// Family is a kind of phone, and with it the format of its configuration.
type Family uint8

// Families. The zero value is none of them.
const (
	Yealink Family = iota + 1 // key = value
	Snom                      // XML settings
	Generic                   // JSON
)

func (f Family) String() string {
	switch f {
	case Yealink:
		return "yealink"
	case Snom:
		return "snom"
	case Generic:
		return "generic"
	}
	return "invalid"
}

// Device is a phone and whose it is.
type Device struct {
	// ID is the MAC address, 12 hexadecimal digits with or without separators, or for Snom and Generic a name of letters, digits and dashes. Required.
	ID     string
	Family Family // required
	Realm  string // required
	User   string // required
}

// normal checks a device and writes its ID the way it is kept: lower case, without separators if it is a MAC address.
func (d Device) normal() (Device, error) {
	id := strings.ToLower(d.ID)
	if mac := strings.NewReplacer(":", "", "-", "", ".", "").Replace(id); isMAC(mac) {
		id = mac
	}
	switch {
	case d.Family < Yealink || d.Family > Generic:
		return d, fmt.Errorf("%w: family", ErrValue)
	case !isName(id) || d.Family == Yealink && !isMAC(id): // a Yealink asks for the file of its address
		return d, fmt.Errorf("%w: ID", ErrValue)
	case check(d.Realm, 256) != nil || d.Realm == "" || check(d.User, 256) != nil || d.User == "":
		return d, fmt.Errorf("%w: realm and user", ErrValue)
	}
	d.ID = id
	return d, nil
}

func isMAC(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 12
}

func isName(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// file is what a phone of the family asks for.
func (d Device) file() string {
	switch d.Family {
	case Yealink:
		return d.ID + ".cfg"
	case Snom:
		return "settings.xml"
	}
	return "config.json"
}

// caFile is where phones find the authorities that they are to trust.
const caFile = "ca.pem"

// Codec is an audio codec that a phone may use.
type Codec string

// Codecs that every family knows.
const (
	Opus Codec = "opus"
	G722 Codec = "g722"
	PCMA Codec = "pcma"
	PCMU Codec = "pcmu"
)

// Settings are what a phone is told. SIP is always over TLS and SRTP always mandatory: there is no setting for less.
type Settings struct {
	// Server is the host name of the SIP server, which its certificate is valid for. Required.
	Server string
	// Port of the SIP server. If zero, 5061.
	Port uint16
	// DisplayName is shown on the phone and to others. If empty, the user of the device.
	DisplayName string
	// AuthUser is the user that Password belongs to. If empty, the user of the device.
	AuthUser string
	// Password registers the phone. Required.
	Password Secret
	// Codecs are allowed, best first. If empty, Opus, G722, PCMA, PCMU.
	Codecs []Codec
	// CA are the authorities that the phone is to trust, in PEM. If empty, those it came with.
	CA []byte
	// NTP is the host of the time server. If empty, Server.
	NTP string
	// UTCOffset is the local time of the phone, in whole minutes from -12 h to 14 h. If zero, UTC.
	UTCOffset time.Duration
	// AdminPassword is that of the phone's own web page. If zero, a random one that nobody knows: the one that phones come with is known to everybody.
	AdminPassword Secret
}

func (s Settings) complete(d Device) (Settings, error) {
	if s.Port == 0 {
		s.Port = 5061
	}
	if s.DisplayName == "" {
		s.DisplayName = d.User
	}
	if s.AuthUser == "" {
		s.AuthUser = d.User
	}
	if len(s.Codecs) == 0 {
		s.Codecs = []Codec{Opus, G722, PCMA, PCMU}
	}
	if s.NTP == "" {
		s.NTP = s.Server
	}
	if s.AdminPassword.IsZero() {
		s.AdminPassword = generate()
	}
	switch {
	case !isHost(s.Server) || !isHost(s.NTP):
		return s, fmt.Errorf("%w: server", ErrValue)
	case s.Password.IsZero():
		return s, fmt.Errorf("%w: password", ErrValue)
	case s.UTCOffset < -12*time.Hour || s.UTCOffset > 14*time.Hour || s.UTCOffset%time.Minute != 0:
		return s, fmt.Errorf("%w: UTC offset", ErrValue)
	case len(s.CA) > 256<<10:
		return s, fmt.Errorf("%w: CA", ErrValue)
	}
	for _, v := range []string{s.DisplayName, s.AuthUser, s.Password.text, s.AdminPassword.text} {
		if err := check(v, 256); err != nil {
			return s, err
		}
	}
	for _, c := range s.Codecs {
		if c != Opus && c != G722 && c != PCMA && c != PCMU {
			return s, fmt.Errorf("%w: codec", ErrValue)
		}
	}
	return s, nil
}

// check refuses what no format can carry: control characters above all, with which a display name would become a line of its own.
func check(s string, most int) error {
	if len(s) > most || !utf8.ValidString(s) {
		return fmt.Errorf("%w: too long or not UTF-8", ErrValue)
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == 0x2028 || r == 0x2029 || r == 0xfffe || r == 0xffff {
			return fmt.Errorf("%w: control character", ErrValue)
		}
	}
	return nil
}

// isHost is a host name or an address without brackets.
func isHost(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '.' {
			return false
		}
	}
	return s != "" && len(s) <= 253
}
