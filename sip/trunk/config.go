package trunk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/internal/resolve"
)

var (
	// ErrPlaintext is returned by New for a carrier whose signalling would not be encrypted. There is no waiver for it.
	ErrPlaintext = errors.New("trunk: a carrier is reached over TLS only")
	// ErrClearMedia ends a call whose audio would not be encrypted, on a carrier without a valid Carrier.ClearMedia.
	ErrClearMedia = errors.New("trunk: media without SRTP")
	// ErrWaiver is returned by New for a waiver without name, without date or past its date.
	ErrWaiver = errors.New("trunk: no valid waiver")
	// ErrNoCarrier is returned by Dial when no carrier may be tried now.
	ErrNoCarrier = errors.New("trunk: no carrier available")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("trunk: closed")
	// ErrNumber is a number that cannot be called or presented as it is written.
	ErrNumber = errors.New("trunk: not a number")
	// ErrCallerID is a number that the caller may not present.
	ErrCallerID = errors.New("trunk: number not to be presented")
	// ErrUnknownPeer is a peer that no carrier accounts for.
	ErrUnknownPeer = errors.New("trunk: unknown peer")
)

// Secret is a password. Nothing prints it.
type Secret string

const redacted = "[redacted]"

// String hides the password.
func (Secret) String() string { return redacted }

// GoString hides the password.
func (Secret) GoString() string { return redacted }

// Format hides the password from every verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// MarshalJSON hides the password.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText hides the password.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the password.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Dialer is what a Group needs of an endpoint; *sip.Endpoint is one. Its methods are called concurrently.
type Dialer interface {
	Dial(ctx context.Context, dc sip.DialConfig, m sip.Media) (*sip.Call, error)
	Ping(ctx context.Context, pc sip.PingConfig) (status int, err error)
	Register(ctx context.Context, rc sip.RegisterConfig) (*sip.Registration, error)
}

// Target is one server of a carrier.
type Target struct {
	Address string // "ip:port", TLS
}

// Resolver finds the servers of a domain, best first. It is called concurrently. What it returns is where to connect, not whom to trust: the
// certificate must be valid for the domain itself.
type Resolver interface {
	Resolve(ctx context.Context, domain string) ([]Target, error)
}

// DNS returns the Resolver of RFC 3263: NAPTR, SRV and addresses, for TLS only. servers are DNS servers, "ip:port"; if none, those of the system.
func DNS(servers ...string) (Resolver, error) {
	r, err := resolve.New(resolve.Config{Servers: servers})
	if err != nil {
		return nil, err
	}
	return dnsResolver{r}, nil
}

type dnsResolver struct{ r *resolve.Resolver }

func (d dnsResolver) Resolve(ctx context.Context, domain string) ([]Target, error) {
	found, err := d.r.Resolve(ctx, domain)
	var out []Target
	for _, t := range found {
		out = append(out, Target{t.Address})
	}
	return out, err
}

// Waiver says in whose name and until when a rule does not hold.
type Waiver struct {
	Name  string    // required; it appears in evidence
	Until time.Time // required; the rule holds again from then on
}

func (w Waiver) set() bool                { return w.Name != "" || !w.Until.IsZero() }
func (w Waiver) valid(now time.Time) bool { return w.Name != "" && now.Before(w.Until) }

// Carrier describes one way to the telephone network.
type Carrier struct {
	// Name is how the carrier appears in Status, Attempt and errors. Required, unique, without spaces.
	Name string
	// Domain is the carrier's SIP domain, "sip.example.net", with a port if it has no DNS records of RFC 3263. Its certificate must be valid for this
	// name. Required.
	Domain string
	// Transport is "tls" or empty, which is the same. Everything else is ErrPlaintext.
	Transport string
	// ClearMedia lets calls of this carrier do without SRTP, until its date. The zero value: they may not.
	ClearMedia Waiver
	// Operator is who runs the network behind the carrier: two carriers of one operator fail together. If empty, Domain.
	Operator string
	// Priority: carriers with a lower one are tried first. Weight: the share among those with the same one, 1-1000; if zero, 1.
	Priority, Weight int

	// TLS is our certificate for this carrier and the authorities it may use, from sip.ClientTLS. The zero value: that of the endpoint.
	TLS sip.TLSConfig
	// User and Password answer a digest challenge. If empty, a challenge is a refusal.
	User     string
	Password Secret
	// Register keeps a registration for incoming calls: sip:User@Domain. If false, the carrier finds us by itself.
	Register bool
	// MaxCalls bounds calls at once. If zero, 500.
	MaxCalls int
	// CallsPerSecond bounds new calls. If zero, 10.
	CallsPerSecond float64

	// Trusted puts the carrier into the trust domain of RFC 3325: asserted identities are sent to it and believed from it. If false, they are
	// stripped both ways.
	Trusted bool
	// Preferred sends the number as P-Preferred-Identity (RFC 3325 section 9.2), to a carrier that picks the identity of a call from our account by it. If
	// false, it is not sent.
	Preferred bool
	// Format is how numbers are written to the carrier. If zero, E.164 with a plus sign.
	Format Format
	// FromDomain is the host part of our URIs, for carriers that insist on their own. If empty, Config.Domain.
	FromDomain string

	// ClientNames are the names in the client certificates with which the carrier calls us. If empty, it has none, and Addresses decide.
	ClientNames []string
	// Addresses are where its calls come from. With ClientNames, both must fit. If both are empty, nobody calls us in its name.
	Addresses []netip.Prefix
	// Plan says how the carrier writes called numbers. The zero value: E.164 with a plus sign, and nothing else.
	Plan Plan
}

// Config describes a Group.
type Config struct {
	// Carriers: Required, at least one. Fewer than two independent ones are listed by Group.Warnings.
	Carriers []Carrier
	// Dialer is the endpoint. Required.
	Dialer Dialer
	// Domain is our own, the host part of our URIs. Required.
	Domain string
	// Resolver finds servers. If nil, DNS().
	Resolver Resolver
	// CallerID says whether owner may present number, in E.164. Required: without it anybody could call as anybody. Called concurrently.
	CallerID func(ctx context.Context, owner, number string) error
	// Identity returns the Identity header of a call of owner (RFC 8224), such as that of a stir.Signer; orig and dest are as in Call. A call for which it fails goes
	// without. Called concurrently, once for each attempt. If nil, no call is signed.
	Identity func(owner, orig, dest string) (string, error)
	// Emergency says which numbers are emergency calls. The zero value: 112 and 911.
	Emergency Emergency

	// SetupTime bounds how long a call looks for a carrier before it rings. If zero, 30 s; three times as long for an emergency call.
	SetupTime time.Duration
	// Silence is how long a server may take for its first response, connecting included. If zero, 4 s.
	Silence time.Duration
	// RingTime is how long a carrier may take until it rings or says anything else beyond 100. If zero, 15 s.
	RingTime time.Duration
	// TripAfter is how many calls in a row must fail until the breaker opens. If zero, 3.
	TripAfter int
	// Cooldown is how long it stays open first; each failed trial doubles that, up to MaxCooldown, which also bounds Retry-After. If zero, 10 s and 5 min.
	Cooldown, MaxCooldown time.Duration
	// ProbeInterval is between two OPTIONS to a carrier, give or take a fifth. If zero, 30 s.
	ProbeInterval time.Duration
	// DownAfter and UpAfter are how many probes in a row must fail, or succeed. If zero, 3 and 2.
	DownAfter, UpAfter int

	// OnAttempt is told of each attempt after it ended. It must not block. If nil, nobody is told.
	OnAttempt func(Attempt)
	// OnEmergency is told of each emergency call when it ended or was answered. It must not block. If nil, nobody is told.
	OnEmergency func(EmergencyReport)
	// Rand returns a number in [0,n). If nil, a random one.
	Rand func(n int) int
	// Logger gets events without numbers. If nil, slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		def   time.Duration
	}{
		{&c.SetupTime, 30 * time.Second}, {&c.Silence, 4 * time.Second}, {&c.RingTime, 15 * time.Second}, {&c.Cooldown, 10 * time.Second},
		{&c.MaxCooldown, 5 * time.Minute}, {&c.ProbeInterval, 30 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.def
		}
	}
	for _, d := range []struct {
		field *int
		def   int
	}{{&c.TripAfter, 3}, {&c.DownAfter, 3}, {&c.UpAfter, 2}} {
		if *d.field <= 0 {
			*d.field = d.def
		}
	}
	if c.Rand == nil {
		c.Rand = rand.IntN
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Carriers = slices.Clone(c.Carriers)
	for i := range c.Carriers {
		k := &c.Carriers[i]
		if k.Weight == 0 {
			k.Weight = 1
		}
		if k.MaxCalls <= 0 {
			k.MaxCalls = 500
		}
		if k.CallsPerSecond <= 0 {
			k.CallsPerSecond = 10
		}
		if k.Operator == "" {
			k.Operator = strings.ToLower(k.Domain)
		}
		if k.FromDomain == "" {
			k.FromDomain = c.Domain
		}
		k.ClientNames, k.Addresses = slices.Clone(k.ClientNames), slices.Clone(k.Addresses)
	}
	return c
}

func (c Config) validate(now time.Time) error {
	if c.Dialer == nil || c.CallerID == nil || len(c.Carriers) == 0 {
		return errors.New("trunk: Config needs Carriers, Dialer and CallerID")
	}
	if _, _, err := resolve.Split(c.Domain); err != nil {
		return fmt.Errorf("trunk: Config.Domain: %w", err)
	}
	if err := c.Emergency.validate(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, k := range c.Carriers {
		if err := k.validate(now); err != nil {
			return fmt.Errorf("trunk: carrier %q: %w", k.Name, err)
		}
		if seen[k.Name] {
			return fmt.Errorf("trunk: two carriers are called %q", k.Name)
		}
		seen[k.Name] = true
	}
	return nil
}

func (k Carrier) validate(now time.Time) error {
	if k.Name == "" || strings.ContainsFunc(k.Name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("a name is needed, of printable ASCII without spaces")
	}
	if t := strings.ToLower(k.Transport); t != "" && t != "tls" {
		return fmt.Errorf("%w: transport %q", ErrPlaintext, k.Transport)
	}
	for _, d := range []string{k.Domain, k.FromDomain} {
		if _, _, err := resolve.Split(d); err != nil {
			return err
		}
	}
	switch {
	case k.ClearMedia.set() && !k.ClearMedia.valid(now):
		return fmt.Errorf("%w: clear media, %q until %s", ErrWaiver, k.ClearMedia.Name, k.ClearMedia.Until.Format(time.DateOnly))
	case k.Trusted && k.Preferred:
		return errors.New("an identity is either asserted or preferred: RFC 3325 section 9.2")
	case k.Weight < 1 || k.Weight > 1000:
		return errors.New("weight is not in 1-1000")
	case k.Register && (k.User == "" || k.Password == ""):
		return errors.New("a registration needs User and Password")
	case !isUser(k.User):
		return errors.New("user has characters that a SIP URI does not take")
	}
	for _, p := range k.Addresses {
		if !p.IsValid() {
			return errors.New("an address prefix is none")
		}
	}
	return errors.Join(k.Plan.validate(), k.Format.validate())
}

// isUser allows the unreserved characters of RFC 3261 section 25.1, which need no escape.
func isUser(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-_.+", r)
	})
}

func (c Config) limits(k Carrier) limits {
	return limits{
		priority: k.Priority, weight: k.Weight, maxCalls: k.MaxCalls, rate: k.CallsPerSecond, trip: c.TripAfter, cooldown: c.Cooldown,
		maxRest: max(c.MaxCooldown, c.Cooldown), downAfter: c.DownAfter, upAfter: c.UpAfter,
	}
}
