package sqlstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/acdtest"
	"github.com/ringfence/ringfence/acd/report"
	"github.com/ringfence/ringfence/acd/sqlstore"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestStore(t *testing.T) {
	dir := t.TempDir()
	acdtest.TestStore(t, func(t *testing.T, name string) acd.Store {
		s, err := sqlstore.Open(t.Context(), filepath.Join(dir, name+".db"))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	})
}

func TestOpenRefusesUnknownDatabases(t *testing.T) {
	_, err := sqlstore.Open(t.Context(), "oracle://x")
	require.Error(t, err)
}

type yes struct{}

func (yes) Offer(context.Context, string, string) (bool, error)       { return true, nil }
func (yes) Allow(context.Context, string, string) error               { return nil }
func (yes) Audit(context.Context, string, string, ...slog.Attr) error { return nil }

// When End has returned, another process that opens the file finds the whole record, although nothing was closed: this is what kill
// -9 leaves.
func TestRecordIsDurableWhenEndReturns(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "tenant.db")
	s, err := sqlstore.Open(t.Context(), dsn)
	require.NoError(t, err)
	c, err := acd.New(acd.Config{
		Store: s, Offerer: yes{}, Authorizer: yes{}, Auditor: yes{},
		Agents: []acd.Agent{{ID: "1001"}}, Queues: []acd.Queue{{Name: "sales", Members: []string{"1001"}}},
	})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- c.Run(context.WithoutCancel(t.Context())) }()
	require.NoError(t, c.Login(t.Context(), "1001"))
	require.NoError(t, c.Ready(t.Context(), "1001"))
	require.NoError(t, c.Arrive(t.Context(), acd.Work{ID: "w1", Attributes: map[string]string{"from": "x"}}))
	ticket, err := c.Enqueue(t.Context(), "w1", "sales", 0)
	require.NoError(t, err)
	_, err = ticket.Wait(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Arrive(t.Context(), acd.Work{ID: "w2"}))
	require.NoError(t, c.End(t.Context(), "w1", "caller"))

	other, err := sqlstore.Open(t.Context(), dsn)
	require.NoError(t, err)
	n := 0
	for r, err := range report.Records(other.Load(t.Context(), 0)) {
		require.NoError(t, err)
		require.Equal(t, "w1", r.Work)
		require.Equal(t, acd.Answered, r.Outcome)
		require.Equal(t, map[string]string{"from": "x"}, r.Attributes)
		n++
	}
	require.Equal(t, 1, n)
	require.NoError(t, other.Close())
	require.NoError(t, c.Close())
	require.NoError(t, <-done)
	require.NoError(t, s.Close())
}

// TestBenchRatios prints what `make bench` collects. It runs only with RINGFENCE_BENCH=1: figures are no unit test.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"))
	require.NoError(t, err)
	events := make([]acd.Event, 4096) // as large as the Center's batches become under load
	next := uint64(1)
	start := time.Now()
	for range 60 {
		for i := range events {
			events[i] = acd.Event{Seq: next, At: start, Kind: acd.KindEnqueued, Work: "0123456789abcdef@node-1", Queue: "sales", Priority: 1}
			next++
		}
		require.NoError(t, s.Append(t.Context(), events))
	}
	rate := float64(next-1) / time.Since(start).Seconds()
	fmt.Printf("figure acd/sqlite-durable-events-per-s %.0f\n", rate)
	require.Greater(t, rate, 100_000.0)
	require.NoError(t, s.Close())
}

func BenchmarkAppend(b *testing.B) {
	s, err := sqlstore.Open(b.Context(), filepath.Join(b.TempDir(), "x.db"))
	require.NoError(b, err)
	events := make([]acd.Event, 4096)
	next := uint64(1)
	for b.Loop() {
		for i := range events {
			events[i] = acd.Event{Seq: next, At: time.Unix(int64(next), 0), Kind: acd.KindEnqueued, Work: "w", Queue: "sales"}
			next++
		}
		require.NoError(b, s.Append(b.Context(), events))
	}
	b.ReportMetric(float64(next-1)/b.Elapsed().Seconds(), "events/s")
	require.NoError(b, s.Close())
}
