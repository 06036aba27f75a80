package trunk

import (
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Location is where a device is: a civic address, a position, or both.
type Location struct {
	// Civic is the address (RFC 5139). The zero value: none.
	Civic Civic
	// Latitude and Longitude are in degrees, WGS 84, if HasPosition. Radius in meters makes it a circle (RFC 5491 section 5.2.3); zero: a point.
	HasPosition         bool
	Latitude, Longitude float64
	Radius              float64
	// Method is how it was found, of the registry of RFC 4119: "Manual", "DHCP", "GPS". If empty, "Manual".
	Method string
	// At is when it was true. Required.
	At time.Time
}

// Civic is an address as RFC 4119 and RFC 5139 name its parts. Empty parts are left out.
type Civic struct {
	Country string // ISO 3166, "DE". Required for an address
	A1      string // state, region
	A2      string // county
	A3      string // city
	A4      string // district
	Street  string // RD
	Number  string // HNO
	Suffix  string // HNS
	Zip     string // PC
	Name    string // NAM: who lives or works there
	Place   string // LOC: what helps to find it
	Floor   string // FLR
	Room    string // ROOM
	Seat    string
}

// parts are in the order of the schema of RFC 5139 section 3, which is a sequence.
func (c Civic) parts() [][2]string {
	return [][2]string{
		{"country", strings.ToUpper(c.Country)}, {"A1", c.A1}, {"A2", c.A2}, {"A3", c.A3}, {"A4", c.A4}, {"RD", c.Street}, {"HNO", c.Number}, {"HNS", c.Suffix},
		{"LOC", c.Place}, {"FLR", c.Floor}, {"NAM", c.Name}, {"PC", c.Zip}, {"ROOM", c.Room}, {"SEAT", c.Seat},
	}
}

// ErrLocation is a location that says nothing, or cannot be written.
var ErrLocation = errors.New("trunk: no usable location")

func (l Location) validate() error {
	if l.At.IsZero() {
		return fmt.Errorf("%w: no time", ErrLocation)
	}
	address := false
	for _, p := range l.Civic.parts() {
		address = address || p[1] != ""
		if !utf8.ValidString(p[1]) || len(p[1]) > 200 {
			return fmt.Errorf("%w: %s", ErrLocation, p[0])
		}
	}
	if address && (len(l.Civic.Country) != 2 || strings.Trim(strings.ToUpper(l.Civic.Country), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		return fmt.Errorf("%w: an address needs its country", ErrLocation)
	}
	if !address && !l.HasPosition {
		return fmt.Errorf("%w: neither address nor position", ErrLocation)
	}
	if l.HasPosition && !(math.Abs(l.Latitude) <= 90 && math.Abs(l.Longitude) <= 180 && l.Radius >= 0 && l.Radius < 1e7) { // NaN is refused too
		return fmt.Errorf("%w: position", ErrLocation)
	}
	if strings.Trim(l.Method, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return fmt.Errorf("%w: method", ErrLocation)
	}
	return nil
}

// pidf writes the location as PIDF-LO (RFC 4119, RFC 5491), to be sent by value. entity is the URI whose location it is.
func (l Location) pidf(entity string, now time.Time) ([]byte, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	var b strings.Builder
	text := func(s string) string {
		var t strings.Builder
		_ = xml.EscapeText(&t, []byte(s)) // a Builder takes everything
		return t.String()
	}
	num := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\r\n" + `<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"` +
		` xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" xmlns:gbp="urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy"` +
		` xmlns:cl="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr" xmlns:gml="http://www.opengis.net/gml" xmlns:gs="http://www.opengis.net/pidflo/1.0"` +
		` entity="` + text(strings.Replace(entity, "sip:", "pres:", 1)) + `"><dm:device id="device"><gp:geopriv><gp:location-info>`)
	if l.HasPosition {
		pos := `<gml:pos>` + num(l.Latitude) + " " + num(l.Longitude) + `</gml:pos>`
		if l.Radius > 0 {
			b.WriteString(`<gs:Circle srsName="urn:ogc:def:crs:EPSG::4326">` + pos + `<gs:radius uom="urn:ogc:def:uom:EPSG::9001">` + num(l.Radius) + `</gs:radius></gs:Circle>`)
		} else {
			b.WriteString(`<gml:Point srsName="urn:ogc:def:crs:EPSG::4326">` + pos + `</gml:Point>`)
		}
	}
	if l.Civic != (Civic{}) {
		b.WriteString(`<cl:civicAddress>`)
		for _, p := range l.Civic.parts() {
			if p[1] != "" {
				b.WriteString("<cl:" + p[0] + ">" + text(p[1]) + "</cl:" + p[0] + ">")
			}
		}
		b.WriteString(`</cl:civicAddress>`)
	}
	method := l.Method
	if method == "" {
		method = "Manual"
	}
	// Retransmission is allowed because help must pass it on (RFC 4119 section 2.2.2); nobody may keep it for longer than a day.
	b.WriteString(`</gp:location-info><gp:usage-rules><gbp:retransmission-allowed>true</gbp:retransmission-allowed><gbp:retention-expiry>` +
		now.UTC().Add(24*time.Hour).Format(time.RFC3339) + `</gbp:retention-expiry></gp:usage-rules><gp:method>` + method + `</gp:method></gp:geopriv>` +
		`<dm:timestamp>` + l.At.UTC().Format(time.RFC3339) + `</dm:timestamp></dm:device></presence>`)
	return []byte(b.String()), nil
}
