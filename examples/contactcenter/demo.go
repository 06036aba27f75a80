package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/retention"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/tenant"
)

type demoCmd struct{}

// Run makes a contact center in a folder of its own, lets callers and agents of our own talk through it over real SIP over TLS and real SRTP, and
// checks everything that is left. It fails if one thing of it did not hold.
func (demoCmd) Run(a *app) error {
	dir, err := os.MkdirTemp("", "contactcenter-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &demo{app: a, passwords: map[string]string{}, gaveUp: make(chan struct{})}
	return d.run(dir)
}

const demoTenant = "acme"

type demo struct {
	*app
	node      *node
	dep       *deployment
	roots     *x509.CertPool
	passwords map[string]string

	gaveUp chan struct{} // closed when the caller who does not wait has gone

	mu     sync.Mutex
	failed []string
}

// demoLimit is far more than the demo takes on a slow machine.
const demoLimit = 3 * time.Minute

// check notes a promise that did not hold.
func (d *demo) check(ok bool, what string, args ...any) {
	if ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = append(d.failed, fmt.Sprintf(what, args...))
}

func (d *demo) run(dir string) error {
	ctx, cancel := context.WithTimeout(d.ctx, demoLimit)
	defer cancel()
	cfg := *d.cfg
	cfg.Data = filepath.Join(dir, "data")
	cfg.Listen = listenConfig{SIPTLS: "127.0.0.1:0", Management: "127.0.0.1:0"}
	cfg.Tenants = append([]tenantConfig(nil), d.cfg.Tenants...)
	for i := range cfg.Tenants {
		cfg.Tenants[i].Queues = append([]queueConfig(nil), cfg.Tenants[i].Queues...)
		for j := range cfg.Tenants[i].Queues {
			q := &cfg.Tenants[i].Queues[j]
			q.Ring, q.WrapUp = "3s", "2s" // short, so that the demo is
		}
	}
	var err error
	if d.dep, err = openDeployment(ctx, &cfg, true); err != nil {
		return err
	}
	var printed bytes.Buffer
	if err := d.dep.ensureTenants(ctx, &printed); err != nil {
		return errors.Join(err, d.dep.Close())
	}
	if err := d.dep.ensureMailboxes(ctx, &printed); err != nil {
		return errors.Join(err, d.dep.Close())
	}
	for _, m := range regexp.MustCompile(`tenant=(\S+) domain=\S+ user=(\S+) role=\S+ password=(\S+)`).FindAllStringSubmatch(printed.String(), -1) {
		d.passwords[m[1]+"/"+m[2]] = m[3]
	}
	events := &lockedBuffer{}
	if d.node, err = newNode(ctx, &cfg, d.dep, events, slog.New(slog.NewTextHandler(d.stderr, &slog.HandlerOptions{Level: slog.LevelError}))); err != nil {
		return errors.Join(err, d.dep.Close())
	}
	err = d.withServer(ctx, events, func() error {
		d.title("Two tenants, SIP over TLS on %s, SRTP (SDES, AES-256-GCM), everything on loopback", d.node.sipAddr)
		d.traffic(ctx)
		return d.inspect(ctx)
	})
	if err = errors.Join(err, d.dep.Close()); err != nil {
		return err
	}
	if len(d.failed) > 0 {
		for _, f := range d.failed {
			fmt.Fprintln(d.stdout, "FAILED:", f)
		}
		return fmt.Errorf("%d promises did not hold", len(d.failed))
	}
	d.title("All of that held.")
	return nil
}

// withServer runs f while the server runs.
func (d *demo) withServer(ctx context.Context, out *lockedBuffer, f func() error) error {
	serving, stop := context.WithCancel(context.Background())
	hurry, hurried := context.WithCancel(context.Background())
	defer hurried()
	done := make(chan error, 1)
	go func() { done <- d.node.run(serving, hurry, out) }() // stopped below and waited for
	defer stop()
	for !d.node.ready.Load() {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	pem, err := os.ReadFile(filepath.Join(d.node.cfg.Data, "tls", "ca.pem"))
	if err == nil {
		d.roots = x509.NewCertPool()
		d.roots.AppendCertsFromPEM(pem)
		err = f()
	}
	stop()
	return errors.Join(err, <-done)
}

func (d *demo) title(format string, args ...any) {
	fmt.Fprintf(d.stdout, "\n== "+format+"\n", args...)
}

func (d *demo) phone(tenant, user string, freq float64, change func(*softphoneConfig)) (*softphone, error) {
	voice, err := media.Tone(freq, time.Second)
	if err != nil {
		return nil, err
	}
	cfg := softphoneConfig{server: d.node.sipAddr, domain: tenant + ".localhost", user: user, password: d.passwords[tenant+"/"+user], roots: d.roots, voice: voice}
	if change != nil {
		change(&cfg)
	}
	return newSoftphone(cfg)
}

// A caller of the demo and what is expected to happen to them.
type demoCaller struct {
	user   string
	tenant string
	after  time.Duration // since the start
	number string
	keys   string        // pressed once the prompt is heard
	talk   time.Duration // with the agent; zero: gives up while waiting
	codec  string
	want   acd.Outcome
}

var demoCallers = []demoCaller{
	{user: "1005", after: 0, number: "9000", keys: "1", talk: 4 * time.Second, want: acd.Answered},
	{user: "1006", after: 500 * time.Millisecond, number: "9000", keys: "1", talk: 5 * time.Second, codec: "PCMA", want: acd.Answered},
	{user: "1007", after: 1 * time.Second, number: "9000", keys: "2", talk: 4 * time.Second, want: acd.Answered},
	{user: "1008", after: 2 * time.Second, number: "9001", talk: 3 * time.Second, want: acd.Answered},
	{user: "1009", after: 3 * time.Second, number: "9001", talk: 3 * time.Second, want: acd.Answered},
	{user: "1010", after: 4 * time.Second, number: "9001", want: acd.Abandoned},
	{user: "1005", after: 5 * time.Second, number: "9000", keys: "3", want: acd.IVREnded},
	{user: "1006", after: 6 * time.Second, number: "9003", want: acd.IVREnded},
	{user: "1009", tenant: "globex", after: 7 * time.Second, number: "9001", want: acd.Overflowed},
}

const (
	callerFreq = 600 // Hz, what every caller says
	agentFreq  = 900
)

// traffic lets agents and callers loose and draws the wallboard until the last caller is gone.
func (d *demo) traffic(ctx context.Context) {
	var agents []*softphone
	defer func() {
		for _, p := range agents {
			p.close()
		}
	}()
	for i, user := range []string{"1001", "1002", "1003", "1004"} {
		p, err := d.phone(demoTenant, user, agentFreq, func(c *softphoneConfig) {
			c.answer = func(ctx context.Context, _ *sip.Call) error {
				if i == 0 { // the first one is at lunch: the phone rings out and the call goes on to the next
					<-ctx.Done()
					return ctx.Err()
				}
				return after(ctx, 700*time.Millisecond)
			}
		})
		if err == nil {
			agents = append(agents, p)
			err = p.register(ctx)
		}
		if err != nil {
			d.check(false, "agent %s: %v", user, err)
			return
		}
	}
	// Who calls before the distributor knows of the agents hears that nobody is there.
	d.check(until(ctx, func() bool { return d.agentsIn(acd.Ready) == len(agents) }), "agents who registered are not ready")
	fmt.Fprintln(d.stdout, "4 agents of acme registered; 1001 will not answer. 9 callers come.")
	var wg sync.WaitGroup
	for _, c := range demoCallers {
		wg.Add(1)
		go func() { // ends with the call, waited for below
			defer wg.Done()
			if after(ctx, c.after) == nil {
				d.caller(ctx, c)
			}
		}()
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }() // ends with the last caller; the wallboard waits for it
	d.wallboard(ctx, done)
	for _, p := range agents[1:] {
		for _, call := range p.answered() {
			n, _ := call.ears.heard()
			d.check(n > 8000, "an agent heard a caller for less than a second")
			d.check(call.ears.hears(callerFreq), "an agent did not hear the caller's tone")
		}
	}
}

// agentsIn counts the demo tenant's agents in a state.
func (d *demo) agentsIn(state acd.AgentState) int {
	n := 0
	for _, a := range d.node.sites[0].center.Snapshot().Agents {
		if a.State == state {
			n++
		}
	}
	return n
}

func (d *demo) caller(ctx context.Context, dc demoCaller) {
	if dc.want == acd.Abandoned {
		// The three agents who answer talk, and go on until this caller has given up: that nobody is free for it does not depend on who was faster.
		defer close(d.gaveUp)
		d.check(until(ctx, func() bool { return d.agentsIn(acd.Talking) == 3 }), "not all agents got a caller")
	}
	name := dc.tenant
	if name == "" {
		name = demoTenant
	}
	p, err := d.phone(name, dc.user, callerFreq, func(c *softphoneConfig) {
		if dc.codec != "" {
			c.codecs = []string{dc.codec}
		}
	})
	if err != nil {
		d.check(false, "caller %s: %v", dc.user, err)
		return
	}
	defer p.close()
	c, err := p.dial(ctx, dc.number)
	if err != nil {
		d.check(false, "caller %s to %s: %v", dc.user, dc.number, err)
		return
	}
	defer c.hangup()
	sec := c.leg.Security()
	d.check(sec.Suite == "AEAD_AES_256_GCM", "caller %s talks %s", dc.user, sec.Suite)
	if dc.keys != "" {
		d.check(until(ctx, func() bool { n, _ := c.ears.heard(); return n > 8000 }), "caller %s did not hear the welcome", dc.user)
		err := c.leg.SendDigits(ctx, dc.keys)
		if err == nil && dc.keys == "3" {
			err = c.leg.SendDigits(ctx, "271828#")
		}
		d.check(err == nil, "caller %s: digits: %v", dc.user, err)
	}
	switch dc.want {
	case acd.Answered:
		d.check(until(ctx, func() bool { return c.ears.hears(agentFreq) }), "caller %s did not hear an agent", dc.user)
		_ = after(ctx, dc.talk)
		select {
		case <-d.gaveUp:
		case <-ctx.Done():
		}
		d.check(c.ears.hears(agentFreq), "caller %s lost the agent", dc.user)
	case acd.Abandoned:
		_ = after(ctx, 2*time.Second)
	default: // the other side ends it
		if dc.number == "9003" {
			d.check(until(ctx, func() bool { return c.ears.hears(1000) }), "caller %s did not hear the reference tone", dc.user)
		}
		select {
		case <-c.call.Done():
		case <-ctx.Done():
			d.check(false, "caller %s was not sent off", dc.user)
		}
	}
}

// inspect shows and checks what the calls left behind, then lets thirteen months pass.
func (d *demo) inspect(ctx context.Context) error {
	s := d.node.sites[0]
	// Records are written when calls end; the last ones end with the phones.
	until(ctx, func() bool {
		return s.tally.Report(time.Now()).Open == 0 && s.tally.Report(time.Now()).Talking == 0 && d.node.ep.Stats().LiveCalls == 0
	})
	d.title("Calls of %s", demoTenant)
	if err := (callsCmd{}).print(d.app, s.acdStore); err != nil {
		return err
	}
	want := map[acd.Outcome]int{}
	for _, c := range demoCallers {
		if c.tenant == "" {
			want[c.want]++
		}
	}
	r := s.tally.Report(time.Now())
	d.check(r.Answered == want[acd.Answered] && r.Abandoned == want[acd.Abandoned] && r.Overflowed == want[acd.Overflowed] && r.IVREnded == want[acd.IVREnded],
		"outcomes are %d answered, %d abandoned, %d overflowed, %d in the IVR", r.Answered, r.Abandoned, r.Overflowed, r.IVREnded)
	d.check(r.Arrived == r.Answered+r.Abandoned+r.Overflowed+r.IVREnded, "calls in are not calls accounted for")
	d.check(d.node.sites[1].tally.Report(time.Now()).Overflowed == 1, "globex's caller was not told that nobody is there")

	admin, err := d.actor(ctx, "admin")
	if err != nil {
		return err
	}
	access, err := s.vault.For(admin, admin.audit)
	if err != nil {
		return err
	}
	d.title("Recordings of %s, encrypted since their first byte", demoTenant)
	var due time.Time // of the one that is kept longest
	n := 0
	for info, err := range access.List(ctx, recording.Query{}) {
		if err != nil {
			return err
		}
		n++
		if at := retention.Due(info.Created, retention.Period{Months: 13}, time.UTC); at.After(due) {
			due = at
		}
		report, err := access.Verify(ctx, info.ID)
		fmt.Fprintln(d.stdout, verdict(info.ID, report, err))
		d.check(err == nil && report.Complete && report.Signed, "recording %s does not verify: %v", info.ID, err)
	}
	d.check(n == want[acd.Answered], "%d recordings of %d conversations", n, want[acd.Answered])
	return d.passTime(ctx, admin, access, due, n)
}

// passTime runs retention at the last instant before the last of n recordings falls due, and at the instant it does.
func (d *demo) passTime(ctx context.Context, admin *actor, access *recording.Access, due time.Time, n int) error {
	d.title("Thirteen months later")
	sw, err := openSweeper(ctx, admin, d.node.sites[0].vault, d.node.sites[0].boxes)
	if err != nil {
		return err
	}
	defer sw.Close()
	early, err := sw.Run(ctx, due.Add(-1))
	if err != nil {
		return err
	}
	late, err := sw.Run(ctx, due)
	if err != nil {
		return err
	}
	printReceipt(d.app, early)
	printReceipt(d.app, late)
	d.check(early.Counts.Erased == n-1, "%d of %d recordings were erased when all but one were due", early.Counts.Erased, n)
	d.check(late.Counts.Erased == 1, "%d recordings were erased when the last one was due", late.Counts.Erased)
	for info := range access.List(ctx, recording.Query{}) {
		d.check(false, "recording %s is still there", info.ID)
	}
	keys, err := d.dep.keysOf(ctx, demoTenant)
	if err != nil {
		return err
	}
	public, err := keys.PublicKey(ctx)
	if err != nil {
		return err
	}
	_, err = retention.VerifyReceipt(public, late.Bytes())
	d.check(err == nil, "the receipt does not verify: %v", err)
	if err == nil {
		fmt.Fprintln(d.stdout, "The receipt verifies with nothing but the tenant's public key.")
	}
	return nil
}

func (d *demo) actor(ctx context.Context, as string) (*actor, error) {
	t, err := d.dep.dir.Tenant(ctx, demoTenant)
	if err != nil {
		return nil, err
	}
	var p *tenant.Principal
	if p, err = t.Operator(ctx, as); err != nil {
		return nil, err
	}
	log, err := d.dep.auditLog(demoTenant)
	if err != nil {
		return nil, err
	}
	return &actor{dep: d.dep, tenant: t, Principal: p, audit: log.As(p.Name())}, nil
}

// after waits for d or the end of ctx.
func after(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until waits for something to become true, for at most 45 s, which is for slow machines.
func until(ctx context.Context, ok func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, 45*time.Second)
	defer cancel()
	for !ok() {
		if after(ctx, 20*time.Millisecond) != nil {
			return false
		}
	}
	return true
}

// lockedBuffer takes the server's lines; the demo shows the wallboard in their place.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
