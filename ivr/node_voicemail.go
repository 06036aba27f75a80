package ivr

import (
	"context"
	"errors"
)

// voicemailNode lets the caller leave a message, or hear their own. The flow goes on afterwards.
type voicemailNode struct {
	nodeBase
	box       string
	next      edge
	full      edge // to is empty: otherwise
	otherwise edge
}

func decodeVoicemail(d *decoder) node {
	n := &voicemailNode{box: d.text("box"), next: d.goTo("next", "")}
	if n.box != "" && d.boxes != nil && !d.boxes[n.box] {
		d.refuse(d.rng("box"), "unknown mailbox", "mailbox %q does not exist", n.box)
	}
	if b := d.one("on_full"); b != nil {
		_, n.full = d.branch(b, false, true)
	}
	if b := d.one("otherwise"); b != nil {
		_, n.otherwise = d.branch(b, false, true)
	} else {
		d.refuse(d.at, "missing branch", "voicemail %q has no otherwise branch: a caller whom the mailbox cannot serve would be stranded", d.base.name)
	}
	n.nodeBase = d.base
	return n
}

func (n *voicemailNode) edges() []edge {
	out := []edge{n.next}
	if n.full.to != "" {
		out = append(out, n.full)
	}
	return append(out, n.otherwise)
}

func (n *voicemailNode) run(ctx context.Context, r *runner) (string, error) {
	r.out.Box = n.box
	result, err := r.call.(Voicemailer).Voicemail(ctx, n.box)
	switch {
	case err != nil:
		return n.otherwise.to, r.fault(ctx, n, err)
	case ctx.Err() != nil:
		return "", errors.Join(ErrHangup, ctx.Err())
	}
	switch result {
	case VoicemailLeft, VoicemailNothing, VoicemailRetrieved:
		return n.next.to, nil
	case VoicemailFull:
		if n.full.to != "" {
			return n.full.to, nil
		}
	}
	return n.otherwise.to, nil
}
