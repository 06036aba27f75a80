package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Scope is what a Row is about.
type Scope string

// The scopes.
const (
	ScopeAll     Scope = "all"
	ScopeChannel Scope = "channel"
	ScopeQueue   Scope = "queue"
)

// Row is one line of a written report: plain data for wallboards and files.
type Row struct {
	From   time.Time `json:"from,omitzero"` // zero: since the beginning
	To     time.Time `json:"to"`
	Scope  Scope     `json:"scope"`
	Name   string    `json:"name,omitempty"` // of the queue or channel
	Values []Value   `json:"values"`
}

// Value is one key figure. If there was nothing to divide by it is not Known, and Value is 0; as JSON it is null then.
type Value struct {
	Name  string
	Unit  Unit
	Value float64
	Known bool
}

// MarshalJSON writes name, unit and value.
func (v Value) MarshalJSON() ([]byte, error) {
	out := struct {
		Name  string   `json:"name"`
		Unit  Unit     `json:"unit"`
		Value *float64 `json:"value"`
	}{Name: v.Name, Unit: v.Unit}
	if v.Known {
		out.Value = &v.Value
	}
	return json.Marshal(out)
}

// Rows computes key figures of all, of each channel and of each queue, in this order and by name. If of is nil, all key figures.
func Rows(r Report, of []KPI) []Row { return rows(time.Time{}, r.At, &r, of) }

// IntervalRows computes the same for each interval.
func IntervalRows(ivs []Interval, of []KPI) []Row {
	var out []Row
	for i := range ivs {
		out = append(out, rows(ivs[i].From, ivs[i].To, &ivs[i].Report, of)...)
	}
	return out
}

func rows(from, to time.Time, r *Report, of []KPI) []Row {
	if of == nil {
		of = kpis
	}
	out := make([]Row, 0, 1+len(r.Channels)+len(r.Queues))
	add := func(scope Scope, name string, f Figures) {
		row := Row{From: from, To: to, Scope: scope, Name: name, Values: make([]Value, 0, len(of))}
		for i := range of {
			v, ok := of[i].Of(&f)
			row.Values = append(row.Values, Value{of[i].Name, of[i].Unit, v, ok})
		}
		out = append(out, row)
	}
	add(ScopeAll, "", Figures{r.All, r.Staff})
	for _, name := range slices.Sorted(maps.Keys(r.Channels)) {
		add(ScopeChannel, name, Figures{Waits: r.Channels[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Queues)) {
		add(ScopeQueue, name, Figures{Waits: r.Queues[name]})
	}
	return out
}

// WriteJSON writes rows as one array.
func WriteJSON(w io.Writer, rows []Row) error {
	if rows == nil {
		rows = []Row{}
	}
	return json.NewEncoder(w).Encode(rows)
}

// WriteCSV writes rows as CSV (RFC 4180) with a header; a value that is not known is an empty field.
//
// The attacker is whoever may name a queue or a channel: a name such as =HYPERLINK(...) would run as a formula in the spreadsheet of a
// supervisor who opens the file, with that person's rights and network. Wherever such a name could begin a cell, also after a separator that some
// spreadsheets take for one, an apostrophe is put before it, which spreadsheets show as text.
func WriteCSV(w io.Writer, rows []Row) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	line := []string{"from", "to", "scope", "name"}
	if len(rows) > 0 {
		for _, v := range rows[0].Values {
			line = append(line, v.Name)
		}
	}
	if err := c.Write(line); err != nil {
		return err
	}
	for _, r := range rows {
		line = append(line[:0], stamp(r.From), stamp(r.To), string(r.Scope), cell(r.Name))
		for _, v := range r.Values {
			s := ""
			if v.Known {
				s = strconv.FormatFloat(v.Value, 'f', -1, 64)
			}
			line = append(line, s)
		}
		if err := c.Write(line); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// cell makes a text that no spreadsheet takes for a formula.
func cell(s string) string {
	var b strings.Builder
	begins := true // nothing but space since the last that could be taken for the end of a cell
	if strings.HasPrefix(s, "\t") || strings.HasPrefix(s, "\r") {
		b.WriteByte('\'')
	}
	for _, r := range s {
		switch {
		case begins && strings.ContainsRune("=+-@＝＋－＠", r):
			b.WriteByte('\'')
			begins = false
		case strings.ContainsRune(",;|\t\r\n\"", r):
			begins = true
		case !unicode.IsSpace(r):
			begins = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// WriteText writes rows for people: one line for each key figure, one column for each row.
func WriteText(w io.Writer, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := []string{""}
	for _, r := range rows {
		name := string(r.Scope)
		if r.Name != "" {
			name += " " + strings.Map(printable, r.Name)
		}
		if !r.From.IsZero() {
			name = r.From.Format("15:04 ") + name
		}
		head = append(head, name)
	}
	if _, err := fmt.Fprintln(t, strings.Join(head, "\t")); err != nil {
		return err
	}
	for i, v := range rows[0].Values {
		line := []string{v.Name}
		for _, r := range rows {
			if i < len(r.Values) {
				line = append(line, r.Values[i].String())
			}
		}
		if _, err := fmt.Fprintln(t, strings.Join(line, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// printable keeps a name from moving the cursor of a terminal.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '.'
}

// String returns the value for people: "81.3 %", "12.5 s", "17", or "-" if it is not known.
func (v Value) String() string {
	switch {
	case !v.Known:
		return "-"
	case v.Unit == Ratio:
		return strconv.FormatFloat(100*v.Value, 'f', 1, 64) + " %"
	case v.Unit == Seconds:
		return strconv.FormatFloat(v.Value, 'f', 1, 64) + " s"
	}
	return strconv.FormatFloat(v.Value, 'f', -1, 64)
}
