package stir_test

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/stir"
)

// site is a web server on loopback and what it takes to reach it.
func site(t *testing.T, h http.HandlerFunc) (*httptest.Server, stir.HTTPSConfig) {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return srv, stir.HTTPSConfig{Roots: roots, Ports: []string{u.Port()}, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

func fetcher(t *testing.T, cfg stir.HTTPSConfig) *stir.HTTPS {
	h, err := stir.NewHTTPS(cfg)
	require.NoError(t, err)
	return h
}

func TestFetch(t *testing.T) {
	ctx := context.Background()
	var asked atomic.Int32
	srv, cfg := site(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/good":
			_, _ = io.WriteString(w, "pem")
		case "/long":
			_, _ = io.WriteString(w, strings.Repeat("x", 101))
		case "/elsewhere":
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		case "/here":
			http.Redirect(w, r, "/good", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
	now := noon
	cfg.Now, cfg.MaxBytes = func() time.Time { return now }, 100
	h := fetcher(t, cfg)
	b, err := h.Fetch(ctx, srv.URL+"/good")
	require.NoError(t, err)
	require.Equal(t, "pem", string(b))
	b[0] = 'X'
	b, err = h.Fetch(ctx, srv.URL+"/good")
	require.NoError(t, err)
	require.Equal(t, "pem", string(b), "what is kept is nobody's to change")
	require.EqualValues(t, 1, asked.Load())
	now = now.Add(time.Hour)
	_, err = h.Fetch(ctx, srv.URL+"/good")
	require.NoError(t, err)
	require.EqualValues(t, 2, asked.Load())
	for _, path := range []string{"/long", "/elsewhere", "/here", "/none"} {
		before := asked.Load()
		for range 3 {
			b, err := h.Fetch(ctx, srv.URL+path)
			require.ErrorIs(t, err, stir.ErrFetch, path)
			require.Nil(t, b)
		}
		require.EqualValues(t, 1, asked.Load()-before, "a failure is kept, and a redirect is not followed")
	}
	for _, bad := range []string{"", "http://example.org/", "https://", "https://a@example.org/", "https://example.org/#f", "https:example.org", "ftp://example.org", "https://example.org:22/",
		"https://exa mple.org/", "https://example.org/\r\nx", "file:///etc/passwd", "https://example.org/" + strings.Repeat("x", 1100), "https://example.org\\@127.0.0.1/"} {
		_, err := h.Fetch(ctx, bad)
		require.ErrorIs(t, err, stir.ErrFetch, bad)
	}
}

// The attacker names a host of our own network, by address or by a name that leads there.
func TestInsideIsNotReached(t *testing.T) {
	srv, cfg := site(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	cfg.Private = nil
	h := fetcher(t, cfg)
	_, port, _ := strings.Cut(strings.TrimPrefix(srv.URL, "https://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"} {
		_, err := h.Fetch(context.Background(), "https://"+host+":"+port+"/x")
		require.ErrorIs(t, err, stir.ErrFetch, host)
	}
}

func TestServerMustProveItsName(t *testing.T) {
	srv, cfg := site(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	cfg.Roots = x509.NewCertPool()
	_, err := fetcher(t, cfg).Fetch(context.Background(), srv.URL)
	require.ErrorIs(t, err, stir.ErrFetch)
}

func TestCallsWithOneAddressCostOneFetch(t *testing.T) {
	var asked atomic.Int32
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	srv, cfg := site(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		arrived <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "pem")
	})
	cfg.MaxFetches = 1
	h := fetcher(t, cfg)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			b, err := h.Fetch(context.Background(), srv.URL+"/a")
			if err != nil || string(b) != "pem" {
				t.Error(err)
			}
		})
	}
	<-arrived
	_, err := h.Fetch(context.Background(), srv.URL+"/b")
	require.ErrorIs(t, err, stir.ErrFetch, "more than MaxFetches")
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = h.Fetch(over, srv.URL+"/a")
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	wg.Wait()
	require.EqualValues(t, 1, asked.Load())
}

func TestSlowServerIsLeft(t *testing.T) {
	release := make(chan struct{})
	srv, cfg := site(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-release
	})
	defer close(release)
	cfg.Timeout = 50 * time.Millisecond
	_, err := fetcher(t, cfg).Fetch(context.Background(), srv.URL)
	require.ErrorIs(t, err, stir.ErrFetch)
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	var asked sync.Map
	srv, cfg := site(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := asked.LoadOrStore(r.URL.Path, new(atomic.Int32))
		n.(*atomic.Int32).Add(1)
		if r.URL.Path != "/good" {
			http.NotFound(w, r)
		}
	})
	cfg.MaxEntries = 3
	h := fetcher(t, cfg)
	for _, path := range []string{"/good", "/1", "/2", "/3", "/4", "/5", "/good"} {
		_, _ = h.Fetch(context.Background(), srv.URL+path)
	}
	n, _ := asked.Load("/good")
	require.EqualValues(t, 1, n.(*atomic.Int32).Load(), "failures go first")
}

func TestHTTPSConfigIsChecked(t *testing.T) {
	_, err := stir.NewHTTPS(stir.HTTPSConfig{Timeout: -1})
	require.Error(t, err)
}
