package voicemail_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording/voicemail"
)

// Somebody tries PINs by phone: from the third failure on the box refuses even the right PIN, longer each time; nothing tells an unknown box from a wrong PIN;
// the owner's own phone is not locked out by it.
func TestGuessingIsSlowedDown(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	k := newKit(t, func(c *voicemail.Config) { c.Now = func() time.Time { return now } })
	defer k.close()
	try := func(box, pin string, own bool) error {
		s, err := k.boxes.Login(ctx, box, voicemail.NewPIN(pin), own, "c")
		if err == nil {
			err = s.Finish(ctx)
		}
		return err
	}
	refused := func(box, pin string, own bool) {
		t.Helper()
		if err := try(box, pin, own); err != voicemail.ErrRefused { // the very same value, so that it says nothing
			t.Fatalf("%s: %v", box, err)
		}
	}
	wrong := []string{"111112", "111113", "111114"}
	for _, pin := range wrong {
		refused("1001", pin, false)
	}
	refused("1001", goodPIN, false)
	if err := try("1001", goodPIN, true); err != nil {
		t.Errorf("the own phone is locked out by a stranger: %v", err)
	}
	for _, box := range []string{"7777", "", "1001; DROP", "12345678901234567890"} {
		refused(box, goodPIN, false)
	}
	wait := time.Minute
	for range 14 { // one try after each wait: it doubles, to a day
		now = now.Add(wait - time.Second)
		refused("1001", goodPIN, false)
		now = now.Add(time.Second)
		refused("1001", "111119", false)
		wait = min(2*wait, 24*time.Hour)
	}
	if wait != 24*time.Hour {
		t.Fatal("the test does not reach the longest wait")
	}
	now = now.Add(wait)
	if err := try("1001", goodPIN, false); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	refused("1001", wrong[0], false) // and the count begins anew
	if err := try("1001", goodPIN, false); err != nil {
		t.Errorf("one failure locks: %v", err)
	}
	if err := k.boxes.SetPIN(ctx, "1001", voicemail.NewPIN(otherPIN)); err != nil {
		t.Fatal(err)
	}
	refused("1001", goodPIN, false)
	if err := try("1001", otherPIN, false); err != nil {
		t.Error(err)
	}
	if k.count(voicemail.EventRefused) < 20 {
		t.Error("failures are not told")
	}
	for _, e := range k.events {
		if e.Box != "" && !voicemail.ValidNumber(e.Box) {
			t.Errorf("what a stranger typed is in an event: %q", e.Box)
		}
	}
}

// Trying on many lines at once gains nothing: of 20 at once only so many are checked as one after the other would be.
func TestTriesAtOnceAreCountedBeforeTheyAreChecked(t *testing.T) {
	k := newKit(t, nil)
	defer k.close()
	var wg sync.WaitGroup
	for range 20 {
		wg.Add(1)
		go func() { // ends with its try, waited for below
			defer wg.Done()
			if _, err := k.boxes.Login(context.Background(), "1001", voicemail.NewPIN("111112"), false, ""); !errors.Is(err, voicemail.ErrRefused) {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	tries, err := k.store.Tries(context.Background(), "1001", false)
	if err != nil || tries.Failed != 3 || !time.Now().Before(tries.Until) {
		t.Errorf("%+v, %v", tries, err)
	}
}

func TestUnknownBoxesTakeAsLong(t *testing.T) {
	k := newKit(t, nil)
	defer k.close()
	// The work is the hash; it is measured on the fastest of several, which noise only makes slower.
	fastest := func(box string) time.Duration {
		best := time.Hour
		for range 5 {
			start := time.Now()
			_, _ = k.boxes.Login(context.Background(), box, voicemail.NewPIN("111112"), false, "")
			best = min(best, time.Since(start))
		}
		return best
	}
	known, unknown := fastest("1001"), fastest("7777")
	if unknown < known/3 || known < unknown/3 {
		t.Errorf("known %v, unknown %v", known, unknown)
	}
}
