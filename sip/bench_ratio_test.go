package sip_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	msg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

const (
	benchCalls  = 800 // of one run
	benchAtOnce = 8   // calls under way, so that both cores have work and waiting for a wake-up is not what is measured
)

// benchBody is of the size of a description with four keys.
var benchBody = []byte("v=0\r\n" + strings.Repeat("a=x-padding:0123456789012345678901234567890123456789\r\n", 12))

type benchMedia struct{}

func (benchMedia) Offer(context.Context) ([]byte, error)          { return benchBody, nil }
func (benchMedia) Answer(context.Context, []byte) ([]byte, error) { return benchBody, nil }
func (benchMedia) Accept(context.Context, []byte) error           { return nil }

// TestBenchRatios prints how a call of ours, with dialog, guards and digest, stands against the library alone in the same run, over TLS, as medians of
// fifteen alternating rounds: how many calls are set up per second against a bare INVITE, 200, ACK, BYE, 200, and how long one takes against the exchange
// of every message that it can need: INVITE, 401, ACK, INVITE, 100, 200, ACK, BYE, 200.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	t.Run("memory", benchMemory)
	ours, known := ourCall(t, true), ourCall(t, false)
	bare, short := bareCall(t, true), bareCall(t, false)
	run := func(call func() error) time.Duration {
		errs := make(chan error, benchAtOnce)
		var wg sync.WaitGroup
		runtime.GC() // the transactions of the run before, which rest for 32 s, are nobody's cost
		start := time.Now()
		for range benchAtOnce {
			wg.Add(1)
			go func() { // ends with its share of the calls, waited for below
				defer wg.Done()
				for range benchCalls / benchAtOnce {
					if err := call(); err != nil {
						errs <- err
						return
					}
				}
			}()
		}
		wg.Wait()
		took := time.Since(start)
		close(errs)
		for err := range errs {
			t.Fatal(err)
		}
		return took / benchCalls
	}
	calls := []func() error{ours, bare, known, short}
	for _, c := range calls {
		run(c)
	}
	took := make([][]time.Duration, len(calls))
	var like, perSecond []float64
	for range 15 {
		var round []float64
		for i, c := range calls {
			d := run(c)
			took[i] = append(took[i], d)
			round = append(round, float64(d))
		}
		like, perSecond = append(like, round[0]/round[1]), append(perSecond, round[3]/round[2])
	}
	slices.Sort(like)
	slices.Sort(perSecond)
	for _, d := range took {
		slices.Sort(d)
	}
	fmt.Printf("ratio sip/call-setup %.2f goal <= 1.67\n", like[len(like)/2])
	fmt.Printf("ratio sip/setups-per-second %.2f goal >= 0.60\n", perSecond[len(perSecond)/2])
	t.Logf("like for like %.2f to %.2f: %v against %v; per second %.2f to %.2f: %v against %v", like[0], like[len(like)-1], took[0][7], took[1][7],
		perSecond[0], perSecond[len(perSecond)-1], took[2][7], took[3][7])
	for i, name := range []string{"challenged", "bare with challenge", "known", "bare"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		run(calls[i])
		runtime.ReadMemStats(&after)
		t.Logf("%s: %d allocations, %d bytes a call, both ends", name, (after.Mallocs-before.Mallocs)/benchCalls, (after.TotalAlloc-before.TotalAlloc)/benchCalls)
	}
}

// ourCall returns one call between two endpoints, challenged or with a nonce that is known, answered, ended.
func ourCall(t *testing.T, challenged bool) func() error {
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) {
		if err := c.Answer(ctx, benchMedia{}); err == nil {
			<-ctx.Done()
		}
	}})
	phone := s.phone(t, nil)
	dc := sip.DialConfig{Target: "sip:1002@acme.test", Address: s.addr, From: "sip:1001@acme.test", Password: "acme.test" + password}
	var n atomic.Int64
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		dc := dc
		if challenged { // the server has not seen it before, as far as we know
			dc.From = fmt.Sprintf("sip:1001@phone%d.acme.test", n.Add(1))
		}
		c, err := phone.Dial(ctx, dc, benchMedia{})
		if err != nil {
			return err
		}
		return c.Hangup(ctx)
	}
}

// bareCall returns the exchange by the library's client and server, with no dialog, no check of a password and no state of a call.
func bareCall(t *testing.T, challenged bool) func() error {
	msg.SetDefaultLogger(slog.New(slog.DiscardHandler))
	ca := siptest.NewAuthority(t)
	serverUA, err := sipgo.NewUA()
	require.NoError(t, err)
	t.Cleanup(func() { serverUA.Close() })
	srv, err := sipgo.NewServer(serverUA)
	require.NoError(t, err)
	contact := &msg.ContactHeader{Address: msg.Uri{Scheme: "sip", User: "1002", Host: "127.0.0.1"}}
	srv.OnInvite(func(req *msg.Request, tx msg.ServerTransaction) {
		if challenged && req.GetHeader("Authorization") == nil {
			res := msg.NewResponseFromRequest(req, 401, "Unauthorized", nil)
			res.AppendHeader(msg.NewHeader("WWW-Authenticate", benchChallenge))
			_ = tx.Respond(res)
			return
		}
		if challenged {
			_ = tx.Respond(msg.NewResponseFromRequest(req, 100, "Trying", nil))
		}
		res := msg.NewResponseFromRequest(req, 200, "OK", benchBody)
		res.AppendHeader(contact)
		_ = tx.Respond(res)
	})
	srv.OnAck(func(*msg.Request, msg.ServerTransaction) {})
	srv.OnBye(func(req *msg.Request, tx msg.ServerTransaction) {
		_ = tx.Respond(msg.NewResponseFromRequest(req, 200, "OK", nil))
	})
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan struct{})
	go func() { // ends with the listener, waited for by the cleanup
		defer close(served)
		_ = srv.ServeTLS(tls.NewListener(tcp, &tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "127.0.0.1")}}))
	}()
	t.Cleanup(func() { tcp.Close(); <-served })

	clientUA, err := sipgo.NewUA(sipgo.WithUserAgenTLSConfig(&tls.Config{RootCAs: ca.Pool()}))
	require.NoError(t, err)
	t.Cleanup(func() { clientUA.Close() })
	client, err := sipgo.NewClient(clientUA)
	require.NoError(t, err)
	return func() error { return bareExchange(client, tcp.Addr().String(), challenged) }
}

// The headers of a digest exchange, for their length.
const (
	benchChallenge = `Digest realm="acme.test", nonce="0123456789012345678901234567890123456789012345678901234567890123", algorithm=SHA-256, qop="auth"`
	benchProof     = benchChallenge + `, username="1001", uri="sip:1002@acme.test", response="0123456789012345678901234567890123456789012345678901234567890123", nc=00000001, cnonce="0123456789"`
)

func bareExchange(client *sipgo.Client, addr string, challenged bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	id := msg.CallIDHeader(msg.GenerateTagN(32))
	from := &msg.FromHeader{Address: msg.Uri{Scheme: "sip", User: "1001", Host: "acme.test"}, Params: msg.NewParams()}
	from.Params.Add("tag", msg.GenerateTagN(32))
	request := func(method msg.RequestMethod, seq uint32, to *msg.ToHeader) *msg.Request {
		req := msg.NewRequest(method, msg.Uri{Scheme: "sip", User: "1002", Host: "acme.test"})
		maxForwards := msg.MaxForwardsHeader(70)
		req.AppendHeader(&maxForwards)
		req.AppendHeader(from)
		req.AppendHeader(to)
		req.AppendHeader(&id)
		req.AppendHeader(&msg.CSeqHeader{SeqNo: seq, MethodName: method})
		req.AppendHeader(&msg.ContactHeader{Address: msg.Uri{Scheme: "sip", User: "1001", Host: "127.0.0.1"}})
		req.SetTransport("TLS")
		req.SetDestination(addr)
		return req
	}
	invite := func(seq uint32, extra ...msg.Header) (*msg.Response, error) {
		req := request(msg.INVITE, seq, &msg.ToHeader{Address: msg.Uri{Scheme: "sip", User: "1002", Host: "acme.test"}})
		for _, h := range append(extra, msg.NewHeader("Content-Type", "application/sdp")) {
			req.AppendHeader(h)
		}
		req.SetBody(benchBody)
		return client.Do(ctx, req)
	}
	var proof []msg.Header
	if challenged {
		if res, err := invite(1); err != nil || res.StatusCode != 401 {
			return fmt.Errorf("challenge: %v %w", res, err)
		}
		proof = append(proof, msg.NewHeader("Authorization", benchProof))
	}
	res, err := invite(2, proof...)
	if err != nil || res.StatusCode != 200 {
		return fmt.Errorf("answer: %v %w", res, err)
	}
	if err := client.WriteRequest(request(msg.ACK, 2, res.To())); err != nil {
		return err
	}
	if res, err := client.Do(ctx, request(msg.BYE, 3, res.To())); err != nil || res.StatusCode != 200 {
		return fmt.Errorf("end: %v %w", res, err)
	}
	return nil
}
