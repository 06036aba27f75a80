package sip

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/ringfence/ringfence/sip/internal/digest"
	"github.com/ringfence/ringfence/sip/registrar"
)

// Digest algorithm names for [Realm.Algorithms].
const (
	SHA512256 = digest.SHA512256
	SHA256    = digest.SHA256
	MD5       = digest.MD5
)

// HA1 returns the raw H(user:realm:password) that Realm.Credentials must return (RFC 7616 section 3.4.2). algorithm is SHA512256, SHA256 or
// MD5.
func HA1(algorithm, user, realm, password string) ([]byte, error) {
	return digest.HA1(algorithm, user, realm, password)
}

// Realm is a domain with its own users. Same names in two realms are different users.
type Realm struct {
	// Name is what phones see as digest realm and what the HA1 values were made with. Required.
	Name string
	// Algorithms may be used for digest, in order of preference. If empty, SHA256 only; MD5 is a weakening that must be listed.
	Algorithms []string
	// Credentials returns the raw H(user:Name:password) of a user, or ErrUnknownUser. Required. It is called concurrently.
	Credentials func(ctx context.Context, user, algorithm string) ([]byte, error)
	// Plaintext is asked for each request of a user who has authenticated on a transport without encryption; an error refuses it with 403. It is the
	// place for a waiver per device, and for recording that it was used. It is called concurrently. If nil, nobody is served without encryption.
	Plaintext func(ctx context.Context, user, address string) error
}

// Media is one side's session description, offered or answered: the border to the media packages.
// The bodies are SDP. Methods of one Media are not called concurrently, except Close-like ones it may have of its own.
type Media interface {
	// Offer returns a description of our own, for a call we place or an INVITE without one.
	Offer(ctx context.Context) ([]byte, error)
	// Answer accepts an offer, the first or that of a re-INVITE, and returns the answer. An error is reported to the peer as 488.
	Answer(ctx context.Context, offer []byte) ([]byte, error)
	// Accept takes the answer to our Offer.
	Accept(ctx context.Context, answer []byte) error
}

// Arrival is an INVITE of a peer that proved itself by a certificate.
type Arrival struct {
	Peer       string // whom the client certificate names; empty on a connection that we opened
	Address    string // "ip:port" of the other end
	ServerName string // TLS server name; may be empty
	Domain     string // host of the Request-URI, in lower case
	Number     string // user part of the Request-URI
}

// Config describes an Endpoint. It is copied by New.
type Config struct {
	// Realm finds the realm of a request from the domain in its Request-URI (or To, for REGISTER) and the TLS server name, which may be empty.
	// It returns ErrUnknownRealm or ErrRealmMismatch to refuse. Required for an endpoint that serves; called concurrently.
	Realm func(domain, serverName string) (Realm, error)
	// Peer decides about an INVITE on a connection whose client certificate named somebody (TLSConfig.WithPeers), such as a carrier, or on one that we opened,
	// such as that of a registration of ours, where Arrival.Peer is empty: it returns the realm
	// and the user that the call belongs to, or ErrUnknownUser to have it challenged like any other, or a *StatusError to refuse it. It is called
	// concurrently. If nil, every call is challenged.
	Peer func(a Arrival) (realm, user string, err error)
	// OnCall runs once for each incoming, authenticated call, in a goroutine of its own. The call ends when it returns. If nil, calls get 480.
	OnCall func(ctx context.Context, call *Call)
	// OnReplace runs instead of OnCall for a call that asks to take another one's place (INVITE with Replaces, RFC 3891): old, which is of the same
	// realm. It decides whether call.User may do that, answers the call, joins it where old was, and hangs old up. It is called like OnCall.
	// If nil, such calls get 403, and Supported does not name the extension.
	OnReplace func(ctx context.Context, call, old *Call)
	// Emergency reports whether a dialed number is one for emergencies: such calls are admitted when MaxCalls is reached (up to a tenth more) and
	// while the endpoint drains. It is called concurrently. If nil, no number is.
	Emergency func(number string) bool
	// Registrar holds the bindings. If nil, an endpoint has one of its own.
	Registrar *registrar.Registrar
	// ServiceRoute is told to phones that register, as URIs of the proxies that their calls are to take (RFC 3608). If empty, they are told nothing.
	ServiceRoute []string
	// FlowTimer is how often phones with several flows are asked to show that they are alive, in whole seconds (RFC 5626 section 4.4). If zero, 2 min.
	FlowTimer time.Duration
	// OnSubscribe decides about a subscription to the package and target of s by the authenticated user of s. Status 200 accepts it, with what its
	// NOTIFYs say of the whole state; any other refuses it, and zero is 403. It is called once for each subscription, concurrently, and must return
	// within some seconds, when ctx ends. If nil, SUBSCRIBE gets 405.
	OnSubscribe func(ctx context.Context, s *Subscription) (whole Document, status int)
	// MaxSubscriptions bounds the subscriptions of one user; more get 403. If zero, 100.
	MaxSubscriptions int
	// OnMessage takes a MESSAGE (RFC 3428) of an authenticated user and returns the status of the answer, of 200-299 or 400-699; others are 500. It is
	// called concurrently and must return within some seconds, when ctx ends. If nil, MESSAGE gets 405.
	OnMessage func(ctx context.Context, m Message) (status int)
	// Trusted says that an incoming call needs no digest: for phones of our own that are called over the connection they opened and verified.
	// If false, every INVITE is challenged.
	Trusted bool

	// Client is used for connections that the endpoint opens. The zero value: it opens none.
	Client TLSConfig

	// MaxCalls bounds calls at once; more get 503 with Retry-After. If zero, 2000.
	MaxCalls int
	// AuthTimeout is how long a connection may live without authenticating. If zero, 32 s.
	AuthTimeout time.Duration
	// MaxConns bounds connections at once. If zero, 10000.
	MaxConns int
	// MaxPerSource bounds connections of one address. If zero, 1000.
	MaxPerSource int
	// RequestRate is how many requests a second one source may make that has not authenticated. A source is an IPv4 address or the /64 of an
	// IPv6 address. More are answered with 503 and Retry-After and lose their connection; datagrams are dropped. A log-in gives back what
	// it cost. If zero, 100.
	RequestRate int
	// RequestBurst is how many such requests of one source are served at once. If zero, 1000.
	RequestBurst int
	// TotalRate is RequestRate for all sources together. Connections that have authenticated are not counted. If zero, 10000.
	TotalRate int
	// TotalBurst is RequestBurst for all sources together. If zero, 20000.
	TotalBurst int
	// LockAfter is how many wrong answers for one user from one source are checked before further ones are refused unseen, for 1 s at first and twice as
	// long with each further wrong answer, up to 15 min. 20 times as many from one source, of whatever users, lock all of its answers but those
	// on connections that have authenticated; each log-in makes five of them good. If zero, 5.
	LockAfter int
	// BanAfter is how many offences of one source within 10 min have it banned: malformed messages, unknown domains, failed log-ins, and challenges
	// without an answer, of which five are one offence. Each log-in makes two offences good, and connections that have authenticated commit
	// none. If zero, 100.
	BanAfter int
	// BanTime is how long a source is banned first; each further ban is twice as long, up to a day. If zero, 10 min.
	BanTime time.Duration
	// AllowSources are never banned, and limited by TotalRate only: offices and carriers with many phones behind one address. The lock-out of
	// LockAfter per user holds for them too. If empty, there are none.
	AllowSources []netip.Prefix
	// SessionExpires is how often an established call proves that both sides are still there (RFC 4028): whoever is to refresh does so at half of
	// it. A peer may choose a shorter time. If zero, 30 min; the least is MinSession.
	SessionExpires time.Duration
	// MinSession is the shortest session interval that a peer may ask for; less is refused with 422. If zero, 90 s, the least that RFC 4028 allows.
	MinSession time.Duration
	// OnSecurity is told of suspicious traffic, of each kind and source at once and then once a minute, so that a stranger cannot fill the log that it
	// feeds. It is called concurrently and must not block. If nil, nobody is told.
	OnSecurity func(SecurityEvent)
	// UserAgent is sent as Server and User-Agent. If empty, none is sent: a version helps an attacker most.
	UserAgent string
	// Logger gets events without credentials, keys or bodies. If nil, slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Registrar == nil {
		c.Registrar = registrar.New(registrar.Config{})
	}
	if c.MaxCalls <= 0 {
		c.MaxCalls = defaultMaxCalls
	}
	if c.FlowTimer < time.Second {
		c.FlowTimer = defaultFlowTimer
	}
	if c.MaxSubscriptions <= 0 {
		c.MaxSubscriptions = defaultMaxSubscriptions
	}
	c.ServiceRoute = slices.Clone(c.ServiceRoute)
	if c.AuthTimeout <= 0 {
		c.AuthTimeout = defaultAuthTimeout
	}
	if c.MaxConns <= 0 {
		c.MaxConns = defaultMaxConns
	}
	if c.MaxPerSource <= 0 {
		c.MaxPerSource = defaultMaxPerSource
	}
	for _, d := range []struct {
		field *int
		def   int
	}{
		{&c.RequestRate, defaultRequestRate}, {&c.RequestBurst, defaultRequestBurst}, {&c.TotalRate, defaultTotalRate}, {&c.TotalBurst, defaultTotalBurst},
		{&c.LockAfter, defaultLockAfter}, {&c.BanAfter, defaultBanAfter},
	} {
		if *d.field <= 0 {
			*d.field = d.def
		}
	}
	if c.BanTime <= 0 {
		c.BanTime = defaultBanTime
	}
	if c.MinSession < defaultMinSession {
		c.MinSession = defaultMinSession
	}
	if c.SessionExpires <= 0 {
		c.SessionExpires = defaultSessionExpires
	}
	c.SessionExpires = max(c.SessionExpires, c.MinSession)
	c.AllowSources = slices.Clone(c.AllowSources)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	if err := checkText(c.UserAgent); err != nil {
		return errors.Join(errors.New("sip: Config.UserAgent"), err)
	}
	for _, s := range c.ServiceRoute {
		if _, err := parseURI(s); err != nil {
			return errors.Join(errors.New("sip: Config.ServiceRoute"), err)
		}
	}
	for _, p := range c.AllowSources {
		if !p.IsValid() {
			return errors.New("sip: Config.AllowSources has a prefix that is none")
		}
	}
	if c.Client.cfg != nil && c.Client.server {
		return errors.New("sip: Config.Client was made by ServerTLS")
	}
	return nil
}

func (r Realm) algorithms() []string {
	if len(r.Algorithms) == 0 {
		return []string{SHA256}
	}
	return r.Algorithms
}
