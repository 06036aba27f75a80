package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// freshData is a data folder as the first start of the demo's configuration makes it, without certificates, and what that start printed. Every world gets a copy
// of its own: forty passwords and PINs are hashed slowly on purpose, which took most of the processor time of these tests.
type freshData struct {
	files   map[string]freshFile // by path in the folder
	printed []byte
}

type freshFile struct {
	mode fs.FileMode
	text []byte
}

var makeFreshData = sync.OnceValues(func() (d freshData, err error) {
	dir, err := os.MkdirTemp("", "contactcenter-fresh-")
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg, err := loadConfig("")
	if err != nil {
		return d, err
	}
	cfg.Data = filepath.Join(dir, "data")
	ctx := context.Background()
	dep, err := openDeployment(ctx, cfg, true)
	if err != nil {
		return d, err
	}
	var out bytes.Buffer
	if err := errors.Join(dep.ensureTenants(ctx, &out), dep.ensureMailboxes(ctx, &out), dep.Close()); err != nil {
		return d, err
	}
	d = freshData{map[string]freshFile{}, out.Bytes()}
	return d, filepath.WalkDir(cfg.Data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(cfg.Data, path)
		if err != nil {
			return err
		}
		f := freshFile{mode: info.Mode()}
		if !info.IsDir() {
			f.text, err = os.ReadFile(path)
		}
		d.files[name] = f
		return err
	})
})

// seed gives a world that has no data yet a fresh copy, unless its first start makes others than the demo's tenants.
func (w *world) seed() {
	w.t.Helper()
	if _, err := os.Stat(w.cfg.Data); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	demo, err := loadConfig("")
	require.NoError(w.t, err)
	if len(demo.Tenants) != len(w.cfg.Tenants) {
		return
	}
	for i, a := range demo.Tenants {
		if b := w.cfg.Tenants[i]; a.Name != b.Name || a.Domain != b.Domain || !reflect.DeepEqual(a.Digest, b.Digest) || !reflect.DeepEqual(a.FirstStart, b.FirstStart) || b.Voicemail == nil {
			return
		}
	}
	d, err := makeFreshData()
	require.NoError(w.t, err)
	require.NoError(w.t, d.copyTo(w.cfg.Data))
	_, err = w.Write(d.printed)
	require.NoError(w.t, err)
}

func (d freshData) copyTo(dir string) error {
	var errs []error
	for name, f := range d.files {
		path := filepath.Join(dir, name)
		if f.mode.IsDir() {
			errs = append(errs, os.MkdirAll(path, 0o700))
			continue
		}
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, f.text, f.mode.Perm()))
	}
	return errors.Join(errs...)
}

// A copy holds what the first start made: the same people and mailboxes, and nothing is made a second time.
func TestFreshDataIsWhatTheFirstStartMakes(t *testing.T) {
	d, err := makeFreshData()
	require.NoError(t, err)
	cfg := testConfig(t, nil)
	require.NoError(t, d.copyTo(cfg.Data))
	dep, err := openDeployment(t.Context(), cfg, true)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, errors.Join(dep.ensureTenants(t.Context(), &out), dep.ensureMailboxes(t.Context(), &out), dep.Close()))
	require.Empty(t, out.String())
	require.Len(t, lines(string(d.printed)), 2*(10+11), "ten phones and eleven mailboxes a tenant")
}
