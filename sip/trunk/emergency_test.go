package trunk_test

import (
	"context"
	"encoding/xml"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/trunk"
)

func here() *trunk.Location {
	return &trunk.Location{
		Civic:       trunk.Civic{Country: "de", A1: "Berlin", A3: "Berlin", Street: "Unter den Linden", Number: "5", Zip: "10117", Floor: "3", Name: `Bäcker & <Söhne> "x"`},
		HasPosition: true, Latitude: 52.5163, Longitude: 13.3777, Radius: 20, Method: "Manual", At: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
	}
}

// An emergency call goes out when nothing else would: every carrier is full or open, and the first ones refuse.
func TestEmergencyPassesEveryLimit(t *testing.T) {
	reports := make(chan trunk.EmergencyReport, 1)
	b := setup(t, func(cfg *trunk.Config, _ *bench) {
		cfg.Emergency = trunk.Emergency{Country: "DE", Resource: "esnet.0"}
		cfg.Carriers[1].MaxCalls, cfg.TripAfter, cfg.Cooldown = 1, 1, time.Hour
		cfg.OnEmergency = func(r trunk.EmergencyReport) { reports <- r }
		cfg.CallerID = trunk.CallerIDs(nil, nil)
	})
	b.a.set(func() { b.a.script = refuseWith(503) })
	full, err := b.call(t, trunk.Call{})
	require.NoError(t, err)
	require.Equal(t, []string{"a 503", "b 200"}, b.notes.text())
	_, err = b.call(t, trunk.Call{})
	require.ErrorIs(t, err, trunk.ErrNoCarrier, "one is open, the other full")

	b.b.set(func() { b.b.script = refuseWith(403) })
	_, err = b.call(t, trunk.Call{To: "110", Owner: "acme", Callback: "+4930777", Location: here()})
	require.Equal(t, 503, status(err))
	require.Equal(t, []string{"b 403", "a 503"}, b.notes.text(), "the full one first, the open one last, and a refusal is no reason to stop")
	require.Error(t, (<-reports).Err)

	b.a.set(func() { b.a.script = answer })
	c, err := b.call(t, trunk.Call{To: "1 1-0", Owner: "acme", Callback: "+4930777", Private: true, Location: here()})
	require.NoError(t, err)
	r := <-reports
	require.NoError(t, r.Err)
	require.True(t, r.Located)
	require.Equal(t, "+4930777", r.Callback)
	require.Equal(t, "110", r.To)
	require.True(t, r.Attempts[0].Emergency)

	m := b.a.last("INVITE")
	require.Contains(t, m.Start, "sip:110@a.test")
	require.Contains(t, m.Header.Get("From"), "sip:+4930777@example.test", "help sees who calls")
	require.Equal(t, "emergency", m.Header.Get("Priority"))
	require.Equal(t, "esnet.0", m.Header.Get("Resource-Priority"))
	require.Equal(t, "yes", m.Header.Get("Geolocation-Routing"))
	require.Empty(t, m.Header.Get("Privacy"))
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/mixed", kind)
	parts := multipart.NewReader(strings.NewReader(m.Body), params["boundary"])
	p, err := parts.NextPart()
	require.NoError(t, err)
	sdp, err := io.ReadAll(p)
	require.NoError(t, err)
	require.Equal(t, secureOffer, string(sdp))
	p, err = parts.NextPart()
	require.NoError(t, err)
	require.Equal(t, "application/pidf+xml", p.Header.Get("Content-Type"))
	require.Equal(t, m.Header.Get("Geolocation"), "<cid:"+strings.Trim(p.Header.Get("Content-ID"), "<>")+">")
	var doc struct {
		Entity string `xml:"entity,attr"`
		Device struct {
			Info struct {
				Circle struct {
					Pos    string `xml:"pos"`
					Radius string `xml:"radius"`
				} `xml:"Circle"`
				Civic struct {
					Country string `xml:"country"`
					A3, RD  string
					HNO, PC string
					NAM     string
				} `xml:"civicAddress"`
			} `xml:"geopriv>location-info"`
			Method string `xml:"geopriv>method"`
			At     string `xml:"timestamp"`
		} `xml:"device"`
	}
	require.NoError(t, xml.NewDecoder(p).Decode(&doc))
	require.Equal(t, "pres:+4930777@example.test", doc.Entity)
	require.Equal(t, "52.5163 13.3777", doc.Device.Info.Circle.Pos)
	require.Equal(t, "DE", doc.Device.Info.Civic.Country)
	require.Equal(t, `Bäcker & <Söhne> "x"`, doc.Device.Info.Civic.NAM)
	require.Equal(t, "2026-11-22T12:00:00Z", doc.Device.At)
	hangup(t, c)
	hangup(t, full)
}

func TestEmergencyWithoutLocation(t *testing.T) {
	nan := here()
	nan.Latitude = math.NaN()
	for name, l := range map[string]*trunk.Location{"none": nil, "no time": {HasPosition: true}, "no country": {Civic: trunk.Civic{A3: "Berlin"}, At: time.Now()}, "nothing": {At: time.Now()}, "no number": nan} {
		t.Run(name, func(t *testing.T) {
			reports := make(chan trunk.EmergencyReport, 1)
			b := setup(t, func(cfg *trunk.Config, _ *bench) { cfg.OnEmergency = func(r trunk.EmergencyReport) { reports <- r } })
			c, err := b.call(t, trunk.Call{To: "urn:service:sos", From: "not a number", FromName: "a\r\nb", Location: l})
			require.NoError(t, err, "it goes out with what is known")
			r := <-reports
			require.False(t, r.Located)
			require.ErrorIs(t, r.LocationErr, trunk.ErrLocation)
			require.Empty(t, r.Callback)
			require.Equal(t, secureOffer, b.a.last("INVITE").Body)
			require.Contains(t, b.a.last("INVITE").Start, "sip:112@")
			hangup(t, c)
		})
	}
}

func TestEmergencyNumbers(t *testing.T) {
	b := setup(t, func(cfg *trunk.Config, _ *bench) {
		cfg.Emergency = trunk.Emergency{Country: "de", Numbers: []string{"8112"}, Services: map[string]string{"urn:service:sos.police": "110"}}
	})
	for to, want := range map[string]bool{
		"112": true, "110": true, "8112": true, "tel:112;phone-context=+49": true, "911": false, "1123": false, "+49112": false, "urn:service:sos": true,
		"URN:SERVICE:SOS.fire": true, "urn:service:sosx": false, "urn:service:sos.": false, "urn:service:counseling": false, "urn:service:sos.a b": false, "": false,
	} {
		require.Equal(t, want, b.IsEmergency(to), to)
	}
	require.Equal(t, []string{"112", "911"}, trunk.EmergencyNumbers("XX"))
	require.Equal(t, "911", trunk.EmergencyNumbers("us")[0])
	for _, e := range []trunk.Emergency{{Country: "XX"}, {Numbers: []string{"1a"}}, {Services: map[string]string{"sos": "1"}}, {Resource: "a\r\nb"}} {
		_, err := trunk.New(trunk.Config{Dialer: b.ep, Domain: "example.test", CallerID: anybody, Resolver: static{}, Emergency: e, Carriers: []trunk.Carrier{{Name: "a", Domain: "a.test"}}})
		require.Error(t, err, "%+v", e)
	}
	c, err := b.Dial(context.Background(), trunk.Call{To: "urn:service:sos.police"}, newMedia)
	require.NoError(t, err)
	require.Contains(t, b.a.last("INVITE").Start, "sip:110@")
	hangup(t, c)
}
