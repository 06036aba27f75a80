package provision_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/sip/provision"
	"github.com/ringfence/ringfence/sip/provision/provisiontest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestMemory(t *testing.T) {
	provisiontest.Run(t, func(*testing.T) provision.Store { return &provisiontest.Memory{} })
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// rig is a Provisioner with ports that a test may change.
type rig struct {
	*provision.Provisioner
	store *provisiontest.Memory
	cfg   provision.Config

	mu       sync.Mutex
	now      time.Time
	audited  []string
	auditErr error
	settings func(provision.Device) (provision.Settings, error)
}

func (r *rig) Audit(_ context.Context, action, object string, attrs ...slog.Attr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.auditErr != nil {
		return r.auditErr
	}
	r.audited = append(r.audited, fmt.Sprint(action, " ", object, " ", attrs))
	return nil
}

func newRig(t testing.TB, change func(*provision.Config)) *rig {
	r := &rig{store: &provisiontest.Memory{}, now: noon}
	r.settings = func(d provision.Device) (provision.Settings, error) {
		return provision.Settings{Server: "sip." + d.Realm + ".test", DisplayName: "Phone " + d.User, Password: provision.NewSecret("pw-of-" + d.User), CA: []byte("CA OF " + d.Realm)}, nil
	}
	r.cfg = provision.Config{
		BaseURL: "https://prov.test/p/", Store: r.store, Auditor: r, Logger: slog.New(slog.DiscardHandler),
		Settings: func(_ context.Context, d provision.Device) (provision.Settings, error) { return r.settings(d) },
		Now:      func() time.Time { return r.now },
	}
	if change != nil {
		change(&r.cfg)
	}
	p, err := provision.New(r.cfg)
	require.NoError(t, err)
	r.Provisioner = p
	return r
}

func device(user string) provision.Device {
	return provision.Device{ID: "phone-" + user, Family: provision.Generic, Realm: "acme", User: user}
}

// enroll returns the path of a ticket.
func (r *rig) enroll(t testing.TB, d provision.Device) string {
	t.Helper()
	ticket, err := r.Enroll(context.Background(), d, time.Hour)
	require.NoError(t, err)
	return path(t, ticket.URL.ExportSecret())
}

func path(t testing.TB, address string) string {
	t.Helper()
	rest, ok := strings.CutPrefix(address, "https://prov.test/p")
	require.True(t, ok, address)
	return rest
}

// get asks over TLS from an address.
func (r *rig) get(path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodGet, "https://prov.test/", nil)
	req.URL = &url.URL{Path: path}
	for _, c := range change {
		c(req)
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

func from(addr string) func(*http.Request) {
	return func(req *http.Request) { req.RemoteAddr = addr }
}

// refreshPath is what a configuration of the generic family says.
func refreshPath(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code)
	var doc struct {
		Refresh string `json:"refresh_url"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &doc))
	return path(t, doc.Refresh)
}

func nothing(t testing.TB, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	require.Equal(t, status, w.Code)
	require.Zero(t, w.Body.Len())
	require.Empty(t, w.Header().Get("Location"))
	require.Empty(t, w.Header().Get("Content-Type"))
}

// Over real connections: an http fetch yields nothing, whatever a proxy claims; over TLS each device gets its own secret and no other.
func TestProvisioningIsOverTLSOnly(t *testing.T) {
	r := newRig(t, nil)
	devices := []provision.Device{
		{ID: "00:15:65:AA:BB:01", Family: provision.Yealink, Realm: "acme", User: "1001"}, {ID: "000413000002", Family: provision.Snom, Realm: "acme", User: "1002"},
		{ID: "desk-3", Family: provision.Generic, Realm: "acme", User: "1003"}, {ID: "desk-4", Family: provision.Generic, Realm: "globex", User: "1004"},
	}
	clear := httptest.NewServer(r)
	defer clear.Close()
	sealed := httptest.NewTLSServer(r)
	defer sealed.Close()
	fetch := func(client *http.Client, address string, h http.Header) (int, http.Header, string) {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		req, err := http.NewRequest(http.MethodGet, address, nil)
		require.NoError(t, err)
		req.Header, req.Close = h, true
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header, string(b)
	}
	for i, d := range devices {
		p := r.enroll(t, d)
		if d.Family == provision.Yealink {
			p += "001565aabb01.cfg"
		}
		for _, h := range []http.Header{{}, {"X-Forwarded-Proto": {"https"}, "Forwarded": {"proto=https"}, "Front-End-Https": {"on"}}} {
			status, header, body := fetch(clear.Client(), clear.URL+p, h)
			require.Equal(t, http.StatusForbidden, status)
			require.Empty(t, body)
			require.Empty(t, header.Get("Location"))
		}
		status, header, body := fetch(sealed.Client(), sealed.URL+p, http.Header{})
		require.Equal(t, http.StatusOK, status, "a try in the clear has used nothing up")
		require.Equal(t, "no-store", header.Get("Cache-Control"))
		for j, other := range devices {
			require.Equal(t, i == j, strings.Contains(body, "pw-of-"+other.User), "%s in the file of %s", other.User, d.User)
		}
		// The secret of one device opens no other one.
		other := devices[(i+1)%len(devices)]
		parts := strings.Split(p, "/")
		status, _, body = fetch(sealed.Client(), sealed.URL+"/"+strings.ToLower(strings.ReplaceAll(other.ID, ":", ""))+"/"+parts[2]+"/"+parts[3], http.Header{})
		require.Equal(t, http.StatusNotFound, status)
		require.Empty(t, body)
	}
	control.Proves(t, "ENC-08")
}

func TestTicketIsGoodOnce(t *testing.T) {
	r := newRig(t, nil)
	p := r.enroll(t, device("1001"))
	token := refreshPath(t, r.get(p))
	nothing(t, r.get(p), http.StatusNotFound)
	require.Equal(t, token, refreshPath(t, r.get(token)), "the token stays")
	r.now = r.now.Add(1000 * time.Hour)
	require.Equal(t, token, refreshPath(t, r.get(token)))
	require.NotEqual(t, p, token)
	require.Equal(t, "CA OF acme", r.get(token[:strings.LastIndexByte(token, '/')]+"/ca.pem").Body.String())
}

func TestTicketExpires(t *testing.T) {
	r := newRig(t, nil)
	p := r.enroll(t, device("1001"))
	r.now = noon.Add(time.Hour)
	nothing(t, r.get(p), http.StatusNotFound)
	for _, ttl := range []time.Duration{0, -1, 8 * 24 * time.Hour} {
		_, err := r.Enroll(context.Background(), device("1001"), ttl)
		require.ErrorIs(t, err, provision.ErrValue)
	}
}

func TestOfManyFetchesAtOnceOneGetsIt(t *testing.T) {
	r := newRig(t, func(c *provision.Config) { c.LockAfter, c.LockSourceAfter = 1000, 1000 })
	p := r.enroll(t, device("1001"))
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if w := r.get(p); w.Code == http.StatusOK {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, won.Load())
}

// Whoever knows that a device exists and lacks its secret gets what whoever asks for one that does not exist gets.
func TestAllFailuresLookTheSame(t *testing.T) {
	r := newRig(t, func(c *provision.Config) { c.LockAfter, c.LockSourceAfter = 1000, 1000 })
	used := r.enroll(t, device("used"))
	token := refreshPath(t, r.get(used))
	fresh := r.enroll(t, device("fresh"))
	secret := strings.Split(fresh, "/")[2]
	var first http.Header
	for _, p := range []string{
		used, "/phone-fresh/wrong/config.json", "/phone-fresh//config.json", "/phone-none/" + secret + "/config.json", "/phone-used/" + secret + "/config.json", "/phone-fresh/config.json", "/",
		"", "/phone-fresh", "/phone-fresh/" + secret, "/phone-fresh/" + secret + "/", "/phone-fresh/" + secret + "/other.json", "/phone-fresh/" + secret + "/ca.pem", "/phone-fresh/" + secret + "/x/config.json",
		"/../phone-fresh/" + secret, "/phone-fresh/" + secret[:25] + "/config.json", "/phone-fresh/" + strings.ToUpper(secret) + "/config.json", token + "x", strings.Repeat("/a", 400),
		"/phone-fresh/" + secret + "/y000000000000.cfg",
	} {
		w := r.get(p)
		nothing(t, w, http.StatusNotFound)
		if first == nil {
			first = w.Header()
		}
		require.Equal(t, first, w.Header(), p)
	}
	require.Equal(t, http.StatusOK, r.get(fresh).Code, "none of them used the ticket up")
}

func TestMethodsAndOldTLS(t *testing.T) {
	r := newRig(t, nil)
	p := r.enroll(t, device("1001"))
	for _, m := range []string{http.MethodHead, http.MethodPost, http.MethodPut, http.MethodOptions} {
		nothing(t, r.get(p, func(req *http.Request) { req.Method = m }), http.StatusMethodNotAllowed)
	}
	nothing(t, r.get(p, func(req *http.Request) { req.TLS.Version = 0x0302 }), http.StatusForbidden)
	nothing(t, r.get(p, func(req *http.Request) { req.TLS = nil }), http.StatusForbidden)
	require.Equal(t, http.StatusOK, r.get(p).Code)
}

func TestEnrollEndsWhatWasBefore(t *testing.T) {
	r := newRig(t, nil)
	token := refreshPath(t, r.get(r.enroll(t, device("1001"))))
	d := device("1001")
	stale := r.enroll(t, d)
	d.User = "2002" // the phone changes hands
	p := r.enroll(t, d)
	nothing(t, r.get(token), http.StatusNotFound)
	nothing(t, r.get(stale), http.StatusNotFound)
	require.Contains(t, r.get(p).Body.String(), "pw-of-2002")
}

func TestRevoke(t *testing.T) {
	r := newRig(t, nil)
	ctx := context.Background()
	token := refreshPath(t, r.get(r.enroll(t, device("1001"))))
	require.NoError(t, r.Revoke(ctx, "Phone-1001"))
	nothing(t, r.get(token), http.StatusNotFound)
	require.ErrorIs(t, r.Revoke(ctx, "phone-1001"), provision.ErrNotFound)
	require.ErrorIs(t, r.Revoke(ctx, "phone-9999"), provision.ErrNotFound)
	require.ErrorIs(t, r.Revoke(ctx, "../x"), provision.ErrValue)
	p := r.enroll(t, device("1001"))
	require.NoError(t, r.Revoke(ctx, "phone-1001"))
	nothing(t, r.get(p), http.StatusNotFound)
}

// A fetch that began before the device was revoked and enrolled anew must not win.
func TestFetchThatCameTooLate(t *testing.T) {
	r := newRig(t, nil)
	ctx := context.Background()
	p, next := r.enroll(t, device("1001")), ""
	inner := r.settings
	r.settings = func(d provision.Device) (provision.Settings, error) {
		r.settings = inner
		require.NoError(t, r.Revoke(ctx, d.ID))
		next = r.enroll(t, d)
		return inner(d)
	}
	nothing(t, r.get(p), http.StatusNotFound)
	require.Equal(t, http.StatusOK, r.get(next).Code)
}

func client(raw string) func(*http.Request) {
	return func(req *http.Request) {
		c := &x509.Certificate{Raw: []byte(raw)}
		req.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: []*x509.Certificate{c}, VerifiedChains: [][]*x509.Certificate{{c}}}
	}
}

func TestRefetch(t *testing.T) {
	unverified := func(req *http.Request) { client("phone")(req); req.TLS.VerifiedChains = nil }
	r := newRig(t, func(c *provision.Config) { c.RefetchWindow = time.Minute })
	p := r.enroll(t, device("1001"))
	first := refreshPath(t, r.get(p, client("phone")))
	nothing(t, r.get(p), http.StatusNotFound)
	nothing(t, r.get(p, client("other")), http.StatusNotFound)
	nothing(t, r.get(p, unverified), http.StatusNotFound)
	second := refreshPath(t, r.get(p, client("phone")))
	nothing(t, r.get(first), http.StatusNotFound) // the answer that was lost is worth nothing
	require.Equal(t, http.StatusOK, r.get(second).Code)
	r.now = noon.Add(time.Minute)
	nothing(t, r.get(p, client("phone")), http.StatusNotFound)

	q := r.enroll(t, device("1002")) // a phone without a certificate has one try
	require.Equal(t, http.StatusOK, r.get(q, unverified, from("192.0.2.9:1")).Code)
	nothing(t, r.get(q, unverified, from("192.0.2.9:1")), http.StatusNotFound)

	r = newRig(t, nil) // zero: none
	p = r.enroll(t, device("1001"))
	require.Equal(t, http.StatusOK, r.get(p, client("phone")).Code)
	nothing(t, r.get(p, client("phone")), http.StatusNotFound)
}

func TestWrongSecretsLockTheSourceForThatDeviceOnly(t *testing.T) {
	r := newRig(t, nil)
	p, q := r.enroll(t, device("1001")), r.enroll(t, device("1002"))
	for range 5 {
		nothing(t, r.get("/phone-1001/guess/config.json"), http.StatusNotFound)
	}
	nothing(t, r.get(p), http.StatusNotFound)
	require.Equal(t, http.StatusOK, r.get(q).Code, "another phone of the same office")
	require.Contains(t, r.audited[len(r.audited)-2], "provision.lock phone-1001")
	token := refreshPath(t, r.get(p, from("198.51.100.7:1"))) // nobody is locked out from elsewhere
	nothing(t, r.get(token), http.StatusNotFound)
	r.now = noon.Add(15 * time.Minute)
	require.Equal(t, http.StatusOK, r.get(token).Code)
}

// Somebody walks the range of addresses of a maker.
func TestWalkingTheRangeLocksTheSource(t *testing.T) {
	r := newRig(t, nil)
	p := r.enroll(t, provision.Device{ID: "001565000100", Family: provision.Snom, Realm: "acme", User: "1001"})
	for i := range 200 {
		for _, secret := range []string{"", "/", "/x/", "/x/settings.xml"} {
			nothing(t, r.get(fmt.Sprintf("/%012x%s", 0x001565000000+i, secret), from("[2001:db8::1]:1")), http.StatusNotFound)
		}
	}
	nothing(t, r.get(p, from("[2001:db8::2]:1")), http.StatusNotFound) // the same /64
	require.Equal(t, http.StatusOK, r.get(p, from("[2001:db8:0:1::2]:1")).Code)
	locks := 0
	for _, line := range r.audited {
		if strings.HasPrefix(line, "provision.lock") {
			locks++
		}
	}
	require.Equal(t, 1, locks, "strangers do not fill the log")
}

func TestFetchesOfADeviceAreLimited(t *testing.T) {
	r := newRig(t, func(c *provision.Config) { c.MaxFetches = 3 })
	token := refreshPath(t, r.get(r.enroll(t, device("1001"))))
	require.Equal(t, http.StatusOK, r.get(token).Code)
	require.Equal(t, http.StatusOK, r.get(token).Code)
	nothing(t, r.get(token), http.StatusTooManyRequests)
	nothing(t, r.get(token, from("198.51.100.7:1")), http.StatusTooManyRequests)
	require.Equal(t, http.StatusOK, r.get(r.enroll(t, device("1002"))).Code)
	r.now = noon.Add(time.Hour)
	require.Equal(t, http.StatusOK, r.get(token).Code)
}

func TestNothingWithoutAudit(t *testing.T) {
	r := newRig(t, nil)
	ctx := context.Background()
	p := r.enroll(t, device("1001"))
	token := refreshPath(t, r.get(r.enroll(t, device("1002"))))
	r.auditErr = errors.New("disk full")
	nothing(t, r.get(p), http.StatusServiceUnavailable)
	nothing(t, r.get(token), http.StatusServiceUnavailable)
	_, err := r.Enroll(ctx, device("1003"), time.Hour)
	require.ErrorIs(t, err, r.auditErr)
	require.ErrorIs(t, r.Revoke(ctx, "phone-1001"), r.auditErr)
	r.auditErr = nil
	require.Equal(t, http.StatusOK, r.get(p).Code, "the ticket was not used up")
	for _, want := range []string{"provision.enroll phone-1001", "provision.fetch phone-1002", "provision.fetch phone-1001"} {
		require.Contains(t, strings.Join(r.audited, "\n"), want)
	}
	secret := strings.Split(p, "/")[2]
	require.NotContains(t, strings.Join(r.audited, "\n"), secret)
}

func TestPortsThatFailUseNothingUp(t *testing.T) {
	r := newRig(t, nil)
	p := r.enroll(t, device("1001"))
	r.store.Fail = errors.New("down")
	nothing(t, r.get(p), http.StatusServiceUnavailable)
	r.store.Fail = nil
	inner := r.settings
	r.settings = func(provision.Device) (provision.Settings, error) { return provision.Settings{}, errors.New("left") }
	nothing(t, r.get(p), http.StatusServiceUnavailable)
	r.settings = inner
	require.Equal(t, http.StatusOK, r.get(p).Code)
}

func TestStoreHasNoSecret(t *testing.T) {
	r := newRig(t, nil)
	p := r.enroll(t, device("1001"))
	token := refreshPath(t, r.get(p))
	rec, err := r.store.Load(context.Background(), "phone-1001")
	require.NoError(t, err)
	all := fmt.Sprintf("%s %x %+v", rec.Ticket, rec.Token, rec)
	require.Len(t, rec.Ticket, 32)
	for _, s := range []string{p, token} {
		require.NotContains(t, all, strings.Split(s, "/")[2])
		require.GreaterOrEqual(t, len(strings.Split(s, "/")[2]), 26, "130 bits in base 32")
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := provision.NewSecret("hunter2")
	ticket := provision.Ticket{Device: "x", URL: s}
	settings := provision.Settings{Password: s, AdminPassword: s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "s", s, "t", ticket, "set", settings)
	j, err := json.Marshal([]any{s, ticket, settings, map[string]provision.Secret{"a": s}})
	require.NoError(t, err)
	txt, err := s.MarshalText()
	require.NoError(t, err)
	all := fmt.Sprintf("%v %+v %#v %s %q %x %d %v %+v %#v %v", s, s, s, s, s, s, s, ticket, settings, &settings, &s) + log.String() + string(j) + string(txt)
	require.NotContains(t, all, "hunter2")
	require.NotContains(t, all, fmt.Sprintf("%x", "hunter2"))
	require.Contains(t, all, "[redacted]")
	require.False(t, s.IsZero())
	require.Equal(t, "hunter2", s.ExportSecret())
}

func TestDevicesAreChecked(t *testing.T) {
	ok := provision.Device{ID: "00-15-65-AA-BB-CC", Family: provision.Yealink, Realm: "acme", User: "1001"}
	r := newRig(t, nil)
	ticket, err := r.Enroll(context.Background(), ok, time.Hour)
	require.NoError(t, err)
	require.Equal(t, "001565aabbcc", ticket.Device)
	p := path(t, ticket.URL.ExportSecret())
	nothing(t, r.get(p+"y000000000028.cfg"), http.StatusNotFound) // what a Yealink asks for first
	require.Equal(t, http.StatusOK, r.get(p+"001565AABBCC.cfg").Code)
	for name, change := range map[string]func(*provision.Device){
		"family": func(d *provision.Device) { d.Family = 0 }, "other family": func(d *provision.Device) { d.Family = 9 }, "name": func(d *provision.Device) { d.ID = "lobby" },
		"path": func(d *provision.Device) { d.ID, d.Family = "../x", provision.Snom }, "empty": func(d *provision.Device) { d.ID = "" }, "realm": func(d *provision.Device) { d.Realm = "" },
		"user": func(d *provision.Device) { d.User = "a\nb" }, "no user": func(d *provision.Device) { d.User = "" },
	} {
		d := ok
		change(&d)
		_, err := r.Enroll(context.Background(), d, time.Hour)
		require.ErrorIs(t, err, provision.ErrValue, name)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*provision.Config){
		"http": func(c *provision.Config) { c.BaseURL = "http://prov.test/p/" }, "no slash": func(c *provision.Config) { c.BaseURL = "https://prov.test/p" },
		"query": func(c *provision.Config) { c.BaseURL = "https://prov.test/p/?x=/" }, "store": func(c *provision.Config) { c.Store = nil },
		"settings": func(c *provision.Config) { c.Settings = nil }, "auditor": func(c *provision.Config) { c.Auditor = nil }, "ttl": func(c *provision.Config) { c.MaxTTL = 31 * 24 * time.Hour },
		"refetch": func(c *provision.Config) { c.RefetchWindow = time.Hour }, "bound": func(c *provision.Config) { c.LockAfter = -1 },
	} {
		cfg := newRig(t, nil).cfg
		change(&cfg)
		_, err := provision.New(cfg)
		require.Error(t, err, name)
	}
}

// Whatever the address, nobody gets a configuration without the secret.
func FuzzPath(f *testing.F) {
	f.Add("/phone-1001/x/config.json")
	f.Add("/phone-1001//config.json")
	f.Add("//phone-1001/../config.json")
	r := newRig(f, func(c *provision.Config) { c.LockAfter, c.LockSourceAfter = 1<<40, 1<<40 })
	r.enroll(f, device("1001"))
	f.Fuzz(func(t *testing.T, path string) { nothing(t, r.get(path), http.StatusNotFound) })
}
