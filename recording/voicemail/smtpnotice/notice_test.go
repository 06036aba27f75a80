package smtpnotice_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording/voicemail"
	"github.com/ringfence/ringfence/recording/voicemail/smtpnotice"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// server is a mail server for one mail.
type server struct {
	addr  string
	roots *x509.CertPool
	plain chan string // lines it read in plaintext
	mail  chan string // what it read inside TLS
}

func serve(t *testing.T, offer bool) *server {
	t.Helper()
	h := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	s := &server{roots: x509.NewCertPool(), plain: make(chan string, 100), mail: make(chan string, 1)}
	s.roots.AddCert(h.Certificate())
	cert := h.TLS.Certificates
	h.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	done := make(chan struct{})
	go func() { // ends with its connection or the listener, waited for below
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		secure := false
		r := bufio.NewReader(conn)
		say := func(line string) { fmt.Fprint(conn, line+"\r\n") }
		say("220 ready")
		var all strings.Builder
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if !secure {
				s.plain <- line
			}
			all.WriteString(line)
			switch verb := strings.ToUpper(strings.Fields(line)[0]); {
			case verb == "EHLO" && offer && !secure:
				say("250-hello\r\n250 STARTTLS")
			case verb == "EHLO":
				say("250-hello\r\n250 AUTH PLAIN")
			case verb == "STARTTLS":
				say("220 go")
				conn = tls.Server(conn, &tls.Config{Certificates: cert})
				r, secure = bufio.NewReader(conn), true
			case verb == "AUTH":
				say("235 ok")
			case verb == "DATA":
				say("354 go")
				for line != ".\r\n" {
					if line, err = r.ReadString('\n'); err != nil {
						return
					}
					all.WriteString(line)
				}
				s.mail <- all.String()
				say("250 ok")
			case verb == "QUIT":
				say("221 bye")
				return
			default:
				say("250 ok")
			}
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return s
}

func (s *server) notifier(t *testing.T) *smtpnotice.Notifier {
	t.Helper()
	n, err := smtpnotice.New(smtpnotice.Config{Server: s.addr, From: "mailbox@acme.example", To: map[string]string{"1001": "Ada <ada@acme.example>"},
		User: "mailer", Password: func(context.Context) (string, error) { return "hunter22", nil }, Roots: s.roots})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var notice = voicemail.Notice{Box: "1001", Length: 61400 * time.Millisecond, New: 2}

func TestNoticesAreEncryptedAndSayLittle(t *testing.T) {
	s := serve(t, true)
	if err := s.notifier(t).Notify(context.Background(), notice); err != nil {
		t.Fatal(err)
	}
	mail := <-s.mail
	for _, want := range []string{"RCPT TO:<ada@acme.example>", "Subject: Voice message in mailbox 1001\r\n", "It is 61 seconds long.", "New messages: 2."} {
		if !strings.Contains(mail, want) {
			t.Errorf("no %q in %s", want, mail)
		}
	}
	close(s.plain)
	for line := range s.plain {
		if !strings.HasPrefix(line, "EHLO") && !strings.HasPrefix(line, "STARTTLS") {
			t.Errorf("in plaintext: %q", line)
		}
	}
}

func TestNoTLSNoNotice(t *testing.T) {
	s := serve(t, false)
	if err := s.notifier(t).Notify(context.Background(), notice); !errors.Is(err, smtpnotice.ErrPlaintext) {
		t.Errorf("%v", err)
	}
	s = serve(t, true)
	s.roots = x509.NewCertPool() // nobody vouches for it
	if err := s.notifier(t).Notify(context.Background(), notice); err == nil {
		t.Error("an unknown certificate is believed")
	}
	select {
	case m := <-s.mail:
		t.Errorf("sent: %s", m)
	default:
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.notifier(t).Notify(ctx, notice); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := s.notifier(t).Notify(ctx, voicemail.Notice{Box: "1002"}); err != nil {
		t.Errorf("nobody is to be told: %v", err)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []smtpnotice.Config{{}, {Server: "mail.example"}, {Server: "mail.example:25"}, {Server: "mail.example:25", From: "a@b.example", User: "x"},
		{Server: "mail.example:25", From: "a@b.example", To: map[string]string{"1": "a@b.example\r\nBcc: c@d.example"}}} {
		if _, err := smtpnotice.New(c); !errors.Is(err, smtpnotice.ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
