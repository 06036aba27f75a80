package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/ringfence/ringfence/recording/voicemail"
	vmstore "github.com/ringfence/ringfence/recording/voicemail/sqlstore"
	"github.com/ringfence/ringfence/tenant"
	"github.com/ringfence/ringfence/tenant/audit"
	"github.com/ringfence/ringfence/tenant/password"
)

type usersCmd struct {
	List    usersList    `cmd:"" help:"List users."`
	Add     usersAdd     `cmd:"" help:"Add a user with a phone and print the phone's password once."`
	Passwd  usersPasswd  `cmd:"" help:"Give a user's phone a new password and print it once."`
	Disable usersDisable `cmd:"" help:"Lock a user out."`
	Delete  usersDelete  `cmd:"" help:"Remove a user."`
}

type usersList struct{ who }

func (c usersList) Run(a *app) error {
	return c.with(a, func(ac *actor) error {
		users, err := ac.tenant.Users(a.ctx, ac.Principal)
		if err != nil {
			return err
		}
		tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "USER\tNAME\tROLES\tSTATE")
		for _, u := range users {
			roles := make([]string, len(u.Roles))
			for i, r := range u.Roles {
				roles[i] = string(r)
			}
			state := "enabled"
			if u.Disabled {
				state = "disabled"
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", u.Name, u.Display, dash(strings.Join(roles, ",")), state)
		}
		return tw.Flush()
	})
}

type usersAdd struct {
	who
	Name string   `arg:"" help:"The user, such as 1011."`
	Role []string `help:"agent, supervisor, admin, auditor. None: a phone that can call and be called. Agents are known to queues from the next start of the server."`
}

func (c usersAdd) Run(a *app) error {
	return c.with(a, func(ac *actor) error {
		var roles []tenant.Role
		for _, r := range c.Role {
			roles = append(roles, tenant.Role(r))
		}
		secret := password.Generate()
		if _, err := ac.tenant.CreateUser(a.ctx, ac.Principal, tenant.NewUser{Name: c.Name, Roles: roles, SIPPassword: secret}); err != nil {
			return err
		}
		return printCredentials(a, ac, c.Name, secret)
	})
}

func printCredentials(a *app, ac *actor, user string, secret password.Secret) error {
	_, err := fmt.Fprintf(a.stdout, "credentials tenant=%s domain=%s user=%s password=%s\n", ac.tenant.Name(), ac.tenant.Profile().Domain, user, secret.ExportSecret())
	return err
}

type usersPasswd struct {
	who
	Name string `arg:"" help:"The user."`
}

func (c usersPasswd) Run(a *app) error {
	return c.with(a, func(ac *actor) error {
		secret := password.Generate()
		if _, err := ac.tenant.UpdateUser(a.ctx, ac.Principal, c.Name, tenant.Change{SIPPassword: &secret}); err != nil {
			return err
		}
		return printCredentials(a, ac, c.Name, secret)
	})
}

type usersDisable struct {
	who
	Name string `arg:"" help:"The user."`
}

func (c usersDisable) Run(a *app) error {
	return c.with(a, func(ac *actor) error {
		yes := true
		_, err := ac.tenant.UpdateUser(a.ctx, ac.Principal, c.Name, tenant.Change{Disabled: &yes})
		return err
	})
}

type usersDelete struct {
	who
	Name string `arg:"" help:"The user."`
}

func (c usersDelete) Run(a *app) error {
	return c.with(a, func(ac *actor) error {
		if err := ac.tenant.DeleteUser(a.ctx, ac.Principal, c.Name); err != nil {
			return err
		}
		// With the mailbox: whoever gets the number next must not hear what was meant for somebody else.
		return ac.mailboxes(a, func(b *voicemail.Boxes, _ *vmstore.Store) error {
			if err := b.DeleteBox(a.ctx, c.Name); err != nil && !errors.Is(err, voicemail.ErrNoBox) {
				return fmt.Errorf("the user is deleted, their mailbox is not: %w", err)
			}
			return nil
		})
	})
}

type auditCmd struct {
	Verify auditVerify `cmd:"" help:"Check the chain of the audit log from its first entry to its last."`
}

type auditVerify struct{ who }

func (c auditVerify) Run(a *app) error {
	return c.with(a, func(ac *actor) error {
		if err := ac.allowed(a.ctx, "audit.verify", "log"); err != nil {
			return err
		}
		path, err := ac.dep.auditPath(ac.tenant.Name())
		if err != nil {
			return err
		}
		r, err := audit.VerifyFile(path, audit.Head{})
		var broken *audit.VerifyError
		if errors.As(err, &broken) {
			return fmt.Errorf("%w: %w", errBad, err)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "ok  %d entries, head %s\n", r.Head.Seq, r.Head.Hash)
		for _, x := range r.Repairs {
			fmt.Fprintf(a.stdout, "    entry %d repairs %d bytes torn by a crash\n", x.Seq, x.Bytes)
		}
		return nil
	})
}
