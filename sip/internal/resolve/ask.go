package resolve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	maxRecords = 64                      // of one answer: more are not read
	maxAliases = 8                       // CNAMEs in a row
	maxEntries = 1024                    // of the cache
	staleWait  = 1500 * time.Millisecond // for DNS, when there is an older answer (RFC 8767 section 5)
	udpSize    = 1232                    // the datagram that passes everywhere; a larger answer comes truncated, and then by TCP
)

type question struct {
	name string
	kind uint16
}

// entry is an answer that was given, or one that is being waited for.
type entry struct {
	rrs   []dns.RR
	err   error
	until time.Time     // fresh before this
	stale time.Time     // usable before this, while DNS does not answer
	quit  bool          // whoever asked gave up, so there is no answer
	ready chan struct{} // closed when all of this is there
}

// asker asks servers and remembers what they said.
type asker struct {
	cfg   Config
	mu    sync.Mutex
	cache map[question]*entry
}

// ask returns the records of a name, none if it has none. Callers with the same question share one answer.
func (a *asker) ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	q := question{name, kind}
	for {
		now := a.cfg.Now()
		a.mu.Lock()
		old := a.cache[q]
		if old != nil {
			select {
			case <-old.ready:
			default:
				a.mu.Unlock()
				select {
				case <-old.ready:
					if old.quit {
						continue
					}
					return old.rrs, old.err
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			if now.Before(old.until) {
				a.mu.Unlock()
				return old.rrs, old.err
			}
		}
		e := &entry{ready: make(chan struct{})}
		a.evict(now)
		a.cache[q] = e
		a.mu.Unlock()

		held := old != nil && old.err == nil && now.Before(old.stale)
		wait, cancel := ctx, context.CancelFunc(func() {})
		if held {
			wait, cancel = context.WithTimeout(ctx, staleWait)
		}
		rrs, ttl, err := a.exchange(wait, q)
		cancel()
		now = a.cfg.Now()
		a.mu.Lock()
		switch {
		case err == nil:
			e.rrs, e.until = rrs, now.Add(ttl)
			e.stale = e.until.Add(a.cfg.MaxStale)
		case held: // RFC 8767: a carrier that stood there yesterday is better than none
			e.rrs, e.until, e.stale, err = old.rrs, now.Add(a.cfg.NegativeTTL), old.stale, nil
		case ctx.Err() != nil:
			e.err, e.quit = err, true
			delete(a.cache, q)
		default: // RFC 2308 section 7: for a moment, so that a storm of calls does not ask dead servers one by one
			e.err, e.until = err, now.Add(a.cfg.MinTTL)
		}
		close(e.ready)
		a.mu.Unlock()
		return e.rrs, err
	}
}

// evict makes room. Called with the lock held.
func (a *asker) evict(now time.Time) {
	if len(a.cache) < maxEntries {
		return
	}
	for q, e := range a.cache {
		select {
		case <-e.ready:
			if now.After(e.until) || len(a.cache) >= maxEntries {
				delete(a.cache, q)
			}
		default:
		}
	}
}

// exchange asks each server, twice around, until one gives an answer that is one.
func (a *asker) exchange(ctx context.Context, q question) ([]dns.RR, time.Duration, error) {
	var last error
	for range 2 {
		for _, server := range a.cfg.Servers {
			m, err := a.once(ctx, server, q)
			if ctx.Err() != nil {
				return nil, 0, fmt.Errorf("%w: %s: %w", ErrTemporary, q.name, ctx.Err())
			}
			if err != nil {
				last = err
				continue
			}
			rrs, ttl, err := a.read(m, q)
			if err != nil {
				last = err
				continue
			}
			return rrs, ttl, nil
		}
	}
	return nil, 0, fmt.Errorf("%w: %s %s: %w", ErrTemporary, dns.TypeToString[q.kind], q.name, last)
}

// once asks one server, by UDP and, when the answer does not fit, by TCP (RFC 7766).
func (a *asker) once(ctx context.Context, server string, q question) (*dns.Msg, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(q.name), q.kind)
	m.SetEdns0(udpSize, false)
	for _, network := range []string{"udp", "tcp"} {
		c := dns.Client{Net: network, Timeout: a.cfg.Timeout}
		conn, err := c.DialContext(ctx, server)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() }) // the library would wait on for its timeout
		res, _, err := c.ExchangeWithConnContext(ctx, m, conn)
		stop()
		conn.Close()
		if err != nil {
			return nil, err
		}
		// An answer to another question is a mistake or a forgery.
		if len(res.Question) != 1 || !strings.EqualFold(res.Question[0].Name, m.Question[0].Name) || res.Question[0].Qtype != q.kind || !res.Response {
			return nil, errors.New("answer to another question")
		}
		if !res.Truncated {
			return res, nil
		}
	}
	return nil, errors.New("truncated over TCP")
}

// read takes from an answer what belongs to the question: the records of the name, or of the one its aliases lead to. Whatever else a server
// puts there is not believed.
func (a *asker) read(m *dns.Msg, q question) ([]dns.RR, time.Duration, error) {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil, 0, errors.New(dns.RcodeToString[m.Rcode])
	}
	if len(m.Answer) > maxRecords {
		m.Answer = m.Answer[:maxRecords]
	}
	name, ttl := dns.CanonicalName(q.name), a.cfg.MaxTTL
	for range maxAliases + 1 {
		var out []dns.RR
		next := ""
		for _, rr := range m.Answer {
			h := rr.Header()
			if dns.CanonicalName(h.Name) != name || h.Class != dns.ClassINET {
				continue
			}
			switch c, alias := rr.(*dns.CNAME); {
			case h.Rrtype == q.kind:
				out = append(out, rr)
			case alias && next == "":
				next = dns.CanonicalName(c.Target)
			default:
				continue
			}
			ttl = min(ttl, time.Duration(h.Ttl)*time.Second)
		}
		if len(out) > 0 {
			return out, max(ttl, a.cfg.MinTTL), nil
		}
		if next == "" {
			return nil, a.negative(m), nil
		}
		name = next
	}
	return nil, 0, errors.New("aliases without end")
}

// negative is how long the absence of a record may be remembered (RFC 2308 section 5).
func (a *asker) negative(m *dns.Msg) time.Duration {
	ttl := a.cfg.NegativeTTL
	for _, rr := range m.Ns {
		if s, ok := rr.(*dns.SOA); ok {
			ttl = min(ttl, time.Duration(min(s.Minttl, s.Hdr.Ttl))*time.Second)
		}
	}
	return max(ttl, a.cfg.MinTTL)
}
