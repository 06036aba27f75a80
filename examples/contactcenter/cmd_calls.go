package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/ringfence/ringfence/acd"
	acdstore "github.com/ringfence/ringfence/acd/sqlstore"
)

type callsCmd struct {
	who
	JSON bool `help:"One JSON record a line."`
}

// Run replays the distributor's log and prints every finished call: there is no second source that could disagree.
func (c callsCmd) Run(a *app) error {
	return c.with(a, func(ac *actor) error {
		if err := ac.allowed(a.ctx, "call.read", "all"); err != nil {
			return err
		}
		dsn, err := ac.dep.stores.DSN(ac.tenant.Name())
		if err != nil {
			return err
		}
		store, err := acdstore.Open(a.ctx, dsn)
		if err != nil {
			return err
		}
		return errors.Join(c.print(a, store), store.Close())
	})
}

func (c callsCmd) print(a *app, store acd.Store) error {
	tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintln(tw, "CALL\tARRIVED\tQUEUE\tOUTCOME\tCAUSE\tAGENT\tWAITED\tTALKED\tCALLBACK")
	}
	sum := map[acd.Outcome]int{}
	total, callbacks := 0, 0
	for en, err := range acd.Replay(store.Load(a.ctx, 0)) {
		if err != nil {
			return err
		}
		for _, d := range en.Decisions {
			if d.Kind == acd.DecideCallback {
				callbacks++
			}
			if d.Kind != acd.DecideEnded {
				continue
			}
			r := d.Record
			if !r.CallbackAt.IsZero() {
				callbacks--
			}
			total++
			sum[r.Outcome]++
			if c.JSON {
				line, err := json.Marshal(recordOf(r))
				if err != nil {
					return err
				}
				fmt.Fprintf(tw, "%s\n", line)
				continue
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Work, r.ArrivedAt.Format(time.RFC3339), dash(r.Queue), r.Outcome, r.Cause, dash(r.Agent), span(r.EnqueuedAt, waitEnd(r)), span(r.AnsweredAt, r.EndedAt), attempts(r))
		}
	}
	if !c.JSON {
		fmt.Fprintf(tw, "%d calls = %d answered + %d abandoned + %d overflowed + %d ended in the IVR\n", total, sum[acd.Answered], sum[acd.Abandoned], sum[acd.Overflowed], sum[acd.IVREnded])
		if callbacks > 0 {
			fmt.Fprintf(tw, "%d to be called back\n", callbacks)
		}
	}
	return tw.Flush()
}

// attempts says how often a caller who asked for it was called back.
func attempts(r *acd.Record) string {
	switch {
	case r.CallbackAt.IsZero():
		return "-"
	case r.Attempts == 1:
		return "1 attempt"
	default:
		return fmt.Sprintf("%d attempts", r.Attempts)
	}
}

func waitEnd(r *acd.Record) time.Time {
	if !r.AnsweredAt.IsZero() {
		return r.AnsweredAt
	}
	return r.EndedAt
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func span(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return "-"
	}
	return to.Sub(from).Round(100 * time.Millisecond).String()
}
