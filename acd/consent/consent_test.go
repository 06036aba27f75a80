package consent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd/consent"
	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var t0 = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func yes(user, session string, p consent.Purpose) consent.Consent {
	return consent.Consent{User: user, Session: session, Purpose: p, GivenAt: t0, Until: t0.Add(time.Hour)}
}

// MIN-06: no event before the opt-in, not even later; none for anybody else; none after the withdrawal or the end.
func TestAnalyticsOnlyAfterOptIn(t *testing.T) {
	var gate consent.Gate
	var got []string
	sink := consent.NewSink(&gate, consent.Analytics, func(_ context.Context, e string) error { got = append(got, e); return nil })
	put := func(user, session string, at time.Time, e string) error {
		return sink.Put(t.Context(), user, session, at, e)
	}

	require.ErrorIs(t, put("ann", "s1", t0, "before"), consent.ErrNone)
	require.NoError(t, gate.Grant(yes("ann", "s1", consent.Analytics)))
	require.Empty(t, got, "what was before the opt-in is gone")
	require.ErrorIs(t, put("ann", "s1", t0.Add(-1), "dated back"), consent.ErrNone)
	require.NoError(t, put("ann", "s1", t0, "first"))
	require.ErrorIs(t, put("ann", "s2", t0, "another session"), consent.ErrNone)
	require.ErrorIs(t, put("bob", "s1", t0, "another user"), consent.ErrNone)
	require.NoError(t, gate.Grant(yes("bob", "s1", consent.ScreenReplay)))
	require.ErrorIs(t, put("bob", "s1", t0, "another purpose"), consent.ErrNone)

	gate.Withdraw("ann", "s1", consent.Analytics, t0.Add(time.Minute))
	require.ErrorIs(t, put("ann", "s1", t0.Add(time.Minute), "after"), consent.ErrNone)
	require.ErrorIs(t, put("ann", "s1", t0, "dated back again"), consent.ErrNone)
	require.ErrorIs(t, gate.Grant(yes("ann", "s1", consent.Analytics)), consent.ErrNone, "an old yes, once more")
	again := yes("ann", "s1", consent.Analytics)
	again.GivenAt = t0.Add(2 * time.Minute)
	require.NoError(t, gate.Grant(again))
	require.NoError(t, put("ann", "s1", t0.Add(2*time.Minute), "second"))
	require.ErrorIs(t, put("ann", "s1", t0.Add(time.Hour), "too late"), consent.ErrNone)
	require.Equal(t, []string{"first", "second"}, got)
	control.Proves(t, "MIN-06")
}

// MIN-07: there is no capture without a consent record of that user and that session, and none goes on without.
func TestReplayNeedsConsentOfUserAndSession(t *testing.T) {
	var gate consent.Gate
	var film bytes.Buffer
	none := func(user, session string, at time.Time) {
		t.Helper()
		c, err := consent.NewCapture(&gate, user, session, at, &film)
		require.ErrorIs(t, err, consent.ErrNone)
		require.Nil(t, c)
	}
	none("ann", "s1", t0) // absent by default
	require.NoError(t, gate.Grant(yes("ann", "s1", consent.ScreenReplay)))
	require.NoError(t, gate.Grant(yes("ann", "s3", consent.Analytics)))
	none("ann", "s2", t0)
	none("ann", "s3", t0)
	none("bob", "s1", t0)
	none("ann", "s1", t0.Add(time.Hour))
	c, err := consent.NewCapture(&gate, "ann", "s1", t0, &film)
	require.NoError(t, err)
	require.NoError(t, c.Frame([]byte("one "), t0))
	require.ErrorIs(t, c.Frame([]byte("late "), t0.Add(time.Hour)), consent.ErrNone)
	gate.Withdraw("ann", "s1", consent.ScreenReplay, t0.Add(time.Minute))
	require.ErrorIs(t, c.Frame([]byte("two "), t0.Add(time.Minute)), consent.ErrNone)
	require.Equal(t, "one ", film.String())
	control.Proves(t, "MIN-07")
}

func TestFailsClosed(t *testing.T) {
	f := func(context.Context, int) error { panic("reached") }
	for _, s := range []*consent.Sink[int]{nil, consent.NewSink[int](&consent.Gate{}, consent.Analytics, nil), consent.NewSink(nil, consent.Analytics, f), consent.NewSink(&consent.Gate{}, "", f)} {
		require.ErrorIs(t, s.Put(t.Context(), "", "", t0, 1), consent.ErrNone)
	}
	_, err := consent.NewCapture(nil, "a", "s", t0, &bytes.Buffer{})
	require.ErrorIs(t, err, consent.ErrNone)
	var gate consent.Gate
	for name, change := range map[string]func(*consent.Consent){
		"user": func(c *consent.Consent) { c.User = "" }, "session": func(c *consent.Consent) { c.Session = "" }, "purpose": func(c *consent.Consent) { c.Purpose = "" },
		"given": func(c *consent.Consent) { c.GivenAt = time.Time{} }, "no end": func(c *consent.Consent) { c.Until = time.Time{} },
		"over at once": func(c *consent.Consent) { c.Until = c.GivenAt }, "for ever": func(c *consent.Consent) { c.Until = c.GivenAt.Add(consent.MaxAge + 1) },
	} {
		c := yes("u", "s", consent.Analytics)
		change(&c)
		require.ErrorIs(t, gate.Grant(c), consent.ErrInvalid, name)
	}
	broken := errors.New("broken")
	require.NoError(t, gate.Grant(yes("u", "s", consent.Analytics)))
	sink := consent.NewSink(&gate, consent.Analytics, func(context.Context, int) error { return broken })
	require.ErrorIs(t, sink.Put(t.Context(), "u", "s", t0, 1), broken)
}

// When Withdraw returns, nothing is under way any more.
func TestWithdrawWaitsForWhatPasses(t *testing.T) {
	var gate consent.Gate
	require.NoError(t, gate.Grant(yes("u", "s", consent.Analytics)))
	entered, release := make(chan struct{}), make(chan struct{})
	var passed, withdrawn atomic.Bool
	sink := consent.NewSink(&gate, consent.Analytics, func(context.Context, int) error {
		close(entered)
		<-release
		passed.Store(true)
		return nil
	})
	var wg sync.WaitGroup
	// Ends when released, waited for below.
	wg.Go(func() { _ = sink.Put(t.Context(), "u", "s", t0, 1) })
	<-entered
	// Ends when the event has passed, waited for below.
	wg.Go(func() {
		gate.Withdraw("u", "s", consent.Analytics, t0)
		withdrawn.Store(true)
		if !passed.Load() {
			t.Error("withdrawn while an event was under way")
		}
	})
	for range 10_000 { // time enough for a Withdraw that does not wait
		runtime.Gosched()
	}
	require.False(t, withdrawn.Load())
	close(release)
	wg.Wait()
	require.True(t, withdrawn.Load())
}

// An old yes comes back after a no and a new yes: it is not what holds, nor when the new one has expired.
func TestAnOldYesAfterANewOne(t *testing.T) {
	var gate consent.Gate
	at := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
	give := func(from, until int) error {
		return gate.Grant(consent.Consent{User: "u", Session: "s", Purpose: consent.Analytics, GivenAt: at(from), Until: at(until)})
	}
	gate.Withdraw("u", "s", consent.Analytics, at(10))
	require.NoError(t, give(11, 12))
	require.ErrorIs(t, give(9, 100), consent.ErrNone)
	require.False(t, gate.Allows("u", "s", consent.Analytics, at(20)))
	for i := range 5000 { // the Gate makes room meanwhile
		require.NoError(t, gate.Grant(consent.Consent{User: strconv.Itoa(i), Session: "s", Purpose: consent.Analytics, GivenAt: at(20), Until: at(21)}))
	}
	require.ErrorIs(t, give(9, 100), consent.ErrNone)
}

// What expired makes room; what did not is not thrown out.
func TestGateIsBounded(t *testing.T) {
	var gate consent.Gate
	for i := range consent.MaxConsents {
		require.NoError(t, gate.Grant(yes(strconv.Itoa(i), "s", consent.Analytics)))
	}
	require.ErrorIs(t, gate.Grant(yes("one more", "s", consent.Analytics)), consent.ErrFull)
	gate.Withdraw("nobody knows", "s", consent.Analytics, t0)
	require.NoError(t, gate.Grant(yes("7", "s", consent.Analytics)), "who is known stays so")
	late := consent.Consent{User: "one more", Session: "s", Purpose: consent.Analytics, GivenAt: t0.Add(time.Hour), Until: t0.Add(2 * time.Hour)}
	require.NoError(t, gate.Grant(late))
	require.True(t, gate.Allows("one more", "s", consent.Analytics, t0.Add(time.Hour)))
}

// Against a model that keeps everything: the gate is open exactly while the last word was a yes in force.
func TestGateAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var gate consent.Gate
		type word struct {
			yes         bool
			from, until time.Time
		}
		model := map[string][]word{}
		now := t0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "pass")) * time.Second)
			user, session := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "user"), rapid.SampledFrom([]string{"1", "2"}).Draw(t, "session")
			k := user + session
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				given := now.Add(-time.Duration(rapid.IntRange(0, 5).Draw(t, "ago")) * time.Second)
				c := consent.Consent{User: user, Session: session, Purpose: consent.Analytics, GivenAt: given, Until: given.Add(time.Duration(rapid.IntRange(1, 9).Draw(t, "for")) * time.Second)}
				stale := false
				for _, w := range model[k] {
					stale = stale || !w.yes && !given.After(w.from)
				}
				if err := gate.Grant(c); stale != errors.Is(err, consent.ErrNone) {
					t.Fatalf("granting %+v after %+v: %v", c, model[k], err)
				} else if err == nil {
					model[k] = append(model[k], word{true, c.GivenAt, c.Until})
				}
			case 1:
				gate.Withdraw(user, session, consent.Analytics, now)
				model[k] = append(model[k], word{from: now})
			default:
				open := false
				if n := len(model[k]); n > 0 {
					w := model[k][n-1]
					open = w.yes && !now.Before(w.from) && now.Before(w.until)
				}
				if got := gate.Allows(user, session, consent.Analytics, now); got != open {
					t.Fatalf("%s at %v: %v, the model says %v: %+v", k, now, got, open, model[k])
				}
			}
		}
	})
}

func Example() {
	var gate consent.Gate
	analytics := consent.NewSink(&gate, consent.Analytics, func(_ context.Context, event string) error {
		fmt.Println("gathered:", event)
		return nil
	})
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	fmt.Println(analytics.Put(context.Background(), "ann", "session 1", now, "opened the page"))
	if err := gate.Grant(consent.Consent{User: "ann", Session: "session 1", Purpose: consent.Analytics, GivenAt: now, Until: now.Add(time.Hour)}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(analytics.Put(context.Background(), "ann", "session 1", now, "clicked"))
	gate.Withdraw("ann", "session 1", consent.Analytics, now)
	fmt.Println(analytics.Put(context.Background(), "ann", "session 1", now, "left"))
	// Output:
	// consent: there is none to product-analytics
	// gathered: clicked
	// <nil>
	// consent: there is none to product-analytics
}
