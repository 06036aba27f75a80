package ivr

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// playNode plays prompts to the end, then optionally the digits of a variable one by one.
type playNode struct {
	nodeBase
	prompts []string
	spell   string // a variable; empty: none
	next    edge
}

func decodePlay(d *decoder) node {
	n := &playNode{prompts: d.prompt("prompt"), next: d.goTo("next", "")}
	if d.has("spell") {
		n.spell = d.variable("spell", "spoken")
		for _, k := range "0123456789" {
			d.base.prompts = append(d.base.prompts, promptUse{digitPrompt(byte(k)), d.rng("spell")})
		}
	}
	n.nodeBase = d.base
	return n
}

// digitPrompt names the prompt that speaks one digit.
func digitPrompt(digit byte) string { return "digit-" + string(digit) }

func (n *playNode) edges() []edge { return []edge{n.next} }

func (n *playNode) run(ctx context.Context, r *runner) (string, error) {
	prompts := n.prompts
	if n.spell != "" {
		prompts = append([]string(nil), prompts...)
		for _, k := range []byte(r.out.Variables[n.spell]) {
			prompts = append(prompts, digitPrompt(k))
		}
	}
	return n.next.to, r.play(ctx, prompts)
}

// speakNode changes the language of everything that follows.
type speakNode struct {
	nodeBase
	language string
	next     edge
}

func decodeSpeak(d *decoder) node {
	n := &speakNode{language: d.text("language"), next: d.goTo("next", "")}
	if n.language != "" && d.prompts[n.language] == nil {
		d.refuse(d.rng("language"), "unknown language", "no prompts exist in %q", n.language)
	}
	n.nodeBase = d.base
	return n
}

func (n *speakNode) edges() []edge { return []edge{n.next} }

func (n *speakNode) run(_ context.Context, r *runner) (string, error) {
	r.lang = n.language
	return n.next.to, nil
}

// noteNode attaches a text to the call's record.
type noteNode struct {
	nodeBase
	text []part
	next edge
}

func decodeNote(d *decoder) node {
	n := &noteNode{text: d.template("text", "noted"), next: d.goTo("next", "")}
	n.nodeBase = d.base
	return n
}

func (n *noteNode) edges() []edge { return []edge{n.next} }

func (n *noteNode) run(ctx context.Context, r *runner) (string, error) {
	err := r.call.(Noter).Note(ctx, render(n.text, r.out.Variables))
	return n.next.to, r.fault(ctx, n, err)
}

// enqueueNode hands the caller to a queue. The flow ends here when an agent answers.
type enqueueNode struct {
	nodeBase
	queue     string
	priority  int
	branches  map[string]edge // by result of Enqueuer
	otherwise edge
}

func decodeEnqueue(d *decoder) node {
	n := &enqueueNode{queue: d.text("queue"), priority: d.number("priority", 0, 0, maxPriority), branches: map[string]edge{}}
	if n.queue != "" && !d.queues[n.queue] {
		d.refuse(d.rng("queue"), "unknown queue", "queue %q does not exist", n.queue)
	}
	for _, result := range []string{QueueFull, QueueNoAgents, QueueTimeout} {
		if b := d.one("on_" + result); b != nil {
			_, n.branches[result] = d.branch(b, false, true)
		}
	}
	if b := d.one("otherwise"); b != nil {
		_, n.otherwise = d.branch(b, false, true)
	} else {
		d.refuse(d.at, "missing branch", "enqueue %q has no otherwise branch: a caller whom the queue cannot serve would be stranded", d.base.name)
	}
	n.nodeBase = d.base
	return n
}

func (*enqueueNode) ends() bool { return true }

func (n *enqueueNode) edges() []edge {
	var out []edge
	for _, result := range []string{QueueFull, QueueNoAgents, QueueTimeout} {
		if e, ok := n.branches[result]; ok {
			out = append(out, e)
		}
	}
	return append(out, n.otherwise)
}

func (n *enqueueNode) run(ctx context.Context, r *runner) (string, error) {
	r.out.Queue = n.queue
	result, err := r.call.(Enqueuer).Enqueue(ctx, n.queue, n.priority)
	switch {
	case err == nil && result == QueueAnswered:
		r.out.Result = ResultAnswered
		return "", nil
	case err == nil && result == QueueAbandoned, errors.Is(err, ErrHangup), ctx.Err() != nil:
		r.out.Result = ResultAbandoned
		return "", nil
	case err != nil:
		return n.otherwise.to, r.fault(ctx, n, err)
	}
	if e, ok := n.branches[result]; ok {
		return e.to, nil
	}
	return n.otherwise.to, nil
}

// echoNode sends the caller's sound back, so that they can test their line.
type echoNode struct {
	nodeBase
	limit time.Duration
	next  edge
}

func decodeEcho(d *decoder) node {
	n := &echoNode{limit: d.duration("limit", defaultEchoLimit, minEcho, maxEcho), next: d.goTo("next", "")}
	n.nodeBase = d.base
	return n
}

func (n *echoNode) edges() []edge { return []edge{n.next} }

func (n *echoNode) run(ctx context.Context, r *runner) (string, error) {
	ectx, cancel := context.WithTimeout(ctx, n.limit)
	defer cancel()
	err := r.call.(Echoer).Echo(ectx)
	if ectx.Err() != nil && ctx.Err() == nil && !errors.Is(err, ErrHangup) {
		err = nil // the limit, not a fault
	}
	return n.next.to, r.fault(ctx, n, err)
}

// hangupNode ends the call, after a farewell if it has one.
type hangupNode struct {
	nodeBase
	prompts []string
	reason  string
}

func decodeHangup(d *decoder) node {
	n := &hangupNode{prompts: d.prompt("prompt"), reason: "normal"}
	if d.has("reason") {
		// A word, never free text: it may end up in a header that the caller's side sees.
		if n.reason = d.text("reason"); n.reason != "" && !validName(n.reason) {
			d.refuse(d.rng("reason"), "invalid name", "a reason is lower-case letters, digits, - and _, at most %d", maxNameLen)
		}
	}
	n.nodeBase = d.base
	return n
}

func (*hangupNode) ends() bool    { return true }
func (*hangupNode) edges() []edge { return nil }

func (n *hangupNode) run(ctx context.Context, r *runner) (string, error) {
	if err := r.play(ctx, n.prompts); err != nil {
		return "", err
	}
	r.out.Reason = n.reason
	if err := r.call.Hangup(ctx, n.reason); err != nil && !errors.Is(err, ErrHangup) && ctx.Err() == nil {
		return "", fmt.Errorf("hang up: %w", err)
	}
	r.out.Result = ResultHungUp
	return "", nil
}
