package recording_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

// player serves recordings of a kit to one actor.
func (k *kit) player(t *testing.T, actor recording.Authorizer, audit recording.Auditor) func(method, target, rng string) *httptest.ResponseRecorder {
	t.Helper()
	a, err := k.vault.For(actor, audit)
	if err != nil {
		t.Fatal(err)
	}
	h := recording.PlaybackHandler(func(r *http.Request) (recording.Request, error) {
		if r.Header.Get("Cookie") == "stranger" {
			return recording.Request{}, errors.New("no session of that name")
		}
		return recording.Request{Access: a.Because("complaint-4711"), ID: strings.TrimPrefix(r.URL.Path, "/")}, nil
	})
	return func(method, target, rng string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, nil)
		if rng != "" {
			r.Header.Set("Range", rng)
		}
		if rng == "stranger" {
			r.Header.Set("Cookie", "stranger")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
}

// Playback is transient: no answer may be stored, a listener has no way to a file, and no byte leaves that was not authorised and recorded.
func TestPlaybackIsTransient(t *testing.T) {
	control.Proves(t, "ATR-07")
	k := newKit(t)
	k.record(t, "r1", 3*time.Second)
	k.record(t, "bad", 3*time.Second)
	b := k.blobs.Bytes("bad")
	b[40_000] ^= 1 // in its third second
	k.blobs.Replace("bad", b)
	whole := k.export(t, "r1")
	audit := &recordingtest.Audit{}
	get := k.player(t, recordingtest.Allow{recording.ActionListen}, audit)

	w := get("GET", "/r1", "")
	if w.Code != 200 || w.Body.Len() != 44+4*3*recording.SampleRate || w.Header().Get("Content-Type") != "audio/wav" || w.Header().Get("Accept-Ranges") != "bytes" {
		t.Errorf("%d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
	}
	if got := parseWAV(t, w.Body.Bytes()); !slices.Equal(got.left, whole.left) || !slices.Equal(got.right, whole.right) {
		t.Error("another audio than the export")
	}
	file := w.Body.Bytes()
	w = get("GET", "/r1", "bytes=50000-50999")
	if w.Code != 206 || !slices.Equal(w.Body.Bytes(), file[50000:51000]) {
		t.Errorf("range: %d, %d bytes", w.Code, w.Body.Len())
	}
	w = get("HEAD", "/r1", "")
	if w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "96044" {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
	for _, tt := range []struct {
		what, method, target, rng string
		code                      int
	}{
		{"a file without the right to one", "GET", "/r1?download=1", "", 403},
		{"a part of a file", "GET", "/r1?download=1", "bytes=0-9", 403},
		{"a stranger", "GET", "/r1", "stranger", 403},
		{"another method", "POST", "/r1", "", 405},
		{"nothing", "GET", "/none", "", 404},
		{"a path", "GET", "/../r1", "", 404},
		{"past the end", "GET", "/r1", "bytes=96044-", 416},
	} {
		w := get(tt.method, tt.target, tt.rng)
		if w.Code != tt.code || strings.Contains(w.Body.String(), "RIFF") || strings.Contains(w.Body.String(), "session") {
			t.Errorf("%s: %d %q", tt.what, w.Code, w.Body.String())
		}
		checkTransient(t, tt.what, w)
	}
	if n := len(audit.Entries()); n < 5 || audit.Entries()[0] != "recording.listen r1" || !slices.Contains(audit.Entries(), "recording.download r1") {
		t.Errorf("recorded %v", audit.Entries())
	}

	// What was altered is heard up to there and no further.
	w = get("GET", "/bad", "")
	if n := w.Body.Len(); n >= 44+4*2*recording.SampleRate+4 || n < 44 {
		t.Errorf("%d bytes of a recording that is bad after two seconds", n)
	}
	checkTransient(t, "altered", w)

	file2 := k.player(t, recordingtest.Allow{recording.ActionDownload}, audit)
	if w := file2("GET", "/r1?download=1", ""); w.Code != 200 || !slices.Equal(w.Body.Bytes(), file) || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") ||
		w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Header().Get("Content-Disposition"), "r1") {
		t.Errorf("download: %d %v", w.Code, w.Header())
	}
	if w := file2("GET", "/r1", ""); w.Code != 403 {
		t.Errorf("listening with the right to download alone: %d", w.Code)
	}
	broken := &recordingtest.Audit{}
	broken.Fail(errors.New("full"))
	if w := k.player(t, recordingtest.Allow{}, broken)("GET", "/r1", ""); w.Code != 403 || strings.Contains(w.Body.String(), "RIFF") {
		t.Errorf("unrecorded: %d", w.Code)
	}
	if _, err := k.access(t).Destroy(context.Background(), "r1", "test"); err != nil {
		t.Fatal(err)
	}
	if w := get("GET", "/r1", ""); w.Code != 410 {
		t.Errorf("destroyed: %d", w.Code)
	}
}

// checkTransient fails for an answer that something may keep, or that is a file.
func checkTransient(t *testing.T, what string, w *httptest.ResponseRecorder) {
	t.Helper()
	h := w.Header()
	if h.Get("Cache-Control") != "no-store" || strings.Contains(h.Get("Content-Disposition"), "attachment") || h.Get("ETag") != "" || h.Get("Last-Modified") != "" {
		t.Errorf("%s: %v", what, h)
	}
}

// alarms remembers.
type alarms struct {
	mu  sync.Mutex
	got []recording.Alarm
	err error
}

func (a *alarms) Alarm(_ context.Context, al recording.Alarm) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got = append(a.got, al)
	return a.err
}

// named is an actor with a name.
type named struct {
	may  recordingtest.Allow
	name string
}

func (n named) Allow(ctx context.Context, action, object string) error {
	return n.may.Allow(ctx, action, object)
}

func (n named) Name() string { return n.name }

// Whoever reads more than anybody needs is stopped, whichever way it is read, recorded and reported once; others read on, and so does the same actor later.
// The right to listen gives no file.
func TestBulkReadsAreStoppedAndAlarmed(t *testing.T) {
	control.Proves(t, "ACC-23")
	ctx := context.Background()
	alarm := &alarms{}
	k := newKit(t, func(c *recording.Config) {
		c.Bulk, c.Alarm = recording.Bulk{Recordings: 3, Bytes: 1 << 20, Window: time.Hour}, alarm
	})
	for _, id := range []string{"r1", "r2", "r3", "r4", "r5"} {
		k.record(t, id, 2*time.Second)
	}
	audit := &recordingtest.Audit{}
	actor := func(name string) *recording.Access {
		a, err := because(k.vault.For(named{nil, name}, audit)) // a new Access each time: the count is the actor's, not the object's
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	listen := func(name, id string) error {
		p, err := actor(name).Open(ctx, id)
		if err == nil {
			err = p.Close()
		}
		return err
	}
	for _, id := range []string{"r1", "r2", "r1", "r3", "r3"} {
		if err := listen("mallory", id); err != nil {
			t.Fatal(err)
		}
	}
	for what, err := range map[string]error{
		"Open":   listen("mallory", "r4"),
		"Export": func() error { _, err := actor("mallory").Export(ctx, "r4", failing{t}); return err }(),
		"Prove":  func() error { _, err := actor("mallory").Prove(ctx, "r5", 0); return err }(),
		"Seal":   func() error { _, err := actor("mallory").Seal(ctx, "r4", failing{t}); return err }(),
	} {
		if !errors.Is(err, recording.ErrBulk) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(alarm.got) != 1 || alarm.got[0].Actor != "mallory" || alarm.got[0].Recordings != 3 || !strings.HasPrefix(alarm.got[0].Action, "recording.") || alarm.got[0].Window != time.Hour {
		t.Errorf("%+v", alarm.got)
	}
	stopped := 0
	for _, e := range audit.Entries() {
		if strings.HasSuffix(e, "r4") || strings.HasSuffix(e, "r5") {
			stopped++
		}
	}
	if stopped != 8 { // each asked for, each stopped
		t.Errorf("recorded %v", audit.Entries())
	}
	if err := errors.Join(listen("mallory", "r2"), listen("alice", "r4")); err != nil {
		t.Errorf("what was read before, or somebody else: %v", err)
	}
	if _, err := actor("mallory").Verify(ctx, "r5"); err != nil { // lets nothing out
		t.Error(err)
	}
	k.now = k.now.Add(30 * time.Minute)
	if err := listen("mallory", "r4"); !errors.Is(err, recording.ErrBulk) || len(alarm.got) != 1 {
		t.Errorf("half an hour later: %v, %+v", err, alarm.got)
	}
	k.now = k.now.Add(40 * time.Minute)
	if err := listen("mallory", "r4"); err != nil {
		t.Errorf("when the window has passed: %v", err)
	}

	// By bytes: all of an export or nothing, a playback up to the limit.
	k.now = k.now.Add(3 * time.Hour)
	alarm.err = errors.New("nobody answers")
	size := int64(44 + 4*2*recording.SampleRate)
	for n := range int64(1<<20) / size {
		if _, err := actor("eve").Export(ctx, "r1", io.Discard); err != nil {
			t.Fatal(n, err)
		}
	}
	if n, err := actor("eve").Export(ctx, "r1", failing{t}); n != 0 || !errors.Is(err, recording.ErrBulk) || !errors.Is(err, alarm.err) || len(alarm.got) != 2 {
		t.Errorf("%d, %v, %+v", n, err, alarm.got)
	}
	p, err := actor("eve").Open(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	buf, heard := make([]int16, 800), 0
	for err = nil; err == nil; heard += 1600 {
		_, err = p.ReadPCM(0, buf, 0)
	}
	if left := int(int64(1<<20) % size); !errors.Is(err, recording.ErrBulk) || heard-1600 > left {
		t.Errorf("%d bytes of %d heard, %v", heard, left, err)
	}
	if w := k.player(t, named{nil, "eve"}, audit)("GET", "/r1", ""); w.Body.Len() > 44 {
		t.Errorf("%d, %d bytes by HTTP", w.Code, w.Body.Len())
	}
	// Unnamed actors are counted together.
	k.now = k.now.Add(3 * time.Hour)
	for i, id := range []string{"r1", "r2", "r3", "r4"} {
		a, err := because(k.vault.For(recordingtest.Allow{}, audit))
		if err != nil {
			t.Fatal(err)
		}
		if p, err := a.Open(ctx, id); (err == nil) != (i < 3) {
			t.Errorf("%s: %v", id, err)
		} else if err == nil {
			p.Close()
		}
	}
	// And the other half of the control: without the right to download there is only the stream.
	if w := k.player(t, named{recordingtest.Allow{recording.ActionListen}, "bob"}, audit)("GET", "/r1?download=1", ""); w.Code != 403 || strings.Contains(w.Body.String(), "RIFF") {
		t.Errorf("download with the right to listen: %d", w.Code)
	}
	for _, b := range []recording.Bulk{{Recordings: -1}, {Bytes: -1}, {Window: time.Millisecond}} {
		cfg := k.cfg
		cfg.Bulk = b
		if _, err := recording.New(cfg); !errors.Is(err, recording.ErrConfig) {
			t.Errorf("%+v: %v", b, err)
		}
	}
}
