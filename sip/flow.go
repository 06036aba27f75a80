package sip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
)

// flowToken names a connection for registrar.Binding and DialConfig (RFC 5626 section 5.2): its key, when it began and a MAC over both. An address
// alone is not enough: it may belong to somebody else tomorrow. A token that was made up, one of an earlier process and one of a connection that
// is gone all reach nothing.
func (ep *Endpoint) flowToken(src source) string {
	name := src.flow() + ";0"
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

// flowOf finds the connection that a token names, nil if there is none.
func (ep *Endpoint) flowOf(token string) *conn {
	i := strings.LastIndexByte(token, ';')
	if i < 0 || !hmac.Equal([]byte(token[i+1:]), []byte(ep.flowMAC(token[:i]))) {
		return nil
	}
	key, born, _ := strings.Cut(token[:i], ";")
	c := ep.conns.find(key)
	if c == nil || strconv.FormatInt(c.born.UnixNano(), 36) != born {
		return nil
	}
	return c
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
