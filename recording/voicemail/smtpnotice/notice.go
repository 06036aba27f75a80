// Package smtpnotice tells owners of mailboxes by e-mail that there is a message: which mailbox, how long, how many. It tells neither who called nor what was said.
//
// # Security
//
// Mail leaves over TLS 1.2 or newer and to a server whose certificate fits its name, or not at all: a server that does not offer STARTTLS is refused, so that
// somebody in between who hides the offer gains nothing. The password is sent after that only. Whoever reads the mail learns that a mailbox has a message.
//
// # Goroutines
//
// One while a notice is sent, which ends with it. A Notifier is safe for concurrent use.
//
// # Importing alone
//
// Standard library and package voicemail.
package smtpnotice

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/smtp"
	"strings"
	"time"

	"github.com/ringfence/ringfence/recording/voicemail"
)

var (
	// ErrConfig is returned by New for a configuration that is not complete or whose addresses are none.
	ErrConfig = errors.New("smtpnotice: invalid configuration")
	// ErrPlaintext is returned by Notify if the server does not encrypt.
	ErrPlaintext = errors.New("smtpnotice: the server does not offer STARTTLS")
)

// Config describes a Notifier. It is copied by New.
type Config struct {
	// Server is "host:port" of the mail server, which must speak STARTTLS, as on port 587; its certificate must be for host. Required.
	Server string
	// From is the address of the sender. Required.
	From string
	// To has the address of the owner of each mailbox. If nil, or for a mailbox that is not in it, nobody is told.
	To map[string]string
	// User logs in at the server, with what Password returns. If empty, there is no log-in.
	User string
	// Password returns the password of User; it is asked each time. Required with User.
	Password func(ctx context.Context) (string, error)
	// Roots are the authorities believed. If nil, those of the system.
	Roots *x509.CertPool
}

// Notifier is a voicemail.Notifier. Safe for concurrent use.
type Notifier struct {
	cfg  Config
	host string
	from *mail.Address
	to   map[string]*mail.Address
}

var _ voicemail.Notifier = (*Notifier)(nil)

// New returns a Notifier. The error wraps ErrConfig. It connects to nothing.
func New(cfg Config) (*Notifier, error) {
	host, _, err := net.SplitHostPort(cfg.Server)
	if err != nil || host == "" || (cfg.User != "" && cfg.Password == nil) {
		return nil, fmt.Errorf("%w: Server is host:port, and User needs Password", ErrConfig)
	}
	n := &Notifier{cfg: cfg, host: host, to: map[string]*mail.Address{}}
	if n.from, err = mail.ParseAddress(cfg.From); err != nil {
		return nil, fmt.Errorf("%w: From: %w", ErrConfig, err)
	}
	for box, to := range cfg.To {
		if n.to[box], err = mail.ParseAddress(to); err != nil {
			return nil, fmt.Errorf("%w: To of mailbox %s: %w", ErrConfig, box, err)
		}
	}
	return n, nil
}

// Notify sends one mail and returns when the server has taken it. ErrPlaintext if it does not encrypt.
func (n *Notifier) Notify(ctx context.Context, x voicemail.Notice) (err error) {
	to := n.to[x.Box]
	if to == nil {
		return nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", n.cfg.Server)
	if err != nil {
		return fmt.Errorf("smtpnotice: %w", err)
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })() // ends every read and write below
	defer conn.Close()
	if err := n.send(ctx, conn, to, x); err != nil {
		return fmt.Errorf("smtpnotice: %w", errors.Join(err, ctx.Err()))
	}
	return nil
}

func (n *Notifier) send(ctx context.Context, conn net.Conn, to *mail.Address, x voicemail.Notice) error {
	c, err := smtp.NewClient(conn, n.host)
	if err != nil {
		return err
	}
	if ok, _ := c.Extension("STARTTLS"); !ok {
		return ErrPlaintext
	}
	if err := c.StartTLS(&tls.Config{ServerName: n.host, RootCAs: n.cfg.Roots, MinVersion: tls.VersionTLS12}); err != nil {
		return err
	}
	if n.cfg.User != "" {
		password, err := n.cfg.Password(ctx)
		if err != nil {
			return err
		}
		if err := c.Auth(smtp.PlainAuth("", n.cfg.User, password, n.host)); err != nil {
			return err
		}
	}
	if err := c.Mail(n.from.Address); err != nil {
		return err
	}
	if err := c.Rcpt(to.Address); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, n.text(to, x, time.Now())); err != nil {
		return err
	}
	return errors.Join(w.Close(), c.Quit())
}

// text is the whole mail. Nothing in it comes from a caller.
func (n *Notifier) text(to *mail.Address, x voicemail.Notice, now time.Time) string {
	return strings.Join([]string{
		"From: " + n.from.String(), "To: " + to.String(), "Subject: Voice message in mailbox " + x.Box, "Date: " + now.UTC().Format(time.RFC1123Z),
		"Auto-Submitted: auto-generated", // RFC 3834 section 5: nobody's holiday answers it
		"Content-Type: text/plain; charset=us-ascii", "",
		fmt.Sprintf("There is a new message in mailbox %s. It is %d seconds long.", x.Box, int(x.Length.Round(time.Second)/time.Second)),
		fmt.Sprintf("New messages: %d.", x.New), "",
	}, "\r\n")
}
