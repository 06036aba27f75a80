package provision

import (
	"encoding/json"
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	testLinks    = links{refresh: "https://prov.test/p/001565aabbcc/token/", ca: "https://prov.test/p/001565aabbcc/token/ca.pem"}
	testSettings = Settings{Server: "sip.acme.test", DisplayName: "Ada", Password: NewSecret("secret"), AdminPassword: NewSecret("admin-secret"), CA: []byte("CA"), UTCOffset: time.Hour}
)

// read takes a configuration apart as a phone does: settings by name.
func read(t testing.TB, f Family, body []byte) map[string]string {
	t.Helper()
	out := make(map[string]string)
	set := func(k, v string) {
		if _, twice := out[k]; twice {
			t.Fatalf("%s is set twice", k)
		}
		out[k] = v
	}
	switch f {
	case Yealink:
		for _, line := range strings.FieldsFunc(string(body), func(r rune) bool { return r == '\n' || r == '\r' }) {
			if strings.HasPrefix(line, "#") {
				continue
			}
			k, v, _ := strings.Cut(line, "=")
			set(strings.TrimSpace(k), strings.TrimSpace(v))
		}
	case Snom:
		d := xml.NewDecoder(strings.NewReader(string(body)))
		name, text, depth := "", "", 0
		for {
			tok, err := d.Token()
			if tok == nil {
				if err.Error() != "EOF" {
					t.Fatal(err)
				}
				break
			}
			switch e := tok.(type) {
			case xml.StartElement:
				depth++
				name, text = e.Name.Local, ""
				if depth == 3 && name == "certificate" {
					text = e.Attr[0].Value
				}
			case xml.CharData:
				text += string(e)
			case xml.EndElement:
				if depth--; depth == 2 {
					set(name, text)
				}
			case xml.Comment, xml.Directive:
				t.Fatal("something that nobody wrote")
			}
		}
	case Generic:
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		for k, v := range m {
			if s, ok := v.(string); ok {
				set(k, s)
			} else {
				set(k, "")
			}
		}
	}
	return out
}

func names(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

var displayKey = map[Family]string{Yealink: "account.1.display_name", Snom: "user_realname", Generic: "display_name"}

func phone(f Family) Device {
	return Device{ID: "001565aabbcc", Family: f, Realm: "acme", User: "1001"}
}

func TestConfigurations(t *testing.T) {
	for f, want := range map[Family]map[string]string{
		Yealink: {
			"account.1.user_name": "1001", "account.1.password": "secret", "account.1.sip_server.1.address": "sip.acme.test", "account.1.sip_server.1.port": "5061",
			"account.1.sip_server.1.transport_type": "2", "account.1.srtp_encryption": "2", "static.auto_provision.server.url": testLinks.refresh,
			"static.security.user_password": "admin:admin-secret", "static.wui.http_enable": "0", "static.security.trust_certificates": "1", "local_time.time_zone": "+1",
			"account.1.codec.opus.priority": "1", "account.1.codec.g729.enable": "0", "static.trusted_certificates.url": testLinks.ca,
		},
		Snom: {
			"user_name": "1001", "user_pass": "secret", "user_host": "sip.acme.test", "user_outbound": "sip:sip.acme.test:5061;transport=tls", "user_srtp": "on", "user_savp": "mandatory",
			"setting_server": testLinks.refresh, "http_pass": "admin-secret", "admin_mode_password": "admin-secret", "utc_offset": "3600", "codec_priority_list": "opus,g722,pcma,pcmu,telephone-event",
			"certificate": testLinks.ca, "tls_server_authentication": "on",
		},
		Generic: {"user": "1001", "password": "secret", "refresh_url": testLinks.refresh, "ca_pem": "CA", "admin_password": "admin-secret"},
	} {
		body, kind, err := render(phone(f), testSettings, testLinks)
		require.NoError(t, err)
		require.NotEmpty(t, kind)
		got := read(t, f, body)
		require.Equal(t, "Ada", got[displayKey[f]])
		for k, v := range want {
			require.Equal(t, v, got[k], "%s: %s", f, k)
		}
	}
	body, _, err := render(phone(Generic), testSettings, testLinks)
	require.NoError(t, err)
	require.Contains(t, string(body), `"transport": "tls"`)
	require.Contains(t, string(body), `"encryption": "srtp-mandatory"`)
}

// A user chooses a name that is settings.
func TestNamesAreNoSettings(t *testing.T) {
	for _, f := range []Family{Yealink, Snom, Generic} {
		plain, _, err := render(phone(f), testSettings, testLinks)
		require.NoError(t, err)
		for _, name := range []string{
			"x\naccount.1.srtp_encryption = 0", "x\r\nstatic.auto_provision.server.url = http://evil.test", "x\u0085y = 1", "x\u2028y = 1", "x\x00", "\xff", "\x1b[2J", "%NULL%", " x", "x ",
			`</user_realname><user_srtp idx="1" perm="RW">off</user_srtp>`, "]]>", "<!--", "<!ENTITY x SYSTEM 'file:///etc/passwd'>", "&x;", `"><x y="`, `x","password":"y`, `\","transport":"udp`,
			"# comment", "a = b", "$MAC", "O'Brien & Söhne <ops>", strings.Repeat("x", 257),
		} {
			s := testSettings
			s.DisplayName = name
			body, _, err := render(phone(f), s, testLinks)
			if err != nil {
				require.ErrorIs(t, err, ErrValue)
				require.Nil(t, body)
				continue
			}
			got := read(t, f, body)
			require.Equal(t, name, got[displayKey[f]], "%s", f)
			require.Equal(t, names(read(t, f, plain)), names(got), "%s: %q", f, name)
			for k, v := range read(t, f, plain) {
				if k != displayKey[f] && k != "account.1.label" {
					require.Equal(t, v, got[k], "%s: %q", f, name)
				}
			}
		}
		s := testSettings
		s.DisplayName = "O'Brien & Söhne <ops>"
		_, _, err = render(phone(f), s, testLinks)
		require.NoError(t, err, "an honest name")
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"no server": func(s *Settings) { s.Server = "" }, "server": func(s *Settings) { s.Server = "a b" }, "URI": func(s *Settings) { s.Server = "x;transport=udp" },
		"no password": func(s *Settings) { s.Password = Secret{} }, "password": func(s *Settings) { s.Password = NewSecret("a\nb") }, "codec": func(s *Settings) { s.Codecs = []Codec{"g729"} },
		"time": func(s *Settings) { s.NTP = "x\ny" }, "offset": func(s *Settings) { s.UTCOffset = 15 * time.Hour }, "seconds": func(s *Settings) { s.UTCOffset = time.Second },
		"auth user": func(s *Settings) { s.AuthUser = "a\rb" }, "admin": func(s *Settings) { s.AdminPassword = NewSecret("\n") }, "CA": func(s *Settings) { s.CA = make([]byte, 1<<20) },
	} {
		s := testSettings
		change(&s)
		_, _, err := render(phone(Generic), s, testLinks)
		require.ErrorIs(t, err, ErrValue, name)
	}
	// Nobody knows the password of the web page if nobody chose one, and it is not that of all others.
	s := testSettings
	s.AdminPassword = Secret{}
	a, _, err := render(phone(Yealink), s, testLinks)
	require.NoError(t, err)
	b, _, err := render(phone(Yealink), s, testLinks)
	require.NoError(t, err)
	pa, pb := read(t, Yealink, a)["static.security.user_password"], read(t, Yealink, b)["static.security.user_password"]
	require.Len(t, pa, len("admin:")+26)
	require.NotEqual(t, pa, pb)
	for d, want := range map[time.Duration]string{0: "+0", time.Hour: "+1", -210 * time.Minute: "-3:30", 345 * time.Minute: "+5:45"} {
		require.Equal(t, want, offset(d))
	}
}

// Whatever a name, the settings are those of any other name.
func FuzzRender(f *testing.F) {
	f.Add("Ada", "secret")
	f.Add("x\ny = 1", "<a>&")
	f.Add("]]><!--", `","x":"`)
	f.Fuzz(func(t *testing.T, name, password string) {
		for _, fam := range []Family{Yealink, Snom, Generic} {
			plain, _, err := render(phone(fam), testSettings, testLinks)
			if err != nil {
				t.Fatal(err)
			}
			s := testSettings
			s.DisplayName, s.Password = name, NewSecret(password)
			body, _, err := render(phone(fam), s, testLinks)
			if err != nil {
				continue
			}
			got := read(t, fam, body)
			if name != "" && got[displayKey[fam]] != name || !slices.Equal(names(got), names(read(t, fam, plain))) {
				t.Fatalf("%s: %q: %s", fam, name, body)
			}
		}
	})
}

func TestTablesStaySmall(t *testing.T) {
	c := counter{limit: 2, within: time.Minute, seen: make(map[string]window)}
	now := time.Unix(0, 0)
	for i := range 3 * maxTracked {
		c.add(now, strings.Repeat("x", 3)+time.Duration(i).String())
		require.LessOrEqual(t, len(c.seen), maxTracked)
	}
	require.False(t, c.add(now, "a"))
	require.True(t, c.add(now, "a"), "once")
	require.False(t, c.add(now, "a"))
	require.True(t, c.full(now, "a"))
	require.False(t, c.full(now.Add(time.Minute), "a"))
	for in, want := range map[string]string{"192.0.2.1:5": "192.0.2.1", "[2001:db8::1%eth0]:5": "2001:db8::/64", "[::ffff:192.0.2.1]:5": "192.0.2.1", "x": "?", "x:1": "?"} {
		require.Equal(t, want, source(in))
	}
}
