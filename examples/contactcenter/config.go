package main

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
)

//go:embed demo.hcl
var demoConfig []byte

// config is the configuration file. Unknown names in it are errors with file and line: a misspelt limit must not be no limit.
type config struct {
	Data    string         `hcl:"data"`
	Listen  listenConfig   `hcl:"listen,block"`
	Media   mediaConfig    `hcl:"media,block"`
	TLS     *tlsConfig     `hcl:"tls,block"`
	Tenants []tenantConfig `hcl:"tenant,block"`
	Waivers []waiverConfig `hcl:"waiver,block"`
	// Carriers are the ways to the telephone network, Toll what calls there cost. Without carriers there are none.
	Carriers *carriersConfig `hcl:"carriers,block"`
	Toll     *tollConfig     `hcl:"toll,block"`
}

type listenConfig struct {
	SIPTLS     string `hcl:"sip_tls"`
	Management string `hcl:"management"`
	// WSS is where browsers connect with SIP over WebSocket; empty: nowhere. Origins are the pages that may, "https://agent.example.com".
	WSS     string   `hcl:"wss,optional"`
	Origins []string `hcl:"origins,optional"`
	// Allow are networks whose addresses are never banned for what strangers behind them do, such as an office behind one address.
	Allow []string `hcl:"allow,optional"`
}

func (l listenConfig) allowed() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, a := range l.Allow {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			return nil, fmt.Errorf("listen.allow: %w", err)
		}
		out = append(out, p)
	}
	return out, nil
}

// minKeyLifetime is 20 seconds of media: the last eighth is time enough for a re-INVITE.
const minKeyLifetime = 1000

type mediaConfig struct {
	Address string `hcl:"address"`           // where RTP is received, and what descriptions name
	PortMin int    `hcl:"port_min,optional"` // zero: ports the system picks
	PortMax int    `hcl:"port_max,optional"`
	Timeout string `hcl:"timeout,optional"` // silence after which a call is given up; empty: 30s
	// KeyLifetime is how many packets an SDES key of ours protects at most; a re-INVITE brings a new one in time. 1000 or more; zero: the limits of RFC 3711.
	KeyLifetime int `hcl:"key_lifetime,optional"`
}

// tlsConfig names a certificate of the operator's. Without it the program makes its own authority.
type tlsConfig struct {
	Certificate string `hcl:"certificate"`
	Key         string `hcl:"key"`
}

type tenantConfig struct {
	Name       string            `hcl:"name,label"`
	Domain     string            `hcl:"domain"`
	Aliases    []string          `hcl:"aliases,optional"`
	Digest     []string          `hcl:"digest,optional"`
	Flows      string            `hcl:"flows,optional"`   // folder of *.ivr.hcl files; empty: those built in
	Prompts    string            `hcl:"prompts,optional"` // folder of LANGUAGE/NAME.wav files; empty: those built in
	FirstStart *firstStart       `hcl:"first_start,block"`
	Queues     []queueConfig     `hcl:"queue,block"`
	Numbers    []numberConfig    `hcl:"number,block"`
	Recording  *recordingConfig  `hcl:"recording,block"` // none: conversations are not recorded
	Retention  retentionConfig   `hcl:"retention,block"`
	Voicemail  *voicemailConfig  `hcl:"voicemail,block"`
	Outbound   *outboundConfig   `hcl:"outbound,block"`
	Location   *locationConfig   `hcl:"location,block"`
	Identity   *tenantIdentity   `hcl:"identity,block"`
	TLS        *tlsConfig        `hcl:"tls,block"` // its own certificate; none: that of the node
	Labels     map[string]string `hcl:"labels,optional"`
}

type firstStart struct {
	Agents []string `hcl:"agents,optional"`
	Phones []string `hcl:"phones,optional"`
}

type queueConfig struct {
	Name       string `hcl:"name,label"`
	Ring       string `hcl:"ring,optional"`        // how long one agent's phone rings; empty: 20s
	WrapUp     string `hcl:"wrap_up,optional"`     // after a call; empty: 10s
	MaxWait    string `hcl:"max_wait,optional"`    // empty: 30m
	MaxWaiting int    `hcl:"max_waiting,optional"` // zero: 1000
	Announce   string `hcl:"announce,optional"`    // how often the position is said; empty: 30s
	Target     string `hcl:"target,optional"`      // service level target; empty: 20s
	Unrecorded bool   `hcl:"unrecorded,optional"`  // conversations of this queue are not recorded
	// Strategy says who of the free agents is rung, such as "ring-all"; empty: "longest-idle". RingMax bounds ring-all; zero: 20.
	Strategy string `hcl:"strategy,optional"`
	RingMax  int    `hcl:"ring_max,optional"`
	// Callback is for callers who would rather be called back; none: not offered.
	Callback *callbackConfig `hcl:"callback,block"`
}

type numberConfig struct {
	Number string `hcl:"number,label"`
	Flow   string `hcl:"flow"`
}

type retentionConfig struct {
	Recordings string `hcl:"recordings"` // such as "13 months"; required: what deletes data has no default
	// Voicemail is how long messages live that nobody deletes. Empty: 30 days. Greetings live until they are replaced.
	Voicemail string `hcl:"voicemail,optional"`
}

// messages is the period of voicemail.
func (r retentionConfig) messages() string {
	if r.Voicemail == "" {
		return "30 days"
	}
	return r.Voicemail
}

type waiverConfig struct {
	Name   string `hcl:"name,label"`
	Listen string `hcl:"listen,optional"` // plaintext UDP and TCP; empty: 127.0.0.1:5060
	Until  string `hcl:"until"`           // last day, 2006-01-02
	// Phones are those that may use it, as TENANT/USER; empty: every user with a password.
	Phones []string `hcl:"phones,optional"`
}

// covers reports whether the waiver is for this user, and not over.
func (w waiverConfig) covers(tenant, user string, now time.Time) bool {
	until, err := w.until()
	return err == nil && now.Before(until) && (len(w.Phones) == 0 || slices.Contains(w.Phones, tenant+"/"+user))
}

// loadConfig reads path, or the built-in demo if path is empty.
func loadConfig(path string) (*config, error) {
	name, src := "demo.hcl", demoConfig
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
		name, src = path, b
	}
	file, diags := hclparse.NewParser().ParseHCL(src, name)
	if diags.HasErrors() {
		return nil, diagnose(diags)
	}
	var c config
	if diags := gohcl.DecodeBody(file.Body, nil, &c); diags.HasErrors() {
		return nil, diagnose(diags)
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("configuration %s: %w", name, err)
	}
	return &c, nil
}

func diagnose(diags hcl.Diagnostics) error {
	var errs []error
	for _, d := range diags {
		at := ""
		if d.Subject != nil {
			at = fmt.Sprintf("%s:%d:%d: ", d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column)
		}
		errs = append(errs, fmt.Errorf("%s%s: %s", at, d.Summary, d.Detail))
	}
	return errors.Join(errs...)
}

func (c *config) validate() error {
	if c.Data == "" {
		return errors.New("data must name a folder")
	}
	if len(c.Tenants) == 0 {
		return errors.New("at least one tenant is needed")
	}
	if err := privateAddress(c.Listen.Management); err != nil {
		return fmt.Errorf("listen.management: %w", err)
	}
	if _, err := c.Listen.allowed(); err != nil {
		return err
	}
	if _, err := netip.ParseAddr(c.Media.Address); err != nil {
		return fmt.Errorf("media.address: %w", err)
	}
	if _, err := duration(c.Media.Timeout, 0); err != nil {
		return fmt.Errorf("media.timeout: %w", err)
	}
	if n := c.Media.KeyLifetime; n != 0 && n < minKeyLifetime {
		return fmt.Errorf("media.key_lifetime: %d packets are fewer than %d", n, minKeyLifetime)
	}
	names, domains := map[string]bool{}, map[string]bool{}
	for _, t := range c.Tenants {
		if names[t.Name] {
			return fmt.Errorf("tenant %q is there twice", t.Name)
		}
		names[t.Name] = true
		for _, d := range append([]string{t.Domain}, t.Aliases...) {
			if domains[d] {
				return fmt.Errorf("domain %q belongs to two tenants", d)
			}
			domains[d] = true
		}
		if _, _, _, err := period(t.Retention.Recordings); err != nil {
			return fmt.Errorf("tenant %q: retention.recordings: %w", t.Name, err)
		}
		if _, _, _, err := period(t.Retention.messages()); err != nil {
			return fmt.Errorf("tenant %q: retention.voicemail: %w", t.Name, err)
		}
		if err := t.Voicemail.validate(); err != nil {
			return fmt.Errorf("tenant %q: %w", t.Name, err)
		}
		for _, q := range t.Queues {
			for field, v := range map[string]string{"ring": q.Ring, "wrap_up": q.WrapUp, "max_wait": q.MaxWait, "announce": q.Announce, "target": q.Target} {
				if _, err := duration(v, 0); err != nil {
					return fmt.Errorf("tenant %q: queue %q: %s: %w", t.Name, q.Name, field, err)
				}
			}
			if _, err := q.strategy(); err != nil {
				return fmt.Errorf("tenant %q: queue %q: %w", t.Name, q.Name, err)
			}
			if err := q.Callback.check(); err != nil {
				return fmt.Errorf("tenant %q: queue %q: callback: %w", t.Name, q.Name, err)
			}
		}
	}
	for _, t := range c.Tenants {
		if err := t.Recording.check(); err != nil {
			return fmt.Errorf("tenant %q: %w", t.Name, err)
		}
	}
	for _, w := range c.Waivers {
		if _, err := w.until(); err != nil {
			return fmt.Errorf("waiver %q: %w", w.Name, err)
		}
	}
	return nil
}

// until is the end of the waiver's last day, in UTC.
func (w waiverConfig) until() (time.Time, error) {
	day, err := time.Parse(time.DateOnly, w.Until)
	if err != nil {
		return time.Time{}, fmt.Errorf("until: %w", err)
	}
	return day.AddDate(0, 0, 1), nil
}

// privateAddress refuses an address that others than this machine's own networks could reach: metrics and health are for operators.
func privateAddress(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if host == "localhost" {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || (!ip.IsLoopback() && !ip.IsPrivate()) {
		return fmt.Errorf("%q is not a loopback or private address", host)
	}
	return nil
}

// duration reads a duration of the configuration; empty is def.
func duration(s string, def time.Duration) (time.Duration, error) {
	if s == "" {
		return def, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a duration such as 20s", s)
	}
	return d, nil
}

var periodPattern = regexp.MustCompile(`^([1-9][0-9]{0,3}) (day|month|year)s?$`)

// period reads "13 months", "30 days", "10 years".
func period(s string) (years, months, days int, err error) {
	m := periodPattern.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, 0, fmt.Errorf("%q is not a period such as \"13 months\"", s)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, 0, 0, err
	}
	switch m[2] {
	case "year":
		years = n
	case "month":
		months = n
	default:
		days = n
	}
	return years, months, days, nil
}
