package control_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
)

func TestCatalogueIsComplete(t *testing.T) {
	cat := control.All()
	require.Len(t, cat.Controls, 301)
	groups := map[string]bool{}
	for _, g := range cat.Groups {
		groups[g.Code] = true
	}
	seen := map[string]bool{}
	for _, c := range cat.Controls {
		require.False(t, seen[c.ID], c.ID)
		seen[c.ID] = true
		require.True(t, groups[c.Group], c.ID)
		require.NotEmpty(t, c.Statement, c.ID)
	}
}

type recorder struct {
	testing.TB
	failed bool
	logged []any
}

func (r *recorder) Helper()           {}
func (r *recorder) Error(args ...any) { r.failed = true }
func (r *recorder) Log(args ...any)   { r.logged = append(r.logged, args...) }

func TestUnknownControlFails(t *testing.T) {
	r := &recorder{}
	control.Proves(r, "ENC-999")
	require.True(t, r.failed)
	require.Empty(t, r.logged)

	r = &recorder{}
	control.Proves(r, "ENC-01")
	require.False(t, r.failed)
	require.Equal(t, []any{control.Marker + "ENC-01"}, r.logged)
}
