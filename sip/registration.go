package sip

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// RegisterConfig describes a registration of ours with another server, as a phone or a trunk keeps one.
type RegisterConfig struct {
	// AOR is the address of record, sip:user@domain. Required.
	AOR string
	// Address is the server, "host:port", over TLS; its certificate must be valid for the domain of AOR. Required.
	Address string
	// Client is used for the connection to Address: the certificate that we show, the roots that we trust. If zero, Config.Client.
	Client TLSConfig
	// Password answers the digest challenge. Required.
	Password string
	// AuthUser is the user name for the challenge. If empty, that of AOR.
	AuthUser string
	// Expires is the lifetime that is asked for. If zero, 10 minutes. It is refreshed at half of what the server grants.
	Expires time.Duration
	// Instance is a URN that names this device for ever, such as urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6 (RFC 5626 section 4.1). With one the
	// server can keep several flows, replace those of before a restart, and give the device an address of its own. If empty, none is sent.
	Instance string
	// RegID is the number of this flow of Instance, from 1 (RFC 5626 section 4.2). If zero, 1. Without Instance it is not used.
	RegID uint32
	// OnState is told of each change of State, in order, in a goroutine of the registration; it must neither block nor call Close. err says why it is
	// not registered. The first registration is told by Register itself. If nil, nobody is told.
	OnState func(s RegistrationState, err error)
}

// RegistrationState is how a Registration stands.
type RegistrationState int

const (
	// Registered: the server has the contact, and its connection stands.
	Registered RegistrationState = iota + 1
	// Lost: the connection ended or the server refused; it is tried again and again.
	Lost
	// Closed: Close was called, or the endpoint is closed.
	Closed
)

// String returns the name of the state.
func (s RegistrationState) String() string {
	switch s {
	case Registered:
		return "registered"
	case Lost:
		return "lost"
	case Closed:
		return "closed"
	}
	return "state " + strconv.Itoa(int(s))
}

// Registration is kept alive until Close: it is refreshed in time, its connection is kept alive if the server says how (RFC 5626 section 4.4), and when
// that ends, another one is made. All methods are safe for concurrent use.
type Registration struct {
	ep     *Endpoint
	cfg    RegisterConfig
	aor    msg.Uri
	callID string
	tag    string
	stop   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
	done   chan struct{}

	sending sync.Mutex // one REGISTER at a time (RFC 3261 section 10.2); taken before mu
	seq     uint32     // guarded by sending

	mu    sync.Mutex
	state RegistrationState
	err   error
	got   grant
}

// grant is what a server answered to REGISTER.
type grant struct {
	conn      *conn
	life      time.Duration
	keepAlive time.Duration // of the flow; zero if the server knows nothing of it
	pub, temp string
}

// Register registers and keeps the registration fresh. It returns once the server has accepted; a refusal is a *StatusError.
func (ep *Endpoint) Register(ctx context.Context, rc RegisterConfig) (*Registration, error) {
	aor, err := parseURI(rc.AOR)
	if err != nil {
		return nil, err
	}
	if rc.Address == "" || rc.Password == "" || aor.User == "" {
		return nil, errors.New("sip: RegisterConfig needs AOR, Address and Password")
	}
	if checkText(rc.Instance) != nil || strings.ContainsAny(rc.Instance, "\"<>\\ ") {
		return nil, fmt.Errorf("%w: RegisterConfig.Instance", ErrMalformed)
	}
	if rc.Expires <= 0 {
		rc.Expires = 10 * time.Minute
	}
	if rc.RegID == 0 {
		rc.RegID = 1
	}
	if rc.AuthUser == "" {
		rc.AuthUser = aor.User
	}
	if rc.OnState == nil {
		rc.OnState = func(RegistrationState, error) {}
	}
	r := &Registration{ep: ep, cfg: rc, aor: aor, callID: randomID(), tag: randomID(), stop: make(chan struct{}), done: make(chan struct{})}
	got, err := r.register(ctx, rc.Expires)
	if err != nil {
		return nil, err
	}
	r.set(Registered, nil, got)
	r.wg.Add(1)
	go r.keep(got) // stopped and waited for by Close
	return r, nil
}

// State returns how the registration stands.
func (r *Registration) State() RegistrationState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Err says why the registration is lost; nil while it stands and after Close.
func (r *Registration) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Done is closed when the registration is closed.
func (r *Registration) Done() <-chan struct{} { return r.done }

// GRUU returns the addresses of this device that the server gave it (RFC 5627): a public one, which names user and device, and a temporary one, which
// names neither. They are empty if the server has none.
func (r *Registration) GRUU() (public, temporary string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.pub, r.got.temp
}

func (r *Registration) set(s RegistrationState, err error, got grant) {
	r.mu.Lock()
	changed := r.state != s
	r.state, r.err, r.got = s, err, got
	r.mu.Unlock()
	if changed {
		r.cfg.OnState(s, err)
	}
}

// Close removes the registration and waits for the server to confirm, or for ctx.
func (r *Registration) Close(ctx context.Context) error {
	var err error
	r.once.Do(func() {
		close(r.stop)
		r.wg.Wait()
		_, err = r.register(ctx, 0)
	})
	return err
}

// register sends one REGISTER, again with credentials or another lifetime when asked, and returns what the server granted.
func (r *Registration) register(ctx context.Context, expires time.Duration) (grant, error) {
	how := dialed{address: r.cfg.Address, serverName: canonicalHost(r.aor.Host), client: r.cfg.Client}
	c, err := r.ep.out.connect(ctx, how)
	if err != nil {
		return grant{}, err
	}
	r.sending.Lock()
	defer r.sending.Unlock()
	proof := r.ep.proofAt(&how, streamSource(c), r.aor.Host, r.cfg.AuthUser, r.cfg.Password)
	for try := 0; ; try++ {
		req, contact := r.request(c, expires)
		sent := prove(proof, req)
		res, err := r.ep.transact(ctx, req)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return grant{}, fmt.Errorf("sip: REGISTER: %w", err)
		}
		switch code := res.StatusCode; {
		case try < 4 && challenged(proof, req, res, sent):
		case code == 423 && try < 4 && expires > 0: // RFC 3261 section 10.2.8
			least := secondsOf(res, "Min-Expires")
			if least <= expires {
				return grant{}, &StatusError{Code: 423, Method: "REGISTER"}
			}
			expires = least
		case code < 200 || code > 299:
			return grant{}, statusError(res, "REGISTER")
		default:
			return r.granted(res, c, contact, expires), nil
		}
	}
}

// secondsOf reads a header that begins with a number of them; zero if there is none, at most a day.
func secondsOf(res *msg.Response, name string) time.Duration {
	h := res.GetHeader(name)
	if h == nil {
		return 0
	}
	v := strings.TrimSpace(h.Value())
	if i := strings.IndexFunc(v, func(c rune) bool { return c < '0' || c > '9' }); i >= 0 {
		v = v[:i]
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(min(n, 86400)) * time.Second
}

func (r *Registration) request(c *conn, expires time.Duration) (*msg.Request, *msg.ContactHeader) {
	src := source{conn: c, network: "TLS", addr: c.RemoteAddr().String()}
	r.seq++
	req := msg.NewRequest(msg.REGISTER, msg.Uri{Scheme: "sip", Host: r.aor.Host, Port: r.aor.Port})
	req.AppendHeader(via("TLS"))
	mf := msg.MaxForwardsHeader(70)
	req.AppendHeader(&mf)
	req.AppendHeader(&msg.FromHeader{Address: *r.aor.Clone(), Params: tagParams(r.tag)})
	req.AppendHeader(&msg.ToHeader{Address: *r.aor.Clone()})
	id := msg.CallIDHeader(r.callID)
	req.AppendHeader(&id)
	req.AppendHeader(&msg.CSeqHeader{SeqNo: r.seq, MethodName: msg.REGISTER})
	contact := &msg.ContactHeader{Address: r.ep.contactFor(src, r.aor.User), Params: msg.NewParams()}
	if r.cfg.Instance != "" { // RFC 5626 section 4.2.1
		contact.Address.UriParams.Add("ob", "")
		contact.Params.Add("+sip.instance", `"<`+r.cfg.Instance+`>"`)
		contact.Params.Add("reg-id", strconv.FormatUint(uint64(r.cfg.RegID), 10))
		req.AppendHeader(header("Supported", "path, outbound, gruu"))
	} else {
		req.AppendHeader(header("Supported", "path"))
	}
	req.AppendHeader(contact)
	req.AppendHeader(header("Expires", strconv.Itoa(int(expires/time.Second))))
	if r.ep.cfg.UserAgent != "" {
		req.AppendHeader(header("User-Agent", r.ep.cfg.UserAgent))
	}
	req.SetTransport("TLS")
	req.SetDestination(src.addr)
	req.SetBody(nil)
	return req, contact
}

// granted reads the answer. Other contacts of the same user stand in it as well: only what is said of ours counts.
func (r *Registration) granted(res *msg.Response, c *conn, ours *msg.ContactHeader, asked time.Duration) grant {
	g := grant{conn: c, life: asked, keepAlive: secondsOf(res, "Flow-Timer")}
	if h := res.GetHeader("Expires"); h != nil {
		if life := secondsOf(res, "Expires"); life > 0 {
			g.life = life
		}
	}
	if g.keepAlive == 0 && optionTags(res, "Require")["outbound"] {
		g.keepAlive = defaultFlowTimer
	}
	for _, h := range res.GetHeaders("Contact") {
		c, ok := contactHeader(h)
		if !ok || c.Address.User != ours.Address.User || c.Address.Host != ours.Address.Host || c.Address.Port != ours.Address.Port {
			continue
		}
		if e, ok := param(c.Params, "expires"); ok {
			if n, err := strconv.Atoi(e); err == nil && n > 0 {
				g.life = time.Duration(n) * time.Second
			}
		}
		pub, _ := param(c.Params, "pub-gruu")
		temp, _ := param(c.Params, "temp-gruu")
		g.pub, g.temp = gruuOf(pub), gruuOf(temp)
	}
	return g
}

// gruuOf takes an address from a quoted parameter, if it is one that can be written into a message.
func gruuOf(v string) string {
	v = strings.Trim(v, `"`)
	if _, err := parseURI(v); err != nil {
		return ""
	}
	return v
}
