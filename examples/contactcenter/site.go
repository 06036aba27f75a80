package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
	acdstore "github.com/ringfence/ringfence/acd/sqlstore"
	"github.com/ringfence/ringfence/ivr"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/flac"
	"github.com/ringfence/ringfence/recording/voicemail"
	vmstore "github.com/ringfence/ringfence/recording/voicemail/sqlstore"
	"github.com/ringfence/ringfence/sip"
	sipevent "github.com/ringfence/ringfence/sip/event"
	"github.com/ringfence/ringfence/sip/stir"
	"github.com/ringfence/ringfence/srtp/dtls"
	"github.com/ringfence/ringfence/tenant"
)

// site is one tenant at work: its flows, its queues, its vault. Nothing in it can reach another tenant's.
type site struct {
	name    string
	cfg     tenantConfig
	tenant  *tenant.Tenant
	node    *node
	log     *slog.Logger
	prompts *prompts
	program *ivr.Program
	numbers map[string]*ivr.Flow
	signer  *stir.Signer // nil: calls outside are not signed
	router  *tenant.Principal
	// identity is what the tenant's legs prove themselves with by DTLS-SRTP; new with each start, because only descriptions vouch for it.
	identity *dtls.Identity
	keying   keying
	agents   map[string]bool // users who may answer queues; read-only

	center    *acd.Center
	acdStore  *acdstore.Store
	vault     *recording.Vault
	catalog   *places
	boxes     *voicemail.Boxes
	mailStore *vmstore.Store
	ran       chan error // what Center.Run returned
	tally     *report.Tally
	backups   backupState
	stop      context.CancelFunc // of the sweeper and of what keeps copies
	wg        sync.WaitGroup     // goroutines of calls' side errands

	mu       sync.Mutex
	callers  map[string]*phone        // by work: callers of this tenant now
	sessions map[seat]*session        // agents who have answered and wait for their caller, or have been called back with
	dialing  map[string]chan struct{} // agents for whom a caller is being called back; closed when they are free again
	busy     map[string]int           // users on calls of their own
	waived   map[string]time.Time     // when a phone's use of a waiver was last recorded

	dialogs       map[string]map[string]sipevent.Dialog // calls of users, for who watches them
	lamps         map[*sip.Call]*lamp                   // of calls that users placed
	consultations map[*sip.Call]*consultation           // calls between phones, by the call of who placed them
}

func openSite(ctx context.Context, n *node, tc tenantConfig) (*site, error) {
	p, err := loadPrompts(tc.Prompts)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", tc.Name, err)
	}
	if err := tc.checkCallbacks(p); err != nil {
		return nil, fmt.Errorf("tenant %s: %w", tc.Name, err)
	}
	program, err := compileFlows(tc, p)
	if err != nil {
		return nil, err
	}
	t, err := n.dep.dir.Tenant(ctx, tc.Name)
	if err != nil {
		return nil, err
	}
	s := &site{
		name: tc.Name, cfg: tc, tenant: t, node: n, log: n.log.With("tenant", tc.Name), prompts: p, program: program, numbers: map[string]*ivr.Flow{},
		agents: map[string]bool{}, ran: make(chan error, 1), callers: map[string]*phone{}, sessions: map[seat]*session{}, dialing: map[string]chan struct{}{}, busy: map[string]int{}, waived: map[string]time.Time{}, consultations: map[*sip.Call]*consultation{}, lamps: map[*sip.Call]*lamp{}, dialogs: map[string]map[string]sipevent.Dialog{},
	}
	if s.identity, err = dtls.NewIdentity(time.Now()); err != nil {
		return nil, err
	}
	for _, num := range tc.Numbers {
		if s.numbers[num.Number], err = program.Flow(num.Flow); err != nil {
			return nil, err
		}
	}
	if s.router, err = t.Service(ctx, "router"); err != nil {
		return nil, err
	}
	if err := s.openStores(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("tenant %s: %w", tc.Name, err), s.closeStores())
	}
	return s, nil
}

func (s *site) openStores(ctx context.Context) error {
	dsn, err := s.node.dep.stores.DSN(s.name)
	if err != nil {
		return err
	}
	if s.acdStore, err = acdstore.Open(ctx, dsn); err != nil {
		return err
	}
	if s.vault, s.catalog, err = openVault(ctx, s.node.dep, s.tenant, s); err != nil {
		return err
	}
	if _, err := s.node.dep.backupFolder(s.name); err != nil && !errors.Is(err, fs.ErrNotExist) { // one that is not there now is the backup's error, each time
		return err
	}
	if err := s.catalog.prepare(ctx); err != nil {
		return err
	}
	if _, err := s.vault.Recover(ctx); err != nil { // what a dead process left open is incomplete from now on, and says so
		return err
	}
	if err := s.openVoicemail(ctx); err != nil {
		return err
	}
	users, err := s.tenant.Users(ctx, s.router)
	if err != nil {
		return err
	}
	rules := acd.Config{Store: s.acdStore, Offerer: s, Authorizer: s.router, Logger: s.log, Observer: s.observe, KeepCallbacks: true}
	for _, u := range users {
		for _, r := range u.Roles {
			if r == tenant.RoleAgent && !u.Disabled && !s.agents[u.Name] {
				s.agents[u.Name] = true
				rules.Agents = append(rules.Agents, acd.Agent{ID: u.Name})
			}
		}
	}
	for _, q := range s.cfg.Queues {
		rules.Queues = append(rules.Queues, q.rules(rules.Agents))
	}
	log, err := s.node.dep.auditLog(s.name)
	if err != nil {
		return err
	}
	rules.Auditor = log.As("service:router")
	// The figures of the wallboard start from the whole log, so that they and the history are one count.
	if s.tally, err = report.FromLog(s.acdStore.Load(ctx, 0)); err != nil {
		return err
	}
	s.center, err = acd.New(rules)
	return err
}

// rules turns the configuration of a queue into the rules of the distributor. Durations were checked when the file was read.
func (q queueConfig) rules(agents []acd.Agent) acd.Queue {
	d := func(s string) time.Duration {
		v, _ := duration(s, 0)
		return v
	}
	out := acd.Queue{Name: q.Name, RingTimeout: d(q.Ring), WrapUp: d(q.WrapUp), MaxWait: d(q.MaxWait), MaxWaiting: q.MaxWaiting, ServiceTarget: d(q.Target)}
	for _, a := range agents {
		out.Members = append(out.Members, a.ID)
	}
	out.Strategy, _ = q.strategy()
	out.RingMax = q.RingMax
	out.Callback = q.Callback.rules(time.Now())
	return out
}

// losing tells the operator that a recording begins to lose audio. The vault's writer does not wait for it.
func (s *site) losing(id string, err error) {
	s.wg.Add(1)
	go func() { // ends when it is told; waited for by close
		defer s.wg.Done()
		s.log.Error("recording loses audio", "recording", id, "err", err)
		s.emit(event{Event: "recording", Recording: id, Cause: "losing"})
	}()
}

// openVault opens the recordings of a tenant, for the server and for commands alike. s is nil for a command, which makes none.
func openVault(ctx context.Context, d *deployment, t *tenant.Tenant, s *site) (*recording.Vault, *places, error) {
	keys, err := d.keysOf(ctx, t.Name())
	if err != nil {
		return nil, nil, err
	}
	recorder, err := t.Service(ctx, "recorder")
	if err != nil {
		return nil, nil, err
	}
	log, err := d.auditLog(t.Name())
	if err != nil {
		return nil, nil, err
	}
	cfg := recording.Config{Keys: keys, Signer: keys, Place: recording.Place{Owner: t.Name()}, Text: cardGuard{},
		Encoders: map[recording.Format]recording.Encoder{recording.FLAC: flac.Encode}, Authorizer: recorder, Auditor: log.As(recorder.Name())}
	var logger *slog.Logger
	if s != nil {
		cfg.Losing, logger = s.losing, s.log
	}
	p, err := openPlaces(ctx, d, t.Name(), logger)
	if err != nil {
		return nil, nil, err
	}
	cfg.Blobs, cfg.Catalog = p.blobs, p
	v, err := recording.New(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return v, p, nil
}

// start runs the distributor and the sweeper until close.
func (s *site) start(ctx context.Context) error {
	sweep, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.wg.Add(1)
	go func() { // ended by stop, waited for by close
		defer s.wg.Done()
		if err := s.sweep(sweep); err != nil {
			s.log.Error("retention does not run", "err", err)
		}
	}()
	s.keepCopies(sweep)
	go func() { s.ran <- s.center.Run(context.Background()) }() // ended by close, which waits for it
	select {
	case <-s.center.Started():
		return nil
	case err := <-s.ran:
		s.ran <- err
		return fmt.Errorf("tenant %s: %w", s.name, err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close ends the distributor and closes what openSite opened. Calls must be over.
func (s *site) close() error {
	var errs []error
	if s.stop != nil {
		s.stop()
		errs = append(errs, s.center.Close(), <-s.ran)
	}
	s.wg.Wait()
	return errors.Join(append(errs, s.closeStores())...)
}

func (s *site) closeStores() error {
	var errs []error
	if s.boxes != nil {
		errs = append(errs, s.boxes.Close(), s.mailStore.Close())
	}
	if s.vault != nil {
		errs = append(errs, s.vault.Close(), s.catalog.Close())
	}
	if s.acdStore != nil {
		errs = append(errs, s.acdStore.Close())
	}
	return errors.Join(errs...)
}
