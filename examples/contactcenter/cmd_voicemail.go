package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/ringfence/ringfence/recording/voicemail"
	vmstore "github.com/ringfence/ringfence/recording/voicemail/sqlstore"
	"github.com/ringfence/ringfence/tenant"
)

type voicemailCmd struct {
	List voicemailList `cmd:"" help:"List mailboxes and how many messages are in them."`
	PIN  voicemailPIN  `cmd:"" name:"pin" help:"Give a mailbox a new PIN and print it once."`
}

// withMailboxes opens the tenant's voicemail for an actor who may do action.
func withMailboxes(a *app, w who, action, object string, f func(*actor, *voicemail.Boxes, *vmstore.Store) error) error {
	return w.with(a, func(ac *actor) error {
		if err := ac.allowed(a.ctx, action, object); err != nil {
			return err
		}
		return ac.mailboxes(a, func(b *voicemail.Boxes, s *vmstore.Store) error { return f(ac, b, s) })
	})
}

// mailboxes opens the tenant's voicemail beside a server that may be running.
func (ac *actor) mailboxes(a *app, f func(*voicemail.Boxes, *vmstore.Store) error) error {
	tc, err := ac.config()
	if err != nil {
		return err
	}
	v, catalog, err := openVault(a.ctx, ac.dep, ac.tenant, nil)
	if err != nil {
		return err
	}
	boxes, store, err := openMailboxes(a.ctx, ac.dep, tc, v, nil)
	if err == nil {
		err = errors.Join(f(boxes, store), boxes.Close(), store.Close())
	}
	return errors.Join(err, v.Close(), catalog.Close())
}

type voicemailList struct{ who }

func (c voicemailList) Run(a *app) error {
	return withMailboxes(a, c.who, tenant.ActionUsersRead, "mailboxes", func(_ *actor, _ *voicemail.Boxes, s *vmstore.Store) error {
		boxes, err := s.Boxes(a.ctx)
		if err != nil {
			return err
		}
		tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "BOX\tNEW\tSAVED")
		for _, b := range boxes {
			n, err := s.Counts(a.ctx, b.Number)
			if err != nil {
				return err
			}
			fmt.Fprintf(tw, "%s\t%d\t%d\n", b.Number, n.New, n.Saved)
		}
		return tw.Flush()
	})
}

type voicemailPIN struct {
	who
	Box string `arg:"" help:"The mailbox."`
}

func (c voicemailPIN) Run(a *app) error {
	return withMailboxes(a, c.who, tenant.ActionUsersWrite, "mailbox/"+c.Box, func(ac *actor, b *voicemail.Boxes, _ *vmstore.Store) error {
		pin := voicemail.GeneratePIN(c.Box)
		if err := b.SetPIN(a.ctx, c.Box, pin); err != nil {
			return err
		}
		return printPIN(a.stdout, ac.tenant.Name(), c.Box, pin)
	})
}
