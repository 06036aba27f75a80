package acd

import (
	"fmt"
	"strings"
)

// Strategy names how a queue chooses among its free members. An unknown name is an error, never a default.
type Strategy string

// The strategies. The package comment says when to choose which, and which names of other systems stand for them.
const (
	LongestIdle    Strategy = "longest-idle"
	RoundRobin     Strategy = "round-robin"
	LeastOccupied  Strategy = "least-occupied"
	LeastTalkTime  Strategy = "least-talk-time"
	FewestCalls    Strategy = "fewest-calls"
	TopDown        Strategy = "top-down"
	Sequential     Strategy = "sequential"
	Random         Strategy = "random"
	WeightedRandom Strategy = "weighted-random"
	BestSkill      Strategy = "best-skill"
	LeastSkill     Strategy = "least-skill"
	RingAll        Strategy = "ring-all"
	Manual         Strategy = "manual"
)

// Strategies lists all strategies, the default first.
func Strategies() []Strategy {
	return []Strategy{LongestIdle, RoundRobin, LeastOccupied, LeastTalkTime, FewestCalls, TopDown, Sequential, Random, WeightedRandom, BestSkill, LeastSkill, RingAll, Manual}
}

// aliases are the names by which other systems call a strategy that behaves the same for the first offer of a work.
var aliases = map[Strategy]Strategy{
	"ringall": RingAll, "ring_all": RingAll, "ring_simultaneously": RingAll, "simultaneous": RingAll, "multi-reservation": RingAll,
	"leastrecent": LongestIdle, "longest-idle-agent": LongestIdle, "longest-idle-time": LongestIdle, "most_idle": LongestIdle,
	"longest_wait_time": LongestIdle, "ucd-mia": LongestIdle, "all-skills-matching": LongestIdle, "longest-available-agent": LongestIdle,
	"rrmemory": RoundRobin, "rrordered": RoundRobin, "roundrobin": RoundRobin, "round_robin": RoundRobin,
	"ucd-loa": LeastOccupied, "balanced": LeastOccupied, "least-busy": LeastOccupied,
	"agent-with-least-talk-time": LeastTalkTime,
	"fewestcalls":                FewestCalls, "agent-with-fewest-calls": FewestCalls, "fewest_calls": FewestCalls,
	"sequentially-by-agent-order": TopDown, "inbound_group_rank": TopDown, "full-load": TopDown,
	"linear":  Sequential,
	"wrandom": WeightedRandom, "campaign_grade_random": WeightedRandom,
	"best-available-skills": BestSkill, "ead-mia": BestSkill,
	"manual-distribution": Manual, "pick": Manual,
}

// ParseStrategy returns the strategy of that name, which may be the name another system has for it; case and surrounding space do
// not matter. An unknown name gives an error that wraps ErrInvalid.
func ParseStrategy(name string) (Strategy, error) {
	s := canonical(Strategy(strings.ToLower(strings.TrimSpace(name))))
	if s.plan() == byNothing {
		return "", fmt.Errorf("%w: no strategy is called %q", ErrInvalid, name)
	}
	return s, nil
}

func canonical(s Strategy) Strategy {
	if a, ok := aliases[s]; ok {
		return a
	}
	return s
}

// plan is how the index of free members is kept for a strategy.
type plan uint8

const (
	byNothing plan = iota // an unknown strategy
	byAge                 // a list: who is idle for longest is next, and who becomes free goes to the end
	byKey                 // a heap: the least key is next
	byPlace               // a tree over places: the next place after a pointer, or a random one
)

func (s Strategy) plan() plan {
	switch s {
	case LongestIdle, BestSkill, LeastSkill:
		return byAge
	case LeastOccupied, LeastTalkTime, FewestCalls, TopDown, RingAll, Manual:
		return byKey
	case RoundRobin, Sequential, Random, WeightedRandom:
		return byPlace
	}
	return byNothing
}

// Fairness is how an agent who serves several queues chooses among their first works.
type Fairness string

// The rules of fairness. With equal scores the work that came first goes first.
const (
	// FairPriority takes the highest priority (aged where the queue has Ageing), then the largest age times the queue's Weight.
	FairPriority Fairness = "priority"
	// FairAge takes the largest age times the queue's Weight, whatever the priorities.
	FairAge Fairness = "age"
	// FairServiceLevel takes the one nearest to, or furthest beyond, its queue's ServiceTarget: age divided by target, times Weight.
	FairServiceLevel Fairness = "service-level"
)
