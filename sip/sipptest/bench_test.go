package sipptest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

const (
	benchRate = 200 // calls a second
	benchTime = 60  // seconds
)

// TestBenchRatios prints how many of 200 calls a second fail in a minute: on UDP under a waiver, and on one TLS connection, which socat makes because sipp has no
// TLS. Each is challenged, answered, held for a second and ended by its caller.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	needSipp(t)
	answer := func(ctx context.Context, c *sip.Call) {
		if c.Ring() == nil && c.Answer(ctx, silence{}) == nil {
			<-c.Done()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*benchTime*time.Second)
	defer cancel()
	scenario, err := filepath.Abs("testdata/caller.xml")
	require.NoError(t, err)
	const calls = benchRate * benchTime
	run := func(name string, ep *sip.Endpoint, args ...string) {
		before := ep.Stats()
		err := sipp(ctx, t, freePort(t), append([]string{"-auth_uri", "9000@acme.test", "-r", fmt.Sprint(benchRate), "-m", fmt.Sprint(calls), "-l", "4000"}, args...)...)
		s := ep.Stats()
		failed := calls - int(s.Calls-before.Calls) + int(s.RefusedCalls-before.RefusedCalls)
		if err != nil { // sipp counts what it did not get answered in time, too
			failed = max(failed, 1)
			t.Log(err)
		}
		fmt.Printf("figure sip/sipp-%s-failed-of-%d %d goal <= 0\n", name, calls, failed)
	}

	ep, addr := lab(t, nil, answer)
	run("udp", ep, "-sf", scenario, addr)

	text, err := os.ReadFile(scenario)
	require.NoError(t, err)
	secure := filepath.Join(t.TempDir(), "caller.xml")
	require.NoError(t, os.WriteFile(secure, []byte(strings.ReplaceAll(string(text), "[transport]", "TLS")), 0o600))
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{siptest.NewAuthority(t).Issue(time.Time{}, "acme.test")}})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan struct{})
	go func() { // ends with the endpoint, which is closed by lab's cleanup
		defer close(served)
		_ = ep.ServeTLS(context.Background(), l, tc)
	}()
	port := freePort(t)
	tunnel := exec.CommandContext(ctx, "socat", "TCP-LISTEN:"+port+",bind=127.0.0.1,reuseaddr,fork", "OPENSSL:"+l.Addr().String()+",verify=0,snihost=acme.test")
	require.NoError(t, tunnel.Start())
	t.Cleanup(func() {
		_ = tunnel.Process.Kill()
		_ = tunnel.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
	run("tls", ep, "-t", "t1", "-sf", secure, "127.0.0.1:"+port)
}
