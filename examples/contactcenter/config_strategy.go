package main

import (
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/acd"
)

// strategies are those that need nothing but the free agents themselves. The others ask for skills, weights or works picked by hand, which no configuration here gives.
var strategies = []acd.Strategy{acd.LongestIdle, acd.RoundRobin, acd.LeastOccupied, acd.LeastTalkTime, acd.FewestCalls, acd.TopDown, acd.Sequential, acd.Random, acd.RingAll}

// strategy is how the queue chooses among free agents.
func (q queueConfig) strategy() (acd.Strategy, error) {
	s := acd.LongestIdle
	if q.Strategy != "" {
		var err error
		if s, err = acd.ParseStrategy(q.Strategy); err == nil && !slices.Contains(strategies, s) {
			err = fmt.Errorf("not one of %v", strategies)
		}
		if err != nil {
			return "", fmt.Errorf("strategy %q: %w", q.Strategy, err)
		}
	}
	if q.RingMax < 0 || q.RingMax > 0 && s != acd.RingAll {
		return "", fmt.Errorf("ring_max: %d, which is for %q only", q.RingMax, acd.RingAll)
	}
	return s, nil
}
