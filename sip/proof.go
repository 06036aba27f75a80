package sip

import (
	"sync"
	"sync/atomic"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/digest"
)

// proofs are the digest clients of an endpoint, so that the second request to a server brings its proof along and need not be asked for it. There is one
// per server, user and password: whoever does not know the password of a user uses nothing that another one was given. It is bounded, and ends with
// the endpoint.
type proofs struct {
	mu         sync.Mutex
	young, old map[proofKey]*prover // what was not asked for while young filled up is forgotten
}

// maxProofs bounds each half of proofs.
const maxProofs = 4096

// prover is what one server is shown.
type prover struct {
	*digest.Client
	// inside: the server has asked for a proof inside a dialog. Most do not, who know the connection, and one that is shown a nonce that ran out during a
	// long call would have to refuse it.
	inside atomic.Bool
}

// proofKey names who proves what to whom. It cannot be printed.
type proofKey struct {
	at       route  // for a flow, its name is the address
	domain   string // of the user: two tenants may have the same user
	user     string
	password string
}

func (proofKey) String() string   { return "[redacted]" }
func (proofKey) GoString() string { return "[redacted]" }

// client returns the digest client for key.
func (p *proofs) client(key proofKey) *prover {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.young[key]
	if c != nil {
		return c
	}
	if c = p.old[key]; c == nil {
		c = &prover{Client: digest.NewClient(key.user, key.password)}
	}
	if len(p.young) >= maxProofs {
		p.young, p.old = nil, p.young
	}
	if p.young == nil {
		p.young = make(map[proofKey]*prover)
	}
	p.young[key] = c
	return c
}

func (p *proofs) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.young, p.old = nil, nil
}

// proofAt returns what answers the challenges of a server, nil without a password. In the clear nothing is answered, unless a waiver says so: anybody
// on the way could ask, and attack the answer offline.
func (ep *Endpoint) proofAt(how *dialed, src source, domain, user, password string) *prover {
	if password == "" || !src.secure && !ep.plainDigest.Load() {
		return nil
	}
	var at route
	if how != nil {
		at = route{how.address, how.serverName, how.client.cfg}
	} else {
		at = route{address: src.flow()}
	}
	return ep.proofs.client(proofKey{at, canonicalHost(domain), user, password})
}

// prove adds to a request what its server has asked for before, and returns it.
func prove(c *prover, req *msg.Request) []digest.Field {
	if c == nil || insideDialog(req) && !c.inside.Load() {
		return nil
	}
	fs := c.Authorize(string(req.Method), uriText(&req.Recipient))
	for _, f := range fs {
		req.AppendHeader(header(f.Name, f.Value))
	}
	return fs
}

// challenged takes the challenges of a response to what prove has added. It reports whether another try may help: not for a response that asks for
// nothing, nor where the same answer was refused already, which could lock the user.
func challenged(c *prover, req *msg.Request, res *msg.Response, sent []digest.Field) bool {
	if c == nil || res.StatusCode != 401 && res.StatusCode != 407 {
		return false
	}
	name, proxy := "WWW-Authenticate", false
	if res.StatusCode == 407 {
		name, proxy = "Proxy-Authenticate", true
	}
	var values []string
	for h := range headers(res, name) {
		values = append(values, h.Value())
	}
	if c.Challenged(values, proxy, sent) != nil {
		return false
	}
	if insideDialog(req) {
		c.inside.Store(true)
	}
	return true
}

func insideDialog(req *msg.Request) bool {
	_, tagged := param(req.To().Params, "tag")
	return tagged
}
