package acd

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
)

// The actions that Authorizer and Auditor see; the object is the agent's id, for rules "rules".
const (
	ActionForceReady    = "acd.agent.force-ready"
	ActionForceNotReady = "acd.agent.force-not-ready"
	ActionForceLogout   = "acd.agent.force-logout"
	ActionSetSkills     = "acd.agent.set-skills"
	ActionReconfigure   = "acd.reconfigure"
)

// Force is the supervisor's verb: it sets another agent's state to Ready, NotReady or LoggedOut, with the same effect as the
// agent's own verb. It asks the Authorizer, then records through the Auditor, then acts; an error of either wraps ErrDenied and
// nothing happens.
func (c *Center) Force(ctx context.Context, agent string, state AgentState, reason string) error {
	ev := Event{Agent: agent, Reason: reason}
	var action string
	switch state {
	case Ready:
		ev.Kind, action = KindReady, ActionForceReady
	case NotReady:
		ev.Kind, action = KindNotReady, ActionForceNotReady
	case LoggedOut:
		ev.Kind, action = KindLogout, ActionForceLogout
	default:
		return fmt.Errorf("%w: %v cannot be forced", ErrInvalid, state)
	}
	return c.supervise(ctx, action, agent, ev, slog.String("reason", reason))
}

// supervise asks, records and acts, in this order.
func (c *Center) supervise(ctx context.Context, action, object string, ev Event, attrs ...slog.Attr) error {
	if err := c.cfg.Authorizer.Allow(ctx, action, object); err != nil {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	if err := c.cfg.Auditor.Audit(ctx, action, object, attrs...); err != nil {
		return fmt.Errorf("%w: audit: %w", ErrDenied, err)
	}
	_, err := c.do(ctx, ev)
	return err
}

// SetSkills is a supervisor's verb: it changes what an agent can do, from now on. Works that waited for the skill are offered at once.
func (c *Center) SetSkills(ctx context.Context, agent string, skills []Skill) error {
	return c.supervise(ctx, ActionSetSkills, agent, Event{Kind: KindSkills, Agent: agent, Skills: slices.Clone(skills)}, slog.Any("skills", skills))
}

// Reconfigure is a supervisor's verb: it goes on under new rules with everything that is open. Offers that stand are withdrawn and made
// anew; works whose queue is gone come back with ResultNoAgents, conversations whose agent or queue is gone end with cause "removed".
func (c *Center) Reconfigure(ctx context.Context, rules Rules) error {
	or(&rules.Seed, c.cfg.Seed)
	rules = rules.WithDefaults()
	if err := rules.validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := rules.practical(c.cfg.Offerer); err != nil {
		return err
	}
	return c.supervise(ctx, ActionReconfigure, "rules", Event{Kind: KindStarted, Rules: &rules, Resume: true},
		slog.Int("queues", len(rules.Queues)), slog.Int("agents", len(rules.Agents)))
}
