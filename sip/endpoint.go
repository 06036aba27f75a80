package sip

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/digest"
	"github.com/ringfence/ringfence/sip/internal/insecure"
)

// Endpoint is a SIP user agent: it serves listeners, answers and places calls, keeps registrations. All methods are safe for concurrent use.
type Endpoint struct {
	cfg     Config
	log     *slog.Logger
	tp      *msg.TransportLayer
	tx      *msg.TransactionLayer
	auth    *digest.Server
	conns   *connTable
	stats   counters
	out     *outbox // connections that we open
	guards  *guards // against strangers
	caps    capabilities
	subs    subscriptions
	watches watches
	proofs  proofs

	mu        sync.Mutex
	dialogs   map[dialogID]*Call
	invites   map[inviteID]*placed // calls we placed, from their INVITE until 64*T1 after their end, to answer every 2xx
	over      []overInvite         // those of calls that are over, in the order in which they are to be forgotten
	pending   map[pendingID]*Call  // INVITEs without an answer, to recognise merged requests and to find by CANCEL
	listeners map[*listener]struct{}
	sockets   map[netip.AddrPort]int // of datagrams, being served
	closed    bool
	draining  atomic.Bool
	// plainDigest is set by a waiver that lets passwords be asked for on plaintext.
	plainDigest atomic.Bool
	live        atomic.Int64
	wg          sync.WaitGroup
	done        chan struct{}
	supported   string          // option tags, as Supported says them
	life        context.Context // ends with the endpoint
	end         context.CancelFunc
}

type counters struct {
	refusedConns, failedHandshakes, refusedAuth, calls, refusedCalls, parseErrors atomic.Uint64
	malformed, rateLimited, lockedAuth, bans, refusedBanned, refusedUpgrades      atomic.Uint64
}

// Stats are counters since start, for metrics.
type Stats struct {
	RefusedConns, FailedHandshakes, RefusedAuth, Calls, RefusedCalls, ParseErrors uint64
	LiveCalls, Conns                                                              int

	// Malformed are messages that RFC 3261 does not allow or that answer nothing; they were answered or dropped before they cost anything.
	Malformed uint64
	// RateLimited are requests over Config.RequestRate or Config.TotalRate.
	RateLimited uint64
	// LockedAuth are answers to a challenge that were refused unseen, because there were too many wrong ones before.
	LockedAuth uint64
	// Bans are bans imposed; RefusedBanned are connections and messages of banned sources.
	Bans, RefusedBanned uint64
	// RefusedUpgrades are connections to ServeWSS that did not become a WebSocket.
	RefusedUpgrades uint64
}

var setLibraryGlobals = sync.OnceFunc(func() {
	// The library's only process-wide settings, set here and nowhere else. A datagram of ours may exceed its 1300-byte refusal: an INVITE with
	// SDES keys does, and under the waiver of a lab there is no TCP to switch to.
	msg.UDPMTUSize = 65535
	// The library says 100 by itself after 200 ms, from a timer, to whoever asks. It never comes to that: sayTrying says it, and only to a caller who is known.
	msg.Timer_1xx = time.Hour
	msg.SetDefaultLogger(slog.New(slog.DiscardHandler))
})

// New returns an Endpoint that serves nothing yet. The caller must Close it.
func New(cfg Config) (*Endpoint, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	setLibraryGlobals()
	life, end := context.WithCancel(context.Background())
	ep := &Endpoint{
		life: life, end: end, supported: extensions,
		cfg: cfg, log: cfg.Logger, auth: digest.NewServer(defaultNonceLife),
		dialogs: make(map[dialogID]*Call), invites: make(map[inviteID]*placed), pending: make(map[pendingID]*Call), listeners: make(map[*listener]struct{}), sockets: make(map[netip.AddrPort]int), guards: newGuards(cfg), done: make(chan struct{}),
	}
	if cfg.OnReplace != nil {
		ep.supported += ", replaces"
	}
	ep.caps = capabilitiesOf(cfg, ep.supported)
	ep.conns = &connTable{perSource: make(map[string]int), byFlow: make(map[string]*conn), max: cfg.MaxConns, maxSource: cfg.MaxPerSource, onGone: ep.flowGone}
	lib := slog.New(&libraryLog{out: cfg.Logger, errors: &ep.stats.parseErrors})
	parser := msg.NewParser(msg.WithHeadersParsers(headerParsers()))
	parser.MaxMessageLength = maxMessage
	tcp := &msg.TransportTCP{WriteTimeout: 10 * time.Second, DialerCreate: noDialer}
	tlsTransport := &msg.TransportTLS{TransportTCP: &msg.TransportTCP{WriteTimeout: 10 * time.Second, DialerCreate: noDialer}}
	ep.tp = msg.NewTransportLayer(noResolver(), parser, nil, msg.WithTransportLayerLogger(lib),
		msg.WithTransportLayerTransports(msg.TransportsConfig{TCP: tcp, TLS: tlsTransport}))
	ep.tp.OnMessage(ep.arrived) // before the transaction layer adds its own
	ep.tx = msg.NewTransactionLayer(ep.tp, msg.WithTransactionLayerLogger(lib), msg.WithTransactionLayerUnhandledResponseHandler(ep.onStray))
	ep.tx.OnRequest(ep.onRequest)
	ep.out = newOutbox(ep)
	ep.wg.Add(3)
	go ep.flushLoop()  // stopped and waited for by Close
	go ep.expireLoop() // stopped and waited for by Close
	go func() {        // stopped by outbox.close, waited for by Close
		defer ep.wg.Done()
		_ = ep.tp.ServeTLS(ep.out) // its only error is that the outbox was closed
	}()
	return ep, nil
}

// headerParsers are the library's parsers of the headers that it or we need taken apart. Others stay text: some of its parsers refuse what RFC 3515 allows,
// a Refer-To without angle brackets, and all cost time.
func headerParsers() map[string]msg.HeaderParser {
	all, need := msg.DefaultHeadersParser(), make(map[string]msg.HeaderParser)
	for _, name := range []string{"from", "to", "contact", "call-id", "cseq", "via", "max-forwards", "content-length"} {
		need[name] = all[name]
	}
	return need
}

// noDialer refuses every connection that the library would open by itself: it dials the source address of a lost connection, which an
// attacker could have chosen. Connections of ours are opened by the outbox.
func noDialer(net.Addr) net.Dialer {
	return net.Dialer{Control: func(string, string, syscall.RawConn) error { return ErrFlowGone }}
}

// noResolver asks nobody. The library would look up the host of a Via header when a connection is gone, which lets a stranger choose what we
// ask of whom.
func noResolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, ErrFlowGone }}
}

// flushLoop writes what the registrar has learned, apart from expireLoop: a slow disk must not keep a phone reachable that is gone.
func (ep *Endpoint) flushLoop() {
	defer ep.wg.Done()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for last := false; !last; {
		select {
		case <-ep.done:
			last = true
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := ep.cfg.Registrar.Flush(ctx); err != nil {
			ep.log.Error("sip: registrations not saved; trying again", "err", err)
		}
		cancel()
	}
}

func (ep *Endpoint) expireLoop() {
	defer ep.wg.Done()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ep.done:
			return
		case now := <-t.C:
			ep.cfg.Registrar.Expire(now)
			ep.subs.expire(now)
			ep.forgetInvites(now)
		}
	}
}

// ServeTLS serves phones and trunks on l until ctx ends or the endpoint is closed. l is a TCP listener; TLS is done here with cfg, made by
// ServerTLS. It always returns an error, ErrClosed after Close or the end of ctx.
func (ep *Endpoint) ServeTLS(ctx context.Context, l net.Listener, cfg TLSConfig) error {
	if err := cfg.forServer(); err != nil {
		return err
	}
	return ep.serve(ctx, l, door{tls: cfg}, ep.tp.ServeTLS)
}

// ServeInsecure serves a plaintext TCP listener. Only package insecuretransport can call it: nobody else can make a waiver.
func (ep *Endpoint) ServeInsecure(ctx context.Context, l net.Listener, w insecure.Waiver) error {
	if !w.Valid(time.Now()) {
		return errors.New("sip: plaintext needs a valid waiver")
	}
	if w.Digest {
		ep.plainDigest.Store(true)
	}
	return ep.serve(ctx, l, door{}, ep.tp.ServeTCP)
}

// ServeInsecurePacket serves a plaintext UDP socket, like ServeInsecure.
func (ep *Endpoint) ServeInsecurePacket(ctx context.Context, pc net.PacketConn, w insecure.Waiver) error {
	if !w.Valid(time.Now()) {
		return errors.New("sip: plaintext needs a valid waiver")
	}
	if w.Digest {
		ep.plainDigest.Store(true)
	}
	stop := context.AfterFunc(ctx, func() { pc.Close() })
	defer stop()
	served := make(chan struct{})
	defer close(served)
	if !ep.spawn(func() { // ends with this function or the endpoint
		select {
		case <-ep.done:
			pc.Close()
		case <-served:
		}
	}) {
		pc.Close()
		return ErrClosed
	}
	local := socketOf(pc)
	ep.countSocket(local, 1)
	defer ep.countSocket(local, -1)
	err := newPacketGuard(pc, ep).serve()
	if ctx.Err() != nil || ep.isClosed() {
		return ErrClosed
	}
	return err
}

func (ep *Endpoint) countSocket(local netip.AddrPort, n int) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.sockets[local] += n; ep.sockets[local] == 0 {
		delete(ep.sockets, local)
	}
}

func (ep *Endpoint) serve(ctx context.Context, l net.Listener, d door, serve func(net.Listener) error) error {
	ep.mu.Lock()
	if ep.closed {
		ep.mu.Unlock()
		l.Close()
		return ErrClosed
	}
	g := newListener(ep, l, d)
	ep.listeners[g] = struct{}{}
	ep.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { g.cancel(); l.Close() })
	defer stop()
	err := serve(g)
	g.Close()
	ep.mu.Lock()
	delete(ep.listeners, g)
	ep.mu.Unlock()
	if ctx.Err() != nil || ep.isClosed() || errors.Is(err, net.ErrClosed) {
		return ErrClosed
	}
	return fmt.Errorf("sip: serve: %w", err)
}

// spawn runs f in a goroutine that Close waits for; after Close it does nothing and returns false. f must end when ep.done is closed, or soon by itself.
func (ep *Endpoint) spawn(f func()) bool {
	ep.mu.Lock()
	if ep.closed {
		ep.mu.Unlock()
		return false
	}
	ep.wg.Add(1)
	ep.mu.Unlock()
	go func() { // ends with f, waited for by Close
		defer ep.wg.Done()
		f()
	}()
	return true
}

func (ep *Endpoint) isClosed() bool {
	select {
	case <-ep.done:
		return true
	default:
		return false
	}
}

// Drain refuses new calls and registrations with 503 from now on; calls in progress go on. Wait for Stats().LiveCalls to reach zero, then Close.
func (ep *Endpoint) Drain() { ep.draining.Store(true) }

// Stats returns the counters.
func (ep *Endpoint) Stats() Stats {
	ep.conns.mu.Lock()
	n := ep.conns.total
	ep.conns.mu.Unlock()
	s := &ep.stats
	return Stats{
		s.refusedConns.Load(), s.failedHandshakes.Load(), s.refusedAuth.Load(), s.calls.Load(), s.refusedCalls.Load(), s.parseErrors.Load(), int(ep.live.Load()), n,
		s.malformed.Load(), s.rateLimited.Load(), s.lockedAuth.Load(), s.bans.Load(), s.refusedBanned.Load(), s.refusedUpgrades.Load(),
	}
}

// Close ends every call with BYE as far as that goes at once, closes every connection and waits for all goroutines of the endpoint.
func (ep *Endpoint) Close() error {
	ep.mu.Lock()
	if ep.closed {
		ep.mu.Unlock()
		return nil
	}
	ep.closed = true
	calls := make([]*Call, 0, len(ep.dialogs)+len(ep.pending))
	for _, c := range ep.dialogs {
		calls = append(calls, c)
	}
	for _, c := range ep.pending {
		calls = append(calls, c)
	}
	listeners := make([]*listener, 0, len(ep.listeners))
	for l := range ep.listeners {
		listeners = append(listeners, l)
	}
	ep.mu.Unlock()
	for _, c := range calls {
		c.shut()
	}
	close(ep.done)
	ep.end()
	ep.subs.close()
	ep.out.close()
	for _, l := range listeners {
		l.Close()
	}
	ep.tx.Close()
	_ = ep.tp.Close() // it closes connections; that a peer was gone before us is no error of ours
	ep.conns.closeAll()
	ep.wg.Wait()
	ep.proofs.clear()
	return nil
}

// randomID returns 128 bits as hex: tags, Call-IDs and branches that cannot be guessed, so that nobody off path can touch a dialog.
func randomID() string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic("sip: no randomness: " + err.Error())
	}
	var text [32]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}

// libraryLog passes on what the library logs at warning and above, without the message texts it adds: those hold credentials and SDES keys.
type libraryLog struct {
	out    *slog.Logger
	errors *atomic.Uint64
}

func (l *libraryLog) Enabled(_ context.Context, lv slog.Level) bool { return lv >= slog.LevelWarn }
func (l *libraryLog) WithGroup(string) slog.Handler                 { return l }
func (l *libraryLog) WithAttrs([]slog.Attr) slog.Handler            { return l }
func (l *libraryLog) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "parse") {
		l.errors.Add(1)
	}
	// Debug only: every line of it can be caused by a stranger, and a log that strangers can fill is a weapon.
	l.out.Debug("sip library", "event", r.Message)
	return nil
}
