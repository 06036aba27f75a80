package stir

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrFetch is returned when a certificate cannot or must not be fetched.
var ErrFetch = errors.New("stir: fetch")

// checkURL reads an address of certificates: https, a host, and nothing that would hide another one.
func checkURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || len(s) > 1024 || strings.ContainsAny(s, " <>\"\\") || strings.ContainsFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e }):
		return nil, fmt.Errorf("%w: address", ErrFetch)
	case u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
		return nil, fmt.Errorf("%w: want https://host/path", ErrFetch)
	}
	return u, nil
}

// HTTPSConfig describes an HTTPS. It is copied by NewHTTPS.
type HTTPSConfig struct {
	// Roots are the authorities of the web that web servers are verified with. If nil, the system's.
	Roots *x509.CertPool
	// Private are addresses that may be connected to although they are not public. If empty, there are none.
	Private []netip.Prefix
	// Ports may be connected to. If empty, 443 and 8443.
	Ports []string
	// Resolver finds addresses of names. If nil, the system's.
	Resolver *net.Resolver
	// MaxBytes bounds one answer. If zero, 64 KiB.
	MaxBytes int64
	// Timeout bounds one fetch from the name to the last byte. If zero, 3 s.
	Timeout time.Duration
	// MaxFetches bounds fetches at once; more fail. If zero, 16.
	MaxFetches int
	// MaxEntries bounds what is kept. If zero, 1000.
	MaxEntries int
	// MaxAge is how long an answer is kept. If zero, an hour.
	MaxAge time.Duration
	// MaxFailureAge is how long a failure is kept, so that calls with the same bad address cost one fetch. If zero, 30 s.
	MaxFailureAge time.Duration
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
}

// HTTPS fetches certificates from the web. NewHTTPS makes one. It is safe for concurrent use.
type HTTPS struct {
	cfg    HTTPSConfig
	client *http.Client

	mu      sync.Mutex
	kept    map[string]answer
	running map[string]chan struct{} // closed when the fetch of an address is over
}

type answer struct {
	body  []byte
	err   error
	until time.Time
}

// NewHTTPS returns an HTTPS that has fetched nothing yet.
func NewHTTPS(cfg HTTPSConfig) (*HTTPS, error) {
	if cfg.MaxBytes < 0 || cfg.Timeout < 0 || cfg.MaxFetches < 0 || cfg.MaxEntries < 0 || cfg.MaxAge < 0 || cfg.MaxFailureAge < 0 {
		return nil, errors.New("stir: HTTPSConfig: a bound is negative")
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&cfg.Timeout, 3 * time.Second}, {&cfg.MaxAge, time.Hour}, {&cfg.MaxFailureAge, 30 * time.Second}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 64 << 10
	}
	if cfg.MaxFetches == 0 {
		cfg.MaxFetches = 16
	}
	if cfg.MaxEntries == 0 {
		cfg.MaxEntries = 1000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Private = slices.Clone(cfg.Private)
	if cfg.Ports = slices.Clone(cfg.Ports); len(cfg.Ports) == 0 {
		cfg.Ports = []string{"443", "8443"}
	}
	h := &HTTPS{cfg: cfg, kept: make(map[string]answer), running: make(map[string]chan struct{})}
	// The address is looked at when the socket is made, after every name was resolved: what a name says before is not what it says then.
	dialer := &net.Dialer{Timeout: cfg.Timeout, Resolver: cfg.Resolver, Control: h.control}
	h.client = &http.Client{
		Timeout: cfg.Timeout,
		Transport: &http.Transport{
			Proxy:       nil, // a proxy would connect where we do not look
			DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots}, ForceAttemptHTTP2: false,
		},
		// A redirect is the answer, and no certificate: RFC 8226 has no use for it, and it would be one more address that a stranger chooses.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return h, nil
}

func (h *HTTPS) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: address", ErrFetch)
	}
	addr := ap.Addr().Unmap().WithZone("")
	if !public(addr) && !slices.ContainsFunc(h.cfg.Private, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return fmt.Errorf("%w: address is not public", ErrFetch)
	}
	return nil
}

// special are the addresses of the IANA registries for special purposes that are not reachable from everywhere, and those that carry another address
// inside (6to4, Teredo, NAT64): a stranger could name a host of our own network through them.
func special() []string {
	return []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	}
}

func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() {
		return false
	}
	if a.Is4() {
		return !slices.ContainsFunc(special(), func(s string) bool { return netip.MustParsePrefix(s).Contains(a) })
	}
	// Of IPv6 only 2000::/3 is assigned to the Internet; these parts of it are not, or carry an IPv4 address.
	if !netip.MustParsePrefix("2000::/3").Contains(a) {
		return false
	}
	return !slices.ContainsFunc([]string{"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"}, func(s string) bool { return netip.MustParsePrefix(s).Contains(a) })
}

// Fetch implements Certificates. Who waits for the fetch of another call returns when ctx ends; a fetch that began is finished for them, within Timeout.
func (h *HTTPS) Fetch(ctx context.Context, address string) ([]byte, error) {
	u, err := checkURL(address)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	if !slices.Contains(h.cfg.Ports, port) {
		return nil, fmt.Errorf("%w: port", ErrFetch)
	}
	for {
		h.mu.Lock()
		if a, ok := h.kept[address]; ok && h.cfg.Now().Before(a.until) {
			h.mu.Unlock()
			return slices.Clone(a.body), a.err
		}
		wait, busy := h.running[address]
		if !busy && len(h.running) >= h.cfg.MaxFetches {
			h.mu.Unlock()
			return nil, fmt.Errorf("%w: too many at once", ErrFetch)
		}
		if !busy {
			done := make(chan struct{})
			h.running[address] = done
			h.mu.Unlock()
			return h.first(ctx, address, done)
		}
		h.mu.Unlock()
		select {
		case <-wait: // what it got is kept now
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrFetch, ctx.Err())
		}
	}
}

// first fetches for everybody who waits, so it does not end with the call that happened to come first.
func (h *HTTPS) first(ctx context.Context, address string, done chan struct{}) ([]byte, error) {
	body, err := h.get(context.WithoutCancel(ctx), address)
	age := h.cfg.MaxAge
	if err != nil {
		age = h.cfg.MaxFailureAge
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.running, address)
	h.keep(address, answer{body: body, err: err, until: h.cfg.Now().Add(age)})
	close(done)
	return slices.Clone(body), err
}

// keep enters an answer. What is over goes first, then failures, which strangers can make as many of as they like, then any.
func (h *HTTPS) keep(address string, a answer) {
	now := h.cfg.Now()
	for _, goes := range []func(answer) bool{
		func(k answer) bool { return !now.Before(k.until) }, func(k answer) bool { return k.err != nil }, func(answer) bool { return true },
	} {
		for k, old := range h.kept {
			if len(h.kept) < h.cfg.MaxEntries {
				break
			}
			if goes(old) {
				delete(h.kept, k)
			}
		}
	}
	h.kept[address] = a
}

func (h *HTTPS) get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFetch, err)
	}
	req.Header.Set("Accept", "application/pem-certificate-chain")
	req.Header.Set("User-Agent", "") // a name would help a stranger who runs the server
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", ErrFetch, resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, h.cfg.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	if int64(len(b)) > h.cfg.MaxBytes {
		return nil, fmt.Errorf("%w: answer is too long", ErrFetch)
	}
	return b, nil
}
