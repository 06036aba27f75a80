package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ringfence/ringfence/tenant"
	"github.com/ringfence/ringfence/tenant/audit"
	"github.com/ringfence/ringfence/tenant/kms"
	"github.com/ringfence/ringfence/tenant/password"
	"github.com/ringfence/ringfence/tenant/sqlstore"
)

// deployment is what is on disk: root key, tenants, their keys and audit logs. The server and the commands open it alike, at the same time too.
//
//	data/root.key             the key above all keys; back it up apart from the rest
//	data/tls/                 the demo's certificate authority
//	data/tenants/NAME/        one folder per tenant: ringfence.db, audit.log, recordings/, backup.lock
type deployment struct {
	cfg    *config
	root   *kms.Root
	stores *sqlstore.Stores
	dir    *tenant.Directory

	mu   sync.Mutex
	logs map[string]*audit.Log
	keys map[string]*kms.Keys
}

var errNoData = errors.New("there is no data yet: start the server once")

// openDeployment opens the data folder. Only the server makes it; a command finds errNoData where there is none.
func openDeployment(ctx context.Context, cfg *config, create bool) (*deployment, error) {
	rootPath := filepath.Join(cfg.Data, "root.key")
	var root *kms.Root
	var err error
	if create {
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return nil, err
		}
		root, err = kms.OpenOrCreateRoot(rootPath)
	} else {
		root, err = kms.OpenRoot(rootPath)
		if errors.Is(err, kms.ErrNoRoot) {
			return nil, fmt.Errorf("%w (%s)", errNoData, cfg.Data)
		}
	}
	if err != nil {
		return nil, err
	}
	stores, err := sqlstore.Open(ctx, filepath.Join(cfg.Data, "tenants"))
	if err != nil {
		root.Close()
		return nil, err
	}
	d := &deployment{cfg: cfg, root: root, stores: stores, logs: map[string]*audit.Log{}, keys: map[string]*kms.Keys{}}
	d.dir, err = tenant.New(tenant.Config{
		Stores: stores,
		Seal:   func(ctx context.Context, name string) (tenant.Sealer, error) { return d.keysOf(ctx, name) },
		Audit: func(_ context.Context, name, actor string) (tenant.Auditor, error) {
			l, err := d.auditLog(name)
			if err != nil {
				return nil, err
			}
			return l.As(actor), nil
		},
	})
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *deployment) Close() error {
	var errs []error
	if d.dir != nil {
		errs = append(errs, d.dir.Close())
	} else {
		errs = append(errs, d.stores.Close())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.logs {
		errs = append(errs, l.Close())
	}
	d.root.Close()
	return errors.Join(errs...)
}

// configOf is a tenant's part of the configuration; nil if it has none any more.
func (d *deployment) configOf(name string) *tenantConfig {
	for i, tc := range d.cfg.Tenants {
		if strings.EqualFold(tc.Name, name) {
			return &d.cfg.Tenants[i]
		}
	}
	return nil
}

func (d *deployment) auditPath(name string) (string, error) {
	dir, err := d.stores.Dir(name)
	return filepath.Join(dir, "audit.log"), err
}

func (d *deployment) auditLog(name string) (*audit.Log, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.logs[name]; l != nil {
		return l, nil
	}
	path, err := d.auditPath(name)
	if err != nil {
		return nil, err
	}
	l, err := audit.Open(audit.Config{Path: path})
	if err != nil {
		return nil, err
	}
	d.logs[name] = l
	return l, nil
}

func (d *deployment) keysOf(ctx context.Context, name string) (*kms.Keys, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.keys[name]; k != nil {
		return k, nil
	}
	store, err := d.stores.Keys(ctx, name)
	if err != nil {
		return nil, err
	}
	k, err := kms.Open(ctx, kms.Config{Root: d.root, Store: store, Tenant: name})
	if err != nil {
		return nil, fmt.Errorf("keys of tenant %s: %w", name, err)
	}
	d.keys[name] = k
	return k, nil
}

// ensureTenants makes the tenants of the configuration that do not exist yet and prints the passwords of their phones to out: the only time they are shown.
func (d *deployment) ensureTenants(ctx context.Context, out io.Writer) error {
	for _, tc := range d.cfg.Tenants {
		if _, err := d.dir.Tenant(ctx, tc.Name); err == nil {
			continue
		} else if !errors.Is(err, tenant.ErrUnknownTenant) {
			return err
		}
		if err := d.createTenant(ctx, tc, out); err != nil {
			return fmt.Errorf("tenant %s: %w", tc.Name, err)
		}
	}
	return nil
}

// The people of a new tenant. They have no password for a console; commands on the server name one of them with --as.
var firstPeople = []tenant.NewUser{
	{Name: "supervisor", Display: "Supervisor", Roles: []tenant.Role{tenant.RoleSupervisor}},
	{Name: "auditor", Display: "Auditor", Roles: []tenant.Role{tenant.RoleAuditor}},
}

func (d *deployment) createTenant(ctx context.Context, tc tenantConfig, out io.Writer) error {
	t, err := d.dir.Create(ctx, tenant.Profile{Name: tc.Name, Domain: tc.Domain, Algorithms: tc.Digest},
		tenant.NewUser{Name: "admin", Display: "Administrator", Roles: []tenant.Role{tenant.RoleAdmin}})
	if err != nil {
		return err
	}
	admin, err := t.Operator(ctx, "admin")
	if err != nil {
		return err
	}
	for _, u := range firstPeople {
		if _, err := t.CreateUser(ctx, admin, u); err != nil {
			return err
		}
	}
	if tc.FirstStart == nil {
		return nil
	}
	add := func(name, display string, roles ...tenant.Role) error {
		secret := password.Generate()
		if _, err := t.CreateUser(ctx, admin, tenant.NewUser{Name: name, Display: display, Roles: roles, SIPPassword: secret}); err != nil {
			return fmt.Errorf("user %s: %w", name, err)
		}
		kind := "phone"
		if len(roles) > 0 {
			kind = string(roles[0])
		}
		_, err := fmt.Fprintf(out, "credentials tenant=%s domain=%s user=%s role=%s password=%s\n", tc.Name, tc.Domain, name, kind, secret.ExportSecret())
		return err
	}
	for _, n := range tc.FirstStart.Agents {
		if err := add(n, "Agent "+n, tenant.RoleAgent); err != nil {
			return err
		}
	}
	for _, n := range tc.FirstStart.Phones {
		if err := add(n, "Phone "+n); err != nil {
			return err
		}
	}
	return nil
}
