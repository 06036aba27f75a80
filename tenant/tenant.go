package tenant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringfence/ringfence/tenant/password"
)

// Config describes a Directory. It is copied by New.
type Config struct {
	// Stores holds the tenants. Required.
	Stores Stores
	// Seal returns the Sealer of a tenant. It is called once per tenant and process. Required.
	Seal func(ctx context.Context, tenant string) (Sealer, error)
	// Audit returns the Auditor of an actor in a tenant. It is called for each operation, so it should cost little. Required.
	Audit func(ctx context.Context, tenant, actor string) (Auditor, error)
	// Now is the clock. If zero, time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	if c.Stores == nil || c.Seal == nil || c.Audit == nil {
		return fmt.Errorf("%w: Stores, Seal and Audit are required", ErrConfig)
	}
	return nil
}

// Directory holds the tenants of one deployment. Safe for concurrent use.
type Directory struct {
	cfg    Config
	hashes chan struct{} // one token per password being hashed
	decoy  string        // PHC string that unknown users are checked against

	mu      sync.Mutex
	open    map[string]*Tenant
	domains map[string]string // domain to tenant name, of profiles seen so far
}

// New returns a Directory over the stores. ErrConfig if a required part is missing.
func New(cfg Config) (*Directory, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Directory{cfg: cfg, hashes: make(chan struct{}, MaxConcurrentHashes), decoy: password.Decoy(),
		open: map[string]*Tenant{}, domains: map[string]string{}}, nil
}

// Close closes the stores, if they can be closed.
func (d *Directory) Close() error {
	if c, ok := d.cfg.Stores.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Profile is what a tenant is. It holds no personal data.
type Profile struct {
	Name   string // lower-case letters, digits and hyphens, at most 63; fixed for life
	Domain string // SIP domain, in lower case; one tenant per domain
	Realm  string // digest realm. If zero, the domain; fixed once users have credentials

	// Algorithms are the digest algorithms that phones may use, best first: SHA256 and MD5. If zero, SHA256 only.
	Algorithms []string
}

var (
	nameRule   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`) // a DNS label: safe as a folder, a label and a domain
	domainRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	realmRule  = regexp.MustCompile(`^[A-Za-z0-9._@ -]{1,128}$`)
	userRule   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) // nothing that SIP or digest would have to escape
)

// ValidName reports whether name can be a tenant's name. Nothing that passes can leave its folder.
func ValidName(name string) bool { return nameRule.MatchString(name) }

func (p Profile) withDefaults() Profile {
	p.Domain = strings.ToLower(strings.TrimSuffix(p.Domain, "."))
	if p.Realm == "" {
		p.Realm = p.Domain
	}
	if len(p.Algorithms) == 0 {
		p.Algorithms = defaultAlgorithms
	}
	p.Algorithms = slices.Clone(p.Algorithms)
	return p
}

func (p Profile) validate() error {
	switch {
	case !nameRule.MatchString(p.Name):
		return fmt.Errorf("%w: tenant name %q", ErrInvalid, p.Name)
	case !domainRule.MatchString(p.Domain):
		return fmt.Errorf("%w: domain %q", ErrInvalid, p.Domain)
	case !realmRule.MatchString(p.Realm):
		return fmt.Errorf("%w: realm %q", ErrInvalid, p.Realm)
	}
	for i, a := range p.Algorithms {
		if (a != SHA256 && a != MD5) || slices.Contains(p.Algorithms[:i], a) {
			return fmt.Errorf("%w: digest algorithm %q", ErrInvalid, a)
		}
	}
	return nil
}

// Create makes a tenant with its first user, who must be an administrator. It needs no principal because there is none yet: it is the operator's, who
// holds the stores and the keys. ErrExists if the name or the domain is taken.
func (d *Directory) Create(ctx context.Context, p Profile, first NewUser) (*Tenant, error) {
	p = p.withDefaults()
	if err := p.validate(); err != nil {
		return nil, err
	}
	if !slices.Contains(first.Roles, RoleAdmin) {
		return nil, fmt.Errorf("%w: the first user must be an administrator", ErrInvalid)
	}
	if _, err := d.ByDomain(ctx, p.Domain); err == nil {
		return nil, fmt.Errorf("%w: domain %s", ErrExists, p.Domain)
	} else if !errors.Is(err, ErrUnknownTenant) {
		return nil, err
	}
	store, err := d.cfg.Stores.Create(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	t, err := d.handle(ctx, store, p)
	if err != nil {
		return nil, err
	}
	rec, err := t.newRecord(ctx, first)
	if err != nil {
		return nil, err
	}
	if err := t.audit(ctx, operatorActor, "tenant.create", p.Name); err != nil {
		return nil, err
	}
	if err := store.InsertUser(ctx, rec); err != nil {
		return nil, err
	}
	// Last: a tenant without a profile does not exist, so a crash before this line leaves nothing half made.
	if err := store.SaveProfile(ctx, p); err != nil {
		return nil, err
	}
	return d.remember(t), nil
}

// Names lists the tenants, sorted.
func (d *Directory) Names(ctx context.Context) ([]string, error) { return d.cfg.Stores.Names(ctx) }

// Tenant returns the handle of a tenant, or ErrUnknownTenant.
func (d *Directory) Tenant(ctx context.Context, name string) (*Tenant, error) {
	if !ValidName(name) {
		return nil, fmt.Errorf("%w: %q", ErrUnknownTenant, name)
	}
	d.mu.Lock()
	t := d.open[name]
	d.mu.Unlock()
	if t != nil {
		return t, nil
	}
	store, err := d.cfg.Stores.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	p, err := store.Profile(ctx)
	if err != nil {
		return nil, err
	}
	if p.Name != name {
		return nil, fmt.Errorf("%w: the store of %q holds %q", ErrUnknownTenant, name, p.Name)
	}
	if t, err = d.handle(ctx, store, p); err != nil {
		return nil, err
	}
	return d.remember(t), nil
}

// ByDomain returns the handle of the tenant whose SIP domain this is, or ErrUnknownTenant. Case and a final dot do not matter.
func (d *Directory) ByDomain(ctx context.Context, domain string) (*Tenant, error) {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	d.mu.Lock()
	name, ok := d.domains[domain]
	known := maps.Clone(d.open)
	d.mu.Unlock()
	if ok {
		return d.Tenant(ctx, name)
	}
	names, err := d.Names(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if known[name] != nil {
			continue // its domain is in the map, and was not asked for
		}
		t, err := d.Tenant(ctx, name)
		if errors.Is(err, ErrUnknownTenant) {
			continue // being created
		}
		if err != nil {
			return nil, err
		}
		if t.profile.Domain == domain {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: domain %q", ErrUnknownTenant, domain)
}

func (d *Directory) remember(t *Tenant) *Tenant {
	d.mu.Lock()
	defer d.mu.Unlock()
	if first := d.open[t.profile.Name]; first != nil {
		return first
	}
	d.open[t.profile.Name] = t
	d.domains[t.profile.Domain] = t.profile.Name
	return t
}

func (d *Directory) handle(ctx context.Context, store Store, p Profile) (*Tenant, error) {
	sealer, err := d.cfg.Seal(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	if sealer == nil {
		return nil, fmt.Errorf("%w: no Sealer for %s", ErrConfig, p.Name)
	}
	t := &Tenant{dir: d, store: store, sealer: sealer, profile: p, decoys: map[string][]byte{}}
	for _, a := range p.Algorithms {
		if t.decoys[a], err = sealer.Seal(ctx, make([]byte, 32), ha1AAD("", p.Realm, a)); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// operatorActor is the actor of what happens before a tenant has users.
const operatorActor = "operator"

// Tenant is the handle of one tenant. Safe for concurrent use.
type Tenant struct {
	dir     *Directory
	store   Store
	sealer  Sealer
	profile Profile
	decoys  map[string][]byte // by algorithm: opened for unknown users, so that they cost what known ones cost
}

// Name returns the tenant's name.
func (t *Tenant) Name() string { return t.profile.Name }

// Profile returns the tenant's settings.
func (t *Tenant) Profile() Profile { return t.profile.withDefaults() }

func (t *Tenant) audit(ctx context.Context, actor, action, object string) error {
	a, err := t.dir.cfg.Audit(ctx, t.profile.Name, actor)
	if err != nil {
		return fmt.Errorf("tenant: audit: %w", err)
	}
	if a == nil {
		return fmt.Errorf("%w: no Auditor for %s", ErrConfig, t.profile.Name)
	}
	if err := a.Audit(ctx, action, object); err != nil {
		return fmt.Errorf("tenant: audit: %w", err)
	}
	return nil
}
