package recording_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

func (k *kit) record(t testing.TB, id string, d time.Duration) {
	t.Helper()
	tr := k.create(t, id)
	speak(tr.PartyAt(0, 0), 0, d, 440, recording.PCMU)
	speak(tr.PartyAt(1, 0), 0, d, 1000, recording.PCMU)
	closeTrack(t, tr)
}

func TestNewRefusesMissingPorts(t *testing.T) {
	k := newKit(t)
	for name, drop := range map[string]func(*recording.Config){
		"Blobs":      func(c *recording.Config) { c.Blobs = nil },
		"Catalog":    func(c *recording.Config) { c.Catalog = nil },
		"Keys":       func(c *recording.Config) { c.Keys = nil },
		"Authorizer": func(c *recording.Config) { c.Authorizer = nil },
		"Auditor":    func(c *recording.Config) { c.Auditor = nil },
		"MaxQueued":  func(c *recording.Config) { c.MaxQueued = 1 },
	} {
		cfg := k.cfg
		drop(&cfg)
		if v, err := recording.New(cfg); !errors.Is(err, recording.ErrConfig) || v != nil {
			t.Errorf("without %s: %v, %v", name, v, err)
		}
	}
	_, err1 := k.vault.For(nil, k.audit)
	_, err2 := k.vault.For(recordingtest.Allow{}, nil)
	for _, err := range []error{err1, err2} {
		if !errors.Is(err, recording.ErrConfig) {
			t.Error(err)
		}
	}
}

func TestCreateRefusesWhatIsOutsideTheLimits(t *testing.T) {
	k := newKit(t)
	for name, m := range map[string]recording.Meta{
		"no parties":    {},
		"nine parties":  {Parties: make([]string, 9)},
		"ID with slash": {ID: "../x", Parties: []string{"a"}},
		"long ID":       {ID: strings.Repeat("x", 129), Parties: []string{"a"}},
		"class":         {Class: "a b", Parties: []string{"a"}},
		"much metadata": {Parties: []string{"a"}, Attributes: map[string]string{"x": strings.Repeat("x", 17<<10)}},
	} {
		if _, err := k.vault.Create(context.Background(), m); !errors.Is(err, recording.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	k.record(t, "r1", time.Second)
	if _, err := k.vault.Create(context.Background(), recording.Meta{ID: "r1", Parties: []string{"a"}}); !errors.Is(err, recording.ErrExists) {
		t.Errorf("ID taken: %v", err)
	}
}

// Every verb is asked for by its own right and recorded, and happens only if both were possible.
func TestEveryVerbIsAuthorisedAndAudited(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	k.record(t, "r1", time.Second)
	verbs := []struct {
		action, object string
		do             func(a *recording.Access, w io.Writer) error
	}{
		{recording.ActionList, "recordings", func(a *recording.Access, _ io.Writer) error {
			for _, err := range a.List(ctx, recording.Query{}) {
				return err
			}
			return nil
		}},
		{recording.ActionList, "recordings", func(a *recording.Access, _ io.Writer) error {
			for _, err := range a.CreatedBefore(ctx, epoch.Add(time.Hour)) {
				return err
			}
			return nil
		}},
		{recording.ActionListen, "r1", func(a *recording.Access, _ io.Writer) error {
			p, err := a.Open(ctx, "r1")
			if err == nil {
				err = p.Close()
			}
			return err
		}},
		{recording.ActionExport, "r1", func(a *recording.Access, w io.Writer) error { _, err := a.Export(ctx, "r1", w); return err }},
		{recording.ActionVerify, "r1", func(a *recording.Access, _ io.Writer) error { _, err := a.Verify(ctx, "r1"); return err }},
		{recording.ActionDelete, "r1", func(a *recording.Access, _ io.Writer) error { _, err := a.Destroy(ctx, "r1", "test"); return err }},
	}
	for _, v := range verbs {
		var out bytes.Buffer
		audit := &recordingtest.Audit{}
		denied, err := because(k.vault.For(recordingtest.Deny{}, audit))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.do(denied, &out); !errors.Is(err, recordingtest.ErrDenied) {
			t.Errorf("%s without the right: %v", v.action, err)
		}
		if got := audit.Entries(); !slices.Equal(got, []string{v.action + " " + v.object}) {
			t.Errorf("%s: the refusal was recorded as %v", v.action, got)
		}
		all := recordingtest.Allow{recording.ActionList, recording.ActionListen, recording.ActionExport, recording.ActionVerify, recording.ActionDelete}
		others := slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == v.action })
		wrong, _ := because(k.vault.For(others, audit))
		if err := v.do(wrong, &out); !errors.Is(err, recordingtest.ErrDenied) {
			t.Errorf("%s with all other rights: %v", v.action, err)
		}
		broken := errors.New("audit log is full")
		audit.Fail(broken)
		unaudited, _ := because(k.vault.For(recordingtest.Allow{}, audit))
		if err := v.do(unaudited, &out); !errors.Is(err, broken) {
			t.Errorf("%s without audit: %v", v.action, err)
		}
		if out.Len() > 0 {
			t.Errorf("%s: %d bytes left", v.action, out.Len())
		}
	}
	if e, err := k.catalog.Get(ctx, "r1"); err != nil || e.State != recording.StateComplete || k.blobs.Bytes("r1") == nil {
		t.Errorf("something was destroyed: %+v, %v", e, err)
	}
	for _, v := range verbs {
		audit := &recordingtest.Audit{}
		one, _ := because(k.vault.For(recordingtest.Allow{v.action}, audit))
		if err := v.do(one, io.Discard); err != nil || len(audit.Entries()) != 1 {
			t.Errorf("%s with its right: %v; recorded %v", v.action, err, audit.Entries())
		}
	}
}

func TestCreateAndRecoverAreAuthorisedAndAudited(t *testing.T) {
	ctx := context.Background()
	for _, tt := range []struct {
		name   string
		change func(*recording.Config)
	}{
		{"denied", func(c *recording.Config) { c.Authorizer = recordingtest.Deny{} }},
		{"unaudited", func(c *recording.Config) { a := &recordingtest.Audit{}; a.Fail(errors.New("full")); c.Auditor = a }},
	} {
		k := newKit(t, tt.change)
		if _, err := k.vault.Create(ctx, recording.Meta{ID: "r1", Parties: []string{"a"}}); err == nil {
			t.Errorf("%s: created", tt.name)
		}
		if _, err := k.vault.Recover(ctx); err == nil {
			t.Errorf("%s: recovered", tt.name)
		}
		if _, err := k.catalog.Get(ctx, "r1"); !errors.Is(err, recording.ErrNotFound) {
			t.Errorf("%s: left a row", tt.name)
		}
	}
}

func TestListShowsMetadata(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	k.record(t, "r1", time.Second)
	k.now = k.now.Add(time.Hour)
	live := k.create(t, "r2")
	var got []recording.Info
	for info, err := range k.access(t).List(ctx, recording.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info)
	}
	if len(got) != 2 || got[0].Call != "call-r1" || !slices.Equal(got[0].Parties, []string{"caller", "agent"}) || got[0].Attributes["queue"] != "sales" ||
		got[0].State != recording.StateComplete || got[0].Duration != time.Second || got[0].Class != recording.DefaultClass || got[1].State != recording.StateOpen {
		t.Errorf("%+v", got)
	}
	var due []recording.Item
	for item, err := range k.access(t).CreatedBefore(ctx, k.now) {
		if err != nil {
			t.Fatal(err)
		}
		due = append(due, item)
	}
	if len(due) != 1 || due[0] != (recording.Item{ID: "r1", Class: recording.DefaultClass, Created: epoch}) {
		t.Errorf("%+v", due)
	}
	closeTrack(t, live)
}

func TestDestroy(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	live := k.create(t, "live")
	if _, err := k.access(t).Destroy(ctx, "live", "test"); !errors.Is(err, recording.ErrOpen) {
		t.Errorf("Destroy of an open recording = %v", err)
	}
	closeTrack(t, live)
	k.record(t, "r1", 2*time.Second)
	before, err := k.catalog.Get(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	backup := k.blobs.Bytes("r1")
	for range 2 { // again is the same
		d, err := k.access(t).Destroy(ctx, "r1", "test")
		if err != nil || !slices.Equal(d.KeyIDs, []string{before.KeyID}) {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	if k.blobs.Bytes("r1") != nil {
		t.Error("the blob is still there")
	}
	k.blobs.Replace("r1", backup) // a backup of the blob comes back: its key does not
	for _, err := range []error{
		func() error { _, err := k.access(t).Open(ctx, "r1"); return err }(),
		func() error { _, err := k.access(t).Export(ctx, "r1", failing{t}); return err }(),
		func() error { _, err := k.access(t).Verify(ctx, "r1"); return err }(),
	} {
		if !errors.Is(err, recording.ErrDestroyed) {
			t.Errorf("%v, want ErrDestroyed", err)
		}
	}
	for info, err := range k.access(t).List(ctx, recording.Query{}) {
		if err != nil || info.ID == "r1" {
			t.Errorf("listed: %+v, %v", info, err)
		}
	}
	for info, err := range k.access(t).List(ctx, recording.Query{State: recording.StateDestroyed}) {
		if err != nil || info.ID != "r1" || info.Call != "" {
			t.Errorf("destroyed: %+v, %v", info, err)
		}
	}
	for _, id := range []string{"unknown", "../r1", ""} {
		if _, err := k.access(t).Destroy(ctx, id, "test"); !errors.Is(err, recording.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// failing is a writer that must not be written to.
type failing struct{ t *testing.T }

func (f failing) Write(p []byte) (int, error) {
	f.t.Errorf("%d bytes were written", len(p))
	return len(p), nil
}

// A restored backup is useless without the key it was made under, and useless without rights even with it.
func TestBackupIsUselessWithoutKeyAndRight(t *testing.T) {
	control.Proves(t, "KEY-02")
	ctx := context.Background()
	k := newKit(t)
	k.record(t, "r1", 2*time.Second)
	// The restored copy: the same blobs and rows in another place.
	blobs, catalog := &recordingtest.Blobs{}, &recordingtest.Catalog{}
	blobs.Replace("r1", k.blobs.Bytes("r1"))
	row, err := k.catalog.Get(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	catalog.Replace(row)
	restored := func(keys recording.KeyWrapper) *recording.Vault {
		cfg := k.cfg
		cfg.Blobs, cfg.Catalog, cfg.Keys = blobs, catalog, keys
		return newVault(t, cfg)
	}
	if n, err := access(t, restored(k.keys)).Export(ctx, "r1", io.Discard); err != nil || n == 0 {
		t.Fatalf("the backup is no good even with its key: %v", err)
	}
	for name, keys := range map[string]recording.KeyWrapper{"wrong key": recordingtest.NewKeys(2), "no key": noKeys{}, "a key of the wrong length": shortKeys{}, "zero key": zeroKeys{}} {
		a := access(t, restored(keys))
		if n, err := a.Export(ctx, "r1", failing{t}); err == nil || n != 0 {
			t.Errorf("%s: Export = %d, %v", name, n, err)
		}
		if p, err := a.Open(ctx, "r1"); !errors.Is(err, recording.ErrKey) || p != nil {
			t.Errorf("%s: Open = %v, %v", name, p, err)
		}
		if rep, err := a.Verify(ctx, "r1"); !errors.Is(err, recording.ErrKey) || rep.Complete || rep.Segments != 0 {
			t.Errorf("%s: Verify = %+v, %v", name, rep, err)
		}
		for info, err := range a.List(ctx, recording.Query{}) {
			if !errors.Is(err, recording.ErrKey) || info.Call != "" || info.Parties != nil || info.Attributes != nil {
				t.Errorf("%s: List = %+v, %v", name, info, err)
			}
		}
	}
	denied, err := because(restored(k.keys).For(recordingtest.Deny{}, k.audit))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := denied.Export(ctx, "r1", failing{t}); !errors.Is(err, recordingtest.ErrDenied) || n != 0 {
		t.Errorf("without the right: %d, %v", n, err)
	}
	for _, secret := range []string{"call-r1", "caller", "sales"} {
		if strings.Contains(fmt.Sprintf("%s %s", blobs.Bytes("r1"), fmt.Sprint(row.Meta, string(row.Meta), row)), secret) {
			t.Errorf("%q is in the backup in the clear", secret)
		}
	}
}

type noKeys struct{ recording.KeyWrapper }

func (noKeys) UnwrapKey(context.Context, []byte, []byte) ([]byte, error) {
	return nil, errors.New("no key")
}

type shortKeys struct{ recording.KeyWrapper }

func (shortKeys) UnwrapKey(context.Context, []byte, []byte) ([]byte, error) {
	return make([]byte, 16), nil
}

type zeroKeys struct{ recording.KeyWrapper }

func (zeroKeys) UnwrapKey(context.Context, []byte, []byte) ([]byte, error) {
	return make([]byte, 32), nil
}

func TestAnotherPurposeDoesNotOpen(t *testing.T) {
	k := newKit(t)
	k.record(t, "r1", time.Second)
	cfg := k.cfg
	cfg.Purpose = "voicemail"
	if _, err := access(t, newVault(t, cfg)).Export(context.Background(), "r1", failing{t}); !errors.Is(err, recording.ErrKey) {
		t.Error(err)
	}
}

func TestReadPCMAtAnyPlace(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	k.record(t, "r1", 5*time.Second)
	whole := k.export(t, "r1")
	p, err := k.access(t).Open(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	if p.Info().Call != "call-r1" || !p.Complete() || p.Duration() != 5*time.Second {
		t.Errorf("%+v", p.Info())
	}
	buf := make([]int16, 333)
	for _, at := range []int64{0, 1, 7999, 8000, 8001, 30000, 39999 - 332, 12345, 1} {
		for party, want := range [][]int16{whole.left, whole.right} {
			n, err := p.ReadPCM(party, buf, at)
			if err != nil || n != len(buf) || !slices.Equal(buf, want[at:at+333]) {
				t.Errorf("ReadPCM(%d, %d) = %d, %v", party, at, n, err)
			}
		}
	}
	if n, err := p.ReadPCM(0, buf, 39900); n != 100 || !errors.Is(err, io.EOF) || !slices.Equal(buf[:100], whole.left[39900:]) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if n, err := p.ReadPCM(0, buf, 40000); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("past the end: %d, %v", n, err)
	}
	for _, bad := range []struct {
		party int
		at    int64
	}{{-1, 0}, {2, 0}, {0, -1}} {
		if _, err := p.ReadPCM(bad.party, buf, bad.at); !errors.Is(err, recording.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ReadPCM(0, buf, 0); !errors.Is(err, recording.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
