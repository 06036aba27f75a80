package sip

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip/internal/guard"
	"github.com/ringfence/ringfence/sip/internal/sieve"
)

// guards are what an endpoint knows about strangers. All of it is bounded.
type guards struct {
	rates   *guard.Rates
	locks   *guard.Locks
	bans    *guard.Bans
	sampler *guard.Sampler
	known   *guard.Known // datagram flows on which a user has authenticated
	key     [32]byte     // of the To tags of stateless answers
}

func newGuards(cfg Config) *guards {
	g := &guards{
		rates:   guard.NewRates(float64(cfg.RequestRate), float64(cfg.RequestBurst), float64(cfg.TotalRate), float64(cfg.TotalBurst), maxSources),
		locks:   guard.NewLocks(guard.LockConfig{After: cfg.LockAfter, SourceAfter: sourceLockFactor * cfg.LockAfter, First: lockFirst, Max: lockMax, Forget: lockForget, Size: maxSources}),
		bans:    guard.NewBans(guard.BanConfig{After: cfg.BanAfter, Window: banWindow, First: cfg.BanTime, Max: banMax, Size: maxSources}),
		known:   guard.NewKnown(knownTime, maxSources),
		sampler: guard.NewSampler(securityEvery, securityLimit, securitySize),
	}
	if _, err := rand.Read(g.key[:]); err != nil {
		panic("sip: no randomness: " + err.Error())
	}
	return g
}

// ipOf is the address of a peer; the zero Addr stands for transports without IP.
func ipOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap().WithZone("")
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return ap.Addr().Unmap().WithZone("")
}

func (ep *Endpoint) allowed(ip netip.Addr) bool {
	return slices.ContainsFunc(ep.cfg.AllowSources, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func (ep *Endpoint) banned(ip netip.Addr) bool {
	return ep.guards.bans.Banned(guard.Source(ip), time.Now()) && !ep.allowed(ip)
}

// proved reports whether a user has authenticated on the flow of src.
func (ep *Endpoint) proved(src source) bool {
	if src.conn != nil {
		return src.conn.trusted.Load()
	}
	return ep.guards.known.Has(src.addr, time.Now())
}

// offence counts something that only scanners and broken programs do.
func (ep *Endpoint) offence(src source, kind SecurityKind, why string) {
	ep.notice(src, kind, why)
	ep.suspect(src, guard.Offence, why)
}

// suspect adds points to a source whose address is proved: by a handshake, or by a nonce of ours that came back. It must not be called for other
// datagrams, whose source anybody can forge to have somebody banned.
func (ep *Endpoint) suspect(src source, points int, why string) {
	if ep.allowed(src.ip) || ep.proved(src) {
		return
	}
	if d := ep.guards.bans.Count(src.origin, points, time.Now()); d > 0 {
		ep.stats.bans.Add(1)
		ep.notice(src, SecurityBan, why)
		ep.log.Warn("sip: source banned", "source", src.origin.String(), "for", d, "last", why)
	}
}

// absolve is called when a user proved a password: what its source has spent on the way is given back.
func (ep *Endpoint) absolve(realm, user string, src source) {
	ep.guards.locks.Succeed(realm, user, src.origin)
	if src.conn != nil {
		src.conn.owner.Store(&owner{realm, user})
	}
	if ep.proved(src) {
		return
	}
	ep.guards.bans.Pay(src.origin)
	ep.guards.rates.Refund(src.origin, 3) // INVITE, ACK, INVITE
	if src.conn != nil {
		src.conn.trust()
	} else {
		ep.guards.known.Add(src.addr, time.Now())
	}
}

// screen decides about one message as it arrived: pass it to the library, answer it here or drop it, and end the connection or not. Order:
// what costs least comes first, and nothing that costs memory comes before a proof.
func (ep *Endpoint) screen(m *sieve.Message, f *sieve.Fault, src source) (pass bool, answer []byte, hangup bool) {
	proved := ep.proved(src)
	if !proved {
		if ep.banned(src.ip) { // on a connection that was there before the ban
			ep.stats.refusedBanned.Add(1)
			return false, nil, true
		}
		if ep.guards.rates.Admit(src.origin, ep.allowed(src.ip), time.Now()) != guard.Admitted {
			ep.stats.rateLimited.Add(1)
			ep.notice(src, SecurityRate, "too many requests without proof")
			if src.conn == nil {
				return false, nil, true // an answer to a forged source would be a reflection
			}
			return false, ep.stateless(m, src, 503, sieve.Header{Name: "Retry-After", Value: retryAfter}), true
		}
	}
	if f == nil {
		f = ep.policy(m, src)
	} else {
		ep.stats.malformed.Add(1)
		ep.log.Debug("sip: message refused", "why", f.Why, "code", f.Code)
		if src.conn != nil {
			ep.offence(src, SecurityMalformed, f.Why)
		}
	}
	if f != nil {
		if f.Code == 0 {
			return false, nil, false
		}
		return false, ep.stateless(m, src, f.Code, f.Header), false
	}
	if m.Status != 0 && src.conn != nil && !proved {
		// We send requests only to who has authenticated or whom we called, so this answers nothing.
		ep.stats.malformed.Add(1)
		ep.offence(src, SecurityMalformed, "stray response")
		return false, nil, false
	}
	if !proved && scanner(m) { // no answer is what it learns least from
		ep.notice(src, SecurityScan, "the name of a scanner")
		if src.conn != nil {
			ep.suspect(src, scannerPoints, "the name of a scanner")
		}
		return false, nil, true
	}
	if m.Method == "ACK" && ep.acknowledged(m) {
		return false, nil, false
	}
	if m.Method == "OPTIONS" && m.To.Tag() == "" {
		// Answered without authentication: it says no more than a wrong password would, and monitors ask it.
		return false, ep.stateless(m, src, 200, ep.caps.options...), false
	}
	if !proved {
		pass, answer = ep.greet(m, src)
		return pass, answer, false
	}
	return true, nil, false
}

// policy is what a well-formed request must satisfy before anybody asks who sent it (RFC 3261 sections 8.2.1 to 8.2.3).
func (ep *Endpoint) policy(m *sieve.Message, src source) *sieve.Fault {
	if m.Status != 0 || m.Method == "ACK" {
		return nil
	}
	if !slices.Contains(ep.caps.methods, m.Method) {
		return &sieve.Fault{Code: 405, Header: sieve.Header{Name: "Allow", Value: ep.caps.allow}}
	}
	if m.Forwards == 0 && m.Method != "OPTIONS" {
		return &sieve.Fault{Code: 483}
	}
	if m.Method == "CANCEL" { // may not be refused for what it requires (RFC 3261 section 9.1)
		ep.mu.Lock()
		c := ep.pending[pendingID{m.CallID, m.From.Tag(), m.Seq}]
		ep.mu.Unlock()
		if c != nil && c.src.flow() != src.flow() { // the library matches by branch alone; a call is canceled where it came from
			return &sieve.Fault{Code: 481}
		}
		return nil
	}
	var required []string
	contacts, star := 0, false
	accept, hasAccept := "", false
	for _, h := range m.Other {
		switch h.Name {
		case "Require":
			for tag := range listed(h.Value) {
				if !ep.supports(m.Method, tag) {
					required = append(required, tag)
				}
			}
		case "Contact":
			contacts++
			star = star || h.Value == "*"
		case "Accept":
			accept, hasAccept = accept+","+h.Value, true
		}
	}
	if len(required) > 0 {
		return &sieve.Fault{Code: 420, Header: sieve.Header{Name: "Unsupported", Value: strings.Join(required, ", ")}}
	}
	if v, ok := m.Get("Content-Encoding"); ok && !strings.EqualFold(v, "identity") {
		return &sieve.Fault{Code: 415, Header: sieve.Header{Name: "Accept-Encoding", Value: "identity"}}
	}
	switch m.Method {
	case "REGISTER":
		if s := m.To.Scheme; s != "sip" && s != "sips" { // no address of record (RFC 3261 section 10.2)
			return &sieve.Fault{Code: 400}
		}
	case "INVITE":
		if contacts != 1 || star { // RFC 3261 section 8.1.1.8
			return &sieve.Fault{Code: 400}
		}
		if hasAccept && !acceptsSDP(accept) {
			return &sieve.Fault{Code: 406, Header: sieve.Header{Name: "Accept", Value: "application/sdp"}}
		}
		fallthrough
	case "UPDATE":
		if v, _ := m.Get("Content-Type"); len(m.Body) > 0 && mediaType(v) != sdpType && mediaType(v) != "multipart/mixed" {
			return &sieve.Fault{Code: 415, Header: sieve.Header{Name: "Accept", Value: "application/sdp"}}
		}
	}
	return nil
}

// supports reports whether a request may require an option tag of us.
func (ep *Endpoint) supports(method, tag string) bool {
	switch strings.ToLower(tag) {
	case "100rel", "timer", "norefersub":
		return method != "REGISTER"
	case "replaces":
		return method != "REGISTER" && ep.cfg.OnReplace != nil
	case "path", "outbound", "gruu":
		return method == "REGISTER"
	}
	return false
}

func mediaType(v string) string {
	v, _, _ = strings.Cut(v, ";")
	return strings.ToLower(strings.TrimSpace(v))
}

// acceptsSDP reads an Accept header (RFC 3261 section 20.1).
func acceptsSDP(v string) bool {
	for _, part := range strings.Split(v, ",") {
		switch mediaType(part) {
		case "application/sdp", "application/*", "*/*":
			_, q, has := strings.Cut(strings.ToLower(strings.ReplaceAll(part, " ", "")), ";q=")
			if !has || strings.Trim(q, "0.") != "" {
				return true
			}
		}
	}
	return false
}

// greet serves a stranger without keeping anything: no transaction, which the library would hold for 32 s, and for a datagram no address, which it
// would hold for ever. It lets through only requests that return a nonce of ours, or that name a dialog.
func (ep *Endpoint) greet(m *sieve.Message, src source) (pass bool, answer []byte) {
	if m.Status != 0 || m.Method == "ACK" || m.To.Tag() != "" {
		ep.mu.Lock()
		id := dialogID{m.CallID, m.To.Tag(), m.From.Tag()}
		known := m.Status == 0 && ep.dialogs[id] != nil
		ep.mu.Unlock()
		known = known || m.Method == "SUBSCRIBE" && ep.subs.find(id) != nil
		if known || m.Status != 0 || m.Method == "ACK" {
			return known, nil
		}
		return false, ep.stateless(m, src, 481)
	}
	if m.Method != "INVITE" && m.Method != "REGISTER" && m.Method != "SUBSCRIBE" && m.Method != "MESSAGE" {
		return false, ep.stateless(m, src, 481)
	}
	if ep.draining.Load() {
		return false, ep.stateless(m, src, 503, sieve.Header{Name: "Retry-After", Value: retryAfter})
	}
	realm, code := ep.realmOf(m.Host(), src)
	if code != 0 {
		if src.conn != nil && (code == 404 || src.secure) {
			ep.offence(src, SecurityDomain, "unknown domain")
		}
		return false, ep.stateless(m, src, code)
	}
	var creds []string
	for _, h := range m.Other {
		if h.Name == "Authorization" || h.Name == "Proxy-Authorization" {
			creds = append(creds, h.Value)
		}
	}
	has, fresh := ep.auth.Returned(creds, realm.Name, src.host, time.Now())
	if fresh {
		return true, nil
	}
	if src.conn != nil {
		ep.suspect(src, guard.Asked, "challenges without answer")
	}
	var hs []sieve.Header
	for _, c := range ep.auth.Challenge(realm.Name, src.host, realm.algorithms(), has, time.Now()) {
		hs = append(hs, sieve.Header{Name: "WWW-Authenticate", Value: c})
	}
	return false, ep.stateless(m, src, 401, hs...)
}

// realmOf finds the realm of a request. A code that is not zero refuses it.
func (ep *Endpoint) realmOf(domain string, src source) (Realm, int) {
	if ep.cfg.Realm == nil {
		return Realm{}, 403
	}
	realm, err := ep.cfg.Realm(canonicalHost(domain), src.serverName)
	switch {
	case errors.Is(err, ErrRealmMismatch):
		return Realm{}, 403
	case err != nil:
		return Realm{}, 404
	}
	// Before any challenge: a phone that is asked would send what an eavesdropper can attack offline.
	if !src.secure && !ep.plainDigest.Load() {
		return Realm{}, 403
	}
	return realm, 0
}

// stateless makes an answer that leaves nothing behind (RFC 3261 section 8.2.7): its To tag is the same each time the same request comes.
func (ep *Endpoint) stateless(m *sieve.Message, src source, code int, extra ...sieve.Header) []byte {
	mac := hmac.New(sha256.New, ep.guards.key[:])
	for _, s := range []string{m.CallID, m.From.Tag(), m.SeqMethod, src.addr} {
		mac.Write([]byte(s))
		mac.Write([]byte{0})
	}
	if ep.cfg.UserAgent != "" {
		extra = append(slices.Clip(extra), sieve.Header{Name: "Server", Value: ep.cfg.UserAgent})
	}
	_, port, _ := net.SplitHostPort(src.addr)
	return m.Answer(nil, code, reason(code), hex.EncodeToString(mac.Sum(nil)[:16]), src.host, port, extra...)
}
