package sipptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/insecuretransport"
	"github.com/ringfence/ringfence/sip/registrar"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// needSipp leaves a test out if sipp is not installed. Where the peers were promised it fails instead: a suite that skips everything is green too.
func needSipp(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("load takes its time")
	}
	if _, err := exec.LookPath("sipp"); err == nil {
		return
	}
	if os.Getenv("RINGFENCE_PEERS") == "required" {
		t.Fatal("left out: sipp is not installed")
	}
	t.Skip("left out: sipp is not installed")
}

type silence struct{}

var sdp = []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 20002 RTP/AVP 8\r\n")

func (silence) Offer(context.Context) ([]byte, error)          { return sdp, nil }
func (silence) Answer(context.Context, []byte) ([]byte, error) { return sdp, nil }
func (silence) Accept(context.Context, []byte) error           { return nil }

// lab serves acme.test on plain UDP and returns its address.
func lab(t *testing.T, reg *registrar.Registrar, onCall func(context.Context, *sip.Call)) (*sip.Endpoint, string) {
	t.Helper()
	ep, err := sip.New(sip.Config{
		Registrar: reg, OnCall: onCall, AllowSources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Realm: func(domain, _ string) (sip.Realm, error) {
			if domain != "acme.test" {
				return sip.Realm{}, sip.ErrUnknownRealm
			}
			return sip.Realm{
				Name: domain, Algorithms: []string{sip.MD5}, Plaintext: func(context.Context, string, string) error { return nil },
				Credentials: func(_ context.Context, user, algorithm string) ([]byte, error) {
					return sip.HA1(algorithm, user, domain, "correct")
				},
			}, nil
		},
	})
	require.NoError(t, err)
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { // ends with the endpoint, waited for by the cleanup
		served <- insecuretransport.ServeUDP(context.Background(), ep, pc, insecuretransport.Waiver{Name: "lab", Until: time.Now().Add(time.Hour), Digest: true})
	}()
	t.Cleanup(func() {
		require.NoError(t, ep.Close())
		require.ErrorIs(t, <-served, sip.ErrClosed)
	})
	return ep, pc.LocalAddr().String()
}

func freePort(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer pc.Close()
	_, port, err := net.SplitHostPort(pc.LocalAddr().String())
	require.NoError(t, err)
	return port
}

// sipp runs sipp to its end; calls that failed are its error.
func sipp(ctx context.Context, t *testing.T, port string, args ...string) error {
	report := filepath.Join(t.TempDir(), "errors")
	cmd := exec.CommandContext(ctx, "sipp", append([]string{"-i", "127.0.0.1", "-p", port, "-nostdin", "-trace_err", "-error_file", report}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	seen, _ := os.ReadFile(report)
	tail := out.Bytes()
	return fmt.Errorf("sipp: %w\n%s\n%s", err, tail[max(0, len(tail)-3000):], seen[:min(len(seen), 3000)])
}

// 200 calls a second for 20 seconds, each challenged, answered, held for a second and ended by its caller: none fails.
func TestCallersUnderLoad(t *testing.T) {
	needSipp(t)
	ep, addr := lab(t, nil, func(ctx context.Context, c *sip.Call) {
		if c.Ring() == nil && c.Answer(ctx, silence{}) == nil {
			<-c.Done()
		}
	})
	scenario, err := filepath.Abs("testdata/caller.xml")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	require.NoError(t, sipp(ctx, t, freePort(t), "-sf", scenario, "-auth_uri", "9000@acme.test", "-r", "200", "-m", "4000", "-l", "2000", addr))
	s := ep.Stats()
	require.EqualValues(t, 4000, s.Calls)
	require.Zero(t, s.RefusedCalls+s.RateLimited+s.Malformed+s.RefusedAuth)
}

// A phone that has registered by UDP is called by the socket that it knows, 50 calls of 8 at once, and hung up on.
func TestPhoneIsCalled(t *testing.T) {
	needSipp(t)
	reg := registrar.New(registrar.Config{})
	ep, addr := lab(t, reg, nil)
	scenario, err := filepath.Abs("testdata/register.xml")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	port := freePort(t)
	require.NoError(t, sipp(ctx, t, port, "-sf", scenario, "-auth_uri", "acme.test", "-m", "1", addr))
	bs := reg.Lookup("acme.test", "1001", time.Now())
	require.Len(t, bs, 1)

	phone := make(chan error, 1)
	go func() { phone <- sipp(ctx, t, port, "-sn", "uas", "-m", "50") }() // ends with the last call
	var g errgroup.Group
	g.SetLimit(8)
	for range 50 {
		g.Go(func() error { // the first INVITEs are repeated until sipp is there
			c, err := ep.Dial(ctx, sip.DialConfig{Target: bs[0].Contact, Flow: bs[0].Flow, From: "sip:9000@acme.test"}, silence{})
			if err != nil {
				return err
			}
			return c.Hangup(ctx)
		})
	}
	require.NoError(t, g.Wait())
	require.NoError(t, <-phone)
}
