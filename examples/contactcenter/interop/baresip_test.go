package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/stretchr/testify/require"
)

// phone is a baresip: registered over TLS, media with SDES or not at all, remote-controlled.
type phone struct {
	t     *testing.T
	user  string
	heard string // folder of recordings of what it heard
	log   *output
	ctrl  io.Writer

	mu     sync.Mutex
	events []phoneEvent
}

type phoneEvent struct {
	Type, Param string
}

type phoneConfig struct {
	user  string
	index int     // tells ports of phones on one cable apart
	freq  float64 // what it says
	codec string
	auto  bool   // answers by itself
	keys  string // baresip's name of how it agrees on keys; empty: srtp-mand
}

// newPhone starts a baresip and returns when it has registered and, if it is an agent's, when the distributor knows: who calls before hears that nobody is there.
func newPhone(t *testing.T, l *lan, s *server, c phoneConfig) *phone {
	t.Helper()
	need(t, "baresip", "socat")
	dir := t.TempDir()
	p := &phone{t: t, user: c.user, heard: filepath.Join(dir, "heard")}
	require.NoError(t, os.Mkdir(p.heard, 0o700))
	voice := filepath.Join(dir, "voice.wav")
	writeTone(t, voice, c.freq)
	control := 4440 + c.index
	config, err := os.Create(filepath.Join(dir, "config"))
	require.NoError(t, err)
	require.NoError(t, template.Must(template.ParseFiles("testdata/baresip.config")).Execute(config, map[string]any{
		"IP": l.phonesIP, "SIP": 5070 + 10*c.index, "CA": s.ca(), "Voice": voice, "User": c.user, "Heard": p.heard, "Control": control,
		"RTP": fmt.Sprintf("%d-%d", 20000+1000*c.index, 20998+1000*c.index),
	}))
	require.NoError(t, config.Close())
	mode := "manual"
	if c.auto {
		mode = "auto"
	}
	if c.keys == "" {
		c.keys = "srtp-mand"
	}
	account := fmt.Sprintf("<sip:%s@acme.localhost;transport=tls>;auth_pass=%s;outbound=\"sip:%s:%d;transport=tls\";mediaenc=%s;audio_codecs=%s/8000/1;regint=60;answermode=%s\n",
		c.user, s.password(c.user, "acme.localhost"), l.serverIP, s.site.SIP, c.keys, c.codec, mode)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "accounts"), []byte(account), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "contacts"), nil, 0o600))
	p.log = background(t, in(l.phones, "baresip", "-f", dir, "-v", "-s"))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("baresip %s:\n%s", c.user, p.log)
		}
	})
	eventually(t, "baresip "+c.user+" registers", func() bool { return strings.Contains(p.log.String(), "200 OK () [1 binding]") })
	p.connect(l, control)
	if c.user == "1001" {
		eventually(t, "the agent is ready", func() bool { return s.metrics()[`contactcenter_agents{state="ready",tenant="acme"}`] == 1 })
	}
	return p
}

// connect opens the remote control. It listens in the phones' namespace, so something that is in there has to carry it out.
func (p *phone) connect(l *lan, port int) {
	p.t.Helper()
	cmd := in(l.phones, "socat", "STDIO", fmt.Sprintf("TCP:127.0.0.1:%d,retry=20,interval=0.1", port))
	in, err := cmd.StdinPipe()
	require.NoError(p.t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(p.t, err)
	p.ctrl = in
	cmd.Stderr = io.Discard
	require.NoError(p.t, cmd.Start())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.listen(bufio.NewReader(out))
	}()
	p.t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait() // killed, which is no news
	})
}

// listen reads netstrings ("5:hello,") until the control connection ends.
func (p *phone) listen(r *bufio.Reader) {
	for {
		size, err := r.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(size, ":"))
		if err != nil {
			return
		}
		b := make([]byte, n+1)
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		var e phoneEvent
		if json.Unmarshal(b[:n], &e) == nil && e.Type != "" {
			p.mu.Lock()
			p.events = append(p.events, e)
			p.mu.Unlock()
		}
	}
}

func (p *phone) do(command, params string) {
	p.t.Helper()
	b, err := json.Marshal(map[string]string{"command": command, "params": params})
	require.NoError(p.t, err)
	_, err = fmt.Fprintf(p.ctrl, "%d:%s,", len(b), b)
	require.NoError(p.t, err)
}

func (p *phone) dial(number string) { p.do("dial", "sip:"+number+"@acme.localhost") }

// await waits for the nth event of a type, counted from 1.
func (p *phone) await(kind string, nth int) phoneEvent {
	p.t.Helper()
	var found phoneEvent
	eventually(p.t, fmt.Sprintf("baresip %s: %s no. %d", p.user, kind, nth), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		left := nth
		for _, e := range p.events {
			if e.Type == kind {
				if left--; left == 0 {
					found = e
					return true
				}
			}
		}
		return false
	})
	return found
}

// file is the recording of what the phone heard in its nth call.
func (p *phone) file(nth int) string {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.heard, "*-dec.wav")) // the names are times, so this is their order
	require.NoError(p.t, err)
	require.GreaterOrEqual(p.t, len(files), nth)
	return files[nth-1]
}

// hears waits until the recording of the nth call has grown by so many seconds of media.
func (p *phone) hears(nth int, d time.Duration) {
	p.t.Helper()
	size := func() int64 {
		files, err := filepath.Glob(filepath.Join(p.heard, "*-dec.wav"))
		if err != nil || len(files) < nth {
			return 0
		}
		st, err := os.Stat(files[nth-1])
		if err != nil {
			return 0
		}
		return st.Size()
	}
	goal := size() + int64(d.Seconds()*16000)
	eventually(p.t, "baresip "+p.user+" hears", func() bool { return size() > goal })
}

var cryptoLine = regexp.MustCompile(`(?m)^a=crypto:(\d+ (\S+) inline:(\S+?)(?:\|\S*)?)\s*$`)

// answered returns the session description that the server answered the last call of this phone with, from the phone's own trace.
func (p *phone) answered() string {
	p.t.Helper()
	log := p.log.String()
	at := strings.LastIndex(log, "SIP/2.0 200 OK")
	for ; at >= 0; at = strings.LastIndex(log[:at], "SIP/2.0 200 OK") {
		if end := strings.Index(log[at:], "\x1b["); end > 0 && strings.Contains(log[at:at+end], "m=audio") {
			return log[at : at+end]
		}
	}
	p.t.Fatal("no answer in the trace of baresip")
	return ""
}
