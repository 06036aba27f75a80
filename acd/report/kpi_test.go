package report_test

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd/report"
	"github.com/stretchr/testify/require"
)

// The package comment lists every key figure as it is.
func TestTheTableIsTheCode(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, k := range report.KPIs() {
		require.False(t, names[k.Name], k.Name)
		names[k.Name] = true
		zero := k.Zero
		if zero == "" {
			zero = "0"
		}
		for _, line := range []string{k.Name + " ", k.Definition + "\n", "= " + k.Formula + "  [" + string(k.Unit) + "; " + k.Source + "; " + zero + "]\n"} {
			require.Contains(t, string(doc), line, k.Name)
		}
	}
	require.Equal(t, len(names), strings.Count(string(doc), "//\t    = "), "the table lists what is no key figure")
}

// The example that ICMI has used for twenty years to tell the service levels apart: 1000 answered, 860 of them in target; 60 gave up, 20 of
// them in target and 10 at once.
func TestServiceLevelsSideBySide(t *testing.T) {
	w := report.Waits{Entered: 1060, Answered: 1000, InTarget: 860, Abandoned: 60, AbandonedInTarget: 20, ShortAbandoned: 10}
	got := map[string]float64{}
	for _, l := range report.ServiceLevels() {
		v, ok := w.ServiceLevelBy(l)
		require.True(t, ok)
		got[l.String()] = v
	}
	require.InDeltaMapValues(t, map[string]float64{
		"service_level": 860.0 / 1050, "service_level_answered": 860.0 / 1000, "service_level_all": 860.0 / 1060,
		"service_level_after_target": 860.0 / 1040, "service_level_offered": 880.0 / 1060,
	}, got, 1e-12)
	w.Overflowed = 40 // sent away: only one definition calls that bad
	v, _ := w.ServiceLevelBy(report.LevelOffered)
	require.InDelta(t, 880.0/1100, v, 1e-12)
	_, ok := w.ServiceLevelBy(99)
	require.False(t, ok)
	require.Equal(t, "invalid", report.ServiceLevel(99).String())
}

// Callbacks neither help nor hurt a service level.
func TestCallbacksAreNoWaits(t *testing.T) {
	w := report.Waits{Answered: 10, InTarget: 8, TotalAnswer: 80 * time.Second, Abandoned: 2, TotalAbandon: 10 * time.Second}
	v, _ := w.ServiceLevelBy(report.LevelAll)
	asa, _ := w.ASA()
	aban, _ := w.AverageAbandon()
	w.Answered, w.CallbacksKept = w.Answered+5, 5
	w.Abandoned, w.CallbacksLost = w.Abandoned+3, 3
	v2, _ := w.ServiceLevelBy(report.LevelAll)
	asa2, _ := w.ASA()
	aban2, _ := w.AverageAbandon()
	require.Equal(t, []any{v, asa, aban}, []any{v2, asa2, aban2})
}

// With nothing counted a key figure is 0 if it counts, and unknown if it says so.
func TestZeroDenominators(t *testing.T) {
	for _, k := range report.KPIs() {
		v, ok := k.Of(&report.Figures{})
		require.Zero(t, v, k.Name)
		require.Equal(t, k.Zero == "", ok, k.Name)
		require.NotEmpty(t, k.Source, k.Name)
	}
	_, ok := report.Lookup("asa", "no such")
	require.False(t, ok)
	some, ok := report.Lookup("aht", "asa")
	require.True(t, ok)
	require.Equal(t, "aht", some[0].Name)
}

// No field of Waits is forgotten where queues are added up.
func TestEveryFieldAddsUp(t *testing.T) {
	log, end := day()
	tally, err := report.NewTally(report.Config{Interval: time.Minute})
	require.NoError(t, err)
	require.NoError(t, tally.Read(seq(log, nil)))
	whole, err := report.FromLog(seq(log, nil))
	require.NoError(t, err)
	require.Equal(t, whole.Report(end).Queues, tally.Report(end).Queues, "divided into intervals it is the same")
	typ := reflect.TypeFor[report.Waits]()
	for i := range typ.NumField() {
		require.Contains(t, []reflect.Kind{reflect.Int, reflect.Int64, reflect.Array}, typ.Field(i).Type.Kind(), typ.Field(i).Name)
	}
}
