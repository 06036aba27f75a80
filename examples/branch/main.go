// Command branch keeps the phones of a site working while their contact center cannot be reached: see README.md.
//
//	branch --config branch.hcl
//
// Exit codes: 0 done; 1 failed, with the reason on standard error; 2 wrong usage.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/branch"
	"github.com/ringfence/ringfence/sip/trunk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: it serves until ctx ends and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("branch", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "branch.hcl", "configuration file (HCL)")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return 2
	}
	cfg, err := loadConfig(*path)
	if err == nil {
		err = serve(ctx, cfg, stdout, slog.New(slog.NewTextHandler(stderr, nil)))
	}
	if err != nil {
		fmt.Fprintln(stderr, "branch:", err)
		return 1
	}
	return 0
}

// users are the credentials of the site, from a file: they must be there when nothing else is.
type users struct {
	domain    string
	passwords map[string]string
}

func (u users) HA1(_ context.Context, user, algorithm string) ([]byte, error) {
	password, ok := u.passwords[user]
	if !ok {
		return nil, sip.ErrUnknownUser
	}
	return sip.HA1(algorithm, user, u.domain, password)
}

func (u users) Upstream(_ context.Context, user string) (branch.Secret, error) {
	password, ok := u.passwords[user]
	if !ok {
		return branch.Secret{}, sip.ErrUnknownUser
	}
	return branch.NewSecret(password), nil
}

func serve(ctx context.Context, cfg *config, stdout io.Writer, log *slog.Logger) (err error) {
	passwords, err := readUsers(cfg.Users)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return err
	}
	journal, found, err := branch.OpenJournal(filepath.Join(cfg.Data, "calls.journal"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	if found != (branch.Recovery{}) {
		log.Warn("the journal was not closed", "torn_bytes", found.Torn, "damaged_lines", found.Damaged, "interrupted_calls", found.Interrupted)
	}
	client, err := clientTLS(cfg.Upstream.Authorities)
	if err != nil {
		return err
	}
	bc := branch.Config{
		Domain: cfg.Domain, Upstream: cfg.Upstream.Address, Client: client, Credentials: users{strings.ToLower(cfg.Domain), passwords}, Journal: journal,
		Fallback: cfg.Fallback, Instance: cfg.Upstream.Instance, Logger: log,
		OnLink: func(up bool) {
			fmt.Fprintln(stdout, map[bool]string{true: "upstream is there", false: "upstream is gone"}[up])
		},
	}
	if cfg.Upstream.Inbox != "" {
		key, err := readSecret(cfg.Upstream.InboxKey)
		if err != nil {
			return err
		}
		sink, err := branch.NewHTTPSink(branch.HTTPSinkConfig{URL: cfg.Upstream.Inbox, Key: branch.NewSecret(strings.TrimSpace(string(key))), Client: client})
		if err != nil {
			return err
		}
		defer sink.CloseIdle()
		bc.Sink = sink
	}
	if cfg.Trunk != nil {
		closeTrunk, err := withTrunk(&bc, cfg)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeTrunk()) }()
	}
	certs, err := sip.NewCertificates(sip.CertificatesConfig{Nameless: cfg.Domain, Files: []sip.CertificateFile{
		{Domains: []string{cfg.Domain}, Certificate: cfg.Listen.Certificate, Key: cfg.Listen.Key},
	}})
	if err != nil {
		return err
	}
	tc, err := sip.ServerTLS(&tls.Config{GetCertificate: certs.GetCertificate})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", cfg.Listen.Address)
	if err != nil {
		return err
	}
	b, err := branch.New(bc)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	fmt.Fprintln(stdout, "ready", l.Addr())
	if err := b.ServeTLS(ctx, l, tc); !errors.Is(err, sip.ErrClosed) {
		return err
	}
	return nil
}

// clientTLS trusts the authorities in a PEM file, or those of the system.
func clientTLS(path string) (sip.TLSConfig, error) {
	var roots *x509.CertPool
	if path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return sip.TLSConfig{}, err
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return sip.TLSConfig{}, fmt.Errorf("%s has no certificate", path)
		}
	}
	return sip.ClientTLS(nil, roots)
}

// withTrunk gives the branch its own way out.
func withTrunk(bc *branch.Config, cfg *config) (closeTrunk func() error, err error) {
	client, err := clientTLS("")
	if err != nil {
		return nil, err
	}
	ep, err := sip.New(sip.Config{Client: client, Logger: bc.Logger})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ep.Close())
		}
	}()
	tc := trunk.Config{
		Dialer: ep, Domain: cfg.Domain, Emergency: trunk.Emergency{Country: cfg.Trunk.Country}, Logger: bc.Logger,
		CallerID: func(_ context.Context, owner, number string) error {
			if number == "" || cfg.Trunk.Numbers[owner] != number {
				return errors.New("not the number of this user")
			}
			return nil
		},
		OnEmergency: func(r trunk.EmergencyReport) {
			bc.Logger.Warn("emergency call", "to", r.To, "owner", r.Owner, "location", r.Located, "err", r.Err)
		},
	}
	for _, c := range cfg.Trunk.Carriers {
		tlsConfig, err := clientTLS(c.Authorities)
		if err != nil {
			return nil, err
		}
		carrier := trunk.Carrier{Name: c.Name, Domain: c.Domain, TLS: tlsConfig, User: c.User}
		if c.PasswordFile != "" {
			password, err := readSecret(c.PasswordFile)
			if err != nil {
				return nil, err
			}
			carrier.Password = trunk.Secret(strings.TrimSpace(string(password)))
		}
		tc.Carriers = append(tc.Carriers, carrier)
	}
	group, err := trunk.New(tc)
	if err != nil {
		return nil, err
	}
	numbers := trunk.EmergencyNumbers(cfg.Trunk.Country)
	bc.Emergency = func(dialed string) bool { return slices.Contains(numbers, dialed) || group.IsEmergency(dialed) }
	var plan trunk.Plan
	if cfg.Trunk.Code != "" {
		plan = trunk.Plan{Country: cfg.Trunk.Code, International: "00", National: "0"}
	}
	bc.Public = func(dialed string) bool {
		_, err := plan.Normalize(dialed)
		return err == nil
	}
	bc.Outside = func(ctx context.Context, o branch.Outgoing, m sip.Media) (*sip.Call, error) {
		if !o.Emergency {
			number, err := plan.Normalize(o.To)
			if err != nil {
				return nil, err
			}
			o.To = number
		}
		// One description for every carrier: it is the phone's, and the branch has no keys to make another.
		return group.Dial(ctx, trunk.Call{To: o.To, Owner: o.From, From: cfg.Trunk.Numbers[o.From], OnRinging: o.OnRinging},
			func(context.Context, string) (sip.Media, error) { return m, nil })
	}
	return func() error { return errors.Join(group.Close(), ep.Close()) }, nil
}
