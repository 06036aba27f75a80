package main

import (
	"bytes"
	"crypto/x509"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip/siptest"
)

// TestMain lets the test binary be the program itself, so that a test can kill it.
func TestMain(m *testing.M) {
	if os.Getenv("CONTACTCENTER_MAIN") == "1" {
		main()
	}
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen { // these tests wait for media in real time: more of them than cores, and few enough for every frame to be in time
		if err := flag.Set("test.parallel", "6"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// process is the program in a process of its own.
type process struct {
	*world
	cmd *exec.Cmd
}

const crashConfig = `
data = %q
listen {
  sip_tls    = "127.0.0.1:%d"
  management = "127.0.0.1:%d"
}
media { address = "127.0.0.1" }
tenant "acme" {
  domain = "acme.localhost"
  first_start {
    agents = ["1001"]
    phones = ["1009"]
  }
  queue "sales" {
    wrap_up = "1s"
  }
  queue "support" {}
  number "9001" { flow = "sales" }
  recording {
    place      = "US-NY"
    pause_keys = "*0"
  }
  retention { recordings = "13 months" }
}
`

// startProcess starts the program, under another one if tracer names it.
func startProcess(t *testing.T, w *world, port int, tracer ...string) *process {
	t.Helper()
	path := filepath.Join(filepath.Dir(w.cfg.Data), "crash.hcl")
	management := siptest.FreePort(t)
	text := strings.Replace(fmt.Sprintf(crashConfig, w.cfg.Data, port, management), "place      =", w.recording+"place      =", 1)
	text = strings.Replace(text, "wrap_up = ", w.queue+"\n    wrap_up = ", 1)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	w.ready = make(chan struct{})
	args := append(tracer, os.Args[0], "--config", path)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "CONTACTCENTER_MAIN=1")
	cmd.Stdout, cmd.Stderr = w, logWriter{w}
	require.NoError(t, cmd.Start())
	p := &process{w, cmd}
	t.Cleanup(func() { p.kill() })
	select {
	case <-w.ready:
	case <-time.After(patience):
		t.Fatalf("did not start: %s", w.logged())
	}
	pem, err := os.ReadFile(filepath.Join(w.cfg.Data, "tls", "ca.pem"))
	require.NoError(t, err)
	w.roots = x509.NewCertPool()
	require.True(t, w.roots.AppendCertsFromPEM(pem))
	w.node = &node{sipAddr: fmt.Sprintf("127.0.0.1:%d", port), managementAddr: fmt.Sprintf("127.0.0.1:%d", management)}
	return p
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(syscall.SIGKILL)
		_ = p.cmd.Wait()
	}
}

func TestKilledInTheMiddleOfACall(t *testing.T) {
	t.Parallel()
	w := &world{t: t, cfg: testConfig(t, nil), passwords: map[string]string{}}
	port := siptest.FreePort(t)
	p := startProcess(t, w, port)
	config := []string{"--config", filepath.Join(filepath.Dir(w.cfg.Data), "crash.hcl")}

	agent := w.agent("acme", "1001", 900, nil)
	caller := w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) })
	c := w.dial(caller, "9001")
	eventually(t, "they talk", func() bool { return c.ears.hears(900) })
	a := w.taken(agent, 0)
	var offered []event
	eventually(t, "three seconds recorded", func() bool {
		n, _ := a.ears.heard()
		offered = w.find(named("answered"))
		return n > 3*8000 && len(offered) == 1
	})
	out, code := w.command(append(config, "holds", "place", "--tenant", "acme", "--as", "admin", "--ground", "case 1", "--approver", "counsel", "--review", "2099-01-01", "some-recording")...)
	require.Zero(t, code, out)
	p.kill()

	p = startProcess(t, w, port)
	out, code = w.command(append(config, "recordings", "verify", "--tenant", "acme", "--as", "auditor")...)
	require.Zero(t, code, out)
	require.Contains(t, out, "incomplete", "never silently complete")
	out, code = w.command(append(config, "recordings", "list", "--tenant", "acme", "--as", "supervisor")...)
	require.Zero(t, code, out)
	require.Len(t, lines(out), 2)
	id := strings.Fields(lines(out)[1])[0]
	wav := filepath.Join(t.TempDir(), "out.wav")
	out, code = w.command(append(config, "recordings", "export", "--tenant", "acme", "--as", "admin", "--reason", "test", "-o", wav, id)...)
	require.Zero(t, code, out)
	left, right := readStereo(t, wav)
	require.Greater(t, len(left), 2*8000, "all but the last second is there")
	require.True(t, toneIn(left, 600), "the caller is left")
	require.True(t, toneIn(right, 900), "the agent is right")
	// The bytes of this very call, as they were inside SRTP, are on no disk; nor are the names in its metadata.
	plain := [][]byte{mulaw(left[8000:8160]), mulaw(right[8000:8160]), []byte("caller"), []byte("sales")}
	require.NoError(t, filepath.WalkDir(filepath.Join(w.cfg.Data, "tenants", "acme", "recordings"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if filepath.Ext(path) != ".filestore" { // which says what folder it is
			require.Greater(t, len(b), 2*8000)
		}
		for _, p := range plain {
			require.False(t, bytes.Contains(b, p))
		}
		return err
	}))
	_, code = w.command(append(config, "recordings", "export", "--tenant", "acme", "--as", "1001", "--reason", "test", "-o", wav+"2", id)...)
	require.Equal(t, exitRefused, code, "an agent may not take recordings away")

	out, code = w.command(append(config, "calls", "--tenant", "acme", "--as", "auditor")...)
	require.Zero(t, code, out)
	require.Contains(t, out, "node-died")
	require.Contains(t, out, "1 calls = 1 answered")
	out, code = w.command(append(config, "audit", "verify", "--tenant", "acme", "--as", "auditor")...)
	require.Zero(t, code, out)
	out, code = w.command(append(config, "holds", "list", "--tenant", "acme", "--as", "auditor")...)
	require.Zero(t, code, out)
	require.Contains(t, out, "case 1")
	w.agent("acme", "1001", 900, nil) // users and passwords are as before
	control.Proves(t, "ATR-04")
	p.kill()
}

func TestTermDrains(t *testing.T) {
	t.Parallel()
	w := &world{t: t, cfg: testConfig(t, nil), passwords: map[string]string{}}
	p := startProcess(t, w, siptest.FreePort(t))
	agent := w.agent("acme", "1001", 900, nil)
	c := w.dial(w.phone("acme", "1009", nil), "9001")
	eventually(t, "they talk", func() bool { return c.ears.hears(900) })
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	eventually(t, "new calls are refused", func() bool {
		other, err := w.phone("acme", "1009", nil).dial(soon(t), "9001")
		if err == nil {
			other.hangup()
		}
		return err != nil
	})
	n, _ := w.taken(agent, 0).ears.heard()
	eventually(t, "the old one goes on", func() bool { m, _ := c.ears.heard(); return m > n+4000 && c.ears.hears(900) })
	c.hangup()
	exited := make(chan error, 1)
	go func() { exited <- p.cmd.Wait() }()
	select {
	case err := <-exited:
		require.NoError(t, err, "a drained server exits with 0")
	case <-time.After(patience):
		t.Fatal("did not end after its last call")
	}
	out, code := w.command("--config", filepath.Join(filepath.Dir(w.cfg.Data), "crash.hcl"), "recordings", "verify", "--tenant", "acme", "--as", "auditor")
	require.Zero(t, code, out)
	require.Contains(t, out, "ok ")
	require.NotContains(t, out, "incomplete")
}
