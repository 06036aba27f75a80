package sip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	msg "github.com/emiago/sipgo/sip"
)

// flowToken names a connection for registrar.Binding and DialConfig (RFC 5626 section 5.2): its key, when it began and a MAC over both. An address
// alone is not enough: it may belong to somebody else tomorrow. A token that was made up, one of an earlier process and one of a connection that
// is gone all reach nothing.
func (ep *Endpoint) flowToken(src source) string {
	name := src.flow() + ";" + src.local.String()
	if src.conn != nil {
		name = src.conn.flow() + ";" + strconv.FormatInt(src.conn.born.UnixNano(), 36)
	}
	return name + ";" + ep.flowMAC(name)
}

func (ep *Endpoint) flowMAC(name string) string {
	mac := hmac.New(sha256.New, ep.guards.key[:])
	mac.Write([]byte("flow\x00" + name))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// flowOf finds the connection that a token names, or the socket and address of a phone without one.
func (ep *Endpoint) flowOf(token string) (source, bool) {
	i := strings.LastIndexByte(token, ';')
	if i < 0 || !hmac.Equal([]byte(token[i+1:]), []byte(ep.flowMAC(token[:i]))) {
		return source{}, false
	}
	key, born, _ := strings.Cut(token[:i], ";")
	if addr, ok := strings.CutPrefix(key, "udp/"); ok {
		local, err := netip.ParseAddrPort(born)
		from, bad := netip.ParseAddrPort(addr)
		if err != nil || bad != nil || !ep.serves(local) {
			return source{}, false
		}
		src := packetSource(net.UDPAddrFromAddrPort(from))
		src.local = local
		return src, true
	}
	c := ep.conns.find(key)
	if c == nil || strconv.FormatInt(c.born.UnixNano(), 36) != born {
		return source{}, false
	}
	return c.source(), true
}

// serves reports whether a socket for datagrams is served here, under a waiver that has not run out.
func (ep *Endpoint) serves(local netip.AddrPort) bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.sockets[local] > 0
}

// reachable reports whether a request has a way. The library would make one otherwise, to wherever its address leads.
func (ep *Endpoint) reachable(req *msg.Request) bool {
	if req.Transport() != "UDP" {
		return ep.conns.has(req.Transport(), req.Destination())
	}
	ip, ok := netip.AddrFromSlice(req.Laddr.IP)
	return ok && ep.serves(netip.AddrPortFrom(ip.Unmap(), uint16(req.Laddr.Port)))
}

// flowGone is told of each connection that ended.
func (ep *Endpoint) flowGone(c *conn) {
	ep.cfg.Registrar.DropFlow(ep.flowToken(source{conn: c}))
	ep.watches.gone(c)
}

// watches tell who depends on a connection that it has ended.
type watches struct {
	mu sync.Mutex
	by map[*conn]map[*func()]struct{}
}

// onFlowGone has f called once when c ends, or now if it has ended. f must not block. It returns what takes f back.
func (ep *Endpoint) onFlowGone(c *conn, f func()) (cancel func()) {
	w, key := &ep.watches, &f
	w.mu.Lock()
	if w.by == nil {
		w.by = make(map[*conn]map[*func()]struct{})
	}
	if w.by[c] == nil {
		w.by[c] = make(map[*func()]struct{})
	}
	w.by[c][key] = struct{}{}
	w.mu.Unlock()
	if ep.conns.find(c.flow()) != c { // it ended before anybody watched
		w.gone(c)
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.by[c], key); len(w.by[c]) == 0 {
			delete(w.by, c)
		}
	}
}

func (w *watches) gone(c *conn) {
	w.mu.Lock()
	fs := w.by[c]
	delete(w.by, c)
	w.mu.Unlock()
	for f := range fs {
		(*f)()
	}
}
