package acd

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// WithDefaults returns a deep copy with zeros replaced by what they stand for, and other systems' names by ours.
func (r Rules) WithDefaults() Rules {
	out := r
	out.Queues, out.Agents, out.Channels = slices.Clone(r.Queues), slices.Clone(r.Agents), slices.Clone(r.Channels)
	if len(out.Channels) == 0 {
		out.Channels = []Channel{{Name: ChannelVoice}}
	}
	or(&out.Fairness, FairPriority)
	for i := range out.Channels {
		out.Channels[i].Interrupts = slices.Clone(out.Channels[i].Interrupts)
	}
	for i := range out.Agents {
		a := &out.Agents[i]
		a.Skills = levels(a.Skills)
		or(&a.Slots, 1)
	}
	for i := range out.Queues {
		q := &out.Queues[i]
		q.Members = slices.Clone(q.Members)
		q.Tiers, q.Weights = maps.Clone(q.Tiers), maps.Clone(q.Weights)
		q.Needs = levels(q.Needs)
		q.Overflow, q.Rings = slices.Clone(q.Overflow), slices.Clone(q.Rings)
		or(&q.Strategy, LongestIdle)
		q.Strategy = canonical(q.Strategy)
		or(&q.RingTimeout, defaultRingTimeout)
		or(&q.RejectPause, defaultRejectPause)
		or(&q.WrapUp, defaultWrapUp)
		or(&q.MaxWaiting, defaultMaxWaiting)
		or(&q.MaxWait, defaultMaxWait)
		or(&q.NoAgents, NoAgentsOverflow)
		or(&q.ServiceTarget, defaultServiceTarget)
		or(&q.ShortAbandon, defaultShortAbandon)
		or(&q.Channel, out.Channels[0].Name)
		or(&q.RingMax, defaultRingMax)
		or(&q.Weight, 1)
		or(&q.Estimate, EstimateHandling)
		if q.NoAnswer == "" {
			q.NoAnswer = NoAnswerNotReady
			if q.Strategy == RingAll {
				q.NoAnswer = NoAnswerPause
			}
		}
		or(&q.Announce.First, q.Announce.Every)
		if q.Callback.Expiry > 0 {
			or(&q.Callback.Attempts, defaultAttempts)
			or(&q.Callback.Retry, defaultRetry)
			or(&q.Callback.DialTimeout, defaultDialTimeout)
		}
	}
	return out
}

func levels(in []Skill) []Skill {
	out := slices.Clone(in)
	for i := range out {
		or(&out[i].Level, 1)
	}
	return out
}

// validate refuses rules that make no sense. They have their defaults.
func (r Rules) validate() error {
	if len(r.Queues) == 0 {
		return fmt.Errorf("%w: no queue", ErrInvalid)
	}
	switch r.Fairness {
	case FairPriority, FairAge, FairServiceLevel:
	default:
		return fmt.Errorf("%w: no fairness is called %q", ErrInvalid, r.Fairness)
	}
	if r.LastAgents < 0 || r.LastAgents > maxLastAgents {
		return fmt.Errorf("%w: LastAgents is from 0 to %d", ErrInvalid, maxLastAgents)
	}
	channels, err := r.checkChannels()
	if err != nil {
		return err
	}
	agents := make(map[string]bool, len(r.Agents))
	for i := range r.Agents {
		a := &r.Agents[i]
		if err := checkID("agent", a.ID); err != nil {
			return err
		}
		if agents[a.ID] {
			return fmt.Errorf("%w: agent %q is listed twice", ErrInvalid, a.ID)
		}
		agents[a.ID] = true
		if a.Slots < 0 || a.Slots > maxSlots {
			return fmt.Errorf("%w: agent %q: slots are from 1 to %d", ErrInvalid, a.ID, maxSlots)
		}
		if err := checkSkills(a.Skills, 1, maxSkills); err != nil {
			return fmt.Errorf("agent %q: %w", a.ID, err)
		}
	}
	queues := make(map[string]bool, len(r.Queues))
	for i := range r.Queues {
		if err := checkID("queue", r.Queues[i].Name); err != nil {
			return err
		}
		if queues[r.Queues[i].Name] {
			return fmt.Errorf("%w: queue %q is listed twice", ErrInvalid, r.Queues[i].Name)
		}
		queues[r.Queues[i].Name] = true
	}
	for i := range r.Queues {
		q := &r.Queues[i]
		if !channels[q.Channel] {
			return fmt.Errorf("%w: queue %q: no channel is called %q", ErrInvalid, q.Name, q.Channel)
		}
		if err := q.check(agents, queues); err != nil {
			return fmt.Errorf("queue %q: %w", q.Name, err)
		}
	}
	return nil
}

func (r Rules) checkChannels() (map[string]bool, error) {
	names := map[string]bool{}
	if len(r.Channels) > maxChannels {
		return nil, fmt.Errorf("%w: at most %d channels", ErrInvalid, maxChannels)
	}
	for _, ch := range r.Channels {
		if err := checkID("channel", ch.Name); err != nil {
			return nil, err
		}
		if names[ch.Name] || ch.Slots < 0 || ch.Slots > maxSlots || ch.Max < 0 {
			return nil, fmt.Errorf("%w: channel %q is listed twice or its slots are not from 0 to %d", ErrInvalid, ch.Name, maxSlots)
		}
		names[ch.Name] = true
	}
	for _, ch := range r.Channels {
		for _, other := range ch.Interrupts {
			if !names[other] || other == ch.Name {
				return nil, fmt.Errorf("%w: channel %q cannot interrupt %q", ErrInvalid, ch.Name, other)
			}
		}
	}
	return names, nil
}

func (q *Queue) check(agents, queues map[string]bool) error {
	if q.Strategy.plan() == byNothing {
		return fmt.Errorf("%w: no strategy is called %q", ErrInvalid, q.Strategy)
	}
	switch q.NoAgents {
	case NoAgentsOverflow, NoAgentsUnready, NoAgentsWait:
	default:
		return fmt.Errorf("%w: no behaviour without agents is called %q", ErrInvalid, q.NoAgents)
	}
	if q.NoAnswer != NoAnswerNotReady && q.NoAnswer != NoAnswerPause {
		return fmt.Errorf("%w: no behaviour without answer is called %q", ErrInvalid, q.NoAnswer)
	}
	if q.Estimate != EstimateHandling && q.Estimate != EstimateRecent {
		return fmt.Errorf("%w: no estimate is called %q", ErrInvalid, q.Estimate)
	}
	if q.RingTimeout <= 0 || q.RejectPause <= 0 || q.MaxWait <= 0 || q.MaxWaiting <= 0 || q.ServiceTarget <= 0 || q.RingMax <= 0 {
		return fmt.Errorf("%w: times and bounds must be positive", ErrInvalid)
	}
	if max(q.RingTimeout, q.RejectPause, q.WrapUp, q.MaxWait, q.ServiceTarget, q.LastAgentWait, q.Callback.Expiry, q.Callback.Retry, q.Callback.DialTimeout) > maxDuration {
		return fmt.Errorf("%w: a time is longer than %v", ErrInvalid, maxDuration)
	}
	if q.Ageing < 0 || q.Ageing > maxAgeing || q.Ageing > 0 && q.Ageing < time.Millisecond || q.Weight < 1 || q.Weight > maxWeight || q.LastAgentWait < 0 {
		return fmt.Errorf("%w: ageing is from 1 ms to %v, weight from 1 to %d", ErrInvalid, maxAgeing, maxWeight)
	}
	if err := checkSkills(q.Needs, 1, maxNeeds); err != nil {
		return err
	}
	if a := q.Announce; a.First < 0 || a.Max < 0 || a.Every < 0 || a.Every > 0 && min(a.First, a.Every) < time.Second || max(a.First, a.Every) > maxDuration {
		return fmt.Errorf("%w: announcements are at least 1 s apart", ErrInvalid)
	}
	members := make(map[string]bool, len(q.Members))
	for _, m := range q.Members {
		if !agents[m] || members[m] {
			return fmt.Errorf("%w: member %q is no agent, or listed twice", ErrInvalid, m)
		}
		members[m] = true
	}
	for m, tier := range q.Tiers {
		if !members[m] || tier < 0 || tier > maxTier {
			return fmt.Errorf("%w: tier of %q: tiers are of members, from 0 to %d", ErrInvalid, m, maxTier)
		}
	}
	for m, w := range q.Weights {
		if !members[m] || w < 1 || w > maxWeight {
			return fmt.Errorf("%w: weight of %q: weights are of members, from 1 to %d", ErrInvalid, m, maxWeight)
		}
	}
	return q.checkTimes(queues)
}

func (q *Queue) checkTimes(queues map[string]bool) error {
	if len(q.Rings) > maxRings || len(q.Overflow) > maxRings {
		return fmt.Errorf("%w: at most %d rings and as many overflow rules", ErrInvalid, maxRings)
	}
	var last time.Duration
	for _, ring := range q.Rings {
		if ring.After < last || ring.After > maxDuration || ring.Tier < 0 || ring.Tier > maxTier {
			return fmt.Errorf("%w: rings come in order of After, with tiers from 0 to %d", ErrInvalid, maxTier)
		}
		last = ring.After
		if err := checkSkills(ring.Lower, 0, maxNeeds); err != nil {
			return err
		}
	}
	for _, o := range q.Overflow {
		if o.MinWaiting < 0 || o.MinEWT < 0 || o.MinWait < 0 || o.MinWait > maxDuration || o.MinWaiting == 0 && o.MinEWT == 0 && o.MinWait == 0 && len(o.Hours) == 0 {
			return fmt.Errorf("%w: an overflow rule has a condition, and none is negative", ErrInvalid)
		}
		if o.To == q.Name || o.To != "" && !queues[o.To] {
			return fmt.Errorf("%w: cannot overflow to %q", ErrInvalid, o.To)
		}
		if err := checkHours(o.Hours); err != nil {
			return err
		}
	}
	cb := q.Callback
	if min(cb.Expiry, cb.Retry, cb.DialTimeout) < 0 || cb.Attempts < 0 || cb.Attempts > maxAttempts || cb.MaxActive < 0 {
		return fmt.Errorf("%w: callback: a bound is negative, or more than %d attempts", ErrInvalid, maxAttempts)
	}
	return checkHours(cb.Hours)
}

func checkHours(hours []Hours) error {
	for _, h := range hours {
		until := h.Until
		or(&until, 24*time.Hour)
		if h.From < 0 || until <= h.From || until > 24*time.Hour || h.Offset < -14*time.Hour || h.Offset > 14*time.Hour {
			return fmt.Errorf("%w: hours are from midnight to midnight, From before Until", ErrInvalid)
		}
		for _, d := range h.Days {
			if d < time.Sunday || d > time.Saturday {
				return fmt.Errorf("%w: no weekday has number %d", ErrInvalid, d)
			}
		}
	}
	return nil
}

func checkSkills(skills []Skill, least, most int) error {
	if len(skills) > most {
		return fmt.Errorf("%w: at most %d skills", ErrInvalid, most)
	}
	for i, s := range skills {
		if err := checkID("skill", s.Name); err != nil {
			return err
		}
		if s.Level < least || s.Level > maxLevel {
			return fmt.Errorf("%w: skill %q: levels are from %d to %d", ErrInvalid, s.Name, least, maxLevel)
		}
		for _, o := range skills[:i] {
			if o.Name == s.Name {
				return fmt.Errorf("%w: skill %q is listed twice", ErrInvalid, s.Name)
			}
		}
	}
	return nil
}

func checkID(what, id string) error {
	if id == "" || len(id) > maxIDBytes {
		return fmt.Errorf("%w: %s id has from 1 to %d bytes", ErrInvalid, what, maxIDBytes)
	}
	return nil
}
