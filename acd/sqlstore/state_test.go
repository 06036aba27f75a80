package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/sqlstore"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// silent is an Offerer whose agents let it ring, and whose customers answer the callback.
type silent struct{ yes }

func (silent) Offer(ctx context.Context, _, _ string) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func (silent) Dial(context.Context, string, string) (bool, error) { return true, nil }

// A process that resumes finds agents, callbacks and callers in line as they were, whether the one before closed in order (and kept a
// state) or was killed (and left the log only).
func TestResume(t *testing.T) {
	for _, killed := range []bool{false, true} {
		dsn := filepath.Join(t.TempDir(), "tenant.db")
		open := func() (*acd.Center, *sqlstore.Store, func()) {
			s, err := sqlstore.Open(t.Context(), dsn)
			require.NoError(t, err)
			c, err := acd.New(acd.Config{
				Store: s, Offerer: silent{}, Authorizer: yes{}, Auditor: yes{}, Resume: true, Agents: []acd.Agent{{ID: "1001"}, {ID: "1002"}},
				Queues: []acd.Queue{{Name: "sales", Members: []string{"1001"}, NoAgents: acd.NoAgentsWait, Callback: acd.Callback{Expiry: time.Hour}}},
			})
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { done <- c.Run(context.WithoutCancel(t.Context())) }()
			<-c.Started()
			return c, s, func() {
				require.NoError(t, c.Close())
				require.NoError(t, <-done)
				require.NoError(t, s.Close())
			}
		}
		c, s, stop := open()
		require.NoError(t, c.LoginDevice(t.Context(), "1002", "desk"))
		require.NoError(t, c.Ready(t.Context(), "1002"))
		for _, id := range []string{"w1", "w2"} {
			require.NoError(t, c.Arrive(t.Context(), acd.Work{ID: id, Attributes: map[string]string{"from": id}}))
			_, err := c.Enqueue(t.Context(), id, "sales", 0)
			require.NoError(t, err)
		}
		require.NoError(t, c.CallBack(t.Context(), "w1"))
		asked := c.Works()[0].EnqueuedAt
		if !killed {
			stop()
			s, err := sqlstore.Open(t.Context(), dsn)
			require.NoError(t, err)
			state, err := s.LoadState(t.Context())
			require.NoError(t, err)
			require.NotEmpty(t, state)
			require.NoError(t, s.Close())
		} else {
			defer stop2(t, c, s) // its next write would find the other's: see TestStore's conflict
		}
		c, _, stop = open()
		works := c.Works()
		want := 1
		if killed {
			want = 2 // the caller in line is there too, for whoever has the leg
		}
		require.Len(t, works, want)
		require.Equal(t, "w1", works[0].ID)
		require.True(t, works[0].Callback)
		require.Equal(t, asked, works[0].EnqueuedAt, "the original clock")
		require.Equal(t, map[string]string{"from": "w1"}, works[0].Attributes)
		require.Equal(t, acd.Ready, c.Snapshot().Agents[1].State)
		require.Equal(t, []string{"desk"}, c.Snapshot().Agents[1].Devices)
		if killed {
			ticket, err := c.Attach(t.Context(), "w2")
			require.NoError(t, err)
			p, err := c.Position("w2")
			require.NoError(t, err)
			require.Equal(t, 2, p.Place, "behind the callback, as before")
			require.NoError(t, c.End(t.Context(), "w2", ""))
			require.Equal(t, acd.ResultAbandoned, ticket.Result().Outcome)
		}
		stop()
	}
}

// stop2 ends a center whose log another one has taken over.
func stop2(t *testing.T, c *acd.Center, s *sqlstore.Store) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	require.NoError(t, s.Close())
}

// Rows of the first version of the schema are read, and the log goes on after them.
func TestRowsOfTheFirstVersion(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "old.db")
	s, err := sqlstore.Open(t.Context(), dsn)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	db, err := sql.Open("sqlite", dsn)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `INSERT INTO acd_events VALUES (1, 0, 'timer', '{"seq":1,"at":"2026-11-22T08:00:00Z","kind":"timer"}'), (2, 0, 'timer', '{"seq":2,"at":"2026-11-22T08:00:00Z","kind":"timer"}')`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	s, err = sqlstore.Open(t.Context(), dsn)
	require.NoError(t, err)
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	err = s.Append(t.Context(), []acd.Event{{Seq: 2, At: at, Kind: acd.KindTimer}})
	require.ErrorIs(t, err, acd.ErrConflict)
	require.NoError(t, s.Append(t.Context(), []acd.Event{{Seq: 3, At: at, Kind: acd.KindTimer}}))
	for after := range uint64(4) {
		want := after
		for ev, err := range s.Load(t.Context(), after) {
			require.NoError(t, err)
			want++
			require.Equal(t, want, ev.Seq)
		}
		require.EqualValues(t, 3, max(want, 3))
	}
	require.ErrorIs(t, s.SaveState(t.Context(), 4, []byte("{}")), acd.ErrConflict, "a state beyond the log")
	require.False(t, errors.Is(s.SaveState(t.Context(), 3, []byte("{}")), acd.ErrConflict))
	require.NoError(t, s.Close())
}
