package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd/report"
	"github.com/stretchr/testify/require"
)

func someRows(names ...string) []report.Row {
	r := report.Report{At: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), Queues: map[string]report.Waits{}}
	for _, n := range names {
		r.Queues[n] = report.Waits{Answered: 3, InTarget: 2, TotalAnswer: 10 * time.Second, Promises: 2, PromiseExcess: -5 * time.Second}
	}
	some, _ := report.Lookup("service_level", "asa", "ewt_bias", "aht", "answered")
	return report.Rows(r, some)
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, report.WriteCSV(&b, someRows("sales, \"north\"")))
	require.Equal(t, "from,to,scope,name,service_level,asa,ewt_bias,aht,answered\r\n"+
		",2026-11-22T09:00:00Z,all,,,,,,0\r\n"+
		",2026-11-22T09:00:00Z,queue,\"sales, \"\"north\"\"\",0.6666666666666666,3.333333333,-2.5,,3\r\n", b.String())
	b.Reset()
	require.NoError(t, report.WriteCSV(&b, nil))
	require.Equal(t, "from,to,scope,name\r\n", b.String())
	require.Error(t, report.WriteCSV(brokenWriter{}, someRows("q")))
	require.Error(t, report.WriteText(brokenWriter{}, someRows("q")))
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

// Whoever names a queue puts no formula into the file, whichever character a spreadsheet takes for a separator.
func TestNoFormulas(t *testing.T) {
	for name, want := range map[string]string{
		`=HYPERLINK("https://e.example")`: `'=HYPERLINK("https://e.example")`,
		"+1":                              "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "  =1": "  '=1", "\t=1": "'\t'=1", "\r=1": "''=1", "＝1": "'＝1",
		"a;=1": "a;'=1", "a,\t=1": "a,\t'=1", "a\n=1": "a\n'=1", `a"=1`: `a"'=1`, "a|=1": "a|'=1",
		"back-office": "back-office", "a=b": "a=b", "1+1": "1+1", "": "",
	} {
		var b bytes.Buffer
		require.NoError(t, report.WriteCSV(&b, someRows(name)))
		lines, err := csv.NewReader(&b).ReadAll()
		require.NoError(t, err)
		require.Equal(t, strings.ReplaceAll(want, "\r\n", "\n"), lines[2][3], "%q", name)
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("=1;\"\t+1")
	f.Add(" \u00a0@x\r\n-1")
	f.Fuzz(func(t *testing.T, name string) {
		var b bytes.Buffer
		if err := report.WriteCSV(&b, someRows(name)); err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(bytes.NewReader(b.Bytes()))
		lines, err := r.ReadAll()
		if err != nil || len(lines) != 3 {
			t.Fatalf("%q: %d lines, %v", name, len(lines), err)
		}
		for _, cell := range strings.FieldsFunc(lines[2][3], func(r rune) bool { return strings.ContainsRune(",;|\t\r\n\"", r) }) {
			if cell = strings.TrimSpace(cell); cell != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(cell)[0]) {
				t.Fatalf("%q begins a formula: %q", name, cell)
			}
		}
	})
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, report.WriteJSON(&b, someRows("q")[1:]))
	require.JSONEq(t, `[{"to":"2026-11-22T09:00:00Z","scope":"queue","name":"q","values":[
		{"name":"service_level","unit":"ratio","value":0.6666666666666666},{"name":"asa","unit":"seconds","value":3.333333333},
		{"name":"ewt_bias","unit":"seconds","value":-2.5},{"name":"aht","unit":"seconds","value":null},{"name":"answered","unit":"count","value":3}]}]`, b.String())
	b.Reset()
	require.NoError(t, report.WriteJSON(&b, nil))
	require.Equal(t, "[]\n", b.String())
	raw, err := json.Marshal(report.Report{Totals: report.Totals{Arrived: 3}})
	require.NoError(t, err)
	require.Contains(t, string(raw), `"Arrived":3`)
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, report.WriteText(&b, someRows("q\x1b[2J")))
	require.Equal(t, ""+
		"               all  queue q.[2J\n"+
		"service_level  -    66.7 %\n"+
		"asa            -    3.3 s\n"+
		"ewt_bias       -    -2.5 s\n"+
		"aht            -    -\n"+
		"answered       0    3\n", b.String())
	require.NoError(t, report.WriteText(&b, nil))
	rows := someRows("q")
	rows[1].Values = rows[1].Values[:1]
	require.NoError(t, report.WriteText(&b, rows))
}

func TestIntervalRows(t *testing.T) {
	log, end := day()
	tally, err := report.NewTally(report.Config{Interval: time.Minute})
	require.NoError(t, err)
	require.NoError(t, tally.Read(seq(log, nil)))
	tally.Advance(end)
	rows := report.IntervalRows(tally.Intervals(), nil)
	require.Len(t, rows, 6, "two intervals: all, one channel, one queue")
	require.Equal(t, "2026-11-22T09:01:00Z", rows[3].From.Format(time.RFC3339))
	require.Len(t, rows[0].Values, len(report.KPIs()))
	var b bytes.Buffer
	require.NoError(t, report.WriteText(&b, rows))
	require.Contains(t, b.String(), "09:01 queue q")
}
