package voicemail_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/recording/voicemail"
)

// allowed are the inputs that a command can be answered with.
func allowed(c voicemail.Command) []voicemail.InputKind {
	switch c.Kind {
	case voicemail.Say:
		if c.Stop == "" {
			return []voicemail.InputKind{voicemail.Silent, voicemail.HungUp, voicemail.Failed}
		}
		return []voicemail.InputKind{voicemail.Pressed, voicemail.Pressed, voicemail.Pressed, voicemail.Silent, voicemail.HungUp, voicemail.Failed}
	case voicemail.Record:
		return []voicemail.InputKind{voicemail.Pressed, voicemail.Silent, voicemail.TooLong, voicemail.HungUp, voicemail.Full, voicemail.Failed}
	}
	out := []voicemail.InputKind{voicemail.Done, voicemail.Done, voicemail.Done, voicemail.Refused, voicemail.Failed}
	switch c.Action {
	case voicemail.CheckRoom, voicemail.ForwardMessage:
		out = append(out, voicemail.Full)
	case voicemail.Keep:
		out = append(out, voicemail.TooShort)
	}
	return out
}

// ledger checks what must hold of every dialog, command by command.
type ledger struct {
	t       *rapid.T
	take    voicemail.Purpose
	session bool
	pins    int
	hung    bool
	after   int // commands after the hang-up
}

func (l *ledger) command(c voicemail.Command) {
	if l.hung {
		if l.after++; l.after > 4 {
			l.t.Fatalf("still not over after a hang-up: %+v", c)
		}
		if c.Kind == voicemail.Say || c.Kind == voicemail.Record {
			l.t.Fatalf("spoken to after hanging up: %+v", c)
		}
	}
	switch {
	case c.Kind == voicemail.Record && l.take != voicemail.ForNothing:
		l.t.Fatalf("a take is open, and another begins")
	case c.Kind == voicemail.End && (l.take != voicemail.ForNothing || l.session):
		l.t.Fatalf("over with a take %v and a session %v open", l.take, l.session)
	case c.Action == voicemail.Drop && l.take == voicemail.ForMessage:
		l.t.Fatal("a message was dropped")
	case c.Action >= voicemail.Load && !l.session && c.Action != voicemail.Keep && c.Action != voicemail.Drop:
		l.t.Fatalf("%+v without a session", c)
	case c.Purpose == voicemail.ForGreeting && c.Kind == voicemail.Record && !l.session:
		l.t.Fatal("a greeting without a session")
	}
	if c.Action == voicemail.LogIn {
		if l.pins++; l.pins > 3 {
			l.t.Fatal("a fourth PIN in one call")
		}
	}
}

func (l *ledger) input(c voicemail.Command, in voicemail.Input) {
	switch {
	case c.Kind == voicemail.Record && in.Kind != voicemail.Full:
		l.take = c.Purpose
	case c.Action == voicemail.Keep, c.Action == voicemail.Drop, c.Action == voicemail.ForwardMessage:
		l.take = voicemail.ForNothing
	case c.Action == voicemail.LogIn && in.Kind == voicemail.Done:
		l.session = true
	case c.Action == voicemail.Finish:
		l.session = false
	}
	l.hung = l.hung || in.Kind == voicemail.HungUp
}

// Whatever callers do and whatever breaks: a message that was begun is kept or found too short, never dropped; a session is finished; there are at most three
// PINs; nobody is spoken to after hanging up; and a caller who falls silent is out within a bounded number of steps.
func TestEveryDialogEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
		cfg := voicemail.DialogConfig{Login: rapid.Bool().Draw(t, "login"), Own: rapid.SampledFrom([]string{"", "1001"}).Draw(t, "own"),
			Box: rapid.SampledFrom([]string{"", "9004"}).Draw(t, "box")}
		d := voicemail.NewDialog(cfg)
		l := &ledger{t: t}
		c := d.Start(now)
		steps := rapid.IntRange(0, 120).Draw(t, "steps")
		for n := 0; c.Kind != voicemail.End; n++ {
			if n > steps+80 {
				t.Fatalf("a silent caller is not out: %+v", c)
			}
			l.command(c)
			in := voicemail.Input{Kind: voicemail.Silent, Now: now}
			switch can := allowed(c); {
			case n < steps:
				in.Kind = rapid.SampledFrom(can).Draw(t, "input")
			case !slices.Contains(can, voicemail.Silent):
				in.Kind = voicemail.Done
			}
			if in.Kind == voicemail.Pressed {
				stop := c.Stop
				if stop == "" {
					stop = "#"
				}
				in.Key = stop[rapid.IntRange(0, len(stop)-1).Draw(t, "key")]
				in.Item = rapid.IntRange(0, len(c.Items)).Draw(t, "item")
			}
			if c.Action == voicemail.LogIn && in.Kind == voicemail.Done {
				for i := range rapid.IntRange(0, 3).Draw(t, "messages") {
					in.Messages = append(in.Messages, voicemail.Listed{ID: string(rune('a' + i)), Saved: i > 1})
				}
			}
			in.At, in.Caller = now, "+49301"
			l.input(c, in)
			c = d.Next(in)
		}
		l.command(c)
		if again := d.Next(voicemail.Input{Kind: voicemail.Pressed, Key: '1', Now: now}); again.Kind != voicemail.End {
			t.Fatalf("not over: %+v", again)
		}
	})
}

// A caller who keeps pressing keys is out when the time is over.
func TestTheTimeOfACallIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	d := voicemail.NewDialog(voicemail.DialogConfig{Own: "1001", Longest: time.Minute})
	c := d.Start(now)
	for n := 0; c.Kind != voicemail.End; n++ {
		if n > 200 {
			t.Fatal("for ever")
		}
		now = now.Add(time.Second)
		in := voicemail.Input{Kind: voicemail.Done, Now: now}
		if c.Kind == voicemail.Say {
			in.Kind, in.Key = voicemail.Pressed, "1#"[n%2]
			if c.Stop == "" {
				in.Kind = voicemail.Silent
			}
		}
		c = d.Next(in)
	}
	if c.Result != voicemail.ResultRetrieved {
		t.Errorf("result %v", c.Result)
	}
}

// Every prompt that a dialog can name is in the list that deployments check their recordings against: what is played in the other tests is checked here once.
func TestPromptsAreListed(t *testing.T) {
	names := voicemail.Prompts()
	if !slices.IsSorted(names) || len(names) < 50 {
		t.Fatalf("%d prompts", len(names))
	}
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
		d := voicemail.NewDialog(voicemail.DialogConfig{Box: "9004", Login: true})
		c := d.Start(now)
		for range 60 {
			for _, it := range c.Items {
				if it.Prompt != "" && !slices.Contains(names, it.Prompt) {
					t.Fatalf("%q is in no list", it.Prompt)
				}
			}
			in := voicemail.Input{Kind: rapid.SampledFrom(allowed(c)).Draw(t, "input"), Now: now, At: now.Add(-72 * time.Hour), Caller: "123", Messages: []voicemail.Listed{{ID: "a"}}}
			if in.Kind == voicemail.HungUp {
				in.Kind = voicemail.Silent
			}
			if len(c.Stop) > 0 {
				in.Key = c.Stop[rapid.IntRange(0, len(c.Stop)-1).Draw(t, "key")]
			}
			c = d.Next(in)
		}
	})
}
