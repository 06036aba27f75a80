package acd_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/internal/control"
	"github.com/stretchr/testify/require"
)

func skills(s string) (out []acd.Skill) {
	for _, f := range strings.Fields(s) {
		var x acd.Skill
		name, level, _ := strings.Cut(f, ":")
		x.Name = name
		_, _ = fmt.Sscan(level, &x.Level)
		out = append(out, x)
	}
	return out
}

func needs(s string) *acd.Terms { return &acd.Terms{Needs: skills(s)} }

func TestSkills(t *testing.T) {
	for strategy, want := range map[acd.Strategy]string{acd.LongestIdle: "b", acd.BestSkill: "d", acd.LeastSkill: "c"} {
		r := rules("a b c d", acd.Queue{Name: "q", Strategy: strategy})
		for i, s := range []string{"da:9", "da:5 tax:3", "da:2 tax:5", "da:9 tax:9"} {
			r.Agents[i].Skills = skills(s)
		}
		h := newHand(t, r)
		h.ready("a b c d")
		require.Equal(t, []string{want + "<-w"}, offers(h.enqueue("w", "q", needs("da:2 tax:3"))), "%s", strategy)
		require.Empty(t, offers(h.enqueue("x", "q", needs("fr"))), "nobody can, and nobody else is asked")
		h.do(acd.Event{Kind: acd.KindSkills, Agent: "a", Skills: skills("fr")})
		require.Equal(t, "x", h.core.Snapshot(h.now).Agents[0].Work, "learned, and offered at once")
	}
}

func TestRingsWidenAtTheirDeadlines(t *testing.T) {
	r := rules("a b c", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait, Tiers: map[string]int{"c": 2},
		Rings: []acd.Ring{{After: 10 * time.Second, Tier: 1, Lower: skills("tax:2")}, {After: 20 * time.Second, Tier: 2, Lower: []acd.Skill{{Name: "tax"}}}}})
	r.Agents[0].Skills, r.Agents[1].Skills = skills("tax:1"), skills("tax:2")
	h := newHand(t, r)
	h.ready("a b c")
	require.Empty(t, offers(h.enqueue("w1", "q", needs("tax:5"))))
	require.Empty(t, offers(h.sleep(10*time.Second-1)))
	require.Equal(t, []string{"b<-w1"}, offers(h.sleep(1)))
	h.accept("b", "w1")
	h.enqueue("w2", "q", needs("tax:5"))
	out := h.sleep(time.Minute) // nobody looked for a minute: what was due happened at its own time
	require.Equal(t, []string{"a<-w2"}, offers(out)[:1])
	require.Equal(t, h.now.Add(-40*time.Second), out[0].At)
}

func TestTiersAreAnOrderWithoutRings(t *testing.T) {
	h := newHand(t, rules("a b c", acd.Queue{Name: "q", Tiers: map[string]int{"a": 1, "b": 1}}))
	h.ready("a b c")
	for _, want := range []string{"c", "a", "b"} {
		require.Equal(t, []string{want + "<-w" + want}, offers(h.enqueue("w"+want, "q", nil)))
	}
}

func TestPreferredAgentAndTheWaitBeforeOthers(t *testing.T) {
	h := newHand(t, rules("a b", acd.Queue{Name: "q", WrapUp: -1}))
	h.ready("a b")
	require.Equal(t, []string{"b<-w1"}, offers(h.enqueue("w1", "q", &acd.Terms{Prefer: []string{"nobody", "b"}})))
	h.accept("b", "w1")
	require.Empty(t, offers(h.enqueue("w2", "q", &acd.Terms{Prefer: []string{"b"}, PreferWait: 5 * time.Second})), "a is free, but must wait")
	require.Equal(t, []string{"a<-w2"}, offers(h.sleep(5*time.Second)))
	h.accept("a", "w2")
	h.enqueue("w3", "q", &acd.Terms{Prefer: []string{"b"}, PreferWait: 5 * time.Second})
	require.Equal(t, []string{"b<-w3"}, offers(h.end("w1")))
}

func TestLastAgent(t *testing.T) {
	r := rules("a b", acd.Queue{Name: "q", WrapUp: -1, LastAgentWait: 5 * time.Second})
	r.LastAgents = 2
	h := newHand(t, r)
	h.ready("a b")
	call := func(id, customer, want string) {
		t.Helper()
		require.Equal(t, []string{want + "<-" + id}, offers(h.enqueue(id, "q", &acd.Terms{Customer: customer})))
		h.accept(want, id)
		h.sleep(time.Second)
		h.end(id)
	}
	call("w1", "kim", "a")
	call("w2", "kim", "a") // b is idle for longer
	call("w3", "sam", "b")
	call("w4", "lee", "a") // kim is forgotten: two are remembered
	call("w5", "kim", "b")
	call("w6", "lee", "a")
}

// One call or three chats; a call interrupts chats, a chat never a call.
func TestCapacity(t *testing.T) {
	r := rules("a", acd.Queue{Name: "calls", WrapUp: -1}, acd.Queue{Name: "chats", Channel: "chat", WrapUp: 10 * time.Second})
	r.Channels = []acd.Channel{{Name: "voice", Interrupts: []string{"chat"}}, {Name: "chat", Slots: 1}}
	r.Agents[0].Slots = 3
	h := newHand(t, r)
	h.ready("a")
	for _, chat := range []string{"c1", "c2", "c3"} {
		require.Equal(t, []string{"a<-" + chat}, offers(h.enqueue(chat, "chats", nil)))
		h.accept("a", chat)
	}
	require.Empty(t, offers(h.enqueue("c4", "chats", nil)), "three are enough")
	require.Equal(t, []string{"a<-call"}, offers(h.enqueue("call", "calls", nil)), "a call interrupts")
	h.accept("a", "call")
	require.Empty(t, offers(h.enqueue("call2", "calls", nil)), "but not another call")
	require.Empty(t, offers(h.end("c1")), "no chat interrupts a call, and its wrap-up takes its slot")
	require.Equal(t, []string{"a<-call2"}, offers(h.end("call")))
	h.do(acd.Event{Kind: acd.KindAbandoned, Work: "call2"})
	require.Equal(t, []string{"a<-c4"}, offers(h.sleep(10*time.Second)), "after the wrap-up of the chat")
	h.accept("a", "c4")
	require.Equal(t, []string{"c2", "c3", "c4"}, h.core.Snapshot(h.now).Agents[0].Works)
}

func TestAgeingEndsStarvation(t *testing.T) {
	for _, c := range []struct {
		ageing time.Duration
		want   int // urgent callers served before the patient one
	}{{0, 30}, {time.Minute, 15}} {
		h := newHand(t, rules("a", acd.Queue{Name: "q", WrapUp: -1, Ageing: c.ageing, MaxWait: 3 * time.Hour}))
		h.ready("a")
		h.enqueue("now", "q", nil)
		h.accept("a", "now")
		h.enqueue("patient", "q", nil)
		served := 0
		current := "now"
		for i := range 30 { // somebody of priority 5 is always there, and each call takes 20 s
			id := fmt.Sprint("urgent", i)
			h.do(acd.Event{Kind: acd.KindArrived, Work: id})
			h.do(acd.Event{Kind: acd.KindEnqueued, Work: id, Queue: "q", Priority: 5})
			h.sleep(20 * time.Second)
			out := offers(h.end(current))
			current = strings.TrimPrefix(out[0], "a<-")
			if current == "patient" {
				break
			}
			h.accept("a", current)
			served++
		}
		require.InDelta(t, c.want, served, 1, "ageing %v", c.ageing)
	}
}

func TestHeadStartAndKeptClock(t *testing.T) {
	h := newHand(t, rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait}, acd.Queue{Name: "first", NoAgents: acd.NoAgentsWait, MaxWait: 30 * time.Second}))
	h.enqueue("moved", "first", nil)
	h.sleep(10 * time.Second)
	h.enqueue("early", "q", nil)
	h.sleep(20 * time.Second) // moved overflows
	h.enqueue("late", "q", &acd.Terms{HeadStart: time.Minute})
	h.do(acd.Event{Kind: acd.KindEnqueued, Work: "moved", Queue: "q", Terms: &acd.Terms{KeepClock: true}})
	for i, id := range []string{"late", "moved", "early"} {
		p, err := h.core.Position(id)
		require.NoError(t, err)
		require.Equal(t, i+1, p.Place, id)
	}
	require.Equal(t, 30*time.Second, h.end("moved")[0].Record.CarriedWait)
}

// One agent, three queues: which first work goes first, by each rule of fairness.
func TestFairness(t *testing.T) {
	for fairness, want := range map[acd.Fairness]string{acd.FairPriority: "vip", acd.FairAge: "old", acd.FairServiceLevel: "tight"} {
		r := rules("a", acd.Queue{Name: "q1", NoAgents: acd.NoAgentsWait}, acd.Queue{Name: "q2", NoAgents: acd.NoAgentsWait},
			acd.Queue{Name: "q3", NoAgents: acd.NoAgentsWait, ServiceTarget: 5 * time.Second})
		r.Fairness = fairness
		h := newHand(t, r)
		h.enqueue("old", "q1", nil)
		h.sleep(2 * time.Second)
		h.enqueue("tight", "q3", nil)
		h.sleep(2 * time.Second)
		h.do(acd.Event{Kind: acd.KindArrived, Work: "vip"})
		h.do(acd.Event{Kind: acd.KindEnqueued, Work: "vip", Queue: "q2", Priority: 9})
		h.sleep(2 * time.Second)
		h.do(acd.Event{Kind: acd.KindLogin, Agent: "a"})
		require.Equal(t, []string{"a<-" + want}, offers(h.do(acd.Event{Kind: acd.KindReady, Agent: "a"})), "%s", fairness)
	}
	r := rules("a", acd.Queue{Name: "q1", NoAgents: acd.NoAgentsWait}, acd.Queue{Name: "q2", NoAgents: acd.NoAgentsWait, Weight: 4})
	r.Fairness = acd.FairAge
	h := newHand(t, r)
	h.enqueue("old", "q1", nil)
	h.sleep(7 * time.Second)
	h.enqueue("heavy", "q2", nil)
	h.sleep(3 * time.Second)
	h.do(acd.Event{Kind: acd.KindLogin, Agent: "a"})
	require.Equal(t, []string{"a<-heavy"}, offers(h.do(acd.Event{Kind: acd.KindReady, Agent: "a"})), "3 s times 4 are more than 10 s")
}

func TestOverflowRules(t *testing.T) {
	last := func(out []acd.Decision) string {
		d := out[len(out)-1]
		return strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Kind, d.Reason, d.To))
	}
	q := func(o ...acd.Overflow) acd.Rules {
		return rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait, Overflow: o, MaxWait: time.Hour}, acd.Queue{Name: "other", NoAgents: acd.NoAgentsWait})
	}
	h := newHand(t, q(acd.Overflow{MinWaiting: 2, To: "other"}))
	h.enqueue("w1", "q", nil)
	h.enqueue("w2", "q", nil)
	require.Equal(t, "overflow overflow other", last(h.enqueue("w3", "q", nil)), "by length")

	h = newHand(t, q(acd.Overflow{MinEWT: 5 * time.Minute, To: "other"}))
	h.enqueue("w1", "q", nil)
	require.Equal(t, "overflow overflow other", last(h.enqueue("w2", "q", nil)), "by estimate: 2 times 3 min with one agent")

	h = newHand(t, q(acd.Overflow{MinWait: time.Minute, MinWaiting: 1}))
	h.enqueue("w1", "q", nil)
	require.Empty(t, h.sleep(time.Minute), "it waits alone")
	h.enqueue("w2", "q", nil)
	require.Equal(t, "overflow overflow", last(h.sleep(10*time.Second)), "asked again")

	night := acd.Hours{Days: []time.Weekday{time.Sunday}, From: 10 * time.Hour, Offset: 2 * time.Hour} // t0 is a Sunday, 08:00 UTC
	h = newHand(t, q(acd.Overflow{Hours: []acd.Hours{night}, To: "other"}))
	require.Equal(t, "overflow overflow other", last(h.enqueue("w1", "q", nil)), "by the clock")
	h = newHand(t, q(acd.Overflow{Hours: []acd.Hours{{From: 8*time.Hour + 1}}, To: "other"}))
	require.Empty(t, h.enqueue("w1", "q", nil))
}

func TestNobodyReady(t *testing.T) {
	h := newHand(t, rules("a b", acd.Queue{Name: "q", NoAgents: acd.NoAgentsUnready}))
	h.ready("a")
	h.enqueue("w1", "q", nil)
	h.enqueue("w2", "q", nil)
	out := h.answer(acd.KindRejected, "a", "w1") // a is back in a moment
	require.NotContains(t, kinds(out), "overflow w1  no_agents")
	out = h.do(acd.Event{Kind: acd.KindNotReady, Agent: "a", Reason: "lunch"})
	require.Contains(t, kinds(out), "overflow w1  no_agents")
	require.Contains(t, kinds(out), "overflow w2  no_agents")
}

func TestAnnouncements(t *testing.T) {
	h := newHand(t, rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait, Announce: acd.Announce{First: 5 * time.Second, Every: 20 * time.Second, Max: 2}}))
	h.enqueue("w1", "q", nil)
	h.enqueue("w2", "q", nil)
	out := h.sleep(5 * time.Second)
	require.Equal(t, []string{"announce w1", "announce w2"}, kinds(out))
	require.Equal(t, 2, out[1].Place)
	require.Equal(t, 6*time.Minute, out[1].EWT)
	require.Empty(t, h.sleep(19*time.Second))
	require.Len(t, h.sleep(time.Second), 2)
	require.Empty(t, h.sleep(time.Minute), "twice is enough")
}

func TestExitByKey(t *testing.T) {
	h := newHand(t, rules("a", acd.Queue{Name: "q", ExitKeys: "0*"}))
	h.ready("a")
	h.enqueue("w1", "q", nil)
	_, err := h.try(acd.Event{Kind: acd.KindExit, Work: "w1", Reason: "7"})
	require.ErrorIs(t, err, acd.ErrState)
	require.Equal(t, []string{"revoke w1 a withdrawn", "overflow w1  exit", "state  a"}, kinds(h.do(acd.Event{Kind: acd.KindExit, Work: "w1", Reason: "0"})))
	rec := h.end("w1")[0].Record
	require.Equal(t, acd.Overflowed, rec.Outcome)
	require.Equal(t, acd.ResultExit, rec.Overflow)
}

func TestWrapUpIsExtendedAndEnded(t *testing.T) {
	h := newHand(t, rules("a", acd.Queue{Name: "q"}))
	h.ready("a")
	h.enqueue("w1", "q", nil)
	h.accept("a", "w1")
	h.end("w1")
	h.do(acd.Event{Kind: acd.KindExtended, Agent: "a", For: 30 * time.Second})
	h.sleep(39 * time.Second)
	require.Equal(t, acd.WrapUp, h.core.Snapshot(h.now).Agents[0].State)
	h.sleep(time.Second)
	require.Equal(t, acd.Ready, h.core.Snapshot(h.now).Agents[0].State)
	_, err := h.try(acd.Event{Kind: acd.KindExtended, Agent: "a", For: time.Second})
	require.ErrorIs(t, err, acd.ErrState)
}

func TestSeveralDevices(t *testing.T) {
	h := newHand(t, rules("a", acd.Queue{Name: "q"}))
	for _, d := range []string{"desk", "mobile", "desk"} {
		h.do(acd.Event{Kind: acd.KindLogin, Agent: "a", Device: d})
	}
	h.do(acd.Event{Kind: acd.KindReady, Agent: "a"})
	require.Empty(t, h.do(acd.Event{Kind: acd.KindLogout, Agent: "a", Device: "desk"}))
	require.Equal(t, acd.Ready, h.core.Snapshot(h.now).Agents[0].State)
	require.Equal(t, []string{"state  a"}, kinds(h.do(acd.Event{Kind: acd.KindLogout, Agent: "a", Device: "mobile"})))
	require.Equal(t, acd.LoggedOut, h.core.Snapshot(h.now).Agents[0].State)
}

// A callback keeps place and clock, is dialled only when an agent is there, and gives up after its attempts.
func TestCallback(t *testing.T) {
	h := newHand(t, rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait, WrapUp: -1, Callback: acd.Callback{Expiry: 4 * time.Hour, Attempts: 2, Retry: 10 * time.Minute}}))
	h.enqueue("w1", "q", nil)
	h.enqueue("w2", "q", nil)
	h.enqueue("w3", "q", nil)
	asked := h.now
	h.sleep(time.Minute)
	require.Equal(t, []string{"callback w2"}, kinds(h.do(acd.Event{Kind: acd.KindCallback, Work: "w2"})))
	p, err := h.core.Position("w2")
	require.NoError(t, err)
	require.Equal(t, 2, p.Place)
	require.Empty(t, h.sleep(time.Minute), "nobody is dialled while no agent is free")
	h.ready("a")
	h.accept("a", "w1")
	require.Equal(t, []string{"a<-w2"}, offers(h.end("w1")), "before w3, which came later")
	out := h.accept("a", "w2")
	require.Equal(t, []string{"state  a callback", "dial w2 a"}, kinds(out))
	out = h.answer(acd.KindUnreached, "a", "w2")
	require.Equal(t, []string{"a<-w3"}, offers(out), "the agent goes on at once")
	h.accept("a", "w3")
	h.sleep(10 * time.Minute)
	require.Equal(t, []string{"a<-w2"}, offers(h.end("w3")))
	h.accept("a", "w2")
	out = h.sleep(time.Minute) // nobody says what became of the attempt
	require.Equal(t, "revoke w2 a unreached", kinds(out)[0])
	rec := out[1].Record
	require.Equal(t, acd.Abandoned, rec.Outcome)
	require.Equal(t, acd.CauseUnreached, rec.Cause)
	require.Equal(t, 2, rec.Attempts)
	require.Equal(t, asked, rec.EnqueuedAt)

	h.enqueue("w4", "q", nil)
	h.accept("a", "w4")
	h.enqueue("w5", "q", nil)
	h.do(acd.Event{Kind: acd.KindCallback, Work: "w5"})
	h.end("w4")
	h.accept("a", "w5")
	require.Equal(t, []string{"state  a", "answered w5 a"}, kinds(h.answer(acd.KindReached, "a", "w5")))
	require.Equal(t, acd.Answered, h.end("w5")[0].Record.Outcome)
}

func TestCallbackHoursExpiryAndBound(t *testing.T) {
	h := newHand(t, rules("a b c", acd.Queue{Name: "q", MaxWait: time.Minute, NoAgents: acd.NoAgentsWait, Callback: acd.Callback{Expiry: 24 * time.Hour, MaxActive: 1,
		Hours: []acd.Hours{{Days: []time.Weekday{time.Sunday, time.Monday}, From: 9 * time.Hour, Until: 17 * time.Hour}}}}))
	for _, id := range []string{"w1", "w2"} {
		h.enqueue(id, "q", nil)
		h.do(acd.Event{Kind: acd.KindCallback, Work: id})
	}
	h.ready("a b c")
	require.Empty(t, h.sleep(59*time.Minute), "it is not nine yet")
	require.Equal(t, []string{"a<-w1"}, offers(h.sleep(time.Minute)), "one at a time")
	h.accept("a", "w1")
	require.Equal(t, []string{"a<-w2"}, offers(h.answer(acd.KindUnreached, "a", "w1")))
	h.do(acd.Event{Kind: acd.KindAbandoned, Work: "w2"})
	h.now = t0.Add(10 * time.Hour) // past five: w1 waits for Monday
	h.sleep(0)
	require.Equal(t, 1, h.core.Snapshot(h.now).Queues[0].Waiting)
	out := h.sleep(14 * time.Hour)
	require.Equal(t, []string{"ended w1  expired"}, kinds(out), "a day after it was asked for")
}

// A customer who wants no machine gets none, however idle it is; and what a machine did can be reviewed by a person at once.
func TestPeopleForThoseWhoWantThem(t *testing.T) {
	control.Proves(t, "DSR-04")
	r := rules("bot ann", acd.Queue{Name: "q", Strategy: acd.TopDown, NoAgents: acd.NoAgentsWait, WrapUp: -1})
	r.Agents[0].Bot = true
	h := newHand(t, r)
	h.ready("bot")
	require.Empty(t, offers(h.enqueue("optout", "q", &acd.Terms{Human: true, Prefer: []string{"bot"}})))
	h.core.ExplainNext()
	out := h.enqueue("any", "q", nil)
	require.Equal(t, []string{"bot<-any"}, offers(out))
	require.NotEmpty(t, out[len(out)-1].Why.String())
	_, err := h.try(acd.Event{Kind: acd.KindPicked, Agent: "bot", Work: "optout"})
	require.ErrorIs(t, err, acd.ErrState)
	h.accept("bot", "any")
	h.sleep(time.Minute)
	h.end("any")
	require.Empty(t, offers(h.enqueue("review of any", "q", &acd.Terms{Human: true, HeadStart: time.Hour})), "the review waits for a person, first in line")
	h.do(acd.Event{Kind: acd.KindLogin, Agent: "ann"})
	require.Equal(t, []string{"ann<-review of any"}, offers(h.do(acd.Event{Kind: acd.KindReady, Agent: "ann"})))
	h.accept("ann", "review of any")
	require.Equal(t, []string{"ann<-optout"}, offers(h.end("review of any")))
	log := h.log
	for i, ev := range log {
		if ev.Work == "any" && ev.Kind == acd.KindEnqueued {
			why, err := acd.Explain(seq(log), uint64(i+1))
			require.NoError(t, err)
			require.Equal(t, "bot", why[0].Agent)
			require.Equal(t, "ann", why[0].Excluded[0].Agent)
			require.Equal(t, "logged-out", why[0].Excluded[0].Reason)
		}
	}
}

func TestExplain(t *testing.T) {
	r := rules("a b c d", acd.Queue{Name: "q", Strategy: acd.BestSkill}, acd.Queue{Name: "other"})
	for i, s := range []string{"tax:2", "tax:5", "tax:9", "en:1"} {
		r.Agents[i].Skills = skills(s)
	}
	h := newHand(t, r)
	h.ready("a b c d")
	h.do(acd.Event{Kind: acd.KindNotReady, Agent: "c", Reason: "lunch"})
	h.enqueue("w", "q", needs("tax:2"))
	why, err := acd.Explain(seq(h.log), uint64(len(h.log)))
	require.NoError(t, err)
	require.Len(t, why, 1)
	require.Equal(t, []string{"b", "a"}, []string{why[0].Candidates[0].Agent, why[0].Candidates[1].Agent})
	require.Equal(t, 5, why[0].Candidates[0].Skill)
	require.Equal(t, []acd.Candidate{{Agent: "c", Skill: 9, Reason: "not-ready lunch"}, {Agent: "d", Reason: "has tax at 0, needed is 2"}}, why[0].Excluded)
	require.Contains(t, why[0].String(), "w of queue q to b by best-skill")
	h.enqueue("w2", "q", needs("en:3"))
	why, err = acd.Explain(seq(h.log), uint64(len(h.log)))
	require.NoError(t, err)
	require.Empty(t, why[0].Agent, "nobody, and why")
	require.Len(t, why[0].Excluded, 4)
	h.enqueue("w3", "other", nil)
	h.enqueue("w4", "q", nil)
	h.accept("b", "w")
	h.end("w")
	h.enqueue("w5", "other", nil)
	h.enqueue("w6", "q", nil)
	h.sleep(10 * time.Second)
	why, err = acd.Explain(seq(h.log), uint64(len(h.log)))
	require.NoError(t, err)
	require.Equal(t, "w5", why[0].Rivals[0].Work)
	require.Equal(t, "w6", why[0].Rivals[1].Work)
	_, err = acd.Explain(seq(h.log), 1000)
	require.ErrorIs(t, err, acd.ErrUnknown)
}

// What if the queue had one more agent, or another strategy: the same day, decided again.
func TestWhatIf(t *testing.T) {
	h := newHand(t, rules("a b", acd.Queue{Name: "q", WrapUp: -1, Members: nil}))
	h.ready("a b")
	h.do(acd.Event{Kind: acd.KindNotReady, Agent: "b"})
	current := ""
	for i := range 10 { // a alone: every call takes 30 s, callers come every 20 s, the sixth gives up after 50 s
		id := fmt.Sprint("w", i)
		out := offers(h.enqueue(id, "q", nil))
		for step := range 2 {
			if len(out) > 0 {
				current = strings.TrimPrefix(out[0], "a<-")
				h.accept("a", current)
			}
			h.sleep(10 * time.Second)
			out = nil
			if (i*2+step)%3 == 2 {
				out = offers(h.end(current))
			}
		}
		if len(out) > 0 {
			current = strings.TrimPrefix(out[0], "a<-")
			h.accept("a", current)
		}
	}
	for _, waiting := range []bool{true, false} {
		for _, w := range h.core.Works() {
			if w.Waiting == waiting {
				h.do(acd.Event{Kind: acd.KindAbandoned, Work: w.ID})
			}
		}
		h.sleep(time.Second)
	}
	day := func(log func(func(acd.Entry, error) bool)) (answered int, waited time.Duration, by map[string]int) {
		by = map[string]int{}
		for e, err := range log {
			require.NoError(t, err)
			for _, d := range e.Decisions {
				if d.Kind == acd.DecideEnded && d.Record.Outcome == acd.Answered {
					answered++
					waited += d.Record.AnsweredAt.Sub(d.Record.EnqueuedAt)
					by[d.Record.Agent]++
				}
			}
		}
		return answered, waited, by
	}
	was, waitedWas, _ := day(acd.Replay(seq(h.log)))
	same, waitedSame, _ := day(acd.WhatIf(seq(h.log), func(r acd.Rules) acd.Rules { return r }))
	require.Equal(t, was, same)
	require.InDelta(t, waitedWas.Seconds(), waitedSame.Seconds(), 1)
	more, waitedMore, by := day(acd.WhatIf(seq(h.log), func(r acd.Rules) acd.Rules {
		r.Agents[0].Slots = 2
		r.Channels = []acd.Channel{{Name: "voice", Slots: 1}}
		return r
	}))
	require.Greater(t, more, was)
	require.Less(t, waitedMore, waitedWas/4)
	require.Equal(t, map[string]int{"a": more}, by)
}
