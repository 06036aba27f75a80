package interop

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
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
	"text/template"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/siptest"
)

// server is the program under test, with what it printed.
type server struct {
	t      *testing.T
	site   siteConfig
	cmd    *exec.Cmd
	config string
	stderr output
	ready  chan struct{}
	read   chan struct{} // closed when standard output has ended

	mu        sync.Mutex
	stdout    []string
	events    []event
	passwords map[string]string // by user@domain
}

// event is one line of the call log.
type event struct {
	Event, Tenant, Call, Queue, Agent, Cause, Recording string
	Record                                              *struct{ Outcome, Cause, Agent, Queue, Overflow string }
	Legs                                                []struct {
		Leg, Media, Keys string
		Authentic        bool
	}
}

type siteConfig struct {
	Namespace, IP   string
	SIP, Management int
	Data            string
	Digest          string // of both tenants; empty: MD5 alone, which is all that these peers can do
	Waiver          string // listen address of a plaintext listener
	Until           string
	Alias           string // another domain of acme
	Env             []string
}

var siteTemplate = template.Must(template.New("site").Parse(`
data = "{{.Data}}"
listen {
  sip_tls    = "{{.IP}}:{{.SIP}}"
  management = "127.0.0.1:{{.Management}}"
}
media { address = "{{.IP}}" }
{{range $name, $domain := .Tenants}}
tenant "{{$name}}" {
  domain = "{{$domain}}"
  digest = {{$.Digest}}
  {{if and $.Alias (eq $name "acme")}}aliases = ["{{$.Alias}}"]{{end}}
  first_start {
    agents = ["1001"]
    phones = ["1009", "1010"]
  }
  queue "sales" { wrap_up = "1s" }
  queue "support" {}
  number "9000" { flow = "main" }
  number "9001" { flow = "sales" }
  number "9002" { flow = "echo" }
  number "9003" { flow = "reference" }
  recording { place = "US-NY" }
  retention { recordings = "13 months" }
}
{{end}}
{{if .Waiver}}
waiver "udp-lab" {
  listen = "{{.Waiver}}"
  until  = "{{.Until}}"
}
{{end}}
`))

func (c siteConfig) Tenants() map[string]string {
	return map[string]string{"acme": "acme.localhost", "globex": "globex.localhost"}
}

// startServer starts the program and returns when it is ready. It is stopped with the test, and must then have drained, without a race.
func startServer(t *testing.T, site siteConfig) *server {
	t.Helper()
	binary, err := program()
	require.NoError(t, err)
	if site.IP == "" {
		site.IP, site.SIP, site.Management = "127.0.0.1", siptest.FreePort(t), siptest.FreePort(t)
	}
	if site.Digest == "" {
		site.Digest = `["MD5"]`
	}
	dir := t.TempDir()
	site.Data = filepath.Join(dir, "data")
	s := &server{t: t, site: site, config: filepath.Join(dir, "site.hcl"), ready: make(chan struct{}), read: make(chan struct{}), passwords: map[string]string{}}
	var hcl bytes.Buffer
	require.NoError(t, siteTemplate.Execute(&hcl, site))
	require.NoError(t, os.WriteFile(s.config, hcl.Bytes(), 0o600))
	s.cmd = in(site.Namespace, binary, "--config", s.config)
	s.cmd.Env = append(os.Environ(), site.Env...)
	pipe, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	s.cmd.Stderr = &s.stderr
	require.NoError(t, s.cmd.Start())
	t.Cleanup(s.stop)
	go s.follow(pipe)
	select {
	case <-s.ready:
	case <-s.read:
		t.Fatalf("the server ended: %s", s.stderr.String())
	case <-time.After(patience):
		t.Fatalf("the server is not ready: %s", s.stderr.String())
	}
	return s
}

var credentialsLine = regexp.MustCompile(`^credentials tenant=\S+ domain=(\S+) user=(\S+) role=\S+ password=(\S+)$`)

func (s *server) follow(r io.Reader) {
	defer close(s.read)
	for sc := bufio.NewScanner(r); sc.Scan(); {
		line := sc.Text()
		s.mu.Lock()
		s.stdout = append(s.stdout, line)
		var e event
		if m := credentialsLine.FindStringSubmatch(line); m != nil {
			s.passwords[m[2]+"@"+m[1]] = m[3]
		} else if json.Unmarshal([]byte(line), &e) == nil {
			s.events = append(s.events, e)
		}
		s.mu.Unlock()
		if line == "ready" {
			close(s.ready)
		}
	}
}

func (s *server) stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(2*patience, func() { _ = s.cmd.Process.Kill() }) // calls may go on for one
	<-s.read
	err := s.cmd.Wait()
	kill.Stop()
	if err != nil {
		s.t.Errorf("the server did not end well: %v", err)
	}
	log := s.stderr.String()
	if strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic") || s.t.Failed() {
		s.t.Errorf("the server's log:\n%s", log)
	}
}

// printed is all the program said, to look for what it must not say.
func (s *server) printed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.stdout, "\n") + s.stderr.String()
}

// find returns the events that match, in order.
func (s *server) find(ok func(event) bool) []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []event
	for _, e := range s.events {
		if ok(e) {
			out = append(out, e)
		}
	}
	return out
}

// await waits for the nth event of a name, counted from 1, and returns it.
func (s *server) await(name string, nth int) event {
	s.t.Helper()
	var got []event
	eventually(s.t, fmt.Sprintf("event %s no. %d", name, nth), func() bool {
		got = s.find(func(e event) bool { return e.Event == name })
		return len(got) >= nth
	})
	return got[nth-1]
}

func (s *server) password(user, domain string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmpty(s.t, s.passwords[user+"@"+domain], "%s@%s", user, domain)
	return s.passwords[user+"@"+domain]
}

// command runs a command line of the program beside the running server.
func (s *server) command(args ...string) string {
	s.t.Helper()
	binary, err := program()
	require.NoError(s.t, err)
	out, err := exec.Command(binary, append([]string{"--config", s.config}, args...)...).CombinedOutput()
	require.NoError(s.t, err, "%s: %s", strings.Join(args, " "), out)
	return string(out)
}

func (s *server) ca() string { return filepath.Join(s.site.Data, "tls", "ca.pem") }

// metrics reads the management listener, by series name with its labels.
func (s *server) metrics() map[string]float64 {
	s.t.Helper()
	pem, err := os.ReadFile(s.ca())
	require.NoError(s.t, err)
	roots := x509.NewCertPool()
	require.True(s.t, roots.AppendCertsFromPEM(pem))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true, DialContext: dialerIn(s.site.Namespace)}
	client := &http.Client{Transport: transport, Timeout: patience}
	res, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/metrics", s.site.Management))
	require.NoError(s.t, err)
	defer res.Body.Close()
	out := map[string]float64{}
	sc := bufio.NewScanner(res.Body)
	for sc.Scan() {
		i := strings.LastIndexByte(sc.Text(), ' ')
		if v, err := strconv.ParseFloat(sc.Text()[i+1:], 64); err == nil && i > 0 && sc.Text()[0] != '#' {
			out[sc.Text()[:i]] = v
		}
	}
	require.NoError(s.t, sc.Err())
	return out
}

// patience is how long a test waits for what is there at once on a machine that has nothing else to do. It is spent only where something is broken.
const patience = time.Minute

// eventually waits for something that happens in other processes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, patience, 20*time.Millisecond, what)
}
