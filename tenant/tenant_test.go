package tenant_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/tenant"
	"github.com/ringfence/ringfence/tenant/kms"
	"github.com/ringfence/ringfence/tenant/password"
	"github.com/ringfence/ringfence/tenant/sqlstore"
)

func TestNewRefusesMissingParts(t *testing.T) {
	k := newKit(t)
	for name, drop := range map[string]func(*tenant.Config){
		"Stores": func(c *tenant.Config) { c.Stores = nil }, "Seal": func(c *tenant.Config) { c.Seal = nil }, "Audit": func(c *tenant.Config) { c.Audit = nil },
	} {
		cfg := k.cfg
		drop(&cfg)
		if d, err := tenant.New(cfg); d != nil || !errors.Is(err, tenant.ErrConfig) {
			t.Errorf("without %s: %v, %v", name, d, err)
		}
	}
	cfg := k.cfg
	cfg.Seal = func(context.Context, string) (tenant.Sealer, error) { return nil, nil }
	d := must[*tenant.Directory](t)(tenant.New(cfg))
	if _, err := d.Create(ctx, tenant.Profile{Name: "acme", Domain: "acme.example"}, tenant.NewUser{Name: "boss", Roles: []tenant.Role{tenant.RoleAdmin}}); !errors.Is(err, tenant.ErrConfig) {
		t.Errorf("without a Sealer: %v", err)
	}
}

// There is no way to data but through a tenant, and through a tenant there is no way to another's data: 1000 names that exist elsewhere, and variations that
// try to leave, are not found, with the answer and the kind of time of names that exist nowhere.
func TestNoTenantReachesAnother(t *testing.T) {
	control.Proves(t, "TEN-01")
	k := newKit(t)
	acme, boss := k.create(t, "acme")
	globex, foreign := k.create(t, "globex")
	// The Directory hands out tenants and their names and nothing else.
	for i := range reflect.TypeFor[*tenant.Directory]().NumMethod() {
		m := reflect.TypeFor[*tenant.Directory]().Method(i)
		for out := range m.Type.Outs() {
			switch out {
			case reflect.TypeFor[*tenant.Tenant](), reflect.TypeFor[[]string](), reflect.TypeFor[error]():
			default:
				t.Errorf("Directory.%s returns %v without a tenant", m.Name, out)
			}
		}
	}
	// So do the stores: each way to a row begins with a name.
	for i := range reflect.TypeFor[tenant.Stores]().NumMethod() {
		m := reflect.TypeFor[tenant.Stores]().Method(i)
		if m.Name != "Names" && (m.Type.NumIn() != 2 || m.Type.In(1).Kind() != reflect.String) {
			t.Errorf("Stores.%s needs no tenant", m.Name)
		}
	}
	const n = 1000
	var ids []string
	store := must[tenant.Store](t)(k.cfg.Stores.Open(ctx, "globex"))
	for i := range n {
		ids = append(ids, fmt.Sprintf("g%d-%s", i, rand.Text()[:8]))
		if err := store.InsertUser(ctx, tenant.UserRecord{User: tenant.User{Name: ids[i]}}); err != nil {
			t.Fatal(err)
		}
	}
	look := func(name string) time.Duration {
		start := time.Now()
		u, err := acme.User(ctx, boss, name)
		took := time.Since(start)
		if !errors.Is(err, tenant.ErrUnknownUser) || err.Error() != tenant.ErrUnknownUser.Error() || !reflect.DeepEqual(u, tenant.User{}) {
			t.Fatalf("acme finds %q: %+v, %v", name, u, err)
		}
		return took
	}
	tricks := []func(string) string{
		func(s string) string { return "globex/" + s }, func(s string) string { return "../globex/" + s }, func(s string) string { return s + "@globex.example" },
		func(s string) string { return "' OR name='" + s }, func(s string) string { return s + "\x00" }, func(s string) string { return "%" + s[1:] },
	}
	var found, nowhere []time.Duration
	for i, id := range ids {
		found = append(found, look(id))
		nowhere = append(nowhere, look(fmt.Sprintf("g%d-%s", i, rand.Text()[:8])))
		look(tricks[i%len(tricks)](id))
		if _, err := acme.Credentials(ctx, "acme.example", id, tenant.SHA256); !errors.Is(err, tenant.ErrUnknownUser) {
			t.Fatalf("acme has credentials of %q: %v", id, err)
		}
	}
	for _, u := range must[[]tenant.User](t)(acme.Users(ctx, boss)) {
		if u.Name != "boss" && u.Name != "1001" {
			t.Errorf("acme lists %q", u.Name)
		}
	}
	for i := 0; i < n; i += 100 {
		if err := acme.DeleteUser(ctx, boss, ids[i]); !errors.Is(err, tenant.ErrUnknownUser) {
			t.Fatalf("acme deletes %q: %v", ids[i], err)
		}
	}
	if got := len(must[[]tenant.User](t)(globex.Users(ctx, foreign))); got != n+2 {
		t.Errorf("globex has %d users left", got)
	}
	// The same class of time: both questions do the same work in the same file.
	slices.Sort(found)
	slices.Sort(nowhere)
	if a, b := found[len(found)/2], nowhere[len(nowhere)/2]; a > 3*b || b > 3*a {
		t.Errorf("an ID that exists elsewhere takes %v, one that exists nowhere %v", a, b)
	}
	// And the tenant itself cannot be talked into another.
	for _, name := range []string{"", "acme/../globex", "../globex", "globex/", "GLOBEX", "globex\x00", "*", "%"} {
		if tn, err := k.dir.Tenant(ctx, name); tn != nil || !errors.Is(err, tenant.ErrUnknownTenant) {
			t.Errorf("tenant %q: %v, %v", name, tn, err)
		}
	}
}

// The database of one tenant put in another's place does not open as the other.
func TestSwappedDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	k := openKit(t, dir)
	k.create(t, "acme")
	k.create(t, "globex")
	if err := k.dir.Close(); err != nil {
		t.Fatal(err)
	}
	b := must[[]byte](t)(os.ReadFile(filepath.Join(dir, "tenants", "globex", "ringfence.db")))
	if err := os.WriteFile(filepath.Join(dir, "tenants", "acme", "ringfence.db"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	again := openKit(t, dir)
	if tn, err := again.dir.Tenant(ctx, "acme"); tn != nil || !errors.Is(err, tenant.ErrUnknownTenant) {
		t.Errorf("%v, %v", tn, err)
	}
	must[*tenant.Tenant](t)(again.dir.Tenant(ctx, "globex"))
}

func TestTenantFollowsFromTheDomain(t *testing.T) {
	dir := t.TempDir()
	k := openKit(t, dir)
	k.create(t, "acme")
	k.create(t, "globex")
	reopened := openKit(t, dir) // nothing remembered yet
	for _, d := range []*tenant.Directory{k.dir, reopened.dir} {
		for domain, want := range map[string]string{"acme.example": "acme", "GLOBEX.example.": "globex", "acme.example.": "acme"} {
			if tn, err := d.ByDomain(ctx, domain); err != nil || tn.Name() != want {
				t.Errorf("%s: %v, %v", domain, tn, err)
			}
		}
		for _, domain := range []string{"", ".", "example", "x.acme.example", "acme", "acme.example\x00"} {
			if tn, err := d.ByDomain(ctx, domain); tn != nil || !errors.Is(err, tenant.ErrUnknownTenant) {
				t.Errorf("%q: %v, %v", domain, tn, err)
			}
		}
		if names := must[[]string](t)(d.Names(ctx)); !slices.Equal(names, []string{"acme", "globex"}) {
			t.Error(names)
		}
	}
	admin := tenant.NewUser{Name: "boss", Roles: []tenant.Role{tenant.RoleAdmin}}
	for name, tt := range map[string]struct {
		p    tenant.Profile
		u    tenant.NewUser
		want error
	}{
		"name taken":    {tenant.Profile{Name: "acme", Domain: "other.example"}, admin, tenant.ErrExists},
		"domain taken":  {tenant.Profile{Name: "other", Domain: "Acme.Example"}, admin, tenant.ErrExists},
		"bad name":      {tenant.Profile{Name: "../x", Domain: "x.example"}, admin, tenant.ErrInvalid},
		"no domain":     {tenant.Profile{Name: "x"}, admin, tenant.ErrInvalid},
		"bad realm":     {tenant.Profile{Name: "x", Domain: "x.example", Realm: "a\"b"}, admin, tenant.ErrInvalid},
		"bad algorithm": {tenant.Profile{Name: "x", Domain: "x.example", Algorithms: []string{"SHA-1"}}, admin, tenant.ErrInvalid},
		"no admin":      {tenant.Profile{Name: "x", Domain: "x.example"}, tenant.NewUser{Name: "boss"}, tenant.ErrInvalid},
	} {
		if _, err := k.dir.Create(ctx, tt.p, tt.u); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The example of RFC 7616, section 3.9.1, comes out of the stored credentials, for both algorithms.
func TestCredentialsGiveTheAnswersOfRFC7616(t *testing.T) {
	k := newKit(t)
	acme := must[*tenant.Tenant](t)(k.dir.Create(ctx, tenant.Profile{Name: "acme", Domain: "acme.example", Realm: "http-auth@example.org", Algorithms: []string{tenant.SHA256, tenant.MD5}},
		tenant.NewUser{Name: "Mufasa", Roles: []tenant.Role{tenant.RoleAdmin}, SIPPassword: password.NewSecret("Circle of Life")}))
	for algorithm, tt := range map[string]struct {
		sum  func(string) string
		want string
	}{
		tenant.SHA256: {func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		tenant.MD5:    {func(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }, "8ca523f5e9506fed4657c9700eebdbec"},
	} {
		ha1 := must[[]byte](t)(acme.Credentials(ctx, "http-auth@example.org", "Mufasa", algorithm))
		got := tt.sum(hex.EncodeToString(ha1) + ":7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v:00000001:f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ:auth:" + tt.sum("GET:/dir/index.html"))
		if got != tt.want {
			t.Errorf("%s: %s, want %s", algorithm, got, tt.want)
		}
	}
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	k := openKit(t, dir)
	acme, boss := k.create(t, "acme")                             // SHA-256 only
	globex, _ := k.create(t, "globex", tenant.MD5, tenant.SHA256) // the same number, another phone
	a := must[[]byte](t)(acme.Credentials(ctx, "acme.example", "1001", tenant.SHA256))
	if want := sha256.Sum256([]byte("1001:acme.example:phone of 1001 in acme")); !bytes.Equal(a, want[:]) {
		t.Errorf("%x", a)
	}
	b := must[[]byte](t)(globex.Credentials(ctx, "globex.example", "1001", tenant.MD5))
	if want := md5.Sum([]byte("1001:globex.example:phone of 1001 in globex")); !bytes.Equal(b, want[:]) {
		t.Errorf("%x", b)
	}
	must[tenant.User](t)(acme.CreateUser(ctx, boss, tenant.NewUser{Name: "retired", SIPPassword: password.Generate()}))
	yes := true
	must[tenant.User](t)(acme.UpdateUser(ctx, boss, "retired", tenant.Change{Disabled: &yes}))
	for name, tt := range map[string]struct {
		realm, user, algorithm string
		want                   error
	}{
		"unknown user":         {"acme.example", "9999", tenant.SHA256, tenant.ErrUnknownUser},
		"user without a phone": {"acme.example", "boss", tenant.SHA256, tenant.ErrUnknownUser},
		"disabled user":        {"acme.example", "retired", tenant.SHA256, tenant.ErrUnknownUser},
		"another realm":        {"globex.example", "1001", tenant.SHA256, tenant.ErrUnknownRealm},
		"MD5 not allowed":      {"acme.example", "1001", tenant.MD5, tenant.ErrAlgorithm},
		"unknown algorithm":    {"acme.example", "1001", "", tenant.ErrAlgorithm},
	} {
		if ha1, err := acme.Credentials(ctx, tt.realm, tt.user, tt.algorithm); ha1 != nil || !errors.Is(err, tt.want) {
			t.Errorf("%s: %x, %v", name, ha1, err)
		}
	}
	// A new password replaces the old one; none takes the phone away.
	pw, none := password.NewSecret("another long password"), password.Secret{}
	must[tenant.User](t)(acme.UpdateUser(ctx, boss, "1001", tenant.Change{SIPPassword: &pw}))
	if got := must[[]byte](t)(acme.Credentials(ctx, "acme.example", "1001", tenant.SHA256)); bytes.Equal(got, a) {
		t.Error("the old password still registers")
	}
	must[tenant.User](t)(acme.UpdateUser(ctx, boss, "1001", tenant.Change{SIPPassword: &none}))
	if _, err := acme.Credentials(ctx, "acme.example", "1001", tenant.SHA256); !errors.Is(err, tenant.ErrUnknownUser) {
		t.Error(err)
	}
	// Nothing of it is in the files.
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, secret := range [][]byte{a, b, []byte(hex.EncodeToString(a)), []byte("phone of 1001"), []byte("agent's long password")} {
			if bytes.Contains(text, secret) {
				t.Errorf("%s holds a secret in the clear", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A row of credentials copied over another user's does not become that user's.
func TestCopiedCredentialsAreRefused(t *testing.T) {
	k := newKit(t)
	acme, boss := k.create(t, "acme")
	must[tenant.User](t)(acme.CreateUser(ctx, boss, tenant.NewUser{Name: "1002", SIPPassword: password.NewSecret("known to mallory")}))
	st := must[tenant.Store](t)(k.cfg.Stores.Open(ctx, "acme"))
	from := must[tenant.UserRecord](t)(st.FindUser(ctx, "1002"))
	if err := st.ChangeUser(ctx, "1001", func(u *tenant.UserRecord, _ int) error { u.HA1 = from.HA1; return nil }); err != nil {
		t.Fatal(err)
	}
	if ha1, err := acme.Credentials(ctx, "acme.example", "1001", tenant.SHA256); ha1 != nil || !errors.Is(err, kms.ErrUnwrap) {
		t.Errorf("%x, %v", ha1, err)
	}
}

type anyone struct{ actor }

func (anyone) Allow(context.Context, string, string) error { return nil }

// After a rotation and a resealing the old key can be destroyed and every phone still registers; strangers still get the same answer.
func TestReseal(t *testing.T) {
	k := newKit(t)
	acme, boss := k.create(t, "acme")
	before := must[[]byte](t)(acme.Credentials(ctx, "acme.example", "1001", tenant.SHA256))
	sealer := must[tenant.Sealer](t)(k.cfg.Seal(ctx, "acme"))
	c := must[*kms.Custodian](t)(sealer.(*kms.Keys).For(anyone{}, actor{k.audit, "acme", "boss"}))
	must[uint32](t)(c.Rotate(ctx))
	if n := must[int](t)(acme.Reseal(ctx, boss)); n != 2 {
		t.Errorf("%d users resealed", n)
	}
	if err := c.DestroyVersion(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if after := must[[]byte](t)(acme.Credentials(ctx, "acme.example", "1001", tenant.SHA256)); !bytes.Equal(after, before) {
		t.Error("the credentials changed")
	}
	if _, err := acme.Credentials(ctx, "acme.example", "9999", tenant.SHA256); !errors.Is(err, tenant.ErrUnknownUser) {
		t.Error(err)
	}
}

// A creation that dies half-way leaves no tenant, and can be repeated.
func TestCreateThatDies(t *testing.T) {
	k := newKit(t)
	cfg := k.cfg
	cfg.Stores = dying{k.cfg.Stores}
	d := must[*tenant.Directory](t)(tenant.New(cfg))
	p, u := tenant.Profile{Name: "acme", Domain: "acme.example"}, tenant.NewUser{Name: "boss", Roles: []tenant.Role{tenant.RoleAdmin}}
	if _, err := d.Create(ctx, p, u); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	if names := must[[]string](t)(k.dir.Names(ctx)); len(names) != 0 {
		t.Error(names)
	}
	if _, err := k.dir.Tenant(ctx, "acme"); !errors.Is(err, tenant.ErrUnknownTenant) {
		t.Error(err)
	}
	must[*tenant.Tenant](t)(k.dir.Create(ctx, p, u))
}

var errDied = errors.New("died")

type dying struct{ tenant.Stores }

func (d dying) Create(ctx context.Context, name string) (tenant.Store, error) {
	st, err := d.Stores.Create(ctx, name)
	return dyingStore{st}, err
}

type dyingStore struct{ tenant.Store }

func (dyingStore) SaveProfile(context.Context, tenant.Profile) error { return errDied }

func Example() {
	dir, err := os.MkdirTemp("", "tenants")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	root, _ := kms.OpenOrCreateRoot(filepath.Join(dir, "root.key"))
	stores, _ := sqlstore.Open(ctx, filepath.Join(dir, "tenants"))
	directory, err := tenant.New(tenant.Config{
		Stores: stores,
		Seal: func(ctx context.Context, name string) (tenant.Sealer, error) {
			store, err := stores.Keys(ctx, name)
			if err != nil {
				return nil, err
			}
			return kms.Open(ctx, kms.Config{Root: root, Store: store, Tenant: name})
		},
		Audit: func(_ context.Context, name, who string) (tenant.Auditor, error) {
			return actor{&log{}, name, who}, nil
		}, // in earnest: an audit.Log's As(who)
	})
	if err != nil {
		panic(err)
	}
	defer directory.Close()
	secret := password.NewSecret("a long password")
	acme, err := directory.Create(ctx, tenant.Profile{Name: "acme", Domain: "acme.example"},
		tenant.NewUser{Name: "boss", Roles: []tenant.Role{tenant.RoleAdmin}, ConsolePassword: secret})
	fmt.Println(acme.Name(), err)

	boss, err := acme.Authenticate(ctx, "boss", secret)
	fmt.Println(boss.Name(), err)
	fmt.Println(boss.Allow(ctx, "recording.export", "r1"))
	fmt.Println(boss.Allow(ctx, "recording.listen", "r1"))
	_, err = acme.Users(ctx, nil)
	fmt.Println(err)
	// Output:
	// acme <nil>
	// boss <nil>
	// <nil>
	// tenant: forbidden: boss may not recording.listen
	// tenant: unauthenticated
}
