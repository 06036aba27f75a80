package voicemail_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
	"github.com/ringfence/ringfence/recording/voicemail"
	"github.com/ringfence/ringfence/recording/voicemail/voicemailtest"
)

type (
	phone  = voicemailtest.Phone
	act    = voicemailtest.Act
	caller = voicemail.Caller
)

// bubble runs a test with a kit where waiting costs no time.
func bubble(t *testing.T, change func(*voicemail.Config), f func(t *testing.T, k *kit)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, change)
		defer k.close()
		f(t, k)
	})
}

var login = []act{{Hear: "vm-enter-pin", Keys: goodPIN + "#"}}

func TestLeaveAndRetrieve(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		k.leave("1001", 4*time.Second, hum(440))
		k.leave("1001", 3*time.Second, hum(700))
		if k.waiting["1001"] != (voicemail.Counts{New: 2}) {
			t.Fatalf("waiting %+v", k.waiting)
		}
		p := &phone{Script: append(slices.Clone(login), act{Hear: "vm-menu", Keys: "1"}, act{Hear: "vm-message-menu", Keys: "2"},
			act{Hear: "vm-message-saved", Keys: "1"}, act{Hear: "vm-message-menu", Keys: "3"}, act{Hear: "vm-deleted", Keys: "*"}, act{Hear: "vm-menu", Keys: "*"})}
		if r := k.serve(p, caller{Own: "1001", Call: "c"}); r != voicemail.ResultRetrieved {
			t.Fatalf("%v, heard %v", r, p.Heard())
		}
		if len(p.PCM()) != 2 || !hears(p.PCM()[0], 440) || !hears(p.PCM()[1], 700) {
			t.Errorf("not the messages, oldest first: %d", len(p.PCM()))
		}
		if d := time.Duration(len(p.PCM()[0])) * time.Second / 8000; d < 3900*time.Millisecond || d > 4200*time.Millisecond {
			t.Errorf("the message is %v long", d)
		}
		for _, want := range []string{"vm-you-have", "digit-2", "vm-new", "vm-today", "vm-at", "vm-goodbye", "mask", "unmask"} {
			if !slices.Contains(p.Heard(), want) {
				t.Errorf("did not hear %s: %v", want, p.Heard())
			}
		}
		items := k.items("1001")
		if len(items) != 1 || items[0].State != voicemail.StateSaved || k.waiting["1001"] != (voicemail.Counts{Saved: 1}) {
			t.Errorf("items %+v, waiting %+v", items, k.waiting)
		}
		if k.count(voicemail.EventLeft) != 2 || k.count(voicemail.EventRetrieved) != 2 || k.count(voicemail.EventDeleted) != 1 {
			t.Errorf("events %+v", k.events)
		}
		gone := 0
		for e := range k.catalog.List(context.Background(), recording.Filter{State: recording.StateDestroyed}) {
			gone++
			if e.WrappedKey != nil || k.blobs.Bytes(e.ID) != nil || e.Class != "voicemail" {
				t.Errorf("not destroyed: %+v", e)
			}
		}
		if gone != 1 {
			t.Errorf("%d destroyed", gone)
		}
	})
}

func TestWhatIsTooLittleLeavesNothing(t *testing.T) {
	for name, p := range map[string]*phone{
		"hang-up in the greeting": {Script: []act{{Hear: "vm-greeting", Hang: true}}, Voice: hum(440)},
		"hang-up at the tone":     {Script: []act{{Hear: "vm-beep", Hang: true}}, Voice: hum(440)},
		"hang-up after a second":  {Script: []act{{Hear: "record", After: time.Second, Hang: true}}, Voice: hum(440)},
		"nobody speaks":           {Voice: silence},
		"no packets":              {},
		"a short word each time":  {Script: []act{{Hear: "record", After: time.Second, Keys: "#"}, {Hear: "record", After: time.Second, Keys: "#"}, {Hear: "record", After: time.Second, Keys: "#"}}, Voice: hum(440)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, k *kit) {
				if r := k.serve(p, caller{Box: "1001", Login: true}); r != voicemail.ResultNothing {
					t.Errorf("%v, heard %v", r, p.Heard())
				}
				if items := k.items("1001"); len(items) != 0 {
					t.Errorf("left %+v", items)
				}
				for e := range k.catalog.List(context.Background(), recording.Filter{}) {
					t.Errorf("left %+v", e)
				}
				if k.count(voicemail.EventLeft) != 0 || len(k.waiting) != 0 {
					t.Error("somebody was told")
				}
			})
		})
	}
}

func TestHowAMessageEnds(t *testing.T) {
	short := func(c *voicemail.Config) {
		c.Limits = voicemail.Limits{Message: 10 * time.Second, Quota: voicemail.Quota{Messages: 9, Length: time.Hour}}
	}
	half := func(n int) []byte {
		if n < 200 {
			return hum(440)(n)
		}
		return silence(n)
	}
	for name, c := range map[string]struct {
		p        *phone
		min, max time.Duration
	}{
		"key":     {&phone{Script: []act{{Hear: "record", After: 4 * time.Second, Keys: "5"}}, Voice: hum(440)}, 4 * time.Second, 4500 * time.Millisecond},
		"hang-up": {&phone{Script: []act{{Hear: "record", After: 4 * time.Second, Hang: true}}, Voice: hum(440)}, 4 * time.Second, 4500 * time.Millisecond},
		"silence": {&phone{Voice: half}, 8 * time.Second, 9500 * time.Millisecond},
		"longest": {&phone{Voice: hum(440)}, 9 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, short, func(t *testing.T, k *kit) {
				if r := k.serve(c.p, caller{Box: "1001"}); r != voicemail.ResultLeft {
					t.Fatalf("%v, heard %v", r, c.p.Heard())
				}
				items := k.items("1001")
				if len(items) != 1 || items[0].State != voicemail.StateNew || items[0].Length < c.min || items[0].Length > c.max {
					t.Errorf("%+v", items)
				}
			})
		})
	}
}

func TestAFullBox(t *testing.T) {
	bubble(t, func(c *voicemail.Config) { c.Limits.Quota.Messages = 1 }, func(t *testing.T, k *kit) {
		k.leave("1001", 3*time.Second, hum(440))
		p := &phone{Voice: hum(440)}
		if r := k.serve(p, caller{Box: "1001"}); r != voicemail.ResultFull || !slices.Contains(p.Heard(), "vm-full") || slices.Contains(p.Heard(), "record") {
			t.Errorf("%v, heard %v", r, p.Heard())
		}
		// Its owner gets in all the same.
		p = &phone{Script: append([]act{{Hear: "vm-full", Keys: "*"}}, append(slices.Clone(login), act{Hear: "vm-menu", Keys: "1"}, act{Hear: "message", Keys: "3"}, act{Hear: "vm-deleted", Hang: true})...)}
		if r := k.serve(p, caller{Box: "1001", Own: "1001", Login: true}); r != voicemail.ResultRetrieved {
			t.Errorf("%v, heard %v", r, p.Heard())
		}
		if len(k.items("1001")) != 0 {
			t.Error("deleted, and then hung up: it is still there")
		}
		k.leave("1001", 3*time.Second, hum(440))
	})
}

func TestThreeWrongPINsEndTheCall(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		k.leave("1001", 3*time.Second, hum(440))
		var script []act
		for _, pin := range []string{"111112", "111113", "111114"} {
			script = append(script, act{Hear: "vm-enter-box", Keys: "1001#"}, act{Hear: "vm-enter-pin", Keys: pin + "#"})
		}
		p := &phone{Script: append(script, act{Hear: "vm-enter-box", Keys: "1001#"}, act{Hear: "vm-enter-pin", Keys: goodPIN + "#"})}
		if r := k.serve(p, caller{}); r != voicemail.ResultNothing || !slices.Contains(p.Heard(), "vm-refused") || len(p.PCM()) != 0 {
			t.Errorf("%v, heard %v", r, p.Heard())
		}
		if k.count(voicemail.EventRefused) != 3 || k.count(voicemail.EventRetrieved) != 0 {
			t.Errorf("events %+v", k.events)
		}
	})
}

func TestUndeleteAndPreviousAndRepeat(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		k.leave("1001", 3*time.Second, hum(440))
		k.leave("1001", 3*time.Second, hum(700))
		p := &phone{Script: append(slices.Clone(login), act{Hear: "vm-menu", Keys: "1"}, act{Hear: "message", After: 2 * time.Second, Keys: "4"}, // again
			act{Hear: "message", Keys: "1"}, act{Hear: "vm-message", Keys: "4"}, // the one before
			act{Hear: "message", After: 2 * time.Second, Keys: "3"}, act{Hear: "vm-deleted", Keys: "3"}, act{Hear: "vm-undeleted", Hang: true})}
		k.serve(p, caller{Own: "1001"})
		var heard []float64
		for _, pcm := range p.PCM() {
			for _, f := range []float64{440, 700} {
				if hears(pcm, f) {
					heard = append(heard, f)
				}
			}
		}
		if !slices.Equal(heard, []float64{440, 440, 440}) || len(k.items("1001")) != 2 {
			t.Errorf("heard %v, %v; left %d", heard, p.Heard(), len(k.items("1001")))
		}
	})
}

func TestForward(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		k.leave("1001", 3*time.Second, hum(440))
		forward := append(slices.Clone(login), act{Hear: "vm-menu", Keys: "1"}, act{Hear: "vm-message-menu", Keys: "5"}, act{Hear: "vm-forward-box", Keys: "1002#"})
		p := &phone{Script: append(slices.Clone(forward), act{Hear: "vm-forward-intro", Keys: "#"}, act{Hear: "vm-forwarded", Hang: true})}
		k.serve(p, caller{Own: "1001"})
		p = &phone{Voice: hum(1200), Script: append(slices.Clone(forward), act{Hear: "vm-forward-intro", Keys: "1"}, act{Hear: "record", After: 2 * time.Second, Keys: "#"}, act{Hear: "vm-forwarded", Hang: true})}
		k.serve(p, caller{Own: "1001"})
		p = &phone{Voice: hum(1200), Script: append(slices.Clone(forward), act{Hear: "vm-forward-intro", Keys: "1"}, act{Hear: "record", After: 2 * time.Second, Hang: true})}
		k.serve(p, caller{Own: "1001"}) // changed their mind
		for _, to := range []string{"1001", "7777"} {
			p = &phone{Script: append(slices.Clone(login), act{Hear: "vm-menu", Keys: "1"}, act{Hear: "vm-message-menu", Keys: "5"}, act{Hear: "vm-forward-box", Keys: to + "#"}, act{Hear: "vm-not-forwarded", Hang: true})}
			if k.serve(p, caller{Own: "1001"}); !slices.Contains(p.Heard(), "vm-not-forwarded") {
				t.Errorf("forwarded to %s: %v", to, p.Heard())
			}
		}
		theirs := k.items("1002")
		if len(theirs) != 2 || k.waiting["1002"] != (voicemail.Counts{New: 2}) || len(k.items("1001")) != 1 {
			t.Fatalf("1002 has %+v, waiting %+v", theirs, k.waiting)
		}
		// Each copy has a key of its own: the original destroyed, it still opens.
		s, err := k.boxes.Login(context.Background(), "1001", voicemail.NewPIN(goodPIN), false, "")
		if err != nil || s.Delete(s.Messages()[0].ID) != nil || s.Finish(context.Background()) != nil {
			t.Fatal(err)
		}
		if err := s.Delete(theirs[0].ID); !errors.Is(err, voicemail.ErrClosed) {
			t.Errorf("after Finish: %v", err)
		}
		s, err = k.boxes.Login(context.Background(), "1002", voicemail.NewPIN(otherPIN), false, "")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Finish(context.Background())
		plain, e, err := s.Hear(context.Background(), theirs[0].ID)
		if err != nil || !hears(plain, 440) || e.Caller != "1001" || e.At.Location().String() != "Europe/Berlin" {
			t.Errorf("%+v, %v", e, err)
		}
		intro, _, err := s.Hear(context.Background(), theirs[1].ID)
		if err != nil || !hears(intro[:15000], 1200) || !hears(intro[len(intro)-20000:], 440) {
			t.Errorf("not the introduction and then the message: %v", err)
		}
	})
}

// A session opens what is in its own box and nothing else, even if it knows the name of more.
func TestASessionStaysInItsBox(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		ctx := context.Background()
		k.leave("1002", 3*time.Second, hum(440))
		id := k.items("1002")[0].ID
		s, err := k.boxes.Login(ctx, "1001", voicemail.NewPIN(goodPIN), false, "")
		if err != nil {
			t.Fatal(err)
		}
		_, _, herr := s.Hear(ctx, id)
		for _, err := range []error{herr, s.Save(ctx, id), s.Delete(id), s.Undelete(id), s.Forward(ctx, id, "1001")} {
			if !errors.Is(err, voicemail.ErrForbidden) {
				t.Errorf("%v", err)
			}
		}
		if err := s.Finish(ctx); err != nil || len(k.items("1002")) != 1 {
			t.Error(err)
		}
	})
}

// Nothing leaves unless the audit log has it.
func TestNoAuditNoSound(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		ctx := context.Background()
		k.leave("1001", 3*time.Second, hum(440))
		s, err := k.boxes.Login(ctx, "1001", voicemail.NewPIN(goodPIN), false, "")
		if err != nil {
			t.Fatal(err)
		}
		full := errors.New("disk full")
		k.audit.Fail(full)
		if pcm, _, err := s.Hear(ctx, k.items("1001")[0].ID); !errors.Is(err, full) || pcm != nil {
			t.Errorf("%d samples, %v", len(pcm), err)
		}
		k.audit.Fail(nil)
		if err := s.Finish(ctx); err != nil {
			t.Error(err)
		}
	})
}

// What a legal hold keeps goes out of the box and stays in the vault; so does everything while nobody knows what is held.
func TestHeldMessagesAreNotDestroyed(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		ctx := context.Background()
		for _, held := range []func(id string){func(id string) { k.held[id] = true }, func(string) { k.holdErr = errors.New("no database") }} {
			k.leave("1001", 3*time.Second, hum(440))
			id := k.items("1001")[0].ID
			held(id)
			s, err := k.boxes.Login(ctx, "1001", voicemail.NewPIN(goodPIN), false, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.Delete(id), s.Finish(ctx)); err != nil || len(k.items("1001")) != 0 {
				t.Errorf("%v, %+v", err, k.items("1001"))
			}
			if e, err := k.catalog.Get(ctx, id); err != nil || e.State != recording.StateComplete || e.WrappedKey == nil {
				t.Errorf("%+v, %v", e, err)
			}
		}
	})
}

func TestGreetings(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		record := func(freq float64, keys string) *phone {
			p := &phone{Voice: hum(freq), Script: append(slices.Clone(login), act{Hear: "vm-menu", Keys: "0"}, act{Hear: "vm-options", Keys: "1"},
				act{Hear: "record", After: 3 * time.Second, Keys: "#"}, act{Hear: "vm-greeting-review", Keys: "2"}, act{Hear: "message", After: 3 * time.Second, Keys: keys}, act{Hear: "vm-options", Hang: true})}
			k.serve(p, caller{Own: "1001"})
			return p
		}
		greeted := func() []int16 {
			p := &phone{Script: []act{{Hear: "vm-beep", Hang: true}}}
			k.serve(p, caller{Box: "1001"})
			if len(p.PCM()) == 0 {
				return nil
			}
			return p.PCM()[0]
		}
		if greeted() != nil {
			t.Error("not the standard greeting")
		}
		record(440, "*")
		if greeted() != nil || len(k.items("1001")) != 0 {
			t.Error("a dropped greeting is in use")
		}
		if p := record(440, "1"); !hears(p.PCM()[0], 440) || !hears(greeted(), 440) {
			t.Errorf("not the own greeting: %v", p.Heard())
		}
		record(700, "1")
		if items := k.items("1001"); !hears(greeted(), 700) || len(items) != 1 || items[0].Kind != voicemail.Greeting {
			t.Errorf("not the new greeting, or not alone: %+v", items)
		}
		k.blobs.Replace(k.items("1001")[0].ID, []byte("altered"))
		if greeted() != nil {
			t.Error("an altered greeting is played")
		}
		p := &phone{Script: append(slices.Clone(login), act{Hear: "vm-menu", Keys: "0"}, act{Hear: "vm-options", Keys: "2"}, act{Hear: "vm-greeting-standard", Hang: true})}
		k.serve(p, caller{Own: "1001"})
		if greeted() != nil || len(k.items("1001")) != 0 {
			t.Error("the own greeting is still there")
		}
	})
}

func TestScheduledGreetings(t *testing.T) {
	now := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC) // a Monday, 14:00 in Berlin
	bubble(t, func(c *voicemail.Config) { c.Now = func() time.Time { return now } }, func(t *testing.T, k *kit) {
		ctx := context.Background()
		pcm := func(freq float64) (out []int16) {
			for n := range 150 {
				for _, c := range hum(freq)(n) {
					out = append(out, int16(expand(c)))
				}
			}
			return out
		}
		for freq, s := range map[float64]voicemail.Schedule{400: {}, 600: {From: 18 * 60, Until: 8 * 60}, 800: {Days: 1<<time.Saturday | 1<<time.Sunday}, 1000: {First: "2026-12-24", Last: "2026-12-26"}} {
			if err := k.boxes.SetGreeting(ctx, "1001", pcm(freq), s); err != nil {
				t.Fatal(err)
			}
		}
		for at, freq := range map[string]float64{"2026-11-23T13:00:00Z": 400, "2026-11-23T16:59:00Z": 400, "2026-11-23T17:00:00Z": 600, "2026-11-24T06:59:00Z": 600, "2026-11-24T07:00:00Z": 400,
			"2026-11-28T12:00:00Z": 800, "2026-12-23T22:59:00Z": 600, "2026-12-23T23:00:00Z": 1000, "2026-12-26T12:00:00Z": 1000, "2026-12-26T23:00:00Z": 600} {
			now, _ = time.Parse(time.RFC3339, at)
			p := &phone{Script: []act{{Hear: "vm-beep", Hang: true}}}
			k.serve(p, caller{Box: "1001"})
			if at == "2026-12-26T23:00:00Z" { // the night of a Sunday: hours and days rank alike
				if !hears(p.PCM()[0], 600) && !hears(p.PCM()[0], 800) {
					t.Errorf("%s: neither of both", at)
				}
				continue
			}
			if len(p.PCM()) != 1 || !hears(p.PCM()[0], freq) {
				t.Errorf("%s: not %v", at, freq)
			}
		}
		for _, bad := range []voicemail.Schedule{{First: "tomorrow"}, {From: -1}, {Until: 1441}, {Days: 128}} {
			if err := k.boxes.SetGreeting(ctx, "1001", pcm(400), bad); !errors.Is(err, voicemail.ErrInvalid) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

func TestChangePIN(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		change := func(pin, first, second string) []string {
			p := &phone{Script: []act{{Hear: "vm-enter-pin", Keys: pin + "#"}, {Hear: "vm-menu", Keys: "0"}, {Hear: "vm-options", Keys: "3"}, {Hear: "vm-new-pin", Keys: first + "#"},
				{Hear: "vm-new-pin-again", Keys: second + "#"}, {Hear: "vm-options", Hang: true}}}
			k.serve(p, caller{Own: "1001"})
			return p.Heard()
		}
		for want, pins := range map[string][2]string{"vm-pin-refused": {"111111", "111111"}, "vm-pin-differs": {"314159", "314158"}} {
			if h := change(goodPIN, pins[0], pins[1]); !slices.Contains(h, want) {
				t.Errorf("%v: %v", pins, h)
			}
		}
		if h := change(goodPIN, "314159", "314159"); !slices.Contains(h, "vm-pin-changed") {
			t.Fatalf("%v", h)
		}
		for pin, want := range map[string]error{goodPIN: voicemail.ErrRefused, "314159": nil} {
			if _, err := k.boxes.Login(context.Background(), "1001", voicemail.NewPIN(pin), false, ""); !errors.Is(err, want) {
				t.Errorf("%s: %v", pin, err)
			}
		}
	})
}

// The phone is masked from before the first secret prompt to after the last secret key, also for one who hangs up.
func TestPINsAreMasked(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		p := &phone{Script: []act{{Hear: "vm-enter-box", Keys: "1001#"}, {Hear: "vm-enter-pin", Keys: "27", Hang: true}}}
		k.serve(p, caller{})
		h := p.Heard()
		if !slices.Equal(h, []string{"mask", "vm-enter-box", "vm-enter-pin", "unmask"}) {
			t.Errorf("%v", h)
		}
	})
}

type notices chan voicemail.Notice

func (n notices) Notify(_ context.Context, x voicemail.Notice) error { n <- x; return nil }

func TestNoticesAndForgetAndDelete(t *testing.T) {
	n := make(notices, 4)
	bubble(t, func(c *voicemail.Config) { c.Notifier = n }, func(t *testing.T, k *kit) {
		ctx := context.Background()
		k.leave("1001", 3*time.Second, hum(440))
		if x := <-n; x.Box != "1001" || x.New != 1 || x.Length < 3*time.Second {
			t.Errorf("%+v", x)
		}
		k.leave("1001", 3*time.Second, hum(440))
		if err := errors.Join(k.boxes.Forget(ctx, k.items("1001")[0].ID), k.boxes.Forget(ctx, "nothing")); err != nil || k.waiting["1001"].New != 1 {
			t.Errorf("%v, %+v", err, k.waiting)
		}
		if err := k.boxes.DeleteBox(ctx, "1001"); err != nil {
			t.Fatal(err)
		}
		if _, err := k.store.Box(ctx, "1001"); !errors.Is(err, voicemail.ErrNoBox) {
			t.Error(err)
		}
		if c, err := k.boxes.Counts(ctx, "1001"); err != nil || c != (voicemail.Counts{}) {
			t.Errorf("%+v, %v", c, err)
		}
		if err := k.boxes.DeleteBox(ctx, "1001"); !errors.Is(err, voicemail.ErrNoBox) {
			t.Error(err)
		}
	})
}

func TestConfig(t *testing.T) {
	if _, err := voicemail.New(voicemail.Config{}); !errors.Is(err, voicemail.ErrConfig) {
		t.Error(err)
	}
	k := newKit(t, nil)
	defer k.close()
	for _, l := range []voicemail.Limits{{Message: time.Hour}, {Message: time.Second}, {Quota: voicemail.Quota{Length: time.Second}}, {Silence: -1}} {
		if _, err := voicemail.New(voicemail.Config{Vault: k.vault, Store: k.store, Auditor: &recordingtest.Audit{}, Limits: l}); !errors.Is(err, voicemail.ErrConfig) {
			t.Errorf("%+v: %v", l, err)
		}
	}
}
