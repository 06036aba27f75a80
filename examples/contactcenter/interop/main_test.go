package interop

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// scratch holds what is built once for the whole package.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "interop-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	sweepNamespaces()
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.RemoveAll(scratch)
	os.Exit(code)
}

// program is the reference deployment, built with the race detector: a race that only a foreign peer's timing shows is found too.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "contactcenter")
	out, err := exec.Command("go", "build", "-race", "-o", path, "..").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// need leaves a test out if a peer is not installed. Where the peers were promised it fails instead: a suite that skips everything is green too.
func need(t *testing.T, tools ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("foreign peers take their time")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool+" is not installed")
		}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "not root: no network namespaces for baresip")
	}
}

func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("RINGFENCE_PEERS") == "required" {
		t.Fatalf("left out: %s: %s", t.Name(), why)
	}
	t.Skipf("left out: %s: %s", t.Name(), why)
}

// lan is a cable between two namespaces: the server at one end, the phones at the other. Nothing else is on it, so what a capture shows is
// all there is.
type lan struct {
	server, phones     string // namespaces
	serverIP, phonesIP string
	wire               string // the phones' end
}

var lans atomic.Int32

// namespacePrefix is followed by the process id, so that a later run can tell what was left behind.
const namespacePrefix = "rf-interop-"

func newLAN(t *testing.T) *lan {
	t.Helper()
	needRoot(t)
	id := fmt.Sprintf("%s%d-%d", namespacePrefix, os.Getpid(), lans.Add(1))
	// 198.18.0.0/15 is set aside for tests of network devices (RFC 2544): no machine is reached there by accident.
	l := &lan{server: id + "-s", phones: id + "-p", serverIP: "198.18.0.1", phonesIP: "198.18.0.2", wire: "phones0"}
	t.Cleanup(func() {
		for _, ns := range []string{l.phones, l.server} {
			_ = exec.Command("ip", "netns", "del", ns).Run() // the cable goes with them
		}
	})
	for _, args := range [][]string{
		{"netns", "add", l.server},
		{"netns", "add", l.phones},
		{"-n", l.server, "link", "add", "server0", "type", "veth", "peer", "name", l.wire, "netns", l.phones},
		{"-n", l.server, "addr", "add", l.serverIP + "/24", "dev", "server0"},
		{"-n", l.phones, "addr", "add", l.phonesIP + "/24", "dev", l.wire},
		{"-n", l.server, "link", "set", "server0", "up"},
		{"-n", l.phones, "link", "set", l.wire, "up"},
		{"-n", l.server, "link", "set", "lo", "up"},
		{"-n", l.phones, "link", "set", "lo", "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			missing(t, fmt.Sprintf("ip %s: %v: %s", strings.Join(args, " "), err, out))
		}
	}
	return l
}

// sweepNamespaces removes those of test runs that were killed.
func sweepNamespaces() {
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return
	}
	for _, line := range strings.Split(string(out), "\n") {
		name, _, _ := strings.Cut(line, " ")
		var pid int
		if n, _ := fmt.Sscanf(name, namespacePrefix+"%d-", &pid); n == 1 && syscall.Kill(pid, 0) != nil {
			_ = exec.Command("ip", "netns", "del", name).Run()
		}
	}
}

// in is a command in a namespace; an empty one is the test's own.
func in(namespace, name string, args ...string) *exec.Cmd {
	if namespace == "" {
		return exec.Command(name, args...)
	}
	return exec.Command("ip", append([]string{"netns", "exec", namespace, name}, args...)...)
}

// dialerIn makes connections in a namespace; in an empty one, the test's own, as any other.
func dialerIn(namespace string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	if namespace == "" {
		return d.DialContext
	}
	return func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		done := make(chan struct{})
		go func() { // waited for below
			defer close(done)
			runtime.LockOSThread() // and never unlocked: the thread is in the other namespace for good, and ends with the goroutine
			var fd int
			if fd, err = unix.Open(filepath.Join("/var/run/netns", namespace), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
				return
			}
			defer unix.Close(fd)
			if err = unix.Setns(fd, unix.CLONE_NEWNET); err == nil {
				c, err = d.DialContext(ctx, network, addr)
			}
		}()
		<-done
		return c, err
	}
}

// output collects what a process prints, for a reader who looks while it still prints.
type output struct {
	mu  sync.Mutex
	buf []byte
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, b...)
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.buf)
}

// background starts a process that ends with the test.
func background(t *testing.T, cmd *exec.Cmd) *output {
	t.Helper()
	out := &output{}
	if cmd.Stdout == nil {
		cmd.Stdout = out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = out
	}
	cmd.WaitDelay = 2 * time.Second // a child of it may outlive it for a moment and hold its output
	require.NoError(t, cmd.Start(), cmd.String())
	t.Cleanup(func() { finish(cmd) })
	return out
}

// finish ends a process if it still runs, and waits for it. What it returns does not matter any more.
func finish(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
}
