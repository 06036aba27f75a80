package main

import (
	"errors"
	"fmt"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/tenant/kms"
)

type keysCmd struct {
	List    keysList    `cmd:"" help:"List the versions of the tenant's key."`
	Rotate  keysRotate  `cmd:"" help:"Make a new version and wrap everything with it; older ones stay until they are destroyed."`
	Destroy keysDestroy `cmd:"" help:"Destroy a version that nothing is wrapped with any more."`
}

// withCustodian opens the tenant's keys and recordings for the actor.
func withCustodian(a *app, w who, f func(*actor, *kms.Custodian, *recording.Access) error) error {
	return withAccess(a, w, func(ac *actor, access *recording.Access) error {
		keys, err := ac.dep.keysOf(a.ctx, ac.tenant.Name())
		if err != nil {
			return err
		}
		custodian, err := keys.For(ac, ac.audit)
		if err != nil {
			return err
		}
		return f(ac, custodian, access)
	})
}

type keysList struct{ who }

func (c keysList) Run(a *app) error {
	return withCustodian(a, c.who, func(_ *actor, custodian *kms.Custodian, _ *recording.Access) error {
		versions, err := custodian.Versions(a.ctx)
		if err != nil {
			return err
		}
		for _, v := range versions {
			state := "live"
			if !v.Destroyed.IsZero() {
				state = "destroyed " + v.Destroyed.Format("2006-01-02")
			}
			fmt.Fprintf(a.stdout, "%d  made %s  %s\n", v.Number, v.Created.Format("2006-01-02T15:04:05Z"), state)
		}
		return nil
	})
}

type keysRotate struct{ who }

func (c keysRotate) Run(a *app) error {
	return withCustodian(a, c.who, func(ac *actor, custodian *kms.Custodian, access *recording.Access) error {
		v, err := custodian.Rotate(a.ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "key version %d in use\n", v)
		return wrapAnew(a, ac, access)
	})
}

// wrapAnew wraps all that the tenant's key protects with its newest version: credentials and recordings.
func wrapAnew(a *app, ac *actor, access *recording.Access) error {
	users, err := ac.tenant.Reseal(a.ctx, ac.Principal)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "credentials of %d users sealed anew\n", users)
	return rewrapAll(a, access, nil)
}

type keysDestroy struct {
	who
	Version uint32 `arg:"" help:"The version, as keys list has it."`
}

func (c keysDestroy) Run(a *app) error {
	return withCustodian(a, c.who, func(ac *actor, custodian *kms.Custodian, access *recording.Access) error {
		// Again, for what began while the key was rotated: what is still wrapped with the old version would be gone with it.
		if err := wrapAnew(a, ac, access); err != nil {
			return fmt.Errorf("nothing was destroyed: %w", err)
		}
		if err := custodian.DestroyVersion(a.ctx, c.Version); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "key version %d destroyed\n", c.Version)
		return nil
	})
}

type recordingsRewrap struct {
	who
	IDs []string `arg:"" optional:"" help:"The recordings; none means all."`
}

func (c recordingsRewrap) Run(a *app) error {
	return withAccess(a, c.who, func(_ *actor, access *recording.Access) error { return rewrapAll(a, access, c.IDs) })
}

// rewrapAll wraps the keys of recordings with the newest version of the tenant's key; no IDs means all. One that fails does not keep the others from it.
func rewrapAll(a *app, access *recording.Access, ids []string) error {
	if len(ids) == 0 {
		for item, err := range access.List(a.ctx, recording.Query{}) {
			if item.ID == "" && err != nil {
				return err
			}
			ids = append(ids, item.ID)
		}
	}
	var failed []error
	n := 0
	for _, id := range ids {
		err := access.Rewrap(a.ctx, id, recording.Rewrap{})
		switch {
		case err == nil:
			n++
		case errors.Is(err, recording.ErrDestroyed): // in between: it has no key to wrap
		default:
			failed = append(failed, fmt.Errorf("%s: %w", id, err))
		}
	}
	fmt.Fprintf(a.stdout, "keys of %d recordings wrapped anew\n", n)
	return errors.Join(failed...)
}
