package media

import (
	"slices"
)

// Hears says whether listener hears speaker. It is asked once for each pair of members, never for a member and itself: all pairs when the conference is arranged, those
// of a newcomer when it joins. It runs with the conference locked: it must be quick and must not call the conference or its members.
type Hears func(listener, speaker *Member) bool

// Everybody lets all members hear each other.
func Everybody(_, _ *Member) bool { return true }

// Nobody keeps all members apart.
func Nobody(_, _ *Member) bool { return false }

// Among lets the given members hear each other and keeps everybody else apart, those who join later too.
func Among(members ...*Member) Hears {
	members = slices.Clone(members)
	return func(listener, speaker *Member) bool {
		return slices.Contains(members, listener) && slices.Contains(members, speaker)
	}
}

// Mode is how a supervisor takes part in a call. The zero Mode is Listen.
type Mode uint8

// The modes.
const (
	Listen   Mode = iota // the supervisor hears callers and agents; nobody hears the supervisor
	Whisper              // as Listen, and the agents hear the supervisor
	Barge                // all hear all
	Takeover             // supervisor and callers hear each other; the agents hear nobody and are not heard
)

// String returns the mode's name in lower case.
func (m Mode) String() string {
	switch m {
	case Listen:
		return "listen"
	case Whisper:
		return "whisper"
	case Barge:
		return "barge"
	case Takeover:
		return "takeover"
	}
	return "invalid"
}

// Supervision is who hears whom in a supervised call. Hand its Hears to Conference.Arrange, again for each change. A member it does not name hears nobody and
// is heard by nobody, so that somebody who joins is apart until the next Arrange names them.
type Supervision struct {
	// Callers and Agents hear each other, but for Takeover. Who is in both counts as an agent.
	Callers, Agents []*Member
	// Supervisor takes part as Mode says. If nil, there is none yet.
	Supervisor *Member
	// Mode is how. If zero, Listen. With an unknown mode nobody hears anybody.
	Mode Mode
}

type role uint8

const (
	roleNone role = iota
	roleCaller
	roleAgent
	roleSupervisor
)

func (s Supervision) role(m *Member) role {
	switch {
	case m == s.Supervisor:
		return roleSupervisor
	case slices.Contains(s.Agents, m):
		return roleAgent
	case slices.Contains(s.Callers, m):
		return roleCaller
	}
	return roleNone
}

// Hears implements a Hears. The slices must not be changed while a conference may use it.
func (s Supervision) Hears(listener, speaker *Member) bool {
	to, from := s.role(listener), s.role(speaker)
	if to == roleNone || from == roleNone {
		return false
	}
	switch s.Mode {
	case Listen:
		return from != roleSupervisor
	case Whisper:
		return from != roleSupervisor || to == roleAgent
	case Barge:
		return true
	case Takeover:
		return from != roleAgent && to != roleAgent
	}
	return false
}
