// Command contactcenter is a working contact center made of ringfence's packages, and the place to see how they are put together.
//
//	contactcenter                 serves; with no configuration it makes a demo of two tenants
//	contactcenter demo            shows it working, without a phone
//	contactcenter calls | recordings | backup | retention | holds | audit | keys | users | voicemail | controls
//
// A call travels through these files: node.go (listeners, tenants), calls.go (who is called), phone.go and queue.go (the caller's side of a
// flow and a queue), offer.go (the agent's side), conversation.go (both together, recorded), voicemail.go (messages), events.go (what is told of it).
//
// Exit codes: 0 done; 1 failed, with the reason on standard error; 2 wrong usage; 3 refused: the user named by --as may not do this;
// 4 checked and found bad: a recording, an audit log, a receipt or a copy in a backup is not what was written.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/tenant"
)

const (
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
	exitBad     = 4
)

var errBad = errors.New("does not verify")

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// app is what every command gets.
type app struct {
	ctx    context.Context
	cfg    *config
	stdout io.Writer
	stderr io.Writer
	log    *slog.Logger
}

type cli struct {
	Config string `help:"Configuration file (HCL). Without it: the built-in demo." type:"path"`
	Data   string `help:"Data folder, in place of the configuration's." type:"path"`
	Debug  bool   `help:"Log more."`

	Serve      serveCmd      `cmd:"" default:"1" help:"Serve until SIGTERM or SIGINT."`
	Demo       demoCmd       `cmd:"" help:"Make callers and agents, show the wallboard moving, verify what is left."`
	Calls      callsCmd      `cmd:"" help:"List finished calls."`
	Recordings recordingsCmd `cmd:"" help:"List, export, verify or delete recordings."`
	Backup     backupCmd     `cmd:"" help:"Back recordings up, restore them, make the key of a backup."`
	Retention  retentionCmd  `cmd:"" help:"Delete what is due, or explain what would be."`
	Holds      holdsCmd      `cmd:"" help:"Legal holds."`
	Audit      auditCmd      `cmd:"" help:"Verify the audit log."`
	Keys       keysCmd       `cmd:"" help:"Rotate the tenant's key."`
	Voicemail  voicemailCmd  `cmd:"" help:"Mailboxes and their PINs."`
	Users      usersCmd      `cmd:"" help:"Users and their phones' passwords."`
	Controls   controlsCmd   `cmd:"" help:"List the controls this program is built to prove."`
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("contactcenter"), kong.Description("A secure contact center on one command."), kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }), kong.UsageOnError())
	if err != nil {
		fmt.Fprintln(stderr, "contactcenter:", err)
		return exitFailed
	}
	kctx, err := parser.Parse(args)
	if exited >= 0 { // help was asked for
		return exited
	}
	if err != nil {
		fmt.Fprintln(stderr, "contactcenter:", err)
		return exitUsage
	}
	cfg, err := loadConfig(c.Config)
	if err != nil {
		fmt.Fprintln(stderr, "contactcenter:", err)
		return exitFailed
	}
	if c.Data != "" {
		cfg.Data = c.Data
	}
	level := slog.LevelInfo
	if c.Debug {
		level = slog.LevelDebug
	}
	a := &app{ctx: ctx, cfg: cfg, stdout: stdout, stderr: stderr, log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))}
	if err := kctx.Run(a); err != nil {
		fmt.Fprintln(stderr, "contactcenter:", err)
		switch {
		case errors.Is(err, tenant.ErrForbidden), errors.Is(err, tenant.ErrUnauthenticated):
			return exitRefused
		case errors.Is(err, errBad), errors.Is(err, recording.ErrTampered), errors.Is(err, recording.ErrTruncated):
			return exitBad
		}
		return exitFailed
	}
	return 0
}

type serveCmd struct{}

func (serveCmd) Run(a *app) error {
	ctx, stop := signal.NotifyContext(a.ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hurry, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, func() { // a second signal ends the drain
		again := make(chan os.Signal, 1)
		signal.Notify(again, syscall.SIGTERM, syscall.SIGINT)
		defer signal.Stop(again)
		select {
		case <-again:
			cancel()
		case <-hurry.Done():
		}
	})()
	unlock, err := lockData(a.cfg.Data)
	if err != nil {
		return err
	}
	defer unlock()
	dep, err := openDeployment(ctx, a.cfg, true)
	if err != nil {
		return err
	}
	if err := dep.ensureTenants(ctx, a.stdout); err != nil {
		return errors.Join(err, dep.Close())
	}
	if err := dep.ensureMailboxes(ctx, a.stdout); err != nil {
		return errors.Join(err, dep.Close())
	}
	n, err := newNode(ctx, a.cfg, dep, a.stdout, a.log)
	if err != nil {
		return errors.Join(err, dep.Close())
	}
	return errors.Join(n.run(ctx, hurry, a.stdout), dep.Close())
}

// lockData lets one server at a time write in a data folder; commands may read and change beside it. The lock dies with the process.
func lockData(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err = lockFile(filepath.Join(dir, "serve.lock"))
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("another server is running on %s", dir)
	}
	return unlock, err
}

var errLocked = errors.New("somebody else is at it")

// lockFile takes a lock that dies with the process: errLocked if another has it.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, errLocked
	}
	return func() { f.Close() }, nil
}
