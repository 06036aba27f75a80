package branch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip"
)

// Credentials are those of the users of the site. They must be there when nothing else is. All methods are called concurrently.
type Credentials interface {
	// HA1 returns the raw H(user:domain:password) with which a phone proves itself here, as sip.Realm.Credentials does, or sip.ErrUnknownUser.
	HA1(ctx context.Context, user, algorithm string) ([]byte, error)
	// Upstream returns the password with which the branch stands for user at the upstream.
	Upstream(ctx context.Context, user string) (Secret, error)
}

// Outgoing is a call to the local trunk.
type Outgoing struct {
	// From is the user that proved a password. Which number it may present is for the trunk to decide.
	From string
	// To is the number as dialed.
	To string
	// Emergency says that it is a call for help, which nothing may refuse.
	Emergency bool
	// OnRinging is to be called once when it rings. It does not block.
	OnRinging func()
}

// Config describes a Branch. It is copied by New.
type Config struct {
	// Domain is that of the users, here and upstream, and what the certificates of both must be valid for. Required.
	Domain string
	// Upstream is where the contact center is, "host:port", over TLS. Required.
	Upstream string
	// Client is how the upstream is connected to, from sip.ClientTLS. Required.
	Client sip.TLSConfig
	// Credentials are those of the users. Required.
	Credentials Credentials
	// Algorithms may be used for digest by phones, as sip.Realm.Algorithms. If empty, SHA-256 only.
	Algorithms []string
	// Journal is where calls are written that the upstream does not see. Required. The Branch does not close it.
	Journal *Journal
	// Sink is where the journal is sent when the upstream is there. If nil, it stays in the file.
	Sink Sink
	// Outside calls a public or emergency number over the local trunk with m, and returns when it is answered, as sip.Endpoint.Dial does: a trunk.Group, for one.
	// m may be asked for its offer several times, and always has the same: it is that of the phone. It must return when ctx ends. It is called
	// concurrently. If nil, there is no trunk.
	Outside func(ctx context.Context, o Outgoing, m sip.Media) (*sip.Call, error)
	// Public reports whether a dialed number is one for Outside. It is called concurrently. If nil, those with a plus sign and 3 to 15 digits are.
	Public func(dialed string) bool
	// Emergency reports whether a dialed number is one for help. It is called concurrently. If nil, 112 and 911 are.
	Emergency func(dialed string) bool
	// Fallback are the users who are rung for what only the upstream can do, by what is dialed: queues and menus. If empty, such calls get 503.
	Fallback map[string]string
	// Link says when the upstream is taken to be gone and back. If zero, the defaults of LinkConfig.
	Link LinkConfig
	// PingInterval is between two questions for a sign of life. If zero, 5 s.
	PingInterval time.Duration
	// Patience is how long the upstream may take for the first sign of life, of a ping as of a call, and connecting included. If zero, 4 s.
	Patience time.Duration
	// Instance is a URN that names this branch at the upstream for ever, urn:uuid:... (RFC 5626 section 4.1). If empty, a random one: after a restart the
	// upstream knows the phones twice, until it notices that the old connection is gone.
	Instance string
	// MaxCalls bounds calls of phones at once; more get 503. If zero, 2000.
	MaxCalls int
	// OnLink is told when the upstream is found gone (false) and back (true), in order. It must neither block nor call the Branch. If nil, nobody is told.
	OnLink func(up bool)
	// OnError is told of what an operator should know and no caller is told: a journal that cannot be written or sent, a user whom the upstream
	// refuses. It is called concurrently and must not block. If nil, such errors are logged.
	OnError func(err error)
	// Logger gets events without numbers. If nil, slog.Default().
	Logger *slog.Logger
}

func (c *Config) complete() error {
	if _, _, err := net.SplitHostPort(c.Upstream); err != nil {
		return fmt.Errorf("branch: Config.Upstream: %w", err)
	}
	if c.Domain == "" || c.Credentials == nil || c.Journal == nil || c.Client.Config() == nil {
		return errors.New("branch: Config needs Domain, Client, Credentials and Journal")
	}
	if c.PingInterval < 0 || c.Patience < 0 {
		return errors.New("branch: Config has a time below zero")
	}
	c.Domain = strings.ToLower(c.Domain)
	c.PingInterval, c.Patience = orDefault(c.PingInterval, 5*time.Second), orDefault(c.Patience, 4*time.Second)
	c.Fallback = maps.Clone(c.Fallback)
	if c.Public == nil {
		c.Public = isE164
	}
	if c.Emergency == nil {
		c.Emergency = func(n string) bool { return n == "112" || n == "911" }
	}
	if c.OnLink == nil {
		c.OnLink = func(bool) {}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.OnError == nil {
		log := c.Logger
		c.OnError = func(err error) { log.Error("branch", "err", err) }
	}
	if c.Instance == "" {
		id := newID()
		c.Instance = "urn:uuid:" + id[:8] + "-" + id[8:12] + "-4" + id[13:16] + "-8" + id[17:20] + "-" + id[20:] // RFC 9562 section 5.4
	}
	return nil
}

// isE164 is a plus sign and 3 to 15 digits.
func isE164(n string) bool {
	rest, ok := strings.CutPrefix(n, "+")
	return ok && len(rest) >= 3 && len(rest) <= 15 && strings.Trim(rest, "0123456789") == ""
}

// plan says how a call is handled without the upstream: by which route, and to whom. known says whether a user is one of the site.
func (c *Config) plan(dialed string, known func(user string) bool) (Route, string) {
	switch {
	case c.Emergency(dialed):
		return Emergency, dialed
	case known(dialed): // before Public: a number of the site is never paid for
		return Internal, dialed
	case c.Outside != nil && c.Public(dialed):
		return Public, dialed
	case c.Fallback[dialed] != "":
		return Fallback, c.Fallback[dialed]
	}
	return Nowhere, ""
}
