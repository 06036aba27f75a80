package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/retention"
)

// recorded holds one short conversation and returns the recording's ID and its creation.
func recorded(t *testing.T, w *world) (id string, created time.Time) {
	t.Helper()
	w.agent("acme", "1001", 900, nil)
	c := w.dial(w.phone("acme", "1009", nil), "9001")
	eventually(t, "they talk", func() bool { return c.ears.hears(900) })
	c.hangup()
	eventually(t, "recorded", func() bool { return len(w.find(named("recording"))) == 1 })
	id = w.find(named("recording"))[0].Recording
	e, err := w.node.sites[0].catalog.Get(t.Context(), id)
	require.NoError(t, err)
	return id, e.Created
}

func TestRecordingLivesThirteenMonthsToTheSecond(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	id, created := recorded(t, w)
	due := retention.Due(created, retention.Period{Months: 13}, time.UTC)
	as := []string{"--tenant", "acme", "--as", "admin"}
	files := func() (found []string) {
		require.NoError(t, filepath.WalkDir(filepath.Join(w.cfg.Data, "tenants", "acme", "recordings"), func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.Contains(path, id) {
				found = append(found, path)
			}
			return err
		}))
		return found
	}
	row, err := w.node.sites[0].catalog.Get(t.Context(), id)
	require.NoError(t, err)

	out, code := w.command(append([]string{"retention", "run", "--now", due.Add(-time.Second).Format(time.RFC3339Nano)}, as...)...)
	require.Zero(t, code, out)
	require.Contains(t, out, "0 erased")
	out, code = w.command(append([]string{"recordings", "verify", id}, as...)...)
	require.Zero(t, code, out)
	require.Len(t, files(), 1)

	out, code = w.command(append([]string{"holds", "place", "--ground", "case 7", "--approver", "counsel", "--review", "2099-01-01", id}, as...)...)
	require.Zero(t, code, out)
	hold := strings.Fields(out)[1]
	after := due.Add(time.Second).Format(time.RFC3339Nano)
	out, code = w.command(append([]string{"retention", "run", "--now", after}, as...)...)
	require.Zero(t, code, out)
	require.Contains(t, out, "0 erased, 1 held")
	out, code = w.command(append([]string{"recordings", "delete", "--reason", "tidying", id}, as...)...)
	require.NotZero(t, code)
	require.Contains(t, out, "case 7", "a hold beats a deletion by hand too")
	out, code = w.command(append([]string{"retention", "explain", "--now", after, id}, as...)...)
	require.Zero(t, code, out)
	require.Contains(t, out, hold)

	out, code = w.command(append([]string{"holds", "release", "--now", due.Add(-time.Second).Format(time.RFC3339Nano), hold}, as...)...)
	require.Zero(t, code, out)
	receipt := filepath.Join(t.TempDir(), "receipt")
	out, code = w.command(append([]string{"retention", "run", "--now", after, "-o", receipt}, as...)...)
	require.Zero(t, code, out)
	require.Contains(t, out, "1 erased")
	require.Contains(t, out, row.KeyID, "the receipt names the key")
	require.Empty(t, files())
	_, code = w.command(append([]string{"recordings", "verify", id}, as...)...)
	require.NotZero(t, code)
	gone, err := w.node.sites[0].catalog.Get(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, gone.WrappedKey)
	for _, name := range []string{"ringfence.db", "ringfence.db-wal"} { // the wrapped key is in no file of the database
		b, err := os.ReadFile(filepath.Join(w.cfg.Data, "tenants", "acme", name))
		if err == nil {
			require.NotContains(t, string(b), string(row.WrappedKey), name)
		}
	}
	public := strings.TrimSpace(out[strings.Index(out, "public key ")+len("public key "):])
	out, code = w.command("retention", "receipt", "verify", "--public", public, receipt)
	require.Zero(t, code, out)
	b, err := os.ReadFile(receipt)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(receipt, []byte(strings.Replace(string(b), id, "another", 1)), 0o600))
	_, code = w.command("retention", "receipt", "verify", "--public", public, receipt)
	require.Equal(t, exitBad, code)
	out, code = w.command(append([]string{"audit", "verify"}, as...)...)
	require.Zero(t, code, out)
	control.Proves(t, "RET-01", "RET-06", "DEL-05")
}

func TestSomebodyElsesRightsDoNotReach(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	id, _ := recorded(t, w)
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"recordings", "list", "--tenant", "acme", "--as", "1001"}, exitRefused},
		{[]string{"recordings", "verify", "--tenant", "acme", "--as", "nobody"}, exitRefused},
		{[]string{"recordings", "export", "--tenant", "acme", "--as", "auditor", "--reason", "test", id}, exitRefused},
		{[]string{"recordings", "verify", "--tenant", "globex", "--as", "admin", id}, exitFailed},
		{[]string{"recordings", "export", "--tenant", "globex", "--as", "admin", "--reason", "test", id}, exitFailed},
		{[]string{"retention", "run", "--tenant", "acme", "--as", "supervisor"}, exitRefused},
		{[]string{"users", "add", "--tenant", "acme", "--as", "1001", "2000"}, exitRefused},
		{[]string{"recordings", "list", "--as", "admin"}, exitUsage},
		{[]string{"recordings", "list", "--tenant", "acme"}, exitUsage},
	} {
		out, code := w.command(c.args...)
		require.Equal(t, c.code, code, "%v: %s", c.args, out)
	}
	control.Proves(t, "IDP-01")
}
