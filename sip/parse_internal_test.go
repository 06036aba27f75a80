package sip

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseDTMF(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		want       byte
	}{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5'}, {"application/dtmf-relay", "Signal= #\nDuration= 100", '#'},
		{"application/dtmf-relay", "Duration=100\r\nsignal=*", '*'}, {"application/dtmf-relay", "Signal=10", '*'}, {"application/dtmf-relay", "Signal=11", '#'},
		{"application/dtmf", "7", '7'}, {"application/dtmf", "a\r\n", 'A'},
		{"application/dtmf-relay", "Signal=55", 0}, {"application/dtmf-relay", "", 0}, {"application/dtmf", "x", 0}, {"text/plain", "5", 0},
	} {
		got, ok := parseDTMF(c.kind, c.body)
		require.Equal(t, c.want, got, "%+v", c)
		require.Equal(t, c.want != 0, ok)
	}
}

func FuzzParseDTMF(f *testing.F) {
	f.Add("application/dtmf-relay", "Signal=5\r\nDuration=160")
	f.Fuzz(func(t *testing.T, kind, body string) {
		d, ok := parseDTMF(kind, body)
		if ok != strings.Contains("0123456789*#ABCD", string(d)) {
			t.Fatalf("%q is said to be a digit: %v", d, ok)
		}
	})
}

func TestSplitList(t *testing.T) {
	require.Equal(t, []string{"<sip:a;lr>", `"x, y" <sip:b,c>`, "<sip:d>"}, splitList(`<sip:a;lr>, "x, y" <sip:b,c> ,<sip:d>`))
}

func FuzzSplitList(f *testing.F) {
	f.Add(`<sip:a;lr>, "x, y" <sip:b,c> ,<sip:d>`)
	f.Fuzz(func(t *testing.T, v string) {
		// Nothing but separators and white space may get lost.
		join := strings.Join(splitList(v), "")
		strip := func(s string) string {
			return strings.Map(func(r rune) rune {
				if r == ',' || strings.ContainsRune(" \t\r\n\v\f\u0085\u00a0", r) {
					return -1
				}
				return r
			}, s)
		}
		if strings.ToValidUTF8(strip(join), "") != strings.ToValidUTF8(strip(v), "") && strings.ToValidUTF8(v, "") == v && !strings.ContainsFunc(v, func(r rune) bool { return r > 127 }) {
			t.Fatalf("%q became %q", v, splitList(v))
		}
	})
}

// packets is a PacketConn that delivers what it is given, each from an address of its own.
type packets struct {
	net.PacketConn
	queue []string
	n     int
}

func (p *packets) ReadFrom(b []byte) (int, net.Addr, error) {
	if p.n == len(p.queue) {
		return 0, nil, net.ErrClosed
	}
	p.n++
	return copy(b, p.queue[p.n-1]), &net.UDPAddr{IP: net.IPv4(192, 0, byte(p.n>>8), byte(p.n)), Port: 5060}, nil
}

func TestPacketGuardDropsNoiseAndBoundsSources(t *testing.T) {
	var dropped atomic.Uint64
	noise := []string{"", "\r\n\r\n", "\x00\x00", "GET", strings.Repeat("A", 40) + " x", "\x16\x03\x01"}
	g := newPacketGuard(&packets{queue: append(noise, "OPTIONS sip:a SIP/2.0\r\n")}, &dropped)
	b := make([]byte, 100)
	n, _, err := g.ReadFrom(b)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(b[:n]), "OPTIONS "))
	require.EqualValues(t, len(noise), dropped.Load())

	many := make([]string, maxPacketSources+100)
	for i := range many {
		many[i] = "OPTIONS sip:a SIP/2.0\r\n"
	}
	dropped.Store(0)
	g = newPacketGuard(&packets{queue: many}, &dropped)
	for err == nil {
		_, _, err = g.ReadFrom(b)
	}
	require.EqualValues(t, 100, dropped.Load(), "a flood of spoofed sources ends at the bound")
}
