package branch_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/branch"
	"github.com/ringfence/ringfence/sip/siptest"
)

const branchKey = "0123456789abcdef0123456789abcdef"

// inbox is an Inbox behind HTTPS, and a Sink for it.
type inbox struct {
	url   string
	store *branch.FileStore
	sink  *branch.HTTPSink
	lose  atomic.Int32 // how many answers are lost from now on
	posts atomic.Int32
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	ca := siptest.NewAuthority(t)
	in := &inbox{}
	var err error
	in.store, _, err = branch.OpenFileStore(filepath.Join(t.TempDir(), "inbox"))
	require.NoError(t, err)
	keys := map[string]branch.Secret{"north": branch.NewSecret(branchKey), "south": branch.NewSecret(branchKey + "s")}
	h, err := branch.NewInbox(branch.InboxConfig{Keys: keys, Store: in.store})
	require.NoError(t, err)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in.posts.Add(1)
		if in.lose.Add(-1) >= 0 {
			h.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // kept, and the connection ends before the answer
		}
		h.ServeHTTP(w, r)
	}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "127.0.0.1")}}
	srv.StartTLS()
	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	in.url = srv.URL
	in.sink, err = branch.NewHTTPSink(branch.HTTPSinkConfig{URL: srv.URL, Key: branch.NewSecret(branchKey), Client: client})
	require.NoError(t, err)
	t.Cleanup(func() {
		in.sink.CloseIdle()
		srv.Close()
		require.NoError(t, in.store.Close())
	})
	return in
}

func TestThousandsArriveOnceThoughAnswersAreLost(t *testing.T) {
	in := newInbox(t)
	path := filepath.Join(t.TempDir(), "j")
	j, _ := openJournal(t, path)
	const all = 2500
	for n := range all {
		require.NoError(t, j.End(entry(n)))
	}
	in.lose.Store(1)
	require.Error(t, j.Send(t.Context(), in.sink))
	require.Equal(t, all, j.Pending(), "no answer is no acknowledgement")
	require.Equal(t, 100, in.store.Len())
	require.NoError(t, j.Close())
	j, _ = openJournal(t, path)
	require.NoError(t, j.Send(t.Context(), in.sink))
	require.Zero(t, j.Pending())
	n := 0
	require.NoError(t, in.store.Each(func(from string, c branch.CDR) error {
		require.Equal(t, "north", from)
		require.Equal(t, entry(n), c)
		n++
		return nil
	}))
	require.Equal(t, all, n)
	require.NoError(t, j.Close())
}

func TestInboxRefusals(t *testing.T) {
	in := newInbox(t)
	h, err := branch.NewInbox(branch.InboxConfig{Keys: map[string]branch.Secret{"north": branch.NewSecret(branchKey)}, Store: in.store})
	require.NoError(t, err)
	good, err := json.Marshal(map[string]any{"cdrs": []branch.CDR{entry(1)}})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		want              int
		method, key, kind string
		body              string
		plain             bool
	}{
		"good":            {want: 204},
		"good again":      {want: 204},
		"no TLS":          {want: 403, plain: true},
		"no key":          {want: 401, key: "-"},
		"wrong key":       {want: 401, key: "Bearer " + branchKey + "0"},
		"empty key":       {want: 401, key: "Bearer "},
		"GET":             {want: 405, method: "GET"},
		"not JSON":        {want: 415, kind: "text/plain"},
		"too large":       {want: 413, body: strings.Repeat(" ", 1<<20+1)},
		"nothing":         {want: 400, body: `{"cdrs":[]}`},
		"garbage":         {want: 400, body: `{`},
		"no CDR":          {want: 400, body: `{"cdrs":[{"id":"1"}]}`},
		"an ID made loud": {want: 400, body: strings.ReplaceAll(string(good), entry(1).ID, strings.Repeat("A", 32))},
	} {
		t.Run(name, func(t *testing.T) {
			body := c.body
			if body == "" {
				body = string(good)
			}
			r := httptest.NewRequest(or(c.method, "POST"), "https://cc.test/", strings.NewReader(body))
			r.Header.Set("Authorization", or(c.key, "Bearer "+branchKey))
			r.Header.Set("Content-Type", or(c.kind, "application/json"))
			if c.plain {
				r.TLS = nil
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, c.want, w.Code)
		})
	}
	require.Equal(t, 1, in.store.Len())
	require.NoError(t, in.store.Add(t.Context(), "south", []branch.CDR{entry(1)}))
	require.Equal(t, 2, in.store.Len(), "one branch cannot take an ID from another")

	for name, cfg := range map[string]branch.InboxConfig{
		"nothing":   {},
		"short key": {Keys: map[string]branch.Secret{"a": branch.NewSecret("short")}, Store: in.store},
		"same key":  {Keys: map[string]branch.Secret{"a": branch.NewSecret(branchKey), "b": branch.NewSecret(branchKey)}, Store: in.store},
	} {
		_, err := branch.NewInbox(cfg)
		require.Error(t, err, name)
	}
}

// keep is a Store that checks what it is given.
type keep struct{ t *testing.T }

func (k keep) Add(_ context.Context, name string, cdrs []branch.CDR) error {
	require.Equal(k.t, "north", name)
	require.NotEmpty(k.t, cdrs)
	for _, c := range cdrs {
		require.NoError(k.t, c.Check())
	}
	return nil
}

// Whatever the holder of a key sends, nothing but entries gets to the Store.
func FuzzInbox(f *testing.F) {
	good, err := json.Marshal(map[string]any{"cdrs": []branch.CDR{entry(1), entry(2)}})
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"cdrs":[null]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := branch.NewInbox(branch.InboxConfig{Keys: map[string]branch.Secret{"north": branch.NewSecret(branchKey)}, Store: keep{t}})
		require.NoError(t, err)
		r := httptest.NewRequest("POST", "https://cc.test/", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+branchKey)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Contains(t, []int{204, 400, 413}, w.Code)
	})
}

func TestSinkIsEncryptedAndFollowsNobody(t *testing.T) {
	client, err := sip.ClientTLS(nil, nil)
	require.NoError(t, err)
	key := branch.NewSecret(branchKey)
	for name, cfg := range map[string]branch.HTTPSinkConfig{
		"http":      {URL: "http://cc.test/", Key: key, Client: client},
		"no client": {URL: "https://cc.test/", Key: key},
		"no key":    {URL: "https://cc.test/", Client: client},
		"two lines": {URL: "https://cc.test/", Key: branch.NewSecret("a\r\nb"), Client: client},
	} {
		_, err := branch.NewHTTPSink(cfg)
		require.Error(t, err, name)
	}
	ca := siptest.NewAuthority(t)
	var asked atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "127.0.0.1")}}
	srv.StartTLS()
	defer srv.Close()
	for pool, want := range map[bool]int32{false: 0, true: 1} {
		roots := siptest.NewAuthority(t).Pool()
		if pool {
			roots = ca.Pool()
		}
		client, err := sip.ClientTLS(nil, roots)
		require.NoError(t, err)
		s, err := branch.NewHTTPSink(branch.HTTPSinkConfig{URL: srv.URL, Key: key, Client: client})
		require.NoError(t, err)
		before := asked.Load()
		require.Error(t, s.Put(context.Background(), []branch.CDR{entry(1)}))
		require.Equal(t, want, asked.Load()-before)
		s.CloseIdle()
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := branch.NewSecret("hunter2")
	b, err := json.Marshal(struct{ S branch.Secret }{s})
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s)
	for _, out := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s), string(b), log.String()} {
		require.NotContains(t, out, "hunter2")
		require.NotContains(t, out, "68756e74657232")
	}
	require.True(t, branch.Secret{}.IsZero())
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
