// Package siptest has what tests of SIP programs need: a certificate authority for a test, a scripted peer that says exactly what it
// is told and shows exactly what it hears, and a port for a server in another process, like net/http/httptest for SIP.
//
// # Security
//
// Its certificates are worth nothing outside a test.
//
// # Goroutines
//
// A Peer starts none.
//
// # Importing alone
//
// Standard library only.
package siptest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Authority issues certificates for one test.
type Authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes a fresh authority.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "siptest"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{t: t, cert: cert, key: key}
}

// Pool returns the authority as a root.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// PEM returns the authority's certificate as PEM, for programs that read theirs from a file.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// Issue returns a server certificate for names, which may be host names and IP addresses, valid until notAfter; the zero time is a day from now.
func (a *Authority) Issue(notAfter time.Time, names ...string) tls.Certificate {
	a.t.Helper()
	return a.issue(x509.ExtKeyUsageServerAuth, notAfter, names)
}

// IssueClient is Issue for a client, for mutual TLS.
func (a *Authority) IssueClient(notAfter time.Time, names ...string) tls.Certificate {
	a.t.Helper()
	return a.issue(x509.ExtKeyUsageClientAuth, notAfter, names)
}

func (a *Authority) issue(usage x509.ExtKeyUsage, notAfter time.Time, names []string) tls.Certificate {
	a.t.Helper()
	if notAfter.IsZero() {
		notAfter = time.Now().Add(24 * time.Hour)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Message is one SIP message as read off the wire.
type Message struct {
	Start  string // start line
	Header textproto.MIMEHeader
	Body   string
}

// Status is the status code of a response, 0 for a request.
func (m Message) Status() int {
	rest, ok := strings.CutPrefix(m.Start, "SIP/2.0 ")
	if !ok {
		return 0
	}
	n, _ := strconv.Atoi(rest[:min(3, len(rest))])
	return n
}

// Method is the method of a request, empty for a response.
func (m Message) Method() string {
	if m.Status() != 0 {
		return ""
	}
	method, _, _ := strings.Cut(m.Start, " ")
	return method
}

// Tag is the tag of a To or From header.
func (m Message) Tag(name string) string {
	_, tag, _ := strings.Cut(m.Header.Get(name), ";tag=")
	tag, _, _ = strings.Cut(tag, ";")
	return tag
}

// Peer is a scripted SIP peer on one connection.
type Peer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// NewPeer speaks on conn, and closes it when the test ends.
func NewPeer(t testing.TB, conn net.Conn) *Peer {
	t.Cleanup(func() { conn.Close() })
	return &Peer{t: t, conn: conn, r: bufio.NewReaderSize(conn, 64<<10)} // a datagram is read whole or cut
}

// Hangup closes the connection.
func (p *Peer) Hangup() { p.conn.Close() }

// Send writes lines joined by CRLF, an empty line and body. A Content-Length is added.
func (p *Peer) Send(body string, lines ...string) {
	p.t.Helper()
	text := strings.Join(lines, "\r\n") + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatalf("siptest: send: %v", err)
	}
}

// Read returns the next message, or an error when there is none within limit.
func (p *Peer) Read(limit time.Duration) (Message, error) {
	if err := p.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return Message{}, err
	}
	tp := textproto.NewReader(p.r)
	start, err := tp.ReadLine()
	for err == nil && start == "" { // keep-alives between messages
		start, err = tp.ReadLine()
	}
	if err != nil {
		return Message{}, err
	}
	h := make(textproto.MIMEHeader)
	for { // by hand: SIP allows characters in a header that textproto does not (RFC 4475 section 3.1.1.2)
		line, err := p.r.ReadString('\n')
		if err != nil {
			return Message{}, err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return Message{}, fmt.Errorf("siptest: header line %q", line)
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	n, _ := strconv.Atoi(h.Get("Content-Length"))
	body := make([]byte, n)
	if _, err := io.ReadFull(p.r, body); err != nil {
		return Message{}, err
	}
	return Message{Start: start, Header: h, Body: string(body)}, nil
}

// Want reads messages, skipping provisional responses, until one has the status or method wanted; anything else fails the test.
func (p *Peer) Want(want string) Message {
	p.t.Helper()
	for {
		m, err := p.Read(30 * time.Second)
		if err != nil {
			p.t.Fatalf("siptest: waiting for %s: %v", want, err)
		}
		if m.Method() == want || strconv.Itoa(m.Status()) == want {
			return m
		}
		if m.Status() >= 100 && m.Status() < 200 {
			continue
		}
		p.t.Fatalf("siptest: got %q, want %s", m.Start, want)
	}
}
