package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

// Config describes a Provisioner. It is copied by New.
type Config struct {
	// BaseURL is where the handler is reached, https, ending in /. Required.
	BaseURL string
	// Store keeps enrolments. Required.
	Store Store
	// Settings returns what a device is told, at each fetch. An error refuses the fetch and uses nothing up. It is called concurrently. Required.
	Settings func(ctx context.Context, d Device) (Settings, error)
	// Auditor writes down what is issued and handed out. Required.
	Auditor Auditor
	// MaxTTL bounds how long a ticket is good, at most 30 days. If zero, 7 days.
	MaxTTL time.Duration
	// RefetchWindow is how long after its use a ticket may be used again by the holder of the same client certificate, which the HTTPS server has verified,
	// at most 10 min and never after the ticket has expired. If zero, not at all.
	RefetchWindow time.Duration
	// MaxFetches bounds the fetches of one device within an hour; more get 429. If zero, 30.
	MaxFetches int
	// LockAfter is how many failures for one device from one source have that pair locked for LockTime. If zero, 5.
	LockAfter int
	// LockSourceAfter is how many failures from one source, for whatever devices, have it locked for LockTime. If zero, 50.
	LockSourceAfter int
	// LockTime is in what time failures are counted and until when a lock lasts, from the first of them. If zero, 15 min.
	LockTime time.Duration
	// Logger is told of errors of the ports. If nil, slog.Default().
	Logger *slog.Logger
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&c.MaxTTL, 7 * 24 * time.Hour}, {&c.LockTime, 15 * time.Minute}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *int
		value int
	}{{&c.MaxFetches, 30}, {&c.LockAfter, 5}, {&c.LockSourceAfter, 50}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	u, err := url.Parse(c.BaseURL)
	switch {
	case err != nil || check(c.BaseURL, 512) != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		!strings.HasSuffix(u.Path, "/"):
		return errors.New("provision: Config.BaseURL: want https://host/path/")
	case c.Store == nil:
		return errors.New("provision: Config.Store is required")
	case c.Settings == nil:
		return errors.New("provision: Config.Settings is required")
	case c.Auditor == nil:
		return errors.New("provision: Config.Auditor is required")
	case c.MaxTTL < 0 || c.MaxTTL > 30*24*time.Hour:
		return errors.New("provision: Config.MaxTTL: want at most 30 days")
	case c.RefetchWindow < 0 || c.RefetchWindow > 10*time.Minute:
		return errors.New("provision: Config.RefetchWindow: want at most 10 min")
	case c.MaxFetches < 0 || c.LockAfter < 0 || c.LockSourceAfter < 0 || c.LockTime < 0:
		return errors.New("provision: Config: a bound is negative")
	}
	return nil
}

// Provisioner enrols devices and serves their configurations. New makes one. It is safe for concurrent use.
type Provisioner struct {
	cfg     Config
	fetches counter // by device
	pairs   counter // failures by device and source
	sources counter // failures by source
}

// New returns a Provisioner. It is an http.Handler for what is below Config.BaseURL.
func New(cfg Config) (*Provisioner, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Provisioner{
		cfg:     cfg,
		fetches: counter{limit: cfg.MaxFetches, within: time.Hour, seen: make(map[string]window)},
		pairs:   counter{limit: cfg.LockAfter, within: cfg.LockTime, seen: make(map[string]window)},
		sources: counter{limit: cfg.LockSourceAfter, within: cfg.LockTime, seen: make(map[string]window)},
	}, nil
}

// Ticket is what the operator enters into a phone.
type Ticket struct {
	Device  string // the ID as it is kept
	URL     Secret // of the configuration; good once. For a Yealink, the address without the name of the file
	Expires time.Time
}

// Enroll makes a ticket for a device, good once until ttl is over. A token and a ticket that it had before end now. It returns ErrValue for a device or ttl that
// is not valid, and ErrConflict when the device was changed at the same time.
func (p *Provisioner) Enroll(ctx context.Context, d Device, ttl time.Duration) (Ticket, error) {
	d, err := d.normal()
	if err != nil {
		return Ticket{}, err
	}
	if ttl <= 0 || ttl > p.cfg.MaxTTL {
		return Ticket{}, fmt.Errorf("%w: ttl", ErrValue)
	}
	old, err := p.cfg.Store.Load(ctx, d.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Ticket{}, err
	}
	secret := generate()
	t := Ticket{Device: d.ID, Expires: p.cfg.Now().Add(ttl)}
	t.URL = NewSecret(p.address(d, secret, d.file()))
	if d.Family == Yealink {
		t.URL = NewSecret(p.address(d, secret, ""))
	}
	err = p.cfg.Auditor.Audit(ctx, ActionEnroll, d.ID, slog.String("realm", d.Realm), slog.String("user", d.User), slog.String("family", d.Family.String()),
		slog.Time("expires", t.Expires))
	if err != nil {
		return Ticket{}, fmt.Errorf("provision: audit: %w", err)
	}
	if err := p.cfg.Store.Save(ctx, Record{Device: d, Version: old.Version, Ticket: secret.hash(), Expires: t.Expires}); err != nil {
		return Ticket{}, err
	}
	return t, nil
}

// Revoke ends the ticket and the token of a device. It returns ErrNotFound for one that has neither, and ErrConflict when the device
// was changed at the same time.
func (p *Provisioner) Revoke(ctx context.Context, id string) error {
	d, err := Device{ID: id, Family: Generic, Realm: "-", User: "-"}.normal()
	if err != nil {
		return err
	}
	rec, err := p.cfg.Store.Load(ctx, d.ID)
	if err != nil {
		return err
	}
	if len(rec.Ticket) == 0 {
		return ErrNotFound
	}
	if err := p.cfg.Auditor.Audit(ctx, ActionRevoke, d.ID); err != nil {
		return fmt.Errorf("provision: audit: %w", err)
	}
	return p.cfg.Store.Save(ctx, Record{Device: Device{ID: d.ID}, Version: rec.Version})
}

func (p *Provisioner) address(d Device, secret Secret, file string) string {
	return p.cfg.BaseURL + d.ID + "/" + secret.text + "/" + file
}
