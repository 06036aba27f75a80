package recording

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
)

// TextGuard keeps restricted data, such as card numbers, out of what is written about recordings. Package restricted's Guard is one. Safe for concurrent use.
type TextGuard interface {
	// Check returns an error if the value of the named field holds what must not be stored. The error must not repeat the value: it is logged.
	Check(field, value string) error
	// Mask returns free text with what must not be stored replaced. After an error the text is not stored.
	Mask(text string) (masked string, err error)
}

// Span is a part of a recording that holds restricted data. The zero Span is all of it, of a category that nobody can approve.
type Span struct {
	Stream   Stream        // whose audio. If zero (Stereo), everybody's
	From, To time.Duration // from the start of the recording. If To is zero, to the end
	Category string        // of package restricted's, or the caller's own. If empty, nothing approves it
}

// String says where and what.
func (s Span) String() string {
	who, to := "everybody", "the end"
	if s.Stream != Stereo {
		who = fmt.Sprintf("party %d", int(s.Stream)-1)
	}
	if s.To != 0 {
		to = s.To.String()
	}
	return fmt.Sprintf("%s from %v to %s: %s", who, s.From, to, s.Category)
}

// Flagger knows which parts of recordings hold restricted data, such as from a scanner of transcripts. Safe for concurrent use.
type Flagger interface {
	// Flagged returns those parts. It is asked each time before audio leaves; if it fails, nothing leaves. It must return when ctx ends.
	Flagged(ctx context.Context, recording Info) ([]Span, error)
}

// Approver knows the written approvals for restricted data. Package restricted's Approvals is one. Safe for concurrent use.
type Approver interface {
	// Approved returns the name of the approval that allows now to do action, such as ActionCreate or ActionExport, to a recording with those attributes
	// as far as category is concerned; empty if there is none. If it fails, nothing is recorded and nothing leaves. It must return when ctx ends.
	Approved(ctx context.Context, action, id string, attributes map[string]string, category string) (approval string, err error)
}

// ErrRestricted is returned for a recording that needs a written approval and has none: by Create and by whatever lets audio out if all of it is of a
// category, and by Seal and Prove, which cannot leave a part out, if a part is.
var ErrRestricted = errors.New("recording: restricted without a written approval")

// maxCategories is how many categories a recording can have.
const maxCategories = 16

func validCategories(categories []string) error {
	if len(categories) > maxCategories {
		return fmt.Errorf("%w: more than %d categories", ErrInvalid, maxCategories)
	}
	for i, c := range categories {
		if !ValidID(c) || slices.Contains(categories[:i], c) {
			return fmt.Errorf("%w: category", ErrInvalid)
		}
	}
	return nil
}

// checkText puts every text of a Meta to the guard. named says that the caller chose the ID.
func (v *Vault) checkText(m Meta, named bool) error {
	guard := v.cfg.Text
	if guard == nil {
		return nil
	}
	fields := [][2]string{{"class", m.Class}, {"call", m.Call}}
	if named {
		fields = append(fields, [2]string{"ID", m.ID})
	}
	for _, p := range m.Parties {
		fields = append(fields, [2]string{"party", p})
	}
	for _, c := range m.Categories {
		fields = append(fields, [2]string{"category", c})
	}
	for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		fields = append(fields, [2]string{"name of an attribute", name}, [2]string{"attribute " + name, m.Attributes[name]})
	}
	for _, f := range fields {
		if err := guard.Check(f[0], f[1]); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return nil
}

// mask is what is stored of a free text: at most maxText bytes, cut after it was masked, so that no half of a number is left that nothing recognises.
func (v *Vault) mask(text string) (string, error) {
	if v.cfg.Text != nil {
		var err error
		if text, err = v.cfg.Text.Mask(text); err != nil {
			return "", wrap(err)
		}
	}
	return strings.ToValidUTF8(text[:min(len(text), maxText)], ""), nil
}

// approvals asks for approvals, once for each category.
type approvals struct {
	v          *Vault
	action, id string
	attributes map[string]string
	known      map[string]string // category to approval; empty if there is none
}

func (a *approvals) of(ctx context.Context, category string) (string, error) {
	if name, ok := a.known[category]; ok {
		return name, nil
	}
	var name string
	if a.v.cfg.Approver != nil && category != "" {
		var err error
		if name, err = a.v.cfg.Approver.Approved(ctx, a.action, a.id, maps.Clone(a.attributes), category); err != nil {
			return "", fmt.Errorf("recording: approval: %w", err)
		}
	}
	if a.known == nil {
		a.known = map[string]string{}
	}
	a.known[category] = name
	return name, nil
}

// names lists the approvals that were found, in order.
func (a *approvals) names() []string {
	var out []string
	for _, n := range a.known {
		if n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// whole returns ErrRestricted unless every category is approved.
func (a *approvals) whole(ctx context.Context, categories []string) error {
	for _, c := range categories {
		name, err := a.of(ctx, c)
		if err != nil {
			return err
		}
		if name == "" {
			return fmt.Errorf("%w: %s is %s", ErrRestricted, a.id, c)
		}
	}
	return nil
}

// approveCreate decides, and records, whether a recording of those categories may be made.
func (v *Vault) approveCreate(ctx context.Context, m Meta) error {
	if len(m.Categories) == 0 {
		return nil
	}
	a := &approvals{v: v, action: ActionCreate, id: m.ID, attributes: m.Attributes}
	err := a.whole(ctx, m.Categories)
	if aerr := v.cfg.Auditor.Audit(ctx, ActionCreate, m.ID, slog.Any("categories", m.Categories), slog.Any("approvals", a.names()),
		slog.Bool("allowed", err == nil)); aerr != nil {
		return errors.Join(err, fmt.Errorf("recording: audit: %w", aerr))
	}
	return err
}

// cut is what of a recording may not leave, and by which approvals the rest of what is restricted may.
type cut struct {
	spans     []Span
	approvals []string
}

// decide says what of a recording may leave now, and records it if anything about it is restricted. refuse is for what cannot leave a part out.
func (a *Access) decide(ctx context.Context, action string, r *reading, refuse bool) (cut, error) {
	info := r.entry.info().with(r.meta)
	info.Attributes = maps.Clone(info.Attributes)
	ask := &approvals{v: a.v, action: action, id: info.ID, attributes: info.Attributes}
	var c cut
	err := ask.whole(ctx, info.Categories)
	if err == nil && a.v.cfg.Flagger != nil {
		c.spans, err = ask.withheld(ctx, info, r.s.parties)
	}
	if err == nil && refuse && len(c.spans) > 0 {
		err = fmt.Errorf("%w: %s: %v", ErrRestricted, info.ID, c.spans[0])
	}
	if c.approvals = ask.names(); err == nil && len(c.spans) == 0 && len(c.approvals) == 0 {
		return c, nil // nothing is restricted; permit has recorded it
	}
	var texts []string
	for _, s := range c.spans {
		texts = append(texts, s.String())
	}
	if aerr := a.audit.Audit(ctx, action, info.ID, slog.Any("withheld", texts), slog.Any("approvals", c.approvals), slog.Bool("allowed", err == nil)); aerr != nil {
		return cut{}, errors.Join(err, fmt.Errorf("recording: audit: %w", aerr))
	}
	return c, err
}

// withheld returns the flagged parts that nothing approves.
func (a *approvals) withheld(ctx context.Context, info Info, parties int) ([]Span, error) {
	all, err := a.v.cfg.Flagger.Flagged(ctx, info)
	if err != nil {
		return nil, fmt.Errorf("recording: flagged parts: %w", err)
	}
	var out []Span
	for _, s := range all {
		if s.Stream < 0 || int(s.Stream) > parties || (s.To != 0 && s.To < s.From) || s.To < 0 {
			return nil, fmt.Errorf("%w: flagged part of %s: %v", ErrInvalid, info.ID, s) // it means something: guessing what could let it out
		}
		name, err := a.of(ctx, s.Category)
		if err != nil {
			return nil, err
		}
		if s.From = max(0, s.From); name == "" {
			out = append(out, s)
		}
	}
	return out, nil
}

// hides reports whether anything of a party from one tick to another is withheld. A tick that is touched is withheld whole.
func (c cut) hides(party int, from, to int64) bool {
	for _, s := range c.spans {
		if a, b := s.ticks(); s.concerns(party) && a < to && from < b {
			return true
		}
	}
	return false
}

// silence clears what is withheld of a party's samples from tick at on.
func (c cut) silence(party int, samples []int16, at int64) {
	for _, s := range c.spans {
		if !s.concerns(party) {
			continue
		}
		a, b := s.ticks()
		if from, to := max(a, at), min(b, at+int64(len(samples))); from < to {
			clear(samples[from-at : to-at])
		}
	}
}

func (s Span) concerns(party int) bool { return s.Stream == Stereo || int(s.Stream)-1 == party }

func (s Span) ticks() (from, to int64) {
	if to = maxTick + 1; s.To != 0 {
		to = int64((s.To-1)/tick) + 1
	}
	return int64(s.From / tick), to
}
