package load_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ringfence/ringfence/sip/siptest"
)

// buildDir holds the server's program while the tests run.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "contactcenter-load"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(buildDir) // a temporary folder
		os.Exit(code)
	}))
}

// program builds the server once. It is an ordinary build, so what is measured is what is shipped.
var program = sync.OnceValues(func() (string, error) {
	// `go test` reuses a result unless a file that the test looked at has changed. The compiler's reading is not seen, ours is.
	err := filepath.WalkDir(filepath.Join("..", "..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 {
			return filepath.SkipDir
		}
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		_, err = os.Stat(path)
		return err
	})
	if err != nil {
		return "", err
	}
	out := filepath.Join(buildDir, "contactcenter")
	args := []string{"build", "-o", out}
	if raceEnabled {
		args = append(args, "-race")
	}
	if b, err := exec.Command("go", append(args, "..")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, b)
	}
	return out, nil
})

const configText = `
data = %q
listen {
  sip_tls    = "127.0.0.1:%d"
  management = "127.0.0.1:%d"
}
media { address = "127.0.0.1" }
tenant "load" {
  domain = "load.localhost"
  first_start {
    agents = [%s]
    phones = [%s]
  }
  queue "sales" {
    wrap_up    = "1ms"
    unrecorded = %t
  }
  queue "support" {}
  number "9001" { flow = "sales" }
  recording { place = "US-NY" }
  retention { recordings = "13 months" }
}
`

// server is the program in a process of its own.
type server struct {
	t       *testing.T
	program string
	config  string
	addr    string
	metrics string // address of the page
	roots   *x509.CertPool
	cmd     *exec.Cmd
	ready   chan struct{}
	read    chan struct{} // closed when its output ended
	stderr  bytes.Buffer  // read after the process has ended

	mu        sync.Mutex
	passwords map[string]string
	ended     map[string]int // finished calls by outcome
	recorded  map[string]int // finished recordings by result
}

var credentialsLine = regexp.MustCompile(`^credentials tenant=load domain=\S+ user=(\S+) role=\S+ password=(\S+)$`)

// startServer starts a fresh contact center with agents 2001.. and phones 3001.. whose conversations are recorded or not.
func startServer(t *testing.T, agents, phones int, recorded bool) *server {
	t.Helper()
	path, err := program()
	require.NoError(t, err)
	dir := t.TempDir()
	port, management := siptest.FreePort(t), siptest.FreePort(t)
	s := &server{t: t, program: path, config: filepath.Join(dir, "load.hcl"), addr: fmt.Sprintf("127.0.0.1:%d", port), metrics: fmt.Sprintf("https://127.0.0.1:%d/metrics", management),
		passwords: map[string]string{}, ended: map[string]int{}, recorded: map[string]int{}}
	data := filepath.Join(dir, "data")
	text := fmt.Sprintf(configText, data, port, management, numbers(2001, agents), numbers(3001, phones), !recorded)
	require.NoError(t, os.WriteFile(s.config, []byte(text), 0o600))
	s.start()
	t.Cleanup(s.stop)
	pem, err := os.ReadFile(filepath.Join(data, "tls", "ca.pem"))
	require.NoError(t, err)
	s.roots = x509.NewCertPool()
	require.True(t, s.roots.AppendCertsFromPEM(pem))
	return s
}

// start starts the program, with what env adds to the environment.
func (s *server) start(env ...string) {
	s.ready, s.read = make(chan struct{}), make(chan struct{})
	s.cmd = exec.Command(s.program, "--config", s.config, "serve")
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, s.cmd.Start())
	go func() { // ends with the process, which stop waits for
		defer close(s.read)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			s.line(sc.Bytes())
		}
	}()
	select {
	case <-s.ready:
	case <-time.After(time.Minute):
		s.t.Fatal("the server did not start")
	}
}

func numbers(first, n int) string {
	var names []string
	for i := range n {
		names = append(names, strconv.Quote(strconv.Itoa(first+i)))
	}
	return strings.Join(names, ", ")
}

// line takes one line of the program's output.
func (s *server) line(b []byte) {
	if m := credentialsLine.FindSubmatch(b); m != nil {
		s.mu.Lock()
		s.passwords[string(m[1])] = string(m[2])
		s.mu.Unlock()
		return
	}
	if string(b) == "ready" {
		close(s.ready)
		return
	}
	var e struct {
		Event, Cause string
		Record       struct{ Outcome string }
	}
	if json.Unmarshal(b, &e) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Event {
	case "ended":
		s.ended[e.Record.Outcome]++
	case "recording":
		s.recorded[e.Cause]++
	}
}

// finished returns how many calls were answered and are over, how many ended otherwise, and how many recordings are complete.
func (s *server) finished() (answered, otherwise, complete int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for outcome, n := range s.ended {
		if outcome == "answered" {
			answered += n
		} else {
			otherwise += n
		}
	}
	return answered, otherwise, s.recorded["complete"]
}

// stop ends the server as an operator does, and checks that it ended well.
func (s *server) stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // Wait tells if it was gone
	killed := time.AfterFunc(2*time.Minute, func() { _ = s.cmd.Process.Kill() })
	defer killed.Stop()
	<-s.read // Wait must not close the pipe under the reader
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("server: %v", err)
	}
	for line := range strings.Lines(s.stderr.String()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "DATA RACE") || strings.Contains(line, "panic") {
			s.t.Errorf("server said: %s", s.stderr.String())
			return
		}
	}
}

// readyAgents is how many agents the distributor has for the next caller.
func (s *server) readyAgents() int {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}, DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Get(s.metrics)
	require.NoError(s.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	_, rest, _ := strings.Cut(string(b), `contactcenter_agents{state="ready",tenant="load"} `)
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(line)
	require.NoError(s.t, err, line)
	return n
}

// verify reads every recording to its end, with the command an auditor has, and returns how many are complete with no frame lost, and the first that is not.
func (s *server) verify() (good int, bad string) {
	s.t.Helper()
	var errs strings.Builder
	cmd := exec.Command(s.program, "--config", s.config, "recordings", "verify", "--tenant", "load", "--as", "auditor")
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(s.t, err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "ok ") && !strings.Contains(line, "lost") {
			good++
		} else if bad == "" {
			bad = line
		}
	}
	return good, bad + errs.String()
}

// rss is the memory the server has in use, in bytes.
func (s *server) rss() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	require.NoError(s.t, err)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			n, err := strconv.Atoi(f[1])
			require.NoError(s.t, err)
			return n << 10
		}
	}
	s.t.Fatal("no VmRSS")
	return 0
}

// cpu is the processor time the server has used so far, in user and system.
func (s *server) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	require.NoError(s.t, err)
	_, rest, _ := strings.Cut(string(b), ") ") // behind the name, which may have spaces
	f := strings.Fields(rest)
	require.Greater(s.t, len(f), 13)
	var ticks int
	for _, i := range []int{11, 12} { // utime, stime
		n, err := strconv.Atoi(f[i])
		require.NoError(s.t, err)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ, which is 100 on every Linux
}
