package sip

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// packets is a PacketConn that delivers what it is given, each from an address of its own, and keeps what is written.
type packets struct {
	net.PacketConn
	queue   []string
	n       int
	same    bool // all from one address
	answers []string
}

func (p *packets) ReadFrom(b []byte) (int, net.Addr, error) {
	if p.n == len(p.queue) {
		return 0, nil, net.ErrClosed
	}
	p.n++
	i := p.n
	if p.same {
		i = 1
	}
	return copy(b, p.queue[p.n-1]), &net.UDPAddr{IP: net.IPv4(192, byte(i>>16), byte(i>>8), byte(i)), Port: 5060}, nil
}

func (p *packets) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.answers = append(p.answers, string(b))
	return len(b), nil
}

func packetEndpoint(t *testing.T) *Endpoint {
	ep, err := New(Config{TotalRate: 1e6, TotalBurst: 1e6, Realm: func(domain, _ string) (Realm, error) {
		return Realm{Name: domain, Credentials: func(context.Context, string, string) ([]byte, error) { return nil, ErrUnknownUser }}, nil
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ep.Close()) })
	ep.plainDigest.Store(true)
	return ep
}

func datagram(method, extra string) string {
	return method + " sip:a.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:9;branch=z9hG4bK1\r\nFrom: <sip:a@a.test>;tag=1\r\nTo: <sip:b@a.test>\r\nCall-ID: c\r\nCSeq: 1 " +
		method + "\r\nContact: <sip:a@192.0.2.1>\r\n" + extra + "\r\n"
}

// TestForgedSourcesCostNothing (D3): the library would remember each source for ever; it sees none that did not return a nonce.
func TestForgedSourcesCostNothing(t *testing.T) {
	ep := packetEndpoint(t)
	noise := []string{"\r\n\r\n", "\x00\x00", "GET", strings.Repeat("A", 40) + " x", "\x16\x03\x01", "SIP/2.0 200 OK\r\n\r\n"}
	p := &packets{queue: append([]string(nil), noise...)}
	methods := []string{"OPTIONS", "INVITE", "REGISTER", "BYE", "ACK", "CANCEL", "NEWMETHOD"}
	for i := range 50000 {
		p.queue = append(p.queue, datagram(methods[i%len(methods)], ""))
	}
	g := newPacketGuard(p, ep)
	n, _, err := g.ReadFrom(make([]byte, 1<<15))
	require.ErrorIs(t, err, net.ErrClosed)
	require.Zero(t, n)
	require.Empty(t, g.sources)
	require.Zero(t, ep.tp.Pool("udp").Size())
	require.LessOrEqual(t, ep.guards.rates.Sources(), maxSources)
	require.Zero(t, ep.guards.bans.Sources(), "a forged source can have nobody banned")
	answered := map[string]int{}
	for _, a := range p.answers {
		answered[a[8:11]]++
	}
	require.Len(t, answered, 4)
	for code, n := range map[string]int{"200": 7143, "401": 14286, "481": 14285, "405": 7142} {
		require.InDelta(t, n, answered[code], 2, code)
	}
	// Stateless: the same request gets the same tag.
	p = &packets{queue: []string{datagram("OPTIONS", ""), datagram("OPTIONS", "")}, same: true}
	_, _, _ = newPacketGuard(p, ep).ReadFrom(make([]byte, 1<<15))
	require.Equal(t, p.answers[0], p.answers[1])
}

// TestLibraryForgetsSources: sources that return a nonce are real, but one host has many ports.
func TestLibraryForgetsSources(t *testing.T) {
	ep := packetEndpoint(t)
	const most, all = 10, 95
	p := &packets{}
	for range all {
		p.queue = append(p.queue, datagram("INVITE", ""))
	}
	_, _, _ = newPacketGuard(p, ep).ReadFrom(make([]byte, 1<<15))
	require.Len(t, p.answers, all)
	q := &packets{}
	for _, a := range p.answers {
		nonce := regexp.MustCompile(`nonce="([^"]*)"`).FindStringSubmatch(a)[1]
		q.queue = append(q.queue, datagram("INVITE", fmt.Sprintf("Authorization: Digest username=\"u\",realm=\"a.test\",nonce=\"%s\",uri=\"sip:a.test\",response=\"0\",nc=1,cnonce=\"c\",qop=auth,algorithm=SHA-256\r\n", nonce)))
	}
	g := newPacketGuard(q, ep)
	g.max = most
	passed, turns := 0, 0
	for {
		n, _, err := g.ReadFrom(make([]byte, 1<<15))
		require.LessOrEqual(t, len(g.sources), most)
		if err == nil {
			require.NotZero(t, n)
			passed++
			continue
		}
		if !g.turn {
			break
		}
		g.turn = false
		turns++
	}
	require.Equal(t, all, passed, "none is lost when the library is made to forget")
	require.Equal(t, (all-1)/most, turns)
}
