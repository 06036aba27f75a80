package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/srtp/media"
)

// world is a running contact center of a test, with what it printed.
type world struct {
	t    *testing.T
	node *node
	cfg  *config
	dep  *deployment
	stop context.CancelFunc
	done chan error

	mu        sync.Mutex
	events    []event
	passwords map[string]string // tenant/user
	pins      map[string]string // tenant/mailbox
	ready     chan struct{}
	tail      []byte
	log       bytes.Buffer
	level     slog.Level
	roots     *x509.CertPool
	recording string // more of acme's recording block, for a program that is another process
	queue     string // more of acme's sales queue, likewise
}

var credentialsLine = regexp.MustCompile(`^credentials tenant=(\S+) domain=\S+ user=(\S+) role=\S+ password=(\S+)$`)

var pinLine = regexp.MustCompile(`^mailbox tenant=(\S+) box=(\S+) pin=(\d{8})$`)

// Write takes the program's standard output, line by line.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tail = append(w.tail, b...)
	for {
		i := bytes.IndexByte(w.tail, '\n')
		if i < 0 {
			return len(b), nil
		}
		line := string(w.tail[:i])
		w.tail = w.tail[i+1:]
		switch m := credentialsLine.FindStringSubmatch(line); {
		case m != nil:
			w.passwords[m[1]+"/"+m[2]] = m[3]
		case pinLine.MatchString(line):
			if m := pinLine.FindStringSubmatch(line); w.pins == nil {
				w.pins = map[string]string{m[1] + "/" + m[2]: m[3]}
			} else {
				w.pins[m[1]+"/"+m[2]] = m[3]
			}
		case line == "ready":
			close(w.ready)
		default:
			var e event
			if err := json.Unmarshal([]byte(line), &e); err == nil {
				w.events = append(w.events, e)
			}
		}
	}
}

type logWriter struct{ w *world }

func (l logWriter) Write(b []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.log.Write(b)
}

// logged is the log so far, of a server that may be writing it.
func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// testConfig is the demo's configuration on free ports with short times.
func testConfig(t *testing.T, change func(*config)) *config {
	t.Helper()
	cfg, err := loadConfig("")
	require.NoError(t, err)
	cfg.Data = filepath.Join(t.TempDir(), "data")
	cfg.Listen = listenConfig{SIPTLS: "127.0.0.1:0", Management: "127.0.0.1:0"}
	for i := range cfg.Tenants {
		for j := range cfg.Tenants[i].Queues {
			q := &cfg.Tenants[i].Queues[j]
			q.Ring, q.WrapUp = "1m", "200ms" // a phone that rings is not given up because the machine is busy
		}
	}
	if change != nil {
		change(cfg)
	}
	return cfg
}

func startWorld(t *testing.T, change func(*config)) *world {
	t.Helper()
	w := &world{t: t, cfg: testConfig(t, change), passwords: map[string]string{}}
	w.start()
	t.Cleanup(w.close)
	return w
}

func (w *world) start() {
	t := w.t
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.done, w.ready = cancel, make(chan error, 1), make(chan struct{})
	w.seed()
	var err error
	w.dep, err = openDeployment(ctx, w.cfg, true)
	require.NoError(t, err)
	require.NoError(t, w.dep.ensureTenants(ctx, w))
	require.NoError(t, w.dep.ensureMailboxes(ctx, w))
	w.node, err = newNode(ctx, w.cfg, w.dep, w, slog.New(slog.NewTextHandler(logWriter{w}, &slog.HandlerOptions{Level: w.level})))
	require.NoError(t, err)
	pem, err := os.ReadFile(filepath.Join(w.cfg.Data, "tls", "ca.pem"))
	require.NoError(t, err)
	w.roots = x509.NewCertPool()
	require.True(t, w.roots.AppendCertsFromPEM(pem))
	hurry, hurried := context.WithCancel(context.Background())
	hurried() // a test does not wait for a drain unless it means to
	n := w.node
	go func() { w.done <- n.run(ctx, hurry, w) }()
	select {
	case <-w.ready:
	case err := <-w.done:
		t.Fatalf("did not start: %v", err)
	case <-time.After(patience):
		t.Fatal("did not start")
	}
}

func (w *world) close() {
	if w.stop == nil {
		return
	}
	w.stop()
	w.stop = nil
	if err := <-w.done; err != nil {
		w.t.Errorf("server: %v", err)
	}
	if err := w.dep.Close(); err != nil {
		w.t.Errorf("data: %v", err)
	}
	if w.t.Failed() {
		w.t.Log(w.log.String())
	}
}

// phone makes a softphone of a user; it is closed with the test.
func (w *world) phone(tenant, user string, change func(*softphoneConfig)) *softphone {
	w.t.Helper()
	cfg := softphoneConfig{server: w.node.sipAddr, domain: tenant + ".localhost", user: user, password: w.passwords[tenant+"/"+user], roots: w.roots}
	require.NotEmpty(w.t, cfg.password, "%s/%s", tenant, user)
	if change != nil {
		change(&cfg)
	}
	p, err := newSoftphone(cfg)
	require.NoError(w.t, err)
	w.t.Cleanup(p.close)
	return p
}

// agent makes a registered phone of a user that says freq Hz when it has answered.
func (w *world) agent(tenant, user string, freq float64, change func(*softphoneConfig)) *softphone {
	w.t.Helper()
	p := w.phone(tenant, user, func(c *softphoneConfig) {
		c.voice = tone(w.t, freq)
		if change != nil {
			change(c)
		}
	})
	require.NoError(w.t, p.register(soon(w.t)))
	// Who calls before the distributor knows of the agent hears that nobody is there.
	if w.node.sites == nil { // the program is another process, which says how many are ready
		ready := fmt.Sprintf("contactcenter_agents{state=\"ready\",tenant=%q} 1\n", tenant)
		eventually(w.t, "the agent is ready", func() bool { return strings.Contains(w.get(w.t, "/metrics"), ready) })
	}
	for i, s := range w.node.sites {
		if s.name == tenant && s.agents[user] {
			eventually(w.t, "the agent is ready", func() bool { st, _ := w.state(i, user); return st == acd.Ready })
		}
	}
	return p
}

// taken is the nth call that a phone answered, counted from 0. Its media may be heard before the phone has put it on its list.
func (w *world) taken(p *softphone, n int) *softcall {
	w.t.Helper()
	eventually(w.t, "the phone has the call", func() bool { return len(p.answered()) > n })
	return p.answered()[n]
}

func (w *world) dial(p *softphone, number string) *softcall {
	w.t.Helper()
	c, err := p.dial(soon(w.t), number)
	require.NoError(w.t, err)
	w.t.Cleanup(c.hangup)
	return c
}

func tone(t *testing.T, freq float64) *media.Prompt {
	t.Helper()
	p, err := media.Tone(freq, time.Second)
	require.NoError(t, err)
	return p
}

// patience is how long a test waits for what is there at once on a machine that has nothing else to do. It is spent only where something is broken.
const patience = time.Minute

// soon is a context for what ends by itself.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for something that happens in other goroutines and sockets.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, patience, 10*time.Millisecond, what)
}

func (w *world) find(ok func(event) bool) []event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []event
	for _, e := range w.events {
		if ok(e) {
			out = append(out, e)
		}
	}
	return out
}

func named(name string) func(event) bool { return func(e event) bool { return e.Event == name } }

// command runs a command line on the world's data and returns its output.
func (w *world) command(args ...string) (string, int) {
	var out, errs strings.Builder
	code := run(context.Background(), append([]string{"--data", w.cfg.Data}, args...), &out, &errs)
	if code != 0 {
		return out.String() + errs.String(), code
	}
	return out.String(), code
}

func lines(s string) []string {
	var out []string
	sc := bufio.NewScanner(strings.NewReader(s))
	for sc.Scan() {
		out = append(out, sc.Text())
	}
	return out
}

// get fetches a page of the management listener.
func (w *world) get(t *testing.T, path string) string {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots, ServerName: "localhost"}}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Timeout: patience}).Get("https://" + w.node.managementAddr + path)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(b)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// configWith writes the demo's configuration with more at its end.
func configWith(t *testing.T, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.hcl")
	writeFile(t, path, string(demoConfig)+more)
	return path
}

// failToStart starts a server that should refuse to run, and returns why it did.
func (w *world) failToStart() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dep, err := openDeployment(ctx, w.cfg, true)
	require.NoError(w.t, err)
	defer dep.Close()
	require.NoError(w.t, dep.ensureTenants(ctx, io.Discard))
	n, err := newNode(ctx, w.cfg, dep, io.Discard, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return n.run(ctx, ctx, io.Discard)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

var _ io.Writer = (*world)(nil)
