package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/ivr"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/voicemail"
	"github.com/ringfence/ringfence/recording/voicemail/smtpnotice"
	vmstore "github.com/ringfence/ringfence/recording/voicemail/sqlstore"
	"github.com/ringfence/ringfence/srtp/media"
)

// Where voicemail meets the rest: the caller's leg is its phone, the tenant's vault keeps its sounds, phones' lamps show its counts.

// codeVoicemail in front of a mailbox leaves a message there: *91001.
const codeVoicemail = "*9"

// voicemailConfig gives a tenant voicemail. Every user whose name is a number has a mailbox of that number besides those named here.
type voicemailConfig struct {
	Boxes       []string `hcl:"boxes,optional"`        // mailboxes that belong to no user, such as "9004"
	Zone        string   `hcl:"zone,optional"`         // IANA time zone of times said; empty: UTC
	Longest     string   `hcl:"longest,optional"`      // message; empty: 3m
	MaxMessages int      `hcl:"max_messages,optional"` // in one mailbox; zero: 100
	Outside     bool     `hcl:"outside,optional"`      // callers from the telephone network may log in with a PIN
	// Mail tells owners that there is a message; none: nobody is told.
	Mail *mailConfig `hcl:"mail,block"`
}

// mailConfig is a mail server, and whose mailbox is whose.
type mailConfig struct {
	Server       string            `hcl:"server"` // host:port; STARTTLS is demanded
	From         string            `hcl:"from"`
	To           map[string]string `hcl:"to"` // addresses by mailbox
	User         string            `hcl:"user,optional"`
	PasswordFile string            `hcl:"password_file,optional"`
}

func (m *mailConfig) notifier() (*smtpnotice.Notifier, error) {
	cfg := smtpnotice.Config{Server: m.Server, From: m.From, To: m.To, User: m.User}
	if m.PasswordFile != "" {
		cfg.Password = func(context.Context) (string, error) {
			b, err := os.ReadFile(m.PasswordFile) // each time: it may be changed while the server runs
			return strings.TrimSpace(string(b)), err
		}
	}
	return smtpnotice.New(cfg)
}

func (v *voicemailConfig) validate() error {
	if v == nil {
		return nil
	}
	for _, b := range v.Boxes {
		if !voicemail.ValidNumber(b) {
			return fmt.Errorf("voicemail: %q is not a mailbox's number", b)
		}
	}
	if _, err := time.LoadLocation(v.Zone); err != nil {
		return fmt.Errorf("voicemail: %w", err)
	}
	if d, err := duration(v.Longest, 0); err != nil || d > 10*time.Minute {
		return fmt.Errorf("voicemail.longest: %q is not a duration up to 10m", v.Longest)
	}
	if v.MaxMessages < 0 || v.MaxMessages > 1000 {
		return fmt.Errorf("voicemail.max_messages: %d is not from 0 to 1000", v.MaxMessages)
	}
	if v.Mail != nil {
		if _, err := v.Mail.notifier(); err != nil {
			return fmt.Errorf("voicemail.mail: %w", err)
		}
	}
	return nil
}

// mailboxes returns the mailboxes flows may name; nil if the tenant has no voicemail.
func (tc tenantConfig) mailboxes() []string {
	if tc.Voicemail == nil {
		return nil
	}
	out := slices.Clone(tc.Voicemail.Boxes)
	if tc.FirstStart != nil {
		out = append(append(out, tc.FirstStart.Agents...), tc.FirstStart.Phones...)
	}
	return out
}

// ensureMailboxes makes the mailboxes that do not exist yet, of tenants with voicemail, and prints their PINs to out: the only time they are shown.
func (d *deployment) ensureMailboxes(ctx context.Context, out io.Writer) error {
	for _, tc := range d.cfg.Tenants {
		if tc.Voicemail == nil {
			continue
		}
		if err := d.ensureMailboxesOf(ctx, tc, out); err != nil {
			return fmt.Errorf("tenant %s: %w", tc.Name, err)
		}
	}
	return nil
}

func (d *deployment) ensureMailboxesOf(ctx context.Context, tc tenantConfig, out io.Writer) error {
	t, err := d.dir.Tenant(ctx, tc.Name)
	if err != nil {
		return err
	}
	router, err := t.Service(ctx, "router")
	if err != nil {
		return err
	}
	users, err := t.Users(ctx, router)
	if err != nil {
		return err
	}
	want := slices.Clone(tc.Voicemail.Boxes)
	for _, u := range users {
		if voicemail.ValidNumber(u.Name) && !u.Disabled {
			want = append(want, u.Name)
		}
	}
	store, err := d.mailStore(ctx, tc.Name)
	if err != nil {
		return err
	}
	return errors.Join(func() error {
		for _, number := range want {
			if _, err := store.Box(ctx, number); !errors.Is(err, voicemail.ErrNoBox) {
				if err != nil {
					return err
				}
				continue
			}
			pin := voicemail.GeneratePIN(number)
			box, err := voicemail.NewBox(number, tc.Voicemail.Zone, pin, time.Now())
			if err != nil {
				return err
			}
			if err := store.CreateBox(ctx, box); err != nil {
				return err
			}
			if err := printPIN(out, tc.Name, number, pin); err != nil {
				return err
			}
		}
		return nil
	}(), store.Close())
}

func printPIN(out io.Writer, tenant, box string, pin voicemail.PIN) error {
	_, err := fmt.Fprintf(out, "mailbox tenant=%s box=%s pin=%s\n", tenant, box, pin.ExportSecret())
	return err
}

func (d *deployment) mailStore(ctx context.Context, tenant string) (*vmstore.Store, error) {
	dsn, err := d.stores.DSN(tenant)
	if err != nil {
		return nil, err
	}
	return vmstore.Open(ctx, dsn)
}

// openMailboxes opens a tenant's voicemail, for the server and for commands alike. s is nil for a command: nobody is told of anything then.
func openMailboxes(ctx context.Context, d *deployment, tc tenantConfig, vault *recording.Vault, s *site) (*voicemail.Boxes, *vmstore.Store, error) {
	store, err := d.mailStore(ctx, tc.Name)
	if err != nil {
		return nil, nil, err
	}
	log, err := d.auditLog(tc.Name)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	cfg := voicemail.Config{Vault: vault, Store: store, Auditor: log.As("service:voicemail"), Holds: legalHolds{d, tc.Name}}
	if v := tc.Voicemail; v != nil {
		cfg.Limits.Message, _ = duration(v.Longest, 0) // checked when the file was read
		cfg.Limits.Quota.Messages = v.MaxMessages
	}
	if s != nil {
		cfg.Waiting, cfg.Observer, cfg.Logger = lamps{s}, s.mailed, s.log
		if v := tc.Voicemail; v != nil && v.Mail != nil {
			if cfg.Notifier, err = v.Mail.notifier(); err != nil {
				return nil, nil, errors.Join(err, store.Close())
			}
		}
	}
	boxes, err := voicemail.New(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return boxes, store, nil
}

// openVoicemail opens the voicemail of a running server's tenant, once its vault has recovered.
func (s *site) openVoicemail(ctx context.Context) (err error) {
	if s.boxes, s.mailStore, err = openMailboxes(ctx, s.node.dep, s.cfg, s.vault, s); err != nil {
		return err
	}
	if err := s.boxes.Recover(ctx); err != nil { // the boxes are whole all the same; what could not be settled is tried again at the next start
		s.log.Error("voicemail not settled", "err", err)
	}
	if s.cfg.Voicemail == nil {
		return nil
	}
	for _, name := range voicemail.Prompts() {
		for lang := range s.prompts.byLanguage {
			if s.prompts.find(lang, name) == nil {
				return fmt.Errorf("prompt %s/%s.wav is missing, which voicemail needs", lang, name)
			}
		}
	}
	return nil
}

// legalHolds is the tenant's holds as voicemail sees them.
type legalHolds struct {
	dep    *deployment
	tenant string
}

func (h legalHolds) Held(ctx context.Context, _ voicemail.Kind, id string) (bool, error) {
	hold, err := h.dep.holdOn(ctx, h.tenant, id)
	return hold != "", err
}

// lamps is the tenant's phones as voicemail sees them.
type lamps struct{ site *site }

func (l lamps) Changed(_ context.Context, box string, _ voicemail.Counts) {
	l.site.node.tell(l.site, "message-summary", box)
}

// mailed writes what happened to a message as an event.
func (s *site) mailed(e voicemail.Event) {
	s.emit(event{Event: "voicemail-" + string(e.Kind), Call: e.Call, Recording: e.Recording, Box: e.Box})
}

// direct returns the flow behind *9 and a mailbox, and the mailbox; nil if there is none.
func (s *site) direct(ctx context.Context, dialed string) (*ivr.Flow, string) {
	box, ok := strings.CutPrefix(dialed, codeVoicemail)
	if !ok || s.cfg.Voicemail == nil {
		return nil, ""
	}
	flow, err := s.program.Flow("voicemail")
	if err != nil {
		return nil, ""
	}
	if _, err := s.mailStore.Box(ctx, box); err != nil {
		return nil, ""
	}
	return flow, box
}

// Voicemail leads the caller through leaving a message, or to their own.
func (p *phone) Voicemail(ctx context.Context, box string) (string, error) {
	cfg := p.site.cfg.Voicemail
	if cfg == nil {
		return "", errors.New("the tenant has no voicemail")
	}
	if p.from.box != "" { // they dialed it
		box = p.from.box
	}
	c := voicemail.Caller{Box: box, Login: p.from.carrier == "" || cfg.Outside, Call: p.call.ID()}
	if p.from.caller != "anonymous" {
		c.Name = cleanNumber(p.from.caller)
	}
	if p.from.carrier == "" { // the digest proved who they are; the PIN still proves that it is not somebody at their desk
		if _, err := p.site.mailStore.Box(ctx, p.from.caller); err == nil {
			c.Own = p.from.caller
		}
	}
	lang := p.lang
	if lang == "" {
		lang = "en"
	}
	result, err := p.site.boxes.Serve(ctx, mailPhone{p, lang}, c)
	select {
	case <-p.leg.Done():
		return "", errors.Join(ivr.ErrHangup, err)
	default:
	}
	p.leg.FlushDigits() // what was pressed too much is not for the next step
	return string(result), err
}

// mailPhone is the caller's side as voicemail sees it.
type mailPhone struct {
	p    *phone
	lang string
}

var (
	_ voicemail.Phone = mailPhone{}
	_ media.Tap       = voicemail.Sink(nil)
)

func (m mailPhone) Play(ctx context.Context, prompt string) error {
	return hung(m.p.Play(ctx, prompt, m.lang))
}

func (m mailPhone) PlayPCM(ctx context.Context, pcm []int16) error {
	x, err := media.NewPrompt(pcm)
	if err != nil {
		return err
	}
	return hung(gone(m.p.leg.Play(ctx, x)))
}

func (m mailPhone) ReadDigit(ctx context.Context) (byte, error) {
	d, err := m.p.ReadDigit(ctx)
	return d, hung(err)
}

func (m mailPhone) Record(ctx context.Context, sink voicemail.Sink) error {
	m.p.leg.SetTap(sink)
	defer m.p.leg.SetTap(nil)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-m.p.leg.Done():
		return voicemail.ErrHangup
	}
}

func (m mailPhone) Mask(ctx context.Context) (func(), error) { return m.p.Mask(ctx) }

// hung turns the end of a call into the word voicemail knows.
func hung(err error) error {
	if errors.Is(err, ivr.ErrHangup) {
		return voicemail.ErrHangup
	}
	return err
}
