package voicemailtest_test

import (
	"testing"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording/voicemail"
	"github.com/ringfence/ringfence/recording/voicemail/voicemailtest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestConformance(t *testing.T) {
	voicemailtest.TestStore(t, func(*testing.T) voicemail.Store { return &voicemailtest.Store{} })
}
