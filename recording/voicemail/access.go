package voicemail

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ringfence/ringfence/recording"
)

// owner is who a box acts as towards the vault. It may do what a box needs, with recordings that lie in this box, and nothing else.
type owner struct {
	b   *Boxes
	box string
}

var (
	_ recording.Authorizer = owner{}
	_ recording.Named      = owner{}
)

func (o owner) Name() string { return "voicemail:" + o.box }

func (o owner) Allow(ctx context.Context, action, object string) error {
	switch action {
	case recording.ActionListen, recording.ActionDelete, recording.ActionVerify:
	default:
		return fmt.Errorf("%w: %s", ErrForbidden, action)
	}
	it, err := o.b.cfg.Store.Item(ctx, object)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil || it.Box != o.box {
		return fmt.Errorf("%w: %s", ErrForbidden, object)
	}
	return nil
}

func (b *Boxes) access(box string) (*recording.Access, error) {
	return b.cfg.Vault.For(owner{b, box}, b.cfg.Auditor)
}

// sound is one recording in memory.
type sound struct {
	pcm    []int16
	caller string // who left it; empty if not known
}

func (s sound) wipe() { clear(s.pcm) }

// open reads a recording of a box whole: nothing of one that was altered is heard. max bounds it, in samples.
func (b *Boxes) open(ctx context.Context, box, id, why string) (sound, error) {
	access, err := b.access(box)
	if err != nil {
		return sound{}, err
	}
	p, err := access.Because(why).Open(ctx, id)
	if err != nil {
		return sound{}, err
	}
	defer p.Close()
	// A forwarded message is longer than its parts by an introduction each time; what no box takes is not read either.
	n := min(p.Duration(), b.cfg.Limits.Quota.Length)
	s := sound{pcm: make([]int16, int(n.Seconds()*recording.SampleRate)), caller: p.Info().Attributes[attrCaller]}
	if _, err := p.ReadPCM(0, s.pcm, 0); err != nil && !errors.Is(err, io.EOF) {
		s.wipe()
		return sound{}, err
	}
	return s, nil
}

// attrCaller is where a recording's encrypted metadata has who called.
const attrCaller = "caller"
