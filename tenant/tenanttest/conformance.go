package tenanttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/tenant"
	"github.com/ringfence/ringfence/tenant/kms"
)

// TestStores is the conformance suite of tenant.Stores. open returns an empty one, anew for each subtest.
func TestStores(t *testing.T, open func(t *testing.T) tenant.Stores) {
	ctx := context.Background()
	profile := func(name string) tenant.Profile {
		return tenant.Profile{Name: name, Domain: name + ".example", Realm: name, Algorithms: []string{tenant.SHA256, tenant.MD5}}
	}
	user := func(name string, roles ...tenant.Role) tenant.UserRecord {
		return tenant.UserRecord{User: tenant.User{Name: name, Display: "User " + name, Roles: roles, Created: time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC)},
			Console: "$argon2id$" + name, HA1: map[string][]byte{tenant.SHA256: []byte("sealed " + name)}}
	}
	create := func(t *testing.T, s tenant.Stores, name string) tenant.Store {
		t.Helper()
		st, err := s.Create(ctx, name)
		if err == nil {
			err = st.SaveProfile(ctx, profile(name))
		}
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(t *testing.T, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	t.Run("a tenant exists from its first profile on", func(t *testing.T) {
		s := open(t)
		_, err := s.Open(ctx, "acme")
		is(t, err, tenant.ErrUnknownTenant)
		st, err := s.Create(ctx, "acme")
		must(t, err)
		_, err = st.Profile(ctx)
		is(t, err, tenant.ErrUnknownTenant)
		_, err = s.Open(ctx, "acme")
		is(t, err, tenant.ErrUnknownTenant)
		must(t, st.InsertUser(ctx, user("leftover")))
		again, err := s.Create(ctx, "acme") // the first creation died here
		must(t, err)
		_, err = again.FindUser(ctx, "leftover")
		is(t, err, tenant.ErrUnknownUser)
		must(t, again.SaveProfile(ctx, profile("acme")))
		_, err = s.Create(ctx, "acme")
		is(t, err, tenant.ErrExists)
		got, err := s.Open(ctx, "acme")
		must(t, err)
		p, err := got.Profile(ctx)
		must(t, err)
		if fmt.Sprint(p) != fmt.Sprint(profile("acme")) {
			t.Errorf("%+v", p)
		}
	})
	t.Run("names are sorted, and only tenants", func(t *testing.T) {
		s := open(t)
		create(t, s, "globex")
		create(t, s, "acme")
		_, err := s.Create(ctx, "unfinished")
		must(t, err)
		names, err := s.Names(ctx)
		if must(t, err); !slices.Equal(names, []string{"acme", "globex"}) {
			t.Errorf("%v", names)
		}
	})
	t.Run("what is no tenant's name opens nothing", func(t *testing.T) {
		s := open(t)
		create(t, s, "acme")
		for _, name := range []string{"", ".", "..", "../acme", "acme/", "Acme", "acme\x00", "a b", "-a"} {
			_, err := s.Open(ctx, name)
			is(t, err, tenant.ErrUnknownTenant)
			_, err = s.Create(ctx, name)
			is(t, err, tenant.ErrInvalid)
		}
	})
	t.Run("users come back as stored, by name", func(t *testing.T) {
		st := create(t, open(t), "acme")
		want := []tenant.UserRecord{user("1001", tenant.RoleAgent), user("1002"), user("boss", tenant.RoleAdmin, tenant.RoleSupervisor)}
		for _, u := range slices.Backward(want) {
			must(t, st.InsertUser(ctx, u))
		}
		is(t, st.InsertUser(ctx, want[0]), tenant.ErrExists)
		got, err := st.FindUser(ctx, "boss")
		if must(t, err); fmt.Sprint(got) != fmt.Sprint(want[2]) {
			t.Errorf("got  %+v\nwant %+v", got, want[2])
		}
		var all []tenant.UserRecord
		for u, err := range st.ListUsers(ctx) {
			must(t, err)
			all = append(all, u)
		}
		if fmt.Sprint(all) != fmt.Sprint(want) {
			t.Errorf("got  %+v\nwant %+v", all, want)
		}
		for _, name := range []string{"", "1003", "%", "100_", "1001' OR '1'='1", "BOSS"} {
			_, err = st.FindUser(ctx, name)
			is(t, err, tenant.ErrUnknownUser)
		}
	})
	t.Run("a change is whole or not at all, and knows the other administrators", func(t *testing.T) {
		st := create(t, open(t), "acme")
		disabled := user("retired", tenant.RoleAdmin)
		disabled.Disabled = true
		for _, u := range []tenant.UserRecord{user("a", tenant.RoleAdmin), user("b", tenant.RoleAdmin, tenant.RoleAgent), user("c", tenant.RoleAgent), disabled} {
			must(t, st.InsertUser(ctx, u))
		}
		for name, want := range map[string]int{"a": 1, "b": 1, "c": 2, "retired": 2} {
			must(t, st.ChangeUser(ctx, name, func(_ *tenant.UserRecord, admins int) error {
				if admins != want {
					t.Errorf("%s: %d other administrators, want %d", name, admins, want)
				}
				return nil
			}))
		}
		no := errors.New("no")
		is(t, st.ChangeUser(ctx, "a", func(u *tenant.UserRecord, _ int) error { u.Display = "changed"; return no }), no)
		u, err := st.FindUser(ctx, "a")
		if must(t, err); u.Display != "User a" {
			t.Error("a failed change was stored")
		}
		must(t, st.ChangeUser(ctx, "a", func(u *tenant.UserRecord, _ int) error {
			u.Display, u.Disabled, u.HA1 = "changed", true, nil
			return nil
		}))
		u, err = st.FindUser(ctx, "a")
		if must(t, err); u.Display != "changed" || !u.Disabled || len(u.HA1) != 0 || u.Console != "$argon2id$a" {
			t.Errorf("%+v", u)
		}
		must(t, st.ChangeUser(ctx, "b", func(u *tenant.UserRecord, _ int) error { *u = tenant.UserRecord{}; return nil }))
		_, err = st.FindUser(ctx, "b")
		is(t, err, tenant.ErrUnknownUser)
		is(t, st.ChangeUser(ctx, "b", func(*tenant.UserRecord, int) error { return nil }), tenant.ErrUnknownUser)
	})
	t.Run("tenants do not see each other", func(t *testing.T) {
		s := open(t)
		acme, globex := create(t, s, "acme"), create(t, s, "globex")
		must(t, acme.InsertUser(ctx, user("1001")))
		must(t, globex.InsertUser(ctx, user("1001", tenant.RoleAdmin))) // the same number, another person
		must(t, acme.InsertUser(ctx, user("only-acme")))
		_, err := globex.FindUser(ctx, "only-acme")
		is(t, err, tenant.ErrUnknownUser)
		must(t, acme.ChangeUser(ctx, "1001", func(u *tenant.UserRecord, admins int) error {
			if admins != 0 {
				t.Error("counts another tenant's administrators")
			}
			u.Display = "changed"
			return nil
		}))
		u, err := globex.FindUser(ctx, "1001")
		if must(t, err); u.Display != "User 1001" || len(u.Roles) != 1 {
			t.Errorf("%+v", u)
		}
	})
}

// TestKeyStore is the conformance suite of kms.Store. open returns an empty one, anew for each subtest.
func TestKeyStore(t *testing.T, open func(t *testing.T) kms.Store) {
	ctx := context.Background()
	at := time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC)
	record := func(n uint32) kms.Record {
		return kms.Record{ID: fmt.Sprintf("kek-%d", n), Kind: "kek", Version: n, Created: at, Wrapped: []byte{1, byte(n)}}
	}
	signing := kms.Record{ID: "signing-1", Kind: "signing", Version: 1, Created: at, Wrapped: []byte("w"), Public: []byte("p")}
	records := func(t *testing.T, s kms.Store) []kms.Record {
		t.Helper()
		out, err := s.Records(ctx)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(out, func(a, b kms.Record) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
		return out
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("saving is whole or not at all", func(t *testing.T) {
		s := open(t)
		if got := records(t, s); len(got) != 0 {
			t.Errorf("%v", got)
		}
		must(t, s.Save(ctx, []kms.Record{record(1), signing}, nil))
		resealed := signing
		resealed.Wrapped = []byte("resealed")
		if err := s.Save(ctx, []kms.Record{record(2), record(1)}, []kms.Record{resealed}); !errors.Is(err, kms.ErrExists) {
			t.Errorf("%v, want ErrExists", err)
		}
		if got, want := records(t, s), []kms.Record{record(1), signing}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		must(t, s.Save(ctx, []kms.Record{record(2)}, []kms.Record{resealed}))
		if got, want := records(t, s), []kms.Record{record(1), record(2), resealed}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
	t.Run("a shredded key stays shredded, its public half stays", func(t *testing.T) {
		s := open(t)
		must(t, s.Save(ctx, []kms.Record{record(1), signing}, nil))
		must(t, s.Shred(ctx, at.Add(time.Hour), "kek-1", "signing-1"))
		must(t, s.Shred(ctx, at.Add(2*time.Hour), "kek-1", "signing-1"))
		must(t, s.Save(ctx, nil, []kms.Record{signing}))
		for _, r := range records(t, s) {
			if len(r.Wrapped) != 0 || !r.Destroyed.Equal(at.Add(time.Hour)) || (r.Kind == "signing") != (string(r.Public) == "p") {
				t.Errorf("%+v", r)
			}
		}
	})
	t.Run("of two that found a tenant at once one wins", func(t *testing.T) {
		s := open(t)
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		for range cap(errs) {
			wg.Go(func() { errs <- s.Save(ctx, []kms.Record{record(1), signing}, nil) })
		}
		wg.Wait()
		close(errs)
		won := 0
		for err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, kms.ErrExists) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
}
