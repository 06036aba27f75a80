package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/tenant/password"
)

// Principal is someone who was authenticated in one tenant. Only Authenticate, Operator and Service make one; the zero Principal is nobody and is
// refused everywhere with ErrUnauthenticated. Safe for concurrent use.
type Principal struct {
	tenant  *Tenant
	name    string
	service bool
}

// Authenticate returns the principal of a user who knows the console password, and ErrUnauthenticated otherwise, whatever the reason. The attempt is
// audited, the password is not. It waits its turn when MaxConcurrentHashes are running.
func (t *Tenant) Authenticate(ctx context.Context, user string, pw password.Secret) (*Principal, error) {
	stored, ok := t.dir.decoy, false
	u, err := t.store.FindUser(ctx, user)
	switch {
	case err == nil && u.Console != "" && !u.Disabled:
		stored, ok = u.Console, true
	case err != nil && !errors.Is(err, ErrUnknownUser):
		return nil, err
	}
	select {
	case t.dir.hashes <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("tenant: %w", ctx.Err())
	}
	err = password.Verify(stored, pw) // the decoy too: an unknown user takes as long as a wrong password
	<-t.dir.hashes
	if !ok || err != nil {
		if !userRule.MatchString(user) {
			user = "invalid" // what a stranger typed does not go into the log as it is
		}
		return nil, errors.Join(ErrUnauthenticated, t.audit(ctx, user, "principal.refused", "user/"+user))
	}
	if err := t.audit(ctx, u.Name, "principal.authenticated", "user/"+u.Name); err != nil {
		return nil, err
	}
	return &Principal{tenant: t, name: u.Name}, nil
}

// Operator returns the principal of the user named as without a password. It is for commands run on the server itself: possession of the data folder
// and the root key is the authentication. The user must exist in this tenant and be enabled: ErrUnauthenticated otherwise. It is audited.
func (t *Tenant) Operator(ctx context.Context, as string) (*Principal, error) {
	u, err := t.store.FindUser(ctx, as)
	if errors.Is(err, ErrUnknownUser) || (err == nil && u.Disabled) {
		return nil, fmt.Errorf("%w: no enabled user %q in %s", ErrUnauthenticated, as, t.profile.Name)
	}
	if err != nil {
		return nil, err
	}
	if err := t.audit(ctx, u.Name, "principal.operator", "user/"+u.Name); err != nil {
		return nil, err
	}
	return &Principal{tenant: t, name: u.Name}, nil
}

// Service returns the principal of one of the deployment's own jobs: "backup", "recorder", "retention" or "router". Its rights are fixed in defaults.go.
// ErrUnauthenticated for any other name.
func (t *Tenant) Service(_ context.Context, name string) (*Principal, error) {
	if _, ok := services[name]; !ok {
		return nil, fmt.Errorf("%w: no service %q", ErrUnauthenticated, name)
	}
	return &Principal{tenant: t, name: name, service: true}, nil
}

// Name returns who it is, for an audit log: the user's name, or "service:" and the job's name. Empty for the zero Principal.
func (p *Principal) Name() string {
	switch {
	case p == nil || p.tenant == nil:
		return ""
	case p.service:
		return "service:" + p.name
	}
	return p.name
}

// Tenant returns the name of the tenant it was authenticated in. Empty for the zero Principal.
func (p *Principal) Tenant() string {
	if p == nil || p.tenant == nil {
		return ""
	}
	return p.tenant.profile.Name
}

// Allow returns nil if the principal's roles grant the action, ErrForbidden if not, ErrUnauthenticated for the zero Principal and for a user who was
// disabled or deleted since. object names what is acted upon; today no grant depends on it. Allow satisfies the Authorizer port of the other packages.
func (p *Principal) Allow(ctx context.Context, action, object string) error {
	if p == nil || p.tenant == nil {
		return ErrUnauthenticated
	}
	if p.service {
		if slices.Contains(services[p.name], action) {
			return nil
		}
		return fmt.Errorf("%w: %s may not %s", ErrForbidden, p.Name(), action)
	}
	// Read each time: rights taken away are gone at the next call, not at the next log-in.
	u, err := p.tenant.store.FindUser(ctx, p.name)
	if errors.Is(err, ErrUnknownUser) || (err == nil && u.Disabled) {
		return fmt.Errorf("%w: %q is no longer enabled", ErrUnauthenticated, p.name)
	}
	if err != nil {
		return err
	}
	for _, r := range u.Roles {
		if slices.Contains(grants[r], action) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s may not %s", ErrForbidden, p.name, action)
}

// permit is the door of every call on personal data: a principal of this tenant, allowed, and recorded, in that order.
func (t *Tenant) permit(ctx context.Context, p *Principal, action, object string) error {
	if p == nil || p.tenant == nil || p.tenant != t {
		return ErrUnauthenticated
	}
	if err := p.Allow(ctx, action, object); err != nil {
		return errors.Join(err, t.audit(ctx, p.Name(), action+".refused", object))
	}
	return t.audit(ctx, p.Name(), action, object)
}
