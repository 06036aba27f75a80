package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/backup"
)

type backupCmd struct {
	Run     backupRun     `cmd:"" name:"run" help:"Bring the tenant's backup up to date. A running server does so by itself."`
	Restore backupRestore `cmd:"" help:"Put a tenant's recordings back from a backup. Stop the server before."`
	Keygen  backupKeygen  `cmd:"" help:"Make the key of backups and print its public half. Do it where the recordings are not. Needs no data folder."`
}

type backupRun struct{ who }

func (c backupRun) Run(a *app) error {
	return c.with(a, func(ac *actor) error {
		p, err := openPlaces(a.ctx, ac.dep, ac.tenant.Name(), a.log)
		if err != nil {
			return err
		}
		r, err := ac.backup(a.ctx, p)
		if err == nil {
			fmt.Fprintf(a.stdout, "backed up %d recordings, %d bytes; %d were there already, %d forgotten, %d are being made, %d failed\n",
				r.Copied, r.Bytes, r.Unchanged, r.Forgotten, r.Open, len(r.Failed))
			err = a.faults(r)
		}
		return errors.Join(err, p.Close())
	})
}

// faults prints what could not be done, and returns that there was something.
func (a *app) faults(r backup.Report) error {
	var err error
	for _, f := range r.Failed {
		fmt.Fprintf(a.stdout, "FAILED      %s  %v\n", f.ID, f.Err)
		if errors.Is(f.Err, backup.ErrDamaged) {
			err = errBad
		}
	}
	switch n := len(r.Failed); {
	case n == 0:
		return nil
	case err != nil:
		return fmt.Errorf("%d recordings failed: a copy %w", n, err)
	default:
		return fmt.Errorf("%d recordings failed", n)
	}
}

type backupRestore struct {
	who
	From     string `required:"" type:"path" help:"Folder of the backup, as recording.backup.dir has it."`
	Identity string `required:"" type:"path" help:"File with the private key of the backup, as backup keygen made it."`
}

func (c backupRestore) Run(a *app) error {
	return c.with(a, func(ac *actor) error {
		name := ac.tenant.Name()
		if err := ac.allowed(a.ctx, actionRestore, name); err != nil {
			return err
		}
		// What is restored is no vault's yet: a server that records, deletes or wraps anew beside it could undo a part of either.
		unlock, err := lockData(a.cfg.Data)
		if err != nil {
			return fmt.Errorf("stop the server before: %w", err)
		}
		defer unlock()
		identity, err := readIdentity(c.Identity)
		if err != nil {
			return err
		}
		if info, err := os.Stat(filepath.Join(c.From, name)); err != nil || !info.IsDir() {
			return fmt.Errorf("--from: there is no backup of tenant %q in %s", name, c.From)
		}
		target, err := backup.OpenFolder(c.From)
		if err != nil {
			return err
		}
		p, err := openPlaces(a.ctx, ac.dep, name, a.log)
		if err != nil {
			return err
		}
		return errors.Join(a.restore(ac, p, backup.RestoreConfig{Owner: name, Target: target, Identity: identity, Blobs: p.first, Catalog: p}), p.Close())
	})
}

// restore puts back what is missing in the first place, and then in the second: what the second has comes from there, and what either knows as destroyed stays so.
// Rows are asked for and written in both at once, sound in the first alone: waiting for the second after each recording would take a night.
func (a *app) restore(ac *actor, p *places, cfg backup.RestoreConfig) error {
	if p.copies != nil {
		if err := p.mend(a.ctx, a.log); err != nil {
			return fmt.Errorf("from the replica: %w", err)
		}
	}
	var ids []string
	cfg.Only = func(id string) bool {
		ids = append(ids, id)
		return true
	}
	r, err := backup.Restore(a.ctx, cfg)
	err = errors.Join(err, ac.audit.Audit(context.WithoutCancel(a.ctx), "backup.restored", cfg.Owner, append(figures(r), slog.Bool("ended", err == nil))...))
	if errors.Is(err, recording.ErrKey) {
		return fmt.Errorf("--identity: not the key that this backup is sealed for; nothing was restored: %w", err)
	}
	if err != nil {
		return err
	}
	for _, id := range ids {
		if e, err := p.Get(a.ctx, id); err == nil && e.State == recording.StateDestroyed {
			fmt.Fprintf(a.stdout, "destroyed   %s  on %s; it stays so\n", id, e.Destroyed.Format("2006-01-02T15:04:05Z"))
		}
	}
	fmt.Fprintf(a.stdout, "restored %d recordings, %d bytes; %d were there already, %d stay destroyed, %d failed\n", r.Copied, r.Bytes, r.Unchanged, r.Forgotten, len(r.Failed))
	err = a.faults(r)
	if p.copies == nil {
		return err
	}
	if aerr := p.agree(a.ctx); aerr != nil {
		return errors.Join(err, fmt.Errorf("to the replica: %w", aerr))
	}
	return errors.Join(err, p.copies.Flush(a.ctx))
}

// readIdentity reads a private key. No error repeats any of it.
func readIdentity(path string) (*recording.Identity, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--identity: %w", err)
	}
	defer clear(text)
	identity, err := recording.ParseIdentity(string(text))
	if err != nil {
		return nil, fmt.Errorf("--identity: %w", err)
	}
	return identity, nil
}

type backupKeygen struct {
	Out string `short:"o" required:"" type:"path" help:"File for the private key; it must not exist. Whoever has it can read the backup's rows: keep it apart from server and backup."`
}

func (c backupKeygen) Run(a *app) error {
	if c.Out == "-" { // a terminal keeps what it shows
		return errors.New("-o: the private key goes to a file")
	}
	identity, err := recording.NewIdentity(recording.SuiteMLKEM768X25519)
	if err != nil {
		return err
	}
	public, err := identity.Recipient("backup")
	if err != nil {
		return err
	}
	secret, err := identity.ExportSecret()
	if err != nil {
		return err
	}
	err = writeNew(c.Out, a.stdout, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, secret)
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, public.Text())
	return err
}
