package sqlstore_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording/voicemail"
	"github.com/ringfence/ringfence/recording/voicemail/sqlstore"
	"github.com/ringfence/ringfence/recording/voicemail/voicemailtest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func open(t *testing.T, dsn string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	voicemailtest.TestStore(t, func(t *testing.T) voicemail.Store { return open(t, filepath.Join(t.TempDir(), "ringfence.db")) })
}

func TestStatesSurviveARestart(t *testing.T) {
	ctx := context.Background()
	dsn := filepath.Join(t.TempDir(), "ringfence.db")
	s, err := sqlstore.Open(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 0, 0, 0, 7, time.UTC)
	it := voicemail.Item{ID: "a", Box: "1", Kind: voicemail.Message, State: voicemail.StateSaved, Created: at, Length: time.Second, Incomplete: true}
	locked := voicemail.Tries{Failed: 5, Until: at.Add(time.Hour)}
	for _, err := range []error{s.CreateBox(ctx, voicemail.Box{Number: "1", Hash: "h", Created: at}), s.Add(ctx, it, voicemail.Quota{}),
		s.SetTries(ctx, "1", false, voicemail.Tries{}, locked), s.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dsn)
	if got, err := s.Item(ctx, "a"); err != nil || got != it {
		t.Errorf("item %+v, %v", got, err)
	}
	if got, err := s.Tries(ctx, "1", false); err != nil || got != locked {
		t.Errorf("a restart is no way around a lockout: %+v, %v", got, err)
	}
}
