package recording

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// Rewrap says for whom the key of a recording is wrapped from now on. The zero Rewrap wraps it anew for the same: what a rotation of the tenant's keys needs.
type Rewrap struct {
	Add    []Recipient // who can open it too from now on; who is there by that name is replaced. If nil, nobody new
	Remove []string    // names of who cannot any more; names that are not there do not matter. If nil, nobody
}

// rewrapTries is how often a row that somebody else changes at the same time is tried again.
const rewrapTries = 5

// Rewrap wraps the key of a recording again, with the newest version of the KeyWrapper's key, and adds and removes recipients, without touching the audio.
// Reads go on meanwhile. Afterwards the version that it was wrapped with before can be destroyed. Whoever was removed and has a copy of the old envelope, as
// in a Seal or a backup of the catalog, still opens the recording with it. ErrInvalid if recipients are added to a recording of container version 1,
// ErrSunset for one whose suite may not be used any more. Right: recording.rewrap.
func (a *Access) Rewrap(ctx context.Context, id string, r Rewrap) error {
	names := make([]string, 0, len(r.Add))
	for _, to := range r.Add {
		names = append(names, to.name)
	}
	if err := a.permit(ctx, ActionRewrap, id, slog.Any("add", names), slog.Any("remove", r.Remove)); err != nil {
		return err
	}
	if err := a.v.cfg.suites(r.Add); err != nil {
		return err
	}
	var err error
	for range rewrapTries {
		if err = a.v.rewrap(ctx, id, r); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}

func (v *Vault) rewrap(ctx context.Context, id string, r Rewrap) error {
	e, err := v.get(ctx, id)
	if err != nil {
		return err
	}
	k, b, err := v.unwrap(ctx, e)
	defer k.close()
	if err != nil {
		if again, gerr := v.get(ctx, id); gerr == nil && !slices.Equal(again.WrappedKey, e.WrappedKey) {
			return fmt.Errorf("%w: %s", ErrConflict, id)
		}
		return err
	}
	wrapped, err := v.cfg.Keys.WrapKey(ctx, k.key[:], b.bytes("key"))
	if err != nil {
		return fmt.Errorf("recording: wrap key: %w", err)
	}
	if b.version == version1 {
		if len(r.Add) > 0 {
			return fmt.Errorf("%w: container version 1 has no recipients", ErrInvalid)
		}
		return wrap(v.cfg.Catalog.Rewrap(ctx, id, e.WrappedKey, wrapped))
	}
	old, err := parseEnvelope(e.WrappedKey)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrKey, id, err)
	}
	next := envelope{stanzas: []stanza{{suite: SuiteWrapped, wrapped: wrapped}}}
	gone := slices.Clone(r.Remove)
	for _, to := range r.Add {
		s, err := to.wrap(k, b)
		if err != nil {
			return err
		}
		next.stanzas, gone = append(next.stanzas, s), append(gone, to.name)
	}
	for _, s := range old.stanzas[1:] { // wrapped by HPKE once and for all: nobody needs the recipients' keys to rotate the Vault's own
		if !slices.Contains(gone, s.name) {
			next.stanzas = append(next.stanzas, s)
		}
	}
	text, err := next.finish(k, b)
	if err != nil {
		return err
	}
	return wrap(v.cfg.Catalog.Rewrap(ctx, id, e.WrappedKey, text))
}

// Recipients returns who can open a recording besides the Vault, by name, in order. Right: recording.list.
func (a *Access) Recipients(ctx context.Context, id string) ([]string, error) {
	if err := a.permit(ctx, ActionList, id); err != nil {
		return nil, err
	}
	e, err := a.v.get(ctx, id)
	if err != nil {
		return nil, err
	}
	k, b, err := a.v.unwrap(ctx, e) // checks the list
	k.close()
	if err != nil || b.version == version1 {
		return nil, err
	}
	env, err := parseEnvelope(e.WrappedKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKey, id, err)
	}
	var out []string
	for _, s := range env.stanzas[1:] {
		out = append(out, s.name)
	}
	return out, nil
}
