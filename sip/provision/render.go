package provision

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// links are the addresses that a configuration names.
type links struct {
	refresh string // contains the token
	ca      string // empty if there are no authorities to fetch
}

// render writes the configuration of one device.
func render(d Device, s Settings, l links) (body []byte, contentType string, err error) {
	if s, err = s.complete(d); err != nil {
		return nil, "", err
	}
	switch d.Family {
	case Yealink:
		body, err = yealink(d, s, l)
		return body, "text/plain; charset=utf-8", err
	case Snom:
		body, err = snom(d, s, l)
		return body, "application/xml; charset=utf-8", err
	case Generic:
		body, err = generic(d, s, l)
		return body, "application/json", err
	}
	return nil, "", fmt.Errorf("%w: family", ErrValue)
}

// yealink writes key = value. The format has no escapes: a value ends at the end of its line, and white space around it is lost. So values with control
// characters, with such white space, or that mean something else (%NULL% is the factory setting) are refused.
func yealink(d Device, s Settings, l links) ([]byte, error) {
	var b bytes.Buffer
	var bad error
	set := func(key, value string) {
		if err := check(value, 2048); err != nil {
			bad = err
		}
		if value == "" || strings.TrimSpace(value) != value || strings.EqualFold(value, "%NULL%") {
			bad = fmt.Errorf("%w: %s", ErrValue, key)
		}
		b.WriteString(key + " = " + value + "\n")
	}
	b.WriteString("#!version:1.0.0.1\n")
	set("account.1.enable", "1")
	set("account.1.label", s.DisplayName)
	set("account.1.display_name", s.DisplayName)
	set("account.1.user_name", d.User)
	set("account.1.auth_name", s.AuthUser)
	set("account.1.password", s.Password.text)
	set("account.1.sip_server.1.address", s.Server)
	set("account.1.sip_server.1.port", strconv.Itoa(int(s.Port)))
	set("account.1.sip_server.1.transport_type", "2") // TLS
	set("account.1.srtp_encryption", "2")             // compulsory
	for i, c := range []Codec{Opus, G722, PCMA, PCMU} {
		on, rank := "0", i+1
		for at, want := range s.Codecs {
			if c == want {
				on, rank = "1", at+1
			}
		}
		set("account.1.codec."+string(c)+".enable", on)
		set("account.1.codec."+string(c)+".priority", strconv.Itoa(rank))
	}
	for _, c := range []string{"g729", "g726_16", "g726_24", "g726_32", "g726_40", "ilbc", "g723_53", "g723_63"} {
		set("account.1.codec."+c+".enable", "0")
	}
	set("static.auto_provision.server.url", l.refresh)
	set("static.security.trust_certificates", "1") // only servers whose certificate is trusted
	set("static.security.cn_validation", "1")
	if l.ca != "" {
		set("static.trusted_certificates.url", l.ca)
	}
	set("local_time.ntp_server1", s.NTP)
	set("local_time.time_zone", offset(s.UTCOffset))
	set("static.security.user_password", "admin:"+s.AdminPassword.text)
	set("static.wui.http_enable", "0")
	set("static.wui.https_enable", "1")
	if bad != nil {
		return nil, bad
	}
	return b.Bytes(), nil
}

// offset writes +1, -3:30.
func offset(d time.Duration) string {
	sign := "+"
	if d < 0 {
		sign, d = "-", -d
	}
	out := sign + strconv.Itoa(int(d/time.Hour))
	if m := int(d % time.Hour / time.Minute); m != 0 {
		out += fmt.Sprintf(":%02d", m)
	}
	return out
}

// snom writes XML, escaped by the library. perm R is a setting that the user of the phone cannot change.
func snom(d Device, s Settings, l links) ([]byte, error) {
	type setting struct {
		XMLName xml.Name
		Index   string `xml:"idx,attr,omitempty"`
		Perm    string `xml:"perm,attr"`
		Value   string `xml:",chardata"`
	}
	type certificate struct {
		URL string `xml:"url,attr"`
	}
	var doc struct {
		XMLName xml.Name `xml:"settings"`
		Phone   struct {
			Settings []setting
		} `xml:"phone-settings"`
		Certificates []certificate `xml:"certificates>certificate,omitempty"`
	}
	var bad error
	set := func(name, index, value string) {
		if err := check(value, 2048); err != nil {
			bad = err
		}
		doc.Phone.Settings = append(doc.Phone.Settings, setting{xml.Name{Local: name}, index, "R", value})
	}
	set("user_active", "1", "on")
	set("user_realname", "1", s.DisplayName)
	set("user_name", "1", d.User)
	set("user_pname", "1", s.AuthUser)
	set("user_pass", "1", s.Password.text)
	set("user_host", "1", s.Server)
	set("user_outbound", "1", fmt.Sprintf("sip:%s:%d;transport=tls", s.Server, s.Port))
	set("user_srtp", "1", "on")
	set("user_savp", "1", "mandatory")
	names := make([]string, 0, len(s.Codecs)+1)
	for _, c := range s.Codecs {
		names = append(names, string(c))
	}
	set("codec_priority_list", "1", strings.Join(append(names, "telephone-event"), ","))
	set("setting_server", "", l.refresh)
	set("update_policy", "", "settings_only")
	set("tls_server_authentication", "", "on")
	set("ntp_server", "", s.NTP)
	set("utc_offset", "", strconv.Itoa(int(s.UTCOffset/time.Second)))
	set("admin_mode", "", "off")
	set("admin_mode_password", "", s.AdminPassword.text)
	set("http_user", "", "admin")
	set("http_pass", "", s.AdminPassword.text)
	set("webserver_type", "", "https")
	if l.ca != "" {
		doc.Certificates = []certificate{{l.ca}}
	}
	if bad != nil {
		return nil, bad
	}
	out, err := xml.MarshalIndent(doc, "", " ")
	return append([]byte(xml.Header), append(out, '\n')...), err
}

// generic writes JSON for soft phones and scripts.
func generic(d Device, s Settings, l links) ([]byte, error) {
	doc := struct {
		Version  int    `json:"version"`
		Device   string `json:"device"`
		Realm    string `json:"realm"`
		Display  string `json:"display_name"`
		User     string `json:"user"`
		AuthUser string `json:"auth_user"`
		Password string `json:"password"`
		SIP      struct {
			Server    string `json:"server"`
			Port      uint16 `json:"port"`
			Transport string `json:"transport"`
		} `json:"sip"`
		Media struct {
			Encryption string  `json:"encryption"`
			Codecs     []Codec `json:"codecs"`
		} `json:"media"`
		Refresh       string `json:"refresh_url"`
		CA            string `json:"ca_pem,omitempty"`
		NTP           string `json:"ntp_server"`
		Offset        int    `json:"utc_offset_seconds"`
		AdminPassword string `json:"admin_password"`
	}{
		Version: 1, Device: d.ID, Realm: d.Realm, Display: s.DisplayName, User: d.User, AuthUser: s.AuthUser, Password: s.Password.text,
		Refresh: l.refresh, CA: string(s.CA), NTP: s.NTP, Offset: int(s.UTCOffset / time.Second), AdminPassword: s.AdminPassword.text,
	}
	doc.SIP.Server, doc.SIP.Port, doc.SIP.Transport = s.Server, s.Port, "tls"
	doc.Media.Encryption, doc.Media.Codecs = "srtp-mandatory", s.Codecs
	out, err := json.MarshalIndent(doc, "", "  ")
	return append(out, '\n'), err
}
