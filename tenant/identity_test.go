package tenant_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/tenant"
	"github.com/ringfence/ringfence/tenant/password"
)

// Operations without a Principal, each with the reason why it touches no personal data or is the authentication itself. A new operation of Tenant is
// either added here with a reason or takes a Principal and is tested below.
var withoutPrincipal = map[string]string{
	"Name":         "the tenant's name is not personal",
	"Profile":      "domain, realm and algorithms are not personal",
	"Authenticate": "it is the authentication",
	"Operator":     "it is the authentication of the local command line",
	"Service":      "it makes principals of fixed names and reads no user",
	"Credentials":  "it is what a phone's authentication is made with; the answer stays in the server",
}

// Every exported operation on personal data is walked: without an authenticated principal of this very tenant it is ErrUnauthenticated, and nothing changes.
func TestEveryOperationNeedsAPrincipal(t *testing.T) {
	control.Proves(t, "IDP-01")
	k := newKit(t)
	acme, boss := k.create(t, "acme")
	_, foreign := k.create(t, "globex") // an administrator, elsewhere, of the same name
	disabled := func(name string) *tenant.Principal {
		must[tenant.User](t)(acme.CreateUser(ctx, boss, tenant.NewUser{Name: name, Roles: []tenant.Role{tenant.RoleAdmin}}))
		p := must[*tenant.Principal](t)(acme.Operator(ctx, name))
		yes := true
		must[tenant.User](t)(acme.UpdateUser(ctx, boss, name, tenant.Change{Disabled: &yes}))
		return p
	}
	deleted := disabled("gone")
	if err := acme.DeleteUser(ctx, boss, "gone"); err != nil {
		t.Fatal(err)
	}
	strangers := map[string]*tenant.Principal{"nil": nil, "zero": {}, "another tenant's": foreign, "a disabled user's": disabled("retired"), "a deleted user's": deleted}

	before := must[[]tenant.User](t)(acme.Users(ctx, boss))
	walked := 0
	principal := reflect.TypeFor[*tenant.Principal]()
	for i := range reflect.TypeFor[*tenant.Tenant]().NumMethod() {
		m := reflect.TypeFor[*tenant.Tenant]().Method(i)
		takes := slices.ContainsFunc(slices.Collect(func(yield func(reflect.Type) bool) {
			for in := range m.Type.Ins() {
				if !yield(in) {
					return
				}
			}
		}), func(in reflect.Type) bool { return in == principal })
		if reason := withoutPrincipal[m.Name]; takes != (reason == "") {
			t.Errorf("%s: takes a Principal: %v; listed without one: %q", m.Name, takes, reason)
			continue
		}
		if !takes {
			continue
		}
		walked++
		for whose, p := range strangers {
			args := make([]reflect.Value, m.Type.NumIn())
			for n := range args {
				switch in := m.Type.In(n); {
				case n == 0:
					args[n] = reflect.ValueOf(acme)
				case n == 1:
					args[n] = reflect.ValueOf(ctx)
				case in == principal:
					args[n] = reflect.ValueOf(p)
				case in.Kind() == reflect.String:
					args[n] = reflect.ValueOf("1001") // a user that exists: there is something to find
				default:
					args[n] = reflect.Zero(in)
				}
			}
			out := m.Func.Call(args)
			err, _ := out[len(out)-1].Interface().(error)
			if !errors.Is(err, tenant.ErrUnauthenticated) {
				t.Errorf("%s with %s principal: %v, want ErrUnauthenticated", m.Name, whose, err)
			}
			for _, v := range out[:len(out)-1] {
				if !v.IsZero() {
					t.Errorf("%s with %s principal returned %v", m.Name, whose, v)
				}
			}
		}
	}
	if walked < 6 {
		t.Errorf("only %d operations walked", walked)
	}
	if after := must[[]tenant.User](t)(acme.Users(ctx, boss)); !reflect.DeepEqual(before, after) {
		t.Errorf("something changed: %+v", after)
	}
	for whose, p := range strangers {
		if whose == "another tenant's" {
			continue // it is someone, there
		}
		if err := p.Allow(ctx, tenant.ActionUsersRead, "users"); !errors.Is(err, tenant.ErrUnauthenticated) {
			t.Errorf("Allow of %s principal: %v", whose, err)
		}
	}
	if (*tenant.Principal)(nil).Name() != "" || (&tenant.Principal{}).Tenant() != "" {
		t.Error("nobody has a name")
	}
	// Nobody else makes a principal: no exported function or field does.
	for i := range reflect.TypeFor[tenant.Principal]().NumField() {
		if f := reflect.TypeFor[tenant.Principal]().Field(i); f.IsExported() {
			t.Errorf("Principal.%s can be set from outside", f.Name)
		}
	}
}

func TestAuthenticate(t *testing.T) {
	k := newKit(t)
	acme, boss := k.create(t, "acme")
	globex, _ := k.create(t, "globex")
	p := must[*tenant.Principal](t)(acme.Authenticate(ctx, "1001", agentPW))
	if p.Name() != "1001" || p.Tenant() != "acme" || k.audit.last() != "acme 1001 principal.authenticated user/1001" {
		t.Errorf("%s of %s; %s", p.Name(), p.Tenant(), k.audit.last())
	}
	must[tenant.User](t)(acme.CreateUser(ctx, boss, tenant.NewUser{Name: "phone", SIPPassword: password.Generate()}))
	must[tenant.User](t)(acme.CreateUser(ctx, boss, tenant.NewUser{Name: "retired", ConsolePassword: agentPW}))
	yes := true
	must[tenant.User](t)(acme.UpdateUser(ctx, boss, "retired", tenant.Change{Disabled: &yes}))
	var texts []string
	for name, tt := range map[string]struct {
		tn   *tenant.Tenant
		user string
		pw   password.Secret
	}{
		"wrong password": {acme, "1001", bossPW}, "unknown user": {acme, "9999", agentPW}, "no password set": {acme, "phone", password.Secret{}}, "empty password": {acme, "1001", password.Secret{}},
		"disabled": {acme, "retired", agentPW}, "another tenant": {globex, "retired", agentPW}, "injection": {acme, "x' OR '1'='1\n", agentPW}, "very long": {acme, "1001", password.NewSecret(strings.Repeat("x", 1<<20))},
	} {
		p, err := tt.tn.Authenticate(ctx, tt.user, tt.pw)
		if p != nil || !errors.Is(err, tenant.ErrUnauthenticated) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
		texts = append(texts, err.Error())
		if !strings.Contains(k.audit.last(), "principal.refused") || strings.Contains(k.audit.last(), "OR") {
			t.Errorf("%s: recorded %q", name, k.audit.last())
		}
	}
	if slices.Sort(texts); len(slices.Compact(texts)) != 1 {
		t.Errorf("the reasons can be told apart: %v", texts)
	}
	if _, err := acme.Operator(ctx, "retired"); !errors.Is(err, tenant.ErrUnauthenticated) {
		t.Error(err)
	}
	if _, err := acme.Operator(ctx, "9999"); !errors.Is(err, tenant.ErrUnauthenticated) {
		t.Error(err)
	}
	k.audit.fail = errors.New("full")
	if p, err := acme.Authenticate(ctx, "1001", agentPW); p != nil || !errors.Is(err, k.audit.fail) {
		t.Errorf("unrecorded: %v, %v", p, err)
	}
	if p, err := acme.Operator(ctx, "boss"); p != nil || !errors.Is(err, k.audit.fail) {
		t.Errorf("unrecorded: %v, %v", p, err)
	}
}

func TestRightsFollowFromRoles(t *testing.T) {
	k := newKit(t)
	acme, boss := k.create(t, "acme")
	who := map[tenant.Role]*tenant.Principal{}
	for _, r := range []tenant.Role{tenant.RoleAgent, tenant.RoleSupervisor, tenant.RoleAdmin, tenant.RoleAuditor} {
		must[tenant.User](t)(acme.CreateUser(ctx, boss, tenant.NewUser{Name: "a-" + string(r), Roles: []tenant.Role{r}}))
		who[r] = must[*tenant.Principal](t)(acme.Operator(ctx, "a-"+string(r)))
	}
	for action, may := range map[string][]tenant.Role{
		"recording.list":     {tenant.RoleSupervisor, tenant.RoleAdmin, tenant.RoleAuditor},
		"recording.listen":   {tenant.RoleSupervisor},
		"recording.export":   {tenant.RoleAdmin},
		"recording.download": {tenant.RoleAdmin},
		"recording.rewrap":   {tenant.RoleAdmin},
		"recording.verify":   {tenant.RoleSupervisor, tenant.RoleAdmin, tenant.RoleAuditor},
		"recording.delete":   {tenant.RoleAdmin},
		"recording.create":   nil,
		"backup.run":         {tenant.RoleAdmin},
		"backup.restore":     {tenant.RoleAdmin},
		"retention.run":      {tenant.RoleAdmin},
		"retention.explain":  {tenant.RoleSupervisor, tenant.RoleAdmin, tenant.RoleAuditor},
		"hold.place":         {tenant.RoleAdmin},
		"hold.release":       {tenant.RoleAdmin},
		"audit.verify":       {tenant.RoleAdmin, tenant.RoleAuditor},
		"audit.read":         {tenant.RoleAuditor},
		"users.read":         {tenant.RoleSupervisor, tenant.RoleAdmin, tenant.RoleAuditor},
		"users.write":        {tenant.RoleAdmin},
		"keys.rotate":        {tenant.RoleAdmin},
		"agent.ready":        {tenant.RoleAgent, tenant.RoleSupervisor},
		"":                   nil,
		"users":              nil,
		"users.write ":       nil,
		"recording.anything": nil,
	} {
		for role, p := range who {
			err := p.Allow(ctx, action, "x")
			if (err == nil) != slices.Contains(may, role) || (err != nil && !errors.Is(err, tenant.ErrForbidden)) {
				t.Errorf("%s %q: %v", role, action, err)
			}
		}
	}
	// What a right is taken from is gone at the next call.
	none := []tenant.Role{}
	must[tenant.User](t)(acme.UpdateUser(ctx, boss, "a-supervisor", tenant.Change{Roles: &none}))
	if err := who[tenant.RoleSupervisor].Allow(ctx, "recording.listen", "x"); !errors.Is(err, tenant.ErrForbidden) {
		t.Errorf("after the role was taken: %v", err)
	}
	for name, tt := range map[string]struct{ may, not string }{"backup": {"backup.run", "backup.restore"}, "recorder": {"recording.create", "recording.listen"}, "retention": {"recording.delete", "recording.export"}, "router": {"users.read", "recording.listen"}} {
		s := must[*tenant.Principal](t)(acme.Service(ctx, name))
		if err := s.Allow(ctx, tt.may, "x"); err != nil || s.Name() != "service:"+name {
			t.Errorf("%s: %v", s.Name(), err)
		}
		if err := s.Allow(ctx, tt.not, "x"); !errors.Is(err, tenant.ErrForbidden) {
			t.Errorf("%s: %v", s.Name(), err)
		}
		if err := acme.DeleteUser(ctx, s, "1001"); !errors.Is(err, tenant.ErrForbidden) {
			t.Errorf("%s: %v", s.Name(), err)
		}
	}
	if _, err := acme.Service(ctx, "boss"); !errors.Is(err, tenant.ErrUnauthenticated) {
		t.Error(err)
	}
	if g := tenant.Grants(tenant.RoleAgent); len(g) == 0 || !slices.IsSorted(g) || tenant.Grants("root") != nil {
		t.Error(g)
	}
}

func TestUsersAreManagedByAdministratorsOnly(t *testing.T) {
	k := newKit(t)
	acme, boss := k.create(t, "acme")
	agent := must[*tenant.Principal](t)(acme.Authenticate(ctx, "1001", agentPW))
	admin := []tenant.Role{tenant.RoleAdmin}
	_, err1 := acme.Users(ctx, agent)
	_, err2 := acme.User(ctx, agent, "boss")
	_, err3 := acme.CreateUser(ctx, agent, tenant.NewUser{Name: "evil", Roles: admin})
	_, err4 := acme.UpdateUser(ctx, agent, "1001", tenant.Change{Roles: &admin})
	_, err5 := acme.Reseal(ctx, agent)
	for i, err := range []error{err1, err2, err3, err4, err5, acme.DeleteUser(ctx, agent, "boss")} {
		if !errors.Is(err, tenant.ErrForbidden) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if k.audit.last() != "acme 1001 users.write.refused user/boss" {
		t.Errorf("recorded %q", k.audit.last())
	}
	// The last administrator cannot be removed, disabled or demoted, by anyone.
	yes, none := true, []tenant.Role{tenant.RoleAgent}
	_, err1 = acme.UpdateUser(ctx, boss, "boss", tenant.Change{Disabled: &yes})
	_, err2 = acme.UpdateUser(ctx, boss, "boss", tenant.Change{Roles: &none})
	for i, err := range []error{err1, err2, acme.DeleteUser(ctx, boss, "boss")} {
		if !errors.Is(err, tenant.ErrLastAdmin) {
			t.Errorf("%d: %v", i, err)
		}
	}
	for name, n := range map[string]tenant.NewUser{
		"no name": {}, "space": {Name: "a b"}, "slash": {Name: "a/b"}, "colon": {Name: "a:b"}, "newline": {Name: "a\n"}, "long": {Name: strings.Repeat("a", 65)}, "role": {Name: "a", Roles: []tenant.Role{"root"}},
		"role twice": {Name: "a", Roles: []tenant.Role{tenant.RoleAgent, tenant.RoleAgent}}, "short SIP password": {Name: "a", SIPPassword: password.NewSecret("1001")},
		"short password": {Name: "a", ConsolePassword: password.NewSecret("1001")}, "long display": {Name: "a", Display: strings.Repeat("a", 129)},
	} {
		if _, err := acme.CreateUser(ctx, boss, n); !errors.Is(err, tenant.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := acme.CreateUser(ctx, boss, tenant.NewUser{Name: "1001"}); !errors.Is(err, tenant.ErrExists) {
		t.Error(err)
	}
	k.audit.fail = errors.New("full")
	_, err1 = acme.CreateUser(ctx, boss, tenant.NewUser{Name: "1002"})
	_, err2 = acme.UpdateUser(ctx, boss, "1001", tenant.Change{Disabled: &yes})
	for _, err := range []error{err1, err2, acme.DeleteUser(ctx, boss, "1001")} {
		if !errors.Is(err, k.audit.fail) {
			t.Errorf("unrecorded: %v", err)
		}
	}
	k.audit.fail = nil
	if u := must[[]tenant.User](t)(acme.Users(ctx, boss)); len(u) != 2 || u[0].Disabled {
		t.Errorf("%+v", u)
	}
	if err := acme.DeleteUser(ctx, boss, "1001"); err != nil {
		t.Fatal(err)
	}
	if _, err := acme.User(ctx, boss, "1001"); !errors.Is(err, tenant.ErrUnknownUser) {
		t.Error(err)
	}
}
