package branch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip"
)

// batch is what is posted.
type batch struct {
	CDRs []CDR `json:"cdrs"`
}

// HTTPSinkConfig describes an HTTPSink.
type HTTPSinkConfig struct {
	// URL is where entries are posted, "https://cc.example/branch/calls". Required; nothing but https.
	URL string
	// Key is sent as bearer token. Required.
	Key Secret
	// Client is how the connection is made, from sip.ClientTLS. Required.
	Client sip.TLSConfig
	// Timeout bounds one post. If zero, 20 s.
	Timeout time.Duration
}

// HTTPSink posts entries as JSON over HTTPS to an Inbox. NewHTTPSink makes one; CloseIdle ends what it keeps. It is safe for concurrent use.
type HTTPSink struct {
	url     string
	key     Secret
	timeout time.Duration
	client  *http.Client
}

// NewHTTPSink returns an HTTPSink. It connects to nothing yet.
func NewHTTPSink(cfg HTTPSinkConfig) (*HTTPSink, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("branch: HTTPSinkConfig.URL must be https://host/path: it carries a key and who called whom")
	}
	tc := cfg.Client.Config()
	if tc == nil || cfg.Key.IsZero() || strings.ContainsFunc(cfg.Key.ExportSecret(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("branch: HTTPSinkConfig needs Client and a Key of printable characters")
	}
	return &HTTPSink{url: u.String(), key: cfg.Key, timeout: orDefault(cfg.Timeout, 20*time.Second), client: &http.Client{
		// A redirection would carry the key and the calls to whom nobody has named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{TLSClientConfig: tc, ForceAttemptHTTP2: true, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
	}}, nil
}

// Put posts cdrs and returns nil when the answer is 204.
func (s *HTTPSink) Put(ctx context.Context, cdrs []CDR) error {
	body, err := json.Marshal(batch{cdrs})
	if err != nil {
		return fmt.Errorf("branch: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("branch: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.key.ExportSecret())
	res, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("branch: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again; what it says does not matter
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("branch: the inbox answers %d", res.StatusCode)
	}
	return nil
}

// CloseIdle closes connections that are kept for the next Put.
func (s *HTTPSink) CloseIdle() { s.client.CloseIdleConnections() }
