package numbers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/sip/numbers"
	"github.com/ringfence/ringfence/sip/numbers/numberstest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var (
	ctx   = context.Background()
	start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

// log is an Auditor that can be made to fail.
type log struct {
	mu    sync.Mutex
	fail  error
	lines []string
}

func (l *log) Audit(_ context.Context, action, object string, attrs ...slog.Attr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail == nil {
		l.lines = append(l.lines, action+" "+fmt.Sprint(attrs))
	}
	return l.fail
}

func (l *log) actions() []string {
	var out []string
	for _, s := range l.lines {
		a, _, _ := strings.Cut(s, " ")
		out = append(out, a)
	}
	return out
}

func desk(t *testing.T) (*numbers.Desk, *log, *numbers.Memory) {
	t.Helper()
	l, m := &log{}, &numbers.Memory{}
	d, err := numbers.New(numbers.Config{Store: m, Auditor: l, MayApprove: func(_ context.Context, by, owner string) error {
		if by == "mallory" {
			return errors.New("no approver of " + owner)
		}
		return nil
	}})
	require.NoError(t, err)
	return d, l, m
}

func TestMemory(t *testing.T) {
	numberstest.Store(t, func(*testing.T) numbers.Store { return &numbers.Memory{} })
}

// ACC-06: the set of numbers changes through the steps of an order only.
func TestNumbersComeAndGoThroughOrders(t *testing.T) {
	d, l, m := desk(t)
	require.ErrorIs(t, d.Create(ctx, "+4930111"), numbers.ErrUseOrder)
	require.ErrorIs(t, d.Delete(ctx, "+4930111"), numbers.ErrUseOrder)
	have := func() []string {
		n, err := d.Numbers(ctx, "acme")
		require.NoError(t, err)
		return n
	}
	o, err := d.Request(ctx, "alice", "acme", "+4930111", "flow:main")
	require.NoError(t, err)
	_, err = d.Request(ctx, "alice", "globex", "+4930111", "flow:main")
	require.ErrorIs(t, err, numbers.ErrTaken)
	step := func(a numbers.Action, by, ref string, want error, routed bool) {
		t.Helper()
		_, err := d.Do(ctx, o.ID, a, by, ref)
		require.ErrorIs(t, err, want)
		_, err = d.Lookup(ctx, "+4930111")
		require.Equal(t, routed, err == nil)
		require.Equal(t, routed, len(have()) == 1)
	}
	step(numbers.Activate, "bob", "", numbers.ErrStep, false)
	step(numbers.Approve, "alice", "", numbers.ErrFourEyes, false)
	_, err = d.Do(ctx, o.ID, numbers.Approve, "mallory", "")
	require.ErrorContains(t, err, "no approver")
	step(numbers.Approve, "bob", "", nil, false)
	step(numbers.Provision, "provider", "ref-1", nil, false)
	step(numbers.Activate, "alice", "", nil, true)
	o, err = d.Assign(ctx, o.ID, "alice", "queue:sales")
	require.NoError(t, err)
	step(numbers.Cancel, "alice", "", nil, true)
	step(numbers.Release, "alice", "", numbers.ErrFourEyes, true)
	step(numbers.Keep, "alice", "", nil, true)
	step(numbers.Cancel, "alice", "", nil, true)
	before := len(l.lines)
	l.fail = errors.New("disk full")
	_, err = d.Do(ctx, o.ID, numbers.Release, "bob", "")
	require.ErrorContains(t, err, "disk full")
	require.Len(t, have(), 1, "what cannot be audited does not happen")
	_, err = d.Request(ctx, "alice", "acme", "+4930222", "x")
	require.Error(t, err)
	_, err = m.Holder(ctx, "+4930222")
	require.ErrorIs(t, err, numbers.ErrNotFound)
	l.fail = nil
	require.Len(t, l.lines, before)
	step(numbers.Release, "bob", "", nil, false)
	step(numbers.Activate, "bob", "", numbers.ErrStep, false)
	_, err = d.Assign(ctx, o.ID, "alice", "x")
	require.ErrorIs(t, err, numbers.ErrStep)
	require.Equal(t, []string{"number.request", "number.approve", "number.provision", "number.activate", "number.assign", "number.cancel", "number.keep", "number.cancel", "number.release"}, l.actions())
	got, err := m.Get(ctx, o.ID)
	require.NoError(t, err)
	require.Equal(t, "queue:sales", got.Destination)
	require.Equal(t, "ref-1", got.Reference)
	_, err = d.Request(ctx, "carol", "globex", "+4930111", "flow:main")
	require.NoError(t, err, "a number that was released can be ordered again")
	control.Proves(t, "ACC-06")
}

func TestRequestIsChecked(t *testing.T) {
	d, _, _ := desk(t)
	for _, c := range [][4]string{{"", "acme", "+4930111", "x"}, {"a", "", "+4930111", "x"}, {"a", "acme", "030111", "x"}, {"a", "acme", "+4930111", ""}, {"a\n", "acme", "+4930111", "x"}, {"a", "acme", "+0930111", "x"}} {
		_, err := d.Request(ctx, c[0], c[1], c[2], c[3])
		require.ErrorIs(t, err, numbers.ErrMalformed, "%v", c)
	}
	_, err := d.Do(ctx, "none", numbers.Approve, "bob", "")
	require.ErrorIs(t, err, numbers.ErrNotFound)
	_, err = numbers.New(numbers.Config{})
	require.Error(t, err)
}

// TestOrderLaw: whatever steps are tried, a routed number was approved by a second person and provisioned, and a released one by two persons.
func TestOrderLaw(t *testing.T) {
	actions := []numbers.Action{numbers.Approve, numbers.Reject, numbers.Provision, numbers.Activate, numbers.Cancel, numbers.Keep, numbers.Release, "other"}
	rapid.Check(t, func(t *rapid.T) {
		o := numbers.Order{ID: "1", State: numbers.Requested, RequestedBy: "a", Version: 1}
		done := map[numbers.Action]bool{}
		for range 40 {
			a := rapid.SampledFrom(actions).Draw(t, "action")
			by := rapid.SampledFrom([]string{"a", "b", "c", ""}).Draw(t, "by")
			next, err := o.Step(a, by, rapid.SampledFrom([]string{"", "ref"}).Draw(t, "ref"), start)
			if err != nil {
				if next != o {
					t.Fatal("a step that failed changed something")
				}
				continue
			}
			if !o.State.Live() {
				t.Fatal("a step after the end")
			}
			if next.Version != o.Version+1 {
				t.Fatal("not counted")
			}
			done[a] = true
			if next.Routed() && !(done[numbers.Approve] && done[numbers.Provision] && done[numbers.Activate] && next.ApprovedBy != next.RequestedBy) {
				t.Fatal("routed without its steps")
			}
			if next.State == numbers.Released && next.CanceledBy == by {
				t.Fatal("released by one person")
			}
			o = next
		}
	})
}

func keys(t *testing.T, m *numbers.Memory, l *log, now func() time.Time) *numbers.Keys {
	t.Helper()
	k, err := numbers.NewKeys(numbers.KeysConfig{Store: m, Auditor: l, Cache: time.Minute, MaxCached: 4, Now: now})
	require.NoError(t, err)
	return k
}

// KEY-05: keys are stored hashed, scoped and with an end; a revoked one fails within one cache period, wherever it was revoked.
func TestKeys(t *testing.T) {
	m, l, at := &numbers.Memory{}, &log{}, start
	now := func() time.Time { return at }
	here, there := keys(t, m, l, now), keys(t, m, l, now)
	token, key, err := here.Issue(ctx, "alice", "provider", []string{"numbers"}, start.Add(time.Hour))
	require.NoError(t, err)
	stored, err := m.GetKey(ctx, key.ID)
	require.NoError(t, err)
	secret := token.Reveal()[strings.LastIndexByte(token.Reveal(), '_')+1:]
	require.NotContains(t, fmt.Sprintf("%+v %s %v", stored, stored.Hash, l.lines), secret)
	j, err := json.Marshal(token)
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s %x", token, token, token, token, token)+string(j), secret)

	ok := func(k *numbers.Keys, scope string) bool {
		got, err := k.Check(ctx, token.Reveal(), scope)
		if err != nil {
			require.ErrorIs(t, err, numbers.ErrKey)
		}
		return err == nil && got.Name == "provider"
	}
	require.True(t, ok(here, "numbers"))
	require.True(t, ok(there, "numbers"))
	require.False(t, ok(there, "billing"), "scoped")
	wrong := token.Reveal()[:len(token.Reveal())-1] + "!"
	for _, bad := range []string{"", wrong, "rfk_", "rfk_x_y", secret, "rfk_" + key.ID + "_", token.Reveal() + "x"} {
		_, err := there.Check(ctx, bad, "numbers")
		require.ErrorIs(t, err, numbers.ErrKey, bad)
	}
	require.NoError(t, here.Revoke(ctx, "bob", key.ID))
	require.False(t, ok(here, "numbers"), "at once where it was revoked")
	require.True(t, ok(there, "numbers"), "elsewhere it may live")
	at = at.Add(time.Minute)
	require.False(t, ok(there, "numbers"), "for one cache period")
	require.NoError(t, here.Revoke(ctx, "bob", key.ID))
	require.Equal(t, []string{"key.issue", "key.revoke"}, l.actions())

	token, _, err = here.Issue(ctx, "alice", "provider", []string{"numbers"}, at.Add(time.Hour))
	require.NoError(t, err)
	at = at.Add(time.Hour - 1)
	require.True(t, ok(here, "numbers"))
	at = at.Add(1)
	require.False(t, ok(here, "numbers"), "an end is an end, cached or not")
	control.Proves(t, "KEY-05")
}

func TestKeysFailClosed(t *testing.T) {
	m, l := &numbers.Memory{}, &log{}
	k := keys(t, m, l, func() time.Time { return start })
	for _, c := range []struct {
		by, name string
		scopes   []string
		expires  time.Time
	}{
		{"", "p", []string{"s"}, start.Add(1)}, {"a", "", []string{"s"}, start.Add(1)}, {"a", "p", nil, start.Add(1)}, {"a", "p", []string{"s"}, start}, {"a", "p", []string{"s"}, start.AddDate(3, 0, 0)}, {"a", "p", []string{"s"}, time.Time{}},
	} {
		_, _, err := k.Issue(ctx, c.by, c.name, c.scopes, c.expires)
		require.ErrorIs(t, err, numbers.ErrMalformed)
	}
	token, key, err := k.Issue(ctx, "a", "p", []string{"s"}, start.Add(time.Hour))
	require.NoError(t, err)
	l.fail = errors.New("disk full")
	_, _, err = k.Issue(ctx, "a", "p", []string{"s"}, start.Add(time.Hour))
	require.ErrorContains(t, err, "disk full")
	require.ErrorContains(t, k.Revoke(ctx, "a", key.ID), "disk full")

	down, err := numbers.NewKeys(numbers.KeysConfig{Store: broken{}, Auditor: l})
	require.NoError(t, err)
	for _, c := range []struct {
		handler http.Handler
		want    int
	}{{k.Handler("s", http.NotFoundHandler()), 404}, {k.Handler("other", http.NotFoundHandler()), 401}, {down.Handler("s", http.NotFoundHandler()), 503}} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, r)
		require.Equal(t, 401, w.Code, "no key")
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
		w = httptest.NewRecorder()
		c.handler.ServeHTTP(w, r)
		require.Equal(t, c.want, w.Code)
		require.NotContains(t, w.Body.String(), "numbers")
	}
}

type broken struct{}

func (broken) PutKey(context.Context, numbers.Key) error { return errors.New("down") }
func (broken) GetKey(context.Context, string) (numbers.Key, error) {
	return numbers.Key{}, errors.New("down")
}

func FuzzCheck(f *testing.F) {
	k, err := numbers.NewKeys(numbers.KeysConfig{Store: &numbers.Memory{}, Auditor: &log{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("rfk_a_b")
	f.Add("rfk__")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := k.Check(ctx, token, "s"); !errors.Is(err, numbers.ErrKey) {
			t.Fatalf("%q: %v", token, err)
		}
	})
}
