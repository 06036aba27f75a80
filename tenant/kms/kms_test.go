package kms_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/tenant/kms"
	"github.com/ringfence/ringfence/tenant/sqlstore"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var ctx = context.Background()

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func stores(t testing.TB, dir string) *sqlstore.Stores {
	t.Helper()
	s := must[*sqlstore.Stores](t)(sqlstore.Open(ctx, dir))
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func store(t testing.TB, s *sqlstore.Stores, tenant string) kms.Store {
	t.Helper()
	return must[kms.Store](t)(s.Keys(ctx, tenant))
}

func open(t testing.TB, root *kms.Root, st kms.Store, tenant string) *kms.Keys {
	t.Helper()
	return must[*kms.Keys](t)(kms.Open(ctx, kms.Config{Root: root, Store: st, Tenant: tenant}))
}

// recorder is an Authorizer and an Auditor.
type recorder struct {
	deny, fail error
	entries    []string
}

func (r *recorder) Allow(context.Context, string, string) error { return r.deny }

func (r *recorder) Audit(_ context.Context, action, object string, _ ...slog.Attr) error {
	r.entries = append(r.entries, action+" "+object)
	return r.fail
}

func custodian(t testing.TB, k *kms.Keys) *kms.Custodian {
	t.Helper()
	return must[*kms.Custodian](t)(k.For(&recorder{}, &recorder{}))
}

var dek, aad = bytes.Repeat([]byte{7}, 32), []byte("recording r1")

func TestWrapAndUnwrap(t *testing.T) {
	k := open(t, kms.GenerateRoot(), store(t, stores(t, t.TempDir()), "acme"), "acme")
	a, b := must[[]byte](t)(k.WrapKey(ctx, dek, aad)), must[[]byte](t)(k.WrapKey(ctx, dek, aad))
	if bytes.Equal(a, b) || bytes.Contains(a, dek[:8]) {
		t.Error("wrapping is not fresh, or no wrapping")
	}
	if got := must[[]byte](t)(k.UnwrapKey(ctx, a, aad)); !bytes.Equal(got, dek) {
		t.Errorf("%x", got)
	}
	refuse := func(what string, got []byte, err error) {
		t.Helper()
		if got != nil || !errors.Is(err, kms.ErrUnwrap) && !errors.Is(err, kms.ErrUnknownVersion) {
			t.Errorf("%s: %x, %v", what, got, err)
		}
	}
	for i := range a {
		bad := slices.Clone(a)
		bad[i] ^= 1
		got, err := k.UnwrapKey(ctx, bad, aad)
		refuse(fmt.Sprintf("byte %d", i), got, err)
	}
	for n := range a {
		got, err := k.UnwrapKey(ctx, a[:n], aad)
		refuse(fmt.Sprintf("cut to %d", n), got, err)
	}
	for _, other := range [][]byte{nil, []byte("recording r2"), append(slices.Clone(aad), 0)} {
		got, err := k.UnwrapKey(ctx, a, other)
		refuse("another context", got, err)
	}
	got, err := k.Unseal(ctx, a, aad) // a wrapped key is not a sealed field
	refuse("another purpose", got, err)
	sealed := must[[]byte](t)(k.Seal(ctx, []byte("field"), aad))
	if got := must[[]byte](t)(k.Unseal(ctx, sealed, aad)); string(got) != "field" {
		t.Errorf("%q", got)
	}
	got, err = k.UnwrapKey(ctx, sealed, aad)
	refuse("another purpose", got, err)
	if _, err := k.Seal(ctx, make([]byte, kms.MaxSealed+1), nil); err == nil {
		t.Error("sealed more than the limit")
	}
}

// A restored copy of everything stored is useless without the root key: with another root, with none, and under another tenant's name, nothing opens, and
// no byte of any plaintext comes out.
func TestBackupIsUselessWithoutTheRoot(t *testing.T) {
	control.Proves(t, "KEY-02")
	dir := t.TempDir()
	root := must[*kms.Root](t)(kms.OpenOrCreateRoot(filepath.Join(dir, "root.key")))
	live := stores(t, filepath.Join(dir, "tenants"))
	k := open(t, root, store(t, live, "acme"), "acme")
	wrapped, sealed := must[[]byte](t)(k.WrapKey(ctx, dek, aad)), must[[]byte](t)(k.Seal(ctx, []byte("field"), aad))
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	restore := func(tenant string) kms.Store {
		to := t.TempDir()
		if err := os.CopyFS(filepath.Join(to, tenant), os.DirFS(filepath.Join(dir, "tenants", "acme"))); err != nil {
			t.Fatal(err)
		}
		return store(t, stores(t, to), tenant)
	}
	if got := must[[]byte](t)(open(t, root, restore("acme"), "acme").UnwrapKey(ctx, wrapped, aad)); !bytes.Equal(got, dek) {
		t.Fatal("the backup is no good even with its root")
	}
	closed := must[*kms.Root](t)(kms.OpenRoot(filepath.Join(dir, "root.key")))
	closed.Close()
	for name, tt := range map[string]struct {
		root   *kms.Root
		tenant string
		want   error
	}{
		"another root":   {kms.GenerateRoot(), "acme", kms.ErrUnwrap},
		"a closed root":  {closed, "acme", kms.ErrClosed},
		"no root":        {nil, "acme", kms.ErrConfig},
		"another tenant": {root, "globex", kms.ErrUnwrap},
	} {
		if k, err := kms.Open(ctx, kms.Config{Root: tt.root, Store: restore(tt.tenant), Tenant: tt.tenant}); k != nil || !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	// Keys of another tenant with the right root, given what acme wrapped.
	globex := open(t, root, store(t, stores(t, t.TempDir()), "globex"), "globex")
	for name, open := range map[string]func() ([]byte, error){
		"wrapped": func() ([]byte, error) { return globex.UnwrapKey(ctx, wrapped, aad) },
		"sealed":  func() ([]byte, error) { return globex.Unseal(ctx, sealed, aad) },
	} {
		if got, err := open(); got != nil || !errors.Is(err, kms.ErrUnwrap) {
			t.Errorf("%s of another tenant: %x, %v", name, got, err)
		}
	}
	// Root closed while keys are open: nothing more comes out.
	still := open(t, root, restore("acme"), "acme")
	secret := must[[]byte](t)(root.ExportSecret())
	root.Close()
	if got, err := still.UnwrapKey(ctx, wrapped, aad); got != nil || !errors.Is(err, kms.ErrClosed) {
		t.Errorf("after the root was closed: %x, %v", got, err)
	}
	err := filepath.WalkDir(filepath.Join(dir, "tenants"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, secret) || bytes.Contains(b, []byte(hex.EncodeToString(secret))) || bytes.Contains(b, dek) {
			t.Errorf("%s holds a key in the clear", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRotateKeepsWhatWasWrapped(t *testing.T) {
	st := store(t, stores(t, t.TempDir()), "acme")
	root := kms.GenerateRoot()
	k, other := open(t, root, st, "acme"), open(t, root, st, "acme") // a second process
	c := custodian(t, k)
	before := must[[]byte](t)(k.WrapKey(ctx, dek, aad))
	public := must[ed25519.PublicKey](t)(k.PublicKey(ctx))
	if v := must[uint32](t)(c.Rotate(ctx)); v != 2 {
		t.Errorf("version %d", v)
	}
	after := must[[]byte](t)(k.WrapKey(ctx, dek, aad))
	for _, w := range [][]byte{before, after} {
		if got := must[[]byte](t)(other.UnwrapKey(ctx, w, aad)); !bytes.Equal(got, dek) {
			t.Error("the second process does not follow the rotation")
		}
	}
	if got := must[ed25519.PublicKey](t)(k.PublicKey(ctx)); !got.Equal(public) {
		t.Error("rotation changed the signing key")
	}
	if err := c.DestroyVersion(ctx, 2); !errors.Is(err, kms.ErrCurrent) {
		t.Error(err)
	}
	if err := c.DestroyVersion(ctx, 9); !errors.Is(err, kms.ErrUnknownVersion) {
		t.Error(err)
	}
	if err := c.DestroyVersion(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if got, err := other.UnwrapKey(ctx, before, aad); got != nil || !errors.Is(err, kms.ErrDestroyed) {
		t.Errorf("%x, %v", got, err)
	}
	must[[]byte](t)(other.UnwrapKey(ctx, after, aad))
	must[[]byte](t)(other.Sign(ctx, aad))
	versions := must[[]kms.Version](t)(c.Versions(ctx))
	if len(versions) != 2 || versions[0].Destroyed.IsZero() || !versions[1].Destroyed.IsZero() {
		t.Errorf("%+v", versions)
	}
}

func TestDestroyShredsTheTenant(t *testing.T) {
	st := store(t, stores(t, t.TempDir()), "acme")
	root := kms.GenerateRoot()
	k := open(t, root, st, "acme")
	c := custodian(t, k)
	wrapped := must[[]byte](t)(k.WrapKey(ctx, dek, aad))
	sig := must[[]byte](t)(k.Sign(ctx, aad))
	public := must[ed25519.PublicKey](t)(k.PublicKey(ctx))
	must[uint32](t)(c.Rotate(ctx))
	for range 2 { // again is the same
		if ids := must[[]string](t)(c.Destroy(ctx)); !slices.Equal(ids, []string{"kek-1", "kek-2", "signing-1"}) {
			t.Errorf("%v", ids)
		}
	}
	_, err1 := k.UnwrapKey(ctx, wrapped, aad)
	_, err2 := k.WrapKey(ctx, dek, aad)
	_, err3 := k.Sign(ctx, aad)
	_, err4 := c.Rotate(ctx)
	_, err5 := kms.Open(ctx, kms.Config{Root: root, Store: st, Tenant: "acme"})
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if !errors.Is(err, kms.ErrDestroyed) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if got := must[ed25519.PublicKey](t)(k.PublicKey(ctx)); !got.Equal(public) || !ed25519.Verify(got, aad, sig) {
		t.Error("old signatures cannot be checked any more")
	}
}

// A row whose public key was swapped is not believed while the private half can tell.
func TestSwappedPublicKeyIsNotBelieved(t *testing.T) {
	st := store(t, stores(t, t.TempDir()), "acme")
	k := open(t, kms.GenerateRoot(), st, "acme")
	public := must[ed25519.PublicKey](t)(k.PublicKey(ctx))
	for _, r := range must[[]kms.Record](t)(st.Records(ctx)) {
		if r.Kind == "signing" {
			r.Public = bytes.Repeat([]byte{1}, 32)
			if err := st.Save(ctx, nil, []kms.Record{r}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := must[ed25519.PublicKey](t)(k.PublicKey(ctx)); !got.Equal(public) {
		t.Errorf("%x", got)
	}
}

func TestTwoProcessesFoundOneTenant(t *testing.T) {
	dir := t.TempDir()
	root := kms.GenerateRoot()
	var wg sync.WaitGroup
	keys := make([]*kms.Keys, 4)
	for i := range keys {
		st := store(t, stores(t, dir), "acme")
		wg.Go(func() {
			var err error
			if keys[i], err = kms.Open(ctx, kms.Config{Root: root, Store: st, Tenant: "acme"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wrapped := must[[]byte](t)(keys[0].WrapKey(ctx, dek, aad))
	for _, k := range keys {
		must[[]byte](t)(k.UnwrapKey(ctx, wrapped, aad))
	}
}

func TestCustodianAsksAndRecords(t *testing.T) {
	k := open(t, kms.GenerateRoot(), store(t, stores(t, t.TempDir()), "acme"), "acme")
	if _, err := k.For(nil, &recorder{}); !errors.Is(err, kms.ErrConfig) {
		t.Error(err)
	}
	if _, err := k.For(&recorder{}, nil); !errors.Is(err, kms.ErrConfig) {
		t.Error(err)
	}
	must[uint32](t)(custodian(t, k).Rotate(ctx))
	no := errors.New("no")
	for _, audit := range []*recorder{{}, {fail: no}} {
		actor := &recorder{deny: no}
		if audit.fail != nil {
			actor.deny = nil
		}
		c := must[*kms.Custodian](t)(k.For(actor, audit))
		_, err1 := c.Rotate(ctx)
		_, err2 := c.Destroy(ctx)
		_, err3 := c.Versions(ctx)
		for _, err := range []error{err1, c.DestroyVersion(ctx, 1), err2, err3} {
			if !errors.Is(err, no) {
				t.Error(err)
			}
		}
		if want := []string{"keys.rotate kek-3", "keys.destroy keys", "keys.list keys", "keys.destroy kek-1"}; !slices.Equal(audit.entries, want) {
			t.Errorf("recorded %v", audit.entries)
		}
	}
	if v := must[[]kms.Version](t)(custodian(t, k).Versions(ctx)); len(v) != 2 || !v[0].Destroyed.IsZero() {
		t.Errorf("something happened: %+v", v)
	}
}

func TestRootFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys", "root.key")
	if _, err := kms.OpenRoot(path); !errors.Is(err, kms.ErrNoRoot) {
		t.Error(err)
	}
	var wg sync.WaitGroup
	secrets := make([]string, 8)
	for i := range secrets { // the first start, several times at once
		wg.Go(func() {
			r, err := kms.OpenOrCreateRoot(path)
			if err != nil {
				t.Error(err)
				return
			}
			b, err := r.ExportSecret()
			if err != nil {
				t.Error(err)
			}
			secrets[i] = string(b)
		})
	}
	wg.Wait()
	if len(slices.Compact(secrets)) != 1 || len(secrets[0]) != 32 {
		t.Error("not one root key")
	}
	entries := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path)))
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	info := must[os.FileInfo](t)(os.Stat(path))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o666, 0o660} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := kms.OpenOrCreateRoot(path); !errors.Is(err, kms.ErrRootExposed) {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	good := must[[]byte](t)(os.ReadFile(path))
	for _, text := range []string{"", "x", string(good[:len(good)-2]), string(good) + "00", strings.ToUpper(string(good[:18])) + "zz" + string(good[20:])} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := kms.OpenOrCreateRoot(path)
		if !errors.Is(err, kms.ErrRootMalformed) || strings.Contains(err.Error(), string(good[20:30])) {
			t.Errorf("%q: %v", text, err)
		}
		if got := must[[]byte](t)(os.ReadFile(path)); string(got) != text {
			t.Error("a malformed root was replaced")
		}
	}
}

func TestRootDoesNotPrint(t *testing.T) {
	r := kms.GenerateRoot()
	secret := must[[]byte](t)(r.ExportSecret())
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "root", r, "in", struct{ R *kms.Root }{r})
	j := must[[]byte](t)(json.Marshal(map[string]any{"root": r, "in": struct{ R *kms.Root }{r}}))
	out := log.String() + string(j)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out += fmt.Sprintf(verb, r) + fmt.Sprintf(verb, []*kms.Root{r})
	}
	for _, form := range []string{string(secret), hex.EncodeToString(secret), fmt.Sprint(secret), strings.Trim(fmt.Sprint(secret[:6]), "[]")} {
		if strings.Contains(out, form) {
			t.Error(out)
		}
	}
	r.Close()
	if _, err := r.ExportSecret(); !errors.Is(err, kms.ErrClosed) {
		t.Error(err)
	}
}

// No bytes but those that were wrapped unwrap, and an error comes without a value.
func FuzzUnwrap(f *testing.F) {
	k := open(f, kms.GenerateRoot(), store(f, stores(f, f.TempDir()), "acme"), "acme")
	wrapped := must[[]byte](f)(k.WrapKey(ctx, dek, aad))
	f.Add(wrapped)
	f.Add(wrapped[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := k.UnwrapKey(ctx, b, aad)
		if bytes.Equal(b, wrapped) != (err == nil) || (err != nil) != (got == nil) {
			t.Errorf("%x: %x, %v", b, got, err)
		}
	})
}
