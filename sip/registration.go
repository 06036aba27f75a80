package sip

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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
	// Password answers the digest challenge. Required.
	Password string
	// Expires is the lifetime that is asked for. If zero, 10 minutes. It is refreshed at half of what the server grants.
	Expires time.Duration
}

// Registration is kept alive until Close.
type Registration struct {
	ep     *Endpoint
	cfg    RegisterConfig
	aor    msg.Uri
	callID string
	tag    string
	stop   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup

	mu  sync.Mutex
	seq uint32
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
	if rc.Expires <= 0 {
		rc.Expires = 10 * time.Minute
	}
	r := &Registration{ep: ep, cfg: rc, aor: aor, callID: randomID(), tag: randomID(), stop: make(chan struct{})}
	granted, err := r.once1(ctx, rc.Expires)
	if err != nil {
		return nil, err
	}
	r.wg.Add(1)
	go r.refresh(granted) // stopped and waited for by Close
	return r, nil
}

func (r *Registration) refresh(granted time.Duration) {
	defer r.wg.Done()
	for {
		t := time.NewTimer(max(granted/2, time.Second))
		select {
		case <-r.stop:
			t.Stop()
			return
		case <-r.ep.done:
			t.Stop()
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		g, err := r.once1(ctx, r.cfg.Expires)
		cancel()
		if err != nil {
			r.ep.log.Warn("sip: registration not refreshed", "err", err)
			granted = 10 * time.Second // try again in five
			continue
		}
		granted = g
	}
}

// Close removes the registration and waits for the server to confirm, or for ctx.
func (r *Registration) Close(ctx context.Context) error {
	var err error
	r.once.Do(func() {
		close(r.stop)
		r.wg.Wait()
		_, err = r.once1(ctx, 0)
	})
	return err
}

// once1 sends one REGISTER, with credentials when asked, and returns the lifetime granted.
func (r *Registration) once1(ctx context.Context, expires time.Duration) (time.Duration, error) {
	c, err := r.ep.out.connect(ctx, dialed{address: r.cfg.Address, serverName: canonicalHost(r.aor.Host)})
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	src := source{conn: c, network: "TLS", addr: c.RemoteAddr().String()}
	var auth Header
	for try := 0; ; try++ {
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
		req.AppendHeader(&msg.ContactHeader{Address: r.ep.contactFor(src, r.aor.User)})
		req.AppendHeader(header("Expires", strconv.Itoa(int(expires/time.Second))))
		if auth.Name != "" {
			req.AppendHeader(header(auth.Name, auth.Value))
		}
		req.SetTransport("TLS")
		req.SetDestination(src.addr)
		req.SetBody(nil)
		res, err := r.ep.transact(ctx, req)
		if err != nil {
			return 0, fmt.Errorf("sip: REGISTER: %w", err)
		}
		switch {
		case res.StatusCode == 401 && try < 2:
			if auth, err = answerChallenge(r.ep, res, req, r.aor.User, r.cfg.Password); err != nil {
				return 0, err
			}
		case res.StatusCode != 200:
			return 0, &StatusError{Code: res.StatusCode, Method: "REGISTER"}
		default:
			return grantedLife(res, expires), nil
		}
	}
}

func grantedLife(res *msg.Response, asked time.Duration) time.Duration {
	for _, h := range res.GetHeaders("Contact") {
		for _, v := range splitList(h.Value()) {
			var u msg.Uri
			params := msg.NewParams()
			if _, err := msg.ParseAddressValue(v, &u, &params); err != nil {
				continue
			}
			if e, ok := param(params, "expires"); ok {
				if n, err := strconv.Atoi(e); err == nil && n > 0 {
					return time.Duration(n) * time.Second
				}
			}
		}
	}
	return asked
}
