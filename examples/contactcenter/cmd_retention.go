package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ringfence/ringfence/retention"
)

type retentionCmd struct {
	Run     retentionRun     `cmd:"" name:"run" help:"Delete what is due and print the signed receipt."`
	Explain retentionExplain `cmd:"" help:"Say what a run would do with a recording, and why."`
	Receipt retentionReceipt `cmd:"" help:"Print the receipts so far, or check one file offline."`
}

// moment reads a date or a time; a date is its first instant in UTC.
func moment(s string) (time.Time, error) {
	if s == "" {
		return time.Now(), nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a date (2027-12-31) nor a time (2027-12-31T10:00:00Z)", s)
}

// withSweeper opens retention for the actor.
func withSweeper(a *app, w who, f func(*actor, *sweeper) error) error {
	return w.with(a, func(ac *actor) error {
		s, err := openSweeper(a.ctx, ac, nil, nil)
		if err != nil {
			return err
		}
		return errors.Join(f(ac, s), s.Close())
	})
}

type retentionRun struct {
	who
	Now string `help:"Judge what is due as of this date or time, in place of the clock."`
	Out string `short:"o" help:"File for the receipt as it was signed."`
}

func (c retentionRun) Run(a *app) error {
	now, err := moment(c.Now)
	if err != nil {
		return err
	}
	return withSweeper(a, c.who, func(ac *actor, s *sweeper) error {
		receipt, err := s.Run(a.ctx, now)
		if receipt.Bytes() == nil {
			return err
		}
		printReceipt(a, receipt)
		keys, kerr := ac.dep.keysOf(a.ctx, ac.tenant.Name())
		if kerr != nil {
			return errors.Join(err, kerr)
		}
		public, kerr := keys.PublicKey(a.ctx)
		if kerr != nil {
			return errors.Join(err, kerr)
		}
		fmt.Fprintf(a.stdout, "public key %s\n", base64.StdEncoding.EncodeToString(public))
		if c.Out != "" {
			err = errors.Join(err, os.WriteFile(c.Out, receipt.Bytes(), 0o600))
		}
		return err
	})
}

func printReceipt(a *app, r retention.Receipt) {
	fmt.Fprintf(a.stdout, "receipt %d  as of %s  %d erased, %d held, %d failed  sha256 %s\n", r.Seq, r.AsOf.Format(time.RFC3339Nano), r.Counts.Erased, r.Counts.Held, r.Counts.Failed, r.Hash())
	for _, d := range r.Erased {
		fmt.Fprintf(a.stdout, "  erased  %s/%s  created %s  due %s  keys %s\n", d.Class, d.ID, d.Created.Format(time.RFC3339Nano), d.Due.Format(time.RFC3339Nano), strings.Join(d.KeyIDs, " "))
	}
	for _, h := range r.Held {
		fmt.Fprintf(a.stdout, "  held    %s/%s  by %s\n", h.Class, h.ID, strings.Join(h.Holds, " "))
	}
	for _, f := range r.Failed {
		fmt.Fprintf(a.stdout, "  FAILED  %s\n", f)
	}
}

type retentionExplain struct {
	who
	ID  string `arg:"" help:"The recording."`
	Now string `help:"As of this date or time, in place of the clock."`
}

func (c retentionExplain) Run(a *app) error {
	now, err := moment(c.Now)
	if err != nil {
		return err
	}
	return withSweeper(a, c.who, func(_ *actor, s *sweeper) error {
		item, err := s.find(a.ctx, c.ID)
		if err != nil {
			return err
		}
		e, err := s.Explain(a.ctx, item, now)
		if err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, e)
		return nil
	})
}

type retentionReceipt struct {
	List   receiptList   `cmd:"" help:"Print all receipts, checked as one chain."`
	Verify receiptVerify `cmd:"" help:"Check a receipt's file against a public key. Needs no data folder."`
}

type receiptList struct{ who }

func (c receiptList) Run(a *app) error {
	return withSweeper(a, c.who, func(ac *actor, s *sweeper) error {
		keys, err := ac.dep.keysOf(a.ctx, ac.tenant.Name())
		if err != nil {
			return err
		}
		public, err := keys.PublicKey(a.ctx)
		if err != nil {
			return err
		}
		if _, err := retention.VerifyChain(public, s.Receipts(a.ctx)); err != nil {
			if errors.Is(err, retention.ErrReceipt) {
				return fmt.Errorf("%w: %w", errBad, err)
			}
			return err
		}
		for b, err := range s.Receipts(a.ctx) {
			if err != nil {
				return err
			}
			r, err := retention.VerifyReceipt(public, b)
			if err != nil {
				return fmt.Errorf("%w: %w", errBad, err)
			}
			printReceipt(a, r)
		}
		return nil
	})
}

type receiptVerify struct {
	File   string `arg:"" help:"The receipt."`
	Public string `required:"" help:"Public key of who issued it, base64."`
}

func (c receiptVerify) Run(a *app) error {
	b, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	public, err := base64.StdEncoding.DecodeString(c.Public)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return errors.New("--public is not an Ed25519 key in base64")
	}
	r, err := retention.VerifyReceipt(public, b)
	if err != nil {
		return fmt.Errorf("%w: %w", errBad, err)
	}
	printReceipt(a, r)
	return nil
}

type holdsCmd struct {
	List    holdsList    `cmd:"" help:"List legal holds."`
	Place   holdsPlace   `cmd:"" help:"Keep recordings whatever their period says."`
	Release holdsRelease `cmd:"" help:"End a hold; what is due goes at once."`
}

type holdsList struct{ who }

func (c holdsList) Run(a *app) error {
	return withSweeper(a, c.who, func(_ *actor, s *sweeper) error {
		tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "HOLD\tSTATE\tGROUND\tAPPROVER\tREVIEW\tITEMS")
		for h, err := range s.Holds(a.ctx) {
			if err != nil {
				return err
			}
			state := "holds"
			if !h.Active() {
				state = "released " + h.Released.Format(time.DateOnly)
			}
			items := make([]string, len(h.Items))
			for i, ref := range h.Items {
				items[i] = ref.ID
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", h.ID, state, h.Ground, h.Approver, h.Review.Format(time.DateOnly), strings.Join(items, ","))
		}
		return tw.Flush()
	})
}

type holdsPlace struct {
	who
	Ground   string   `required:"" help:"Why, such as a file number."`
	Approver string   `required:"" help:"Who approved it."`
	Review   string   `required:"" help:"When it must be looked at again: a date."`
	IDs      []string `arg:"" help:"The recordings."`
}

func (c holdsPlace) Run(a *app) error {
	review, err := moment(c.Review)
	if err != nil {
		return err
	}
	return withSweeper(a, c.who, func(_ *actor, s *sweeper) error {
		h := retention.Hold{Ground: c.Ground, Approver: c.Approver, Review: review}
		for _, id := range c.IDs {
			ref := retention.Ref{Class: classRecording, ID: id} // one that is not there is held as a call's: it may be in a backup
			item, err := s.find(a.ctx, id)
			if err == nil {
				ref = item.Ref()
			} else if !errors.Is(err, retention.ErrNotFound) {
				return err
			}
			h.Items = append(h.Items, ref)
		}
		h, err := s.Place(a.ctx, h)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "hold %s on %d recordings\n", h.ID, len(h.Items))
		return nil
	})
}

type holdsRelease struct {
	who
	ID  string `arg:"" help:"The hold."`
	Now string `help:"Judge what is due as of this date or time, in place of the clock."`
}

func (c holdsRelease) Run(a *app) error {
	now, err := moment(c.Now)
	if err != nil {
		return err
	}
	return withSweeper(a, c.who, func(_ *actor, s *sweeper) error {
		r, err := s.Release(a.ctx, c.ID, now)
		if r.Bytes() != nil {
			printReceipt(a, r)
		}
		return err
	})
}
