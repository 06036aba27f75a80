package tenant_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/tenant"
	"github.com/ringfence/ringfence/tenant/kms"
	"github.com/ringfence/ringfence/tenant/password"
	"github.com/ringfence/ringfence/tenant/sqlstore"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var (
	ctx   = context.Background()
	epoch = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

	bossPW  = password.NewSecret("boss's long password")
	agentPW = password.NewSecret("agent's long password")
)

// kit is a directory on real stores and real keys.
type kit struct {
	dir   *tenant.Directory
	cfg   tenant.Config
	audit *log
}

// log is every tenant's audit log.
type log struct {
	mu      sync.Mutex
	entries []string
	fail    error
}

type actor struct {
	l            *log
	tenant, name string
}

func (a actor) Audit(_ context.Context, action, object string, _ ...slog.Attr) error {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	if a.l.fail != nil {
		return a.l.fail
	}
	a.l.entries = append(a.l.entries, a.tenant+" "+a.name+" "+action+" "+object)
	return nil
}

func (l *log) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		return ""
	}
	return l.entries[len(l.entries)-1]
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newKit(t testing.TB) *kit { return openKit(t, t.TempDir()) }

func openKit(t testing.TB, dir string) *kit {
	t.Helper()
	root := must[*kms.Root](t)(kms.OpenOrCreateRoot(filepath.Join(dir, "root.key")))
	stores := must[*sqlstore.Stores](t)(sqlstore.Open(ctx, filepath.Join(dir, "tenants")))
	k := &kit{audit: &log{}}
	k.cfg = tenant.Config{
		Stores: stores,
		Seal: func(ctx context.Context, name string) (tenant.Sealer, error) {
			st, err := stores.Keys(ctx, name)
			if err != nil {
				return nil, err
			}
			return kms.Open(ctx, kms.Config{Root: root, Store: st, Tenant: name})
		},
		Audit: func(_ context.Context, tn, name string) (tenant.Auditor, error) {
			return actor{k.audit, tn, name}, nil
		},
		Now: func() time.Time { return epoch },
	}
	k.dir = must[*tenant.Directory](t)(tenant.New(k.cfg))
	t.Cleanup(func() {
		if err := k.dir.Close(); err != nil {
			t.Error(err)
		}
		root.Close()
	})
	return k
}

// create makes a tenant with an administrator "boss" and an agent 1001, and returns boss.
func (k *kit) create(t testing.TB, name string, algorithms ...string) (*tenant.Tenant, *tenant.Principal) {
	t.Helper()
	tn := must[*tenant.Tenant](t)(k.dir.Create(ctx, tenant.Profile{Name: name, Domain: name + ".example", Algorithms: algorithms},
		tenant.NewUser{Name: "boss", Roles: []tenant.Role{tenant.RoleAdmin}, ConsolePassword: bossPW}))
	boss := must[*tenant.Principal](t)(tn.Operator(ctx, "boss"))
	must[tenant.User](t)(tn.CreateUser(ctx, boss, tenant.NewUser{Name: "1001", Roles: []tenant.Role{tenant.RoleAgent},
		SIPPassword: password.NewSecret("phone of 1001 in " + name), ConsolePassword: agentPW}))
	return tn, boss
}
