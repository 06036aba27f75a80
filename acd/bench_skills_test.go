package acd_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// The workload of the skill benchmark: 100 skills, 200 profiles of 5 skills each, every work needs one skill.
const (
	benchSkills   = 100
	benchProfiles = 200
	benchBatch    = 50
)

func benchProfile(r *rand.Rand) (skills []int) {
	for len(skills) < 5 {
		s := r.IntN(benchSkills)
		ok := true
		for _, o := range skills {
			ok = ok && o != s
		}
		if ok {
			skills = append(skills, s)
		}
	}
	return skills
}

// skillFloor is the least that skill routing can cost: one FIFO ring per distinct profile, the oldest head of those that match.
type skillFloor struct {
	rings [][]floorAgent
	heads []int
	size  []int
	match [benchSkills][]int
	clock int64
}

type floorAgent struct {
	since int64
	id    int32
}

func newSkillFloor(agents int, profiles [][]int) *skillFloor {
	f := &skillFloor{rings: make([][]floorAgent, len(profiles)), heads: make([]int, len(profiles)), size: make([]int, len(profiles))}
	for p, skills := range profiles {
		for _, s := range skills {
			f.match[s] = append(f.match[s], p)
		}
		f.rings[p] = make([]floorAgent, agents/len(profiles)+1)
	}
	for i := range agents {
		f.release(i%len(profiles), int32(i))
	}
	return f
}

func (f *skillFloor) release(p int, id int32) {
	f.clock++
	ring := f.rings[p]
	at := f.heads[p] + f.size[p]
	if at >= len(ring) {
		at -= len(ring)
	}
	ring[at] = floorAgent{f.clock, id}
	f.size[p]++
}

func (f *skillFloor) assign(skill int) (int, int32) {
	best := -1
	var since int64
	for _, p := range f.match[skill] {
		if f.size[p] == 0 {
			continue
		}
		if s := f.rings[p][f.heads[p]].since; best < 0 || s < since {
			best, since = p, s
		}
	}
	if best < 0 {
		return -1, 0
	}
	id := f.rings[best][f.heads[best]].id
	if f.heads[best]++; f.heads[best] == len(f.rings[best]) {
		f.heads[best] = 0
	}
	f.size[best]--
	return best, id
}

func (f *skillFloor) cycles(n int, r *rand.Rand) float64 {
	var spent time.Duration
	var got [benchBatch]struct {
		p  int
		id int32
	}
	var skills [benchBatch]int
	for range n / benchBatch {
		for i := range skills {
			skills[i] = r.IntN(benchSkills)
		}
		start := time.Now()
		for i, s := range skills {
			got[i].p, got[i].id = f.assign(s)
		}
		for _, g := range got {
			if g.p >= 0 {
				f.release(g.p, g.id)
			}
		}
		spent += time.Since(start)
	}
	return float64(spent.Nanoseconds()) / float64(n)
}

// skillCore does the same work with a Core. Only what the floor does is on the clock: the event that makes a decision, and the one that
// frees the agent again. (Arrival and acceptance, which the floor has not, are in the figure of a whole call.)
type skillCore struct {
	*benchCore
	needs [benchSkills]*acd.Terms
}

func newSkillCore(t testing.TB, agents int, profiles [][]int) *skillCore {
	b := &skillCore{benchCore: &benchCore{t: t, core: acd.NewCore(), now: t0}}
	r := acd.Rules{Queues: []acd.Queue{{Name: "q", WrapUp: -1}}}
	for i := range agents {
		a := acd.Agent{ID: "agent" + strconv.Itoa(i)}
		for _, s := range profiles[i%len(profiles)] {
			a.Skills = append(a.Skills, acd.Skill{Name: "skill" + strconv.Itoa(s)})
		}
		r.Agents = append(r.Agents, a)
		r.Queues[0].Members = append(r.Queues[0].Members, a.ID)
	}
	for i := range b.needs {
		b.needs[i] = &acd.Terms{Needs: []acd.Skill{{Name: "skill" + strconv.Itoa(i)}}}
	}
	for i := range 4096 {
		b.ids = append(b.ids, "work"+strconv.Itoa(i))
	}
	b.apply(acd.Event{Kind: acd.KindStarted, Rules: &r})
	for _, a := range r.Agents {
		b.apply(acd.Event{Kind: acd.KindLogin, Agent: a.ID})
		b.apply(acd.Event{Kind: acd.KindReady, Agent: a.ID})
	}
	return b
}

func (b *skillCore) decisions(n int, r *rand.Rand) float64 {
	var spent time.Duration
	var events [benchBatch]acd.Event
	var offers [benchBatch]acd.Decision
	for range n / benchBatch {
		for i := range events {
			id := b.ids[b.n%len(b.ids)]
			b.n++
			b.apply(acd.Event{Kind: acd.KindArrived, Work: id})
			events[i] = acd.Event{Kind: acd.KindEnqueued, Work: id, Queue: "q", Terms: b.needs[r.IntN(benchSkills)]}
		}
		start := time.Now()
		for i := range events {
			out := b.apply(events[i])
			if len(out) > 0 {
				offers[i].Agent, offers[i].Work, offers[i].Offer = out[len(out)-1].Agent, out[len(out)-1].Work, out[len(out)-1].Offer
			} else {
				offers[i].Agent = ""
			}
		}
		spent += time.Since(start)
		for i := range offers {
			if offers[i].Agent != "" {
				b.apply(acd.Event{Kind: acd.KindAccepted, Agent: offers[i].Agent, Work: offers[i].Work, Offer: offers[i].Offer})
			}
		}
		for i := range events {
			events[i] = acd.Event{Kind: acd.KindEnded, Work: events[i].Work, Reason: "caller"}
		}
		start = time.Now()
		for i := range events {
			b.apply(events[i])
		}
		spent += time.Since(start)
	}
	return float64(spent.Nanoseconds()) / float64(n)
}

func benchSkillRatios(t *testing.T) {
	for _, agents := range []int{100, 1000, 10_000, 100_000} {
		r := rand.New(rand.NewPCG(1, uint64(agents)))
		profiles := make([][]int, min(benchProfiles, agents))
		for i := range profiles {
			profiles[i] = benchProfile(r)
		}
		core, floor := newSkillCore(t, agents, profiles), newSkillFloor(agents, profiles)
		core.decisions(20_000, r)
		floor.cycles(20_000, r)
		var choices, events, floors, ratios []float64
		for range 9 { // alternating, so that a busy neighbour hits all
			o, f := acd.ChoiceCycles(core.core, "q", core.needs[:], 50_000, r), floor.cycles(50_000, r)
			choices, floors, ratios = append(choices, o), append(floors, f), append(ratios, o/f)
			events = append(events, core.decisions(20_000, r))
		}
		fmt.Printf("ratio acd/skill-decision-%d-agents %.2f goal <= 5\n", agents, median(ratios))
		fmt.Printf("figure acd/skill-decision-%d-agents-ns %.0f\n", agents, median(choices))
		fmt.Printf("figure acd/skill-floor-%d-agents-ns %.0f\n", agents, median(floors))
		fmt.Printf("figure acd/skill-two-events-%d-agents-ns %.0f\n", agents, median(events))
	}
}

// memory returns the bytes that f leaves on the heap.
func memory(f func()) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return float64(after.HeapAlloc) - float64(before.HeapAlloc)
}

func benchMemory(t *testing.T) {
	const agents, works = 20_000, 50_000
	r := rand.New(rand.NewPCG(1, 1))
	profiles := make([][]int, benchProfiles)
	for i := range profiles {
		profiles[i] = benchProfile(r)
	}
	var core *skillCore
	perAgent := memory(func() { core = newSkillCore(t, agents, profiles) }) / agents
	waiting := newBenchCore(t, 1)
	waiting.apply(acd.Event{Kind: acd.KindStarted, Rules: &acd.Rules{Agents: []acd.Agent{{ID: "a"}}, Queues: []acd.Queue{{Name: "q", Members: []string{"a"}, NoAgents: acd.NoAgentsWait, MaxWaiting: works}}}})
	perWork := memory(func() {
		for i := range works {
			id := "work-with-a-long-id-like-a-call-" + strconv.Itoa(i)
			waiting.apply(acd.Event{Kind: acd.KindArrived, Work: id, Attributes: map[string]string{"from": "+4512345678"}})
			waiting.apply(acd.Event{Kind: acd.KindEnqueued, Work: id, Queue: "q"})
		}
	}) / works
	fmt.Printf("figure acd/bytes-per-agent %.0f\n", perAgent)
	fmt.Printf("figure acd/bytes-per-waiting-work %.0f\n", perWork)
	if perAgent > 1024 || perWork > 1024 {
		t.Errorf("an agent takes %.0f bytes and a waiting work %.0f: more than 1 KB", perAgent, perWork)
	}
	runtime.KeepAlive(core)
	runtime.KeepAlive(waiting)
}
