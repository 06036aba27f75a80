package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ringfence/ringfence/recording"
)

type recordingsCmd struct {
	List   recordingsList   `cmd:"" help:"List recordings."`
	Export recordingsExport `cmd:"" help:"Write a recording as an audio file, with a signed receipt."`
	Check  recordingsCheck  `cmd:"" help:"Check an exported file against its receipt. Needs no data folder."`
	Verify recordingsVerify `cmd:"" help:"Read recordings to the end and say whether they are what was written."`
	Rewrap recordingsRewrap `cmd:"" help:"Wrap the keys of recordings with the newest version of the tenant's key."`
	Delete recordingsDelete `cmd:"" help:"Destroy a recording: its key first, then its bytes."`
}

// withAccess opens the tenant's vault for the actor.
func withAccess(a *app, w who, f func(*actor, *recording.Access) error) error {
	return w.with(a, func(ac *actor) error {
		v, catalog, err := openVault(a.ctx, ac.dep, ac.tenant, nil)
		if err != nil {
			return err
		}
		access, err := v.For(ac, ac.audit)
		if err == nil {
			err = f(ac, access)
		}
		return errors.Join(err, v.Close(), catalog.Close())
	})
}

type recordingsList struct{ who }

func (c recordingsList) Run(a *app) error {
	return withAccess(a, c.who, func(_ *actor, access *recording.Access) error {
		tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "ID\tCLASS\tCREATED\tLENGTH\tSTATE\tQUEUE\tAGENT\tCALL")
		for info, err := range access.List(a.ctx, recording.Query{}) {
			if err != nil && info.ID == "" {
				return err
			}
			queue, agent, call := info.Attributes["queue"], info.Attributes["agent"], info.Call
			if err != nil {
				call = "does not open: " + err.Error()
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", info.ID, info.Class, info.Created.Format(time.RFC3339), info.Duration.Round(time.Millisecond), info.State, queue, agent, call)
		}
		return tw.Flush()
	})
}

type recordingsVerify struct {
	who
	IDs []string `arg:"" optional:"" help:"The recordings; none means all."`
}

func (c recordingsVerify) Run(a *app) error {
	return withAccess(a, c.who, func(_ *actor, access *recording.Access) error {
		ids := c.IDs
		if len(ids) == 0 {
			for info, err := range access.List(a.ctx, recording.Query{}) {
				if info.ID == "" {
					return err
				}
				ids = append(ids, info.ID) // one whose metadata does not open is verified too, and found bad
			}
		}
		bad := 0
		for _, id := range ids {
			r, err := access.Verify(a.ctx, id)
			if err != nil && !errors.Is(err, recording.ErrTampered) && !errors.Is(err, recording.ErrTruncated) && !errors.Is(err, recording.ErrKey) {
				return err
			}
			fmt.Fprintln(a.stdout, verdict(id, r, err))
			if err != nil {
				bad++
			}
		}
		if bad > 0 {
			return fmt.Errorf("%d of %d recordings: %w", bad, len(ids), errBad)
		}
		return nil
	})
}

// verdict is one line of verify: "ok", "incomplete" or "BAD" first, so that it can be searched for.
func verdict(id string, r recording.Report, err error) string {
	var b strings.Builder
	switch {
	case err != nil:
		fmt.Fprintf(&b, "BAD         %s  %v", id, err)
		return b.String()
	case r.Complete:
		b.WriteString("ok          ")
	default:
		b.WriteString("incomplete  ")
	}
	fmt.Fprintf(&b, "%s  %s  %d segments", id, r.Duration.Round(time.Millisecond), r.Segments)
	if r.Signed {
		b.WriteString("  signed")
	}
	if r.Lost > 0 {
		fmt.Fprintf(&b, "  %d frames lost", r.Lost)
	}
	if !r.Complete {
		b.WriteString("  " + r.Reason)
	}
	return b.String()
}

type recordingsDelete struct {
	who
	ID     string `arg:"" help:"The recording."`
	Reason string `required:"" help:"Why; it is kept in the audit log."`
}

func (c recordingsDelete) Run(a *app) error {
	return withAccess(a, c.who, func(ac *actor, access *recording.Access) error {
		if err := ac.notHeld(a.ctx, c.ID); err != nil {
			return err
		}
		d, err := access.Destroy(a.ctx, c.ID, c.Reason)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "destroyed %s, key %s\n", c.ID, strings.Join(d.KeyIDs, " "))
		return nil
	})
}
