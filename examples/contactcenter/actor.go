package main

import (
	"errors"
	"fmt"
	"log/slog"

	"context"

	"github.com/ringfence/ringfence/tenant"
)

// actor is who a command acts for, in one tenant: what --tenant and --as name. Both are always explicit.
type actor struct {
	dep    *deployment
	tenant *tenant.Tenant
	*tenant.Principal
	audit interface {
		Audit(ctx context.Context, action, object string, attrs ...slog.Attr) error
	}
}

// who is embedded by every command that touches a tenant's data.
type who struct {
	Tenant string `required:"" help:"The tenant."`
	As     string `required:"" help:"The user to act as; their rights decide, and the audit log names them."`
}

// with opens the data folder, finds the actor, and closes the folder again when f is done.
func (w who) with(a *app, f func(*actor) error) error {
	dep, err := openDeployment(a.ctx, a.cfg, false)
	if err != nil {
		return err
	}
	return errors.Join(func() error {
		t, err := dep.dir.Tenant(a.ctx, w.Tenant)
		if err != nil {
			return err
		}
		p, err := t.Operator(a.ctx, w.As)
		if err != nil {
			return fmt.Errorf("user %q of tenant %q: %w", w.As, w.Tenant, err)
		}
		log, err := dep.auditLog(w.Tenant)
		if err != nil {
			return err
		}
		return f(&actor{dep: dep, tenant: t, Principal: p, audit: log.As(p.Name())})
	}(), dep.Close())
}

// allowed asks for a right and records its use, for what no room asks about itself.
func (ac *actor) allowed(ctx context.Context, action, object string) error {
	if err := ac.Allow(ctx, action, object); err != nil {
		return err
	}
	return ac.audit.Audit(ctx, action, object)
}

// tenantConfig is the tenant's part of the configuration.
func (ac *actor) config() (tenantConfig, error) {
	if tc := ac.dep.configOf(ac.tenant.Name()); tc != nil {
		return *tc, nil
	}
	return tenantConfig{}, fmt.Errorf("tenant %q is not in the configuration", ac.tenant.Name())
}
