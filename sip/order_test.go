package sip_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// together joins messages without a body to one, to be given to Send, which ends the last: one write, and one TLS record.
func together(messages ...[]string) []string {
	var out []string
	for i, m := range messages {
		if out = append(out, m...); i < len(messages)-1 {
			out = append(out, "Content-Length: 0", "")
		}
	}
	return out
}

func responseLines(req siptest.Message, status, tag string) []string {
	return []string{"SIP/2.0 " + status, "Via: " + req.Header.Get("Via"), "From: " + req.Header.Get("From"), "To: " + req.Header.Get("To") + ";tag=" + tag,
		"Call-ID: " + req.Header.Get("Call-Id"), "CSeq: " + req.Header.Get("Cseq"), "Contact: <sip:b@127.0.0.1:5061;transport=tls>"}
}

// A refusal right behind a 180 is a call that rang: a trunk must not let another carrier ring the same phone.
func TestResponsesKeepTheirOrder(t *testing.T) {
	ca := siptest.NewAuthority(t)
	address, accepted := uas(t, ca)
	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	ep, err := sip.New(sip.Config{Client: client})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ep.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var p *siptest.Peer
	for i := range 300 {
		var heard []int
		done := make(chan error, 1)
		go func() { // ends with the answer of the script
			_, err := ep.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: address, From: "sip:1001@acme.test", OnProgress: func(s int) { heard = append(heard, s) }}, &media{})
			done <- err
		}()
		if p == nil {
			p = <-accepted
		}
		invite := p.Want("INVITE")
		final := "503 Service Unavailable"
		if i%2 == 1 {
			final = "200 OK"
		}
		p.Send("", together(responseLines(invite, "100 Trying", "x"), responseLines(invite, "183 Session Progress", "x"), responseLines(invite, "180 Ringing", "x"), responseLines(invite, final, "x"))...)
		p.Want("ACK")
		err := <-done
		require.Equal(t, []int{100, 183, 180}, heard, "call %d", i)
		if i%2 == 1 {
			require.NoError(t, err)
			continue
		}
		var se *sip.StatusError
		require.ErrorAs(t, err, &se)
		require.True(t, se.Rang, "call %d", i)
	}
}

// Digits that are dialed in one breath arrive in their order, and before the BYE behind them.
func TestDigitsKeepTheirOrder(t *testing.T) {
	const keys = "0123456789*#ABCD"
	got := make(chan byte, 100)
	ended := make(chan struct{})
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) {
		c.OnDigit(func(d byte) { got <- d })
		if c.Answer(ctx, &media{}) == nil {
			<-ctx.Done()
		}
		close(ended)
	}})
	sc := &script{p: s.raw(t, "acme.test"), callID: "digits"}
	sc.invite(t, "OFFER", "200")
	sc.p.Send("", sc.lines("ACK", "")...)
	var out, want string
	for i := range 50 {
		sc.seq++
		key := keys[i*7%len(keys)]
		want += string(key)
		body := fmt.Sprintf("Signal=%c\r\n", key)
		out += strings.Join(append(sc.lines("INFO", "", "Content-Type: application/dtmf-relay"), fmt.Sprintf("Content-Length: %d", len(body)), "", body), "\r\n")
	}
	sc.seq++
	sc.p.Send("", strings.Split(out+strings.Join(sc.lines("BYE", ""), "\r\n"), "\r\n")...)
	answers := 0
	for answers < 51 {
		m, err := sc.p.Read(10 * time.Second)
		require.NoError(t, err)
		require.Equal(t, 200, m.Status(), m.Header.Get("Cseq"))
		answers++
	}
	within(t, "end of call", ended)
	var heard string
	for range 50 {
		heard += string(<-got)
	}
	require.Equal(t, want, heard)
}

// A request that never reaches its turn, here one with the branch of another, holds up the next one for T1 and no longer.
func TestMissingRequestHoldsUpNobody(t *testing.T) {
	got := make(chan byte, 10)
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) {
		c.OnDigit(func(d byte) { got <- d })
		if c.Answer(ctx, &media{}) == nil {
			<-ctx.Done()
		}
	}})
	sc := &script{p: s.raw(t, "acme.test"), callID: "missing"}
	sc.invite(t, "OFFER", "200")
	sc.p.Send("", sc.lines("ACK", "")...)
	digit := func(d string) []string {
		sc.seq++
		return append(sc.lines("INFO", "", "Content-Type: application/dtmf"), "Content-Length: 1", "", d)
	}
	first := digit("1")
	second := digit("2")
	second[1] = first[1] // its Via
	third := digit("3")
	text := strings.Join(first, "\r\n") + strings.Join(second, "\r\n") + strings.Join(third, "\r\n")
	sc.seq++
	sc.p.Send("", strings.Split(text+strings.Join(sc.lines("OPTIONS", ""), "\r\n"), "\r\n")...)
	for d := byte(0); d != '3'; { // whether and which of the first two the library takes for a repetition is chance
		select {
		case d = <-got:
		case <-time.After(10 * time.Second):
			t.Fatal("a digit waits for ever")
		}
	}
}
