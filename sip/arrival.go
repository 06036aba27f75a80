package sip

import (
	"slices"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// The library serves each message in a goroutine of its own, so a 503 can be seen before the 180 that was sent first, and the second digit of an INFO
// before the first. What is here is told of each message by the reader of its connection, before that, and keeps the order.

// arrived is called by the reader. It must not block.
func (ep *Endpoint) arrived(m msg.Message) {
	switch m := m.(type) {
	case *msg.Request:
		ep.queueUp(m)
		tagNewcomer(m)
	case *msg.Response:
		ep.heardOf(m)
	}
}

// newcomer marks a request that may make a dialog, and holds our tag of it. It is a type, and not a text, so that no peer can write one; nothing that is
// sent takes it over.
type newcomer struct{ msg.Header }

// tagNewcomer writes our To tag into a request that may make a dialog: one tag for every response to it (RFC 3261 section 8.2.6.2), the library's 487 to a
// CANCEL included. It is written here because the request is the library's from when its transaction begins: a CANCEL is answered from it, by another
// goroutine, while we may be asking who has sent it. Nobody may change a request after this.
func tagNewcomer(req *msg.Request) {
	if req.Method != msg.INVITE && req.Method != msg.SUBSCRIBE || req.To() == nil {
		return
	}
	if tag, _ := param(req.To().Params, "tag"); tag != "" {
		return
	}
	tag := randomID()
	req.To().Params.Add("tag", tag)
	req.AppendHeader(newcomer{header("(our tag)", tag)})
}

// dialogOf returns the tag of the dialog that a request is in, or, if it is in none, the one that it may make.
func dialogOf(req *msg.Request) (in, ours string) {
	if all := req.Headers(); len(all) > 0 {
		if n, ok := all[len(all)-1].(newcomer); ok {
			return "", n.Value()
		}
	}
	in, _ = param(req.To().Params, "tag")
	return in, ""
}

// queueUp gives a request in a dialog its turn, if it comes by the flow of the dialog: who comes another way has to prove more first.
func (ep *Endpoint) queueUp(req *msg.Request) {
	switch req.Method {
	case msg.ACK, msg.CANCEL, msg.SUBSCRIBE: // the first two have the number of another request, the last is in no call
		return
	}
	if req.To() == nil || req.From() == nil || req.CSeq() == nil || req.CallID() == nil || req.Via() == nil {
		return
	}
	if tag, _ := param(req.To().Params, "tag"); tag == "" {
		return
	}
	c := ep.findDialog(req)
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	seq := req.CSeq().SeqNo
	if seq > c.d.remoteSeq && c.d.addr == req.Source() && carrier(c.d.network) == req.Transport() && c.lane.join(placeOf(req)) {
		c.d.remoteSeq = seq
	}
}

// place is a request in a lane. The branch tells it from another with the same number, which is none of ours.
type place struct {
	seq    uint32
	branch string
}

func placeOf(req *msg.Request) place {
	branch, _ := param(req.Via().Params, "branch")
	return place{req.CSeq().SeqNo, branch}
}

// maxLane bounds the requests of one dialog that wait for each other. Those beyond it are served in any order.
const maxLane = 128

// lane is the requests of one dialog in the order of their arrival. It is guarded by Call.mu.
type lane struct {
	queue []waiting
}

type waiting struct {
	place
	come chan struct{} // closed when it is first; made by who waits for that
}

func (l *lane) join(p place) bool {
	if len(l.queue) >= maxLane {
		return false
	}
	l.queue = append(l.queue, waiting{place: p})
	return true
}

func (l *lane) find(p place) int {
	return slices.IndexFunc(l.queue, func(w waiting) bool { return w.place == p })
}

// enter reports whether p has a place; if others are before it, come is closed when they are not.
func (l *lane) enter(p place) (come <-chan struct{}, joined bool) {
	i := l.find(p)
	switch {
	case i < 0:
		return nil, false
	case i == 0:
		return nil, true
	}
	if l.queue[i].come == nil {
		l.queue[i].come = make(chan struct{})
	}
	return l.queue[i].come, true
}

// leave gives up the first n places, and has the next one come.
func (l *lane) leave(n int) {
	for _, w := range l.queue[:n] {
		if w.come != nil {
			close(w.come)
		}
	}
	if l.queue = l.queue[n:]; len(l.queue) == 0 {
		l.queue = nil
		return
	}
	if w := &l.queue[0]; w.come != nil {
		close(w.come)
		w.come = nil
	}
}

// awaitTurn waits until the requests that came before req are served. It waits T1 at most: one that the library took for a repetition never comes,
// and who ends a call must not wait for a slow handler. joined is false for a request that has no turn; for others leave must be called.
func (c *Call) awaitTurn(req *msg.Request) (leave func(), joined bool) {
	p := placeOf(req)
	c.mu.Lock()
	come, joined := c.lane.enter(p)
	c.mu.Unlock()
	if !joined {
		return nil, false
	}
	if come != nil {
		limit := time.NewTimer(t1)
		select {
		case <-come:
		case <-limit.C:
			c.mu.Lock()
			c.lane.leave(max(c.lane.find(p), 0)) // those before it
			c.mu.Unlock()
		case <-c.ep.done:
		}
		limit.Stop()
	}
	return func() {
		c.mu.Lock()
		c.lane.leave(c.lane.find(p) + 1)
		c.mu.Unlock()
	}, true
}

// placed is an INVITE of ours. It is remembered for 64*T1 after its call, to answer every 2xx; the call itself is forgotten when it is over. It is
// guarded by Endpoint.mu.
type placed struct {
	call *Call  // nil: over
	d    dialog // then

	// While the transaction runs:
	running  bool
	seq      uint32
	branch   string
	tx       *msg.ClientTx // nil until the request is written
	heard    []*msg.Response
	overflow bool
	answered chan *msg.Response // the 2xx that was kept from the library
	taken    *msg.Response      // the same, until the library has passed it over
}

// begin makes p ready for a transaction of req.
func (p *placed) begin(req *msg.Request) {
	p.running, p.seq, p.answered = true, req.CSeq().SeqNo, make(chan *msg.Response, 1)
	p.branch, _ = param(req.Via().Params, "branch")
}

// maxHeard bounds the responses to one INVITE that are kept in order. Those beyond it are taken as the library brings them.
const maxHeard = 32

// heardOf notes a response to an INVITE of ours in its order. The 2xx of a reliable transport is not left to the library's transaction: that would stay
// for 64*T1 with request and response (RFC 6026, timer M), and another 2xx is taken by onStray all the same.
func (ep *Endpoint) heardOf(res *msg.Response) {
	if res.CSeq() == nil || res.CSeq().MethodName != msg.INVITE || res.From() == nil || res.CallID() == nil || res.Via() == nil {
		return
	}
	tag, _ := param(res.From().Params, "tag")
	branch, _ := param(res.Via().Params, "branch")
	ep.mu.Lock()
	p := ep.invites[inviteID{res.CallID().Value(), tag}]
	if p == nil || !p.running || p.seq != res.CSeq().SeqNo || p.branch != branch {
		ep.mu.Unlock()
		return
	}
	if len(p.heard) < maxHeard {
		p.heard = append(p.heard, res)
	} else {
		p.overflow = true
	}
	tx, take := p.tx, p.tx != nil && res.IsSuccess() && res.Transport() != "UDP"
	if take {
		p.tx, p.taken = nil, res
		p.answered <- res // there is room for one, and there is one
	}
	ep.mu.Unlock()
	if take {
		tx.Terminate()
	}
}

// upTo returns what was heard up to res and was not returned before, res included; nothing if res itself was returned before.
func (ep *Endpoint) upTo(p *placed, res *msg.Response) []*msg.Response {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	i := slices.Index(p.heard, res)
	switch {
	case i >= 0:
		out := p.heard[:i+1]
		p.heard = p.heard[i+1:]
		return out
	case p.overflow || res.StatusCode >= 200:
		return []*msg.Response{res}
	}
	return nil
}

// onStray takes a response for which the library has no transaction.
func (ep *Endpoint) onStray(res *msg.Response) {
	if !res.IsSuccess() || res.CSeq() == nil || res.CSeq().MethodName != msg.INVITE || res.From() == nil || res.CallID() == nil {
		return
	}
	tag, _ := param(res.From().Params, "tag")
	ep.mu.Lock()
	p := ep.invites[inviteID{res.CallID().Value(), tag}]
	ours := p != nil && p.taken == res
	if ours {
		p.taken = nil
	}
	ep.mu.Unlock()
	if p != nil && !ours {
		ep.onSecond2xx(p, res.CSeq().SeqNo, res)
	}
}
