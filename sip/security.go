package sip

import (
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip/internal/guard"
	"github.com/ringfence/ringfence/sip/internal/sieve"
)

// SecurityKind says what a SecurityEvent is about.
type SecurityKind string

// The kinds of security events.
const (
	// SecurityMalformed: a message that RFC 3261 does not allow, a stray response, or bytes that are no SIP.
	SecurityMalformed SecurityKind = "malformed"
	// SecurityDomain: a request for a domain that is not served here.
	SecurityDomain SecurityKind = "unknown-domain"
	// SecurityLogin: an answer to a challenge that was wrong, or of a user that does not exist.
	SecurityLogin SecurityKind = "failed-login"
	// SecurityLocked: an answer to a challenge that was refused unseen, because there were too many wrong ones before.
	SecurityLocked SecurityKind = "locked"
	// SecurityScan: the pattern of a scanner: challenges that are not answered, or the name that such a program gives itself.
	SecurityScan SecurityKind = "scan"
	// SecurityRate: more requests than a stranger may make.
	SecurityRate SecurityKind = "rate"
	// SecurityHandshake: a TLS handshake that failed or was not finished, or a client certificate that was refused.
	SecurityHandshake SecurityKind = "handshake"
	// SecurityUpgrade: a WebSocket that was refused: a foreign page, a wrong token, no browser.
	SecurityUpgrade SecurityKind = "upgrade"
	// SecurityBan: a source was banned.
	SecurityBan SecurityKind = "ban"
)

// SecurityEvent is one line of a security log. It holds no credentials and nothing that a stranger wrote, so it can be logged as it is.
type SecurityEvent struct {
	Time   time.Time
	Kind   SecurityKind
	Source string // IPv4 address, or /64 of an IPv6 address; empty on a transport without addresses
	Detail string // a fixed text
	// Count is how many events of this kind and source this one stands for: the first is told at once, those of the next minute together.
	Count int
}

const (
	securityEvery = time.Minute // one event of a kind and a source
	securityLimit = 600         // events in that time, of all
	securitySize  = 8192        // kinds and sources remembered
)

// scanners are the names that widely used attack programs give themselves in User-Agent. Whoever changes the name is found by what they do; whoever does
// not is found at once.
var scanners = []string{"friendly-scanner", "sipvicious", "sundayddr", "sip-scan", "sipscan", "sipcli", "sipptk", "pplsip", "vaxsipuseragent", "sivus"}

// scannerPoints are what one request of a known scanner is worth: a fourth of a ban by default.
const scannerPoints = 25 * guard.Offence

func scanner(m *sieve.Message) bool {
	agent, _ := m.Get("User-Agent")
	agent = strings.ToLower(agent)
	return agent != "" && slices.ContainsFunc(scanners, func(name string) bool { return strings.Contains(agent, name) })
}

// notice tells the application of a security event, unless it was told of one alike a short time ago.
func (ep *Endpoint) notice(src source, kind SecurityKind, detail string) {
	if ep.cfg.OnSecurity == nil {
		return
	}
	now := time.Now()
	n, tell := ep.guards.sampler.Count(string(kind), src.origin, now)
	if !tell {
		return
	}
	e := SecurityEvent{Time: now, Kind: kind, Detail: detail, Count: n}
	if src.origin.IsValid() {
		e.Source = src.origin.String()
	}
	ep.cfg.OnSecurity(e)
}
