package sip

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// CertificateFile is a certificate on disk and the domains it is for.
type CertificateFile struct {
	// Domains are the TLS server names this certificate is shown for, "*.example.com" for one label of any name. Required: that they are listed here
	// keeps one tenant's certificate from being shown for the domain of another, whatever names stand in it. It must be valid for each.
	Domains []string
	// Certificate is the path of the chain in PEM, leaf first. Required.
	Certificate string
	// Key is the path of its key in PEM. Required.
	Key string
}

// CertificatesConfig describes Certificates.
type CertificatesConfig struct {
	// Files are the certificates. Required. A domain may have two, of different kinds; the first that the client can use is shown.
	Files []CertificateFile
	// Nameless is the domain whose certificate is shown to a client that sends no server name, such as a phone that was given an address. If empty, such
	// clients are refused. A name that is not in Files is always refused: an answer would tell a scanner who else is here.
	Nameless string
	// Interval is how long after the last look at the files a handshake looks again. If zero, 1 minute.
	Interval time.Duration
	// OnReload is told when a file has changed: err is nil when the new certificate is in use, and says what is wrong with it when the old one stays. domain
	// is the first of Domains. It must not block nor call the Certificates. If nil, nobody is told.
	OnReload func(domain string, err error)
	// OnExpiring is told once for each of Warn that a certificate passes, and when it is over. It must not block nor call the Certificates. If nil,
	// nobody is told.
	OnExpiring func(domain string, notAfter time.Time)
	// Warn are the times before the end of a certificate at which OnExpiring is told. If empty, 30, 14, 7 and 1 days.
	Warn []time.Duration
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
}

// Certificates are the certificates of a listener, one for each domain, read from files and read again when they change, without a goroutine: a
// handshake looks at most every Interval, and the owner of a ticker may call Reload. All methods are safe for concurrent use.
//
//	certs, err := sip.NewCertificates(sip.CertificatesConfig{Files: files})
//	cfg, err := sip.ServerTLS(&tls.Config{GetCertificate: certs.GetCertificate})
type Certificates struct {
	cfg      CertificatesConfig
	all      []*certificate
	byDomain map[string][]*certificate
	looked   atomic.Int64 // when, in nanoseconds
	mu       sync.Mutex   // one look at a time
}

// certificate is one of the files and what was in it.
type certificate struct {
	file    CertificateFile
	current atomic.Pointer[tls.Certificate]

	// Under Certificates.mu.
	used, tried stamp
	warned      int // how many of Warn were passed when last told
}

// NewCertificates reads all files. It fails if one cannot be used: what is wrong at the start is a mistake, what goes wrong later is survived.
func NewCertificates(cfg CertificatesConfig) (*Certificates, error) {
	if len(cfg.Files) == 0 {
		return nil, errors.New("sip: CertificatesConfig.Files is empty")
	}
	if cfg.Interval <= 0 {
		cfg.Interval = time.Minute
	}
	if cfg.OnReload == nil {
		cfg.OnReload = func(string, error) {}
	}
	if cfg.OnExpiring == nil {
		cfg.OnExpiring = func(string, time.Time) {}
	}
	if len(cfg.Warn) == 0 {
		const day = 24 * time.Hour
		cfg.Warn = []time.Duration{30 * day, 14 * day, 7 * day, day}
	}
	cfg.Warn = append(slices.Clone(cfg.Warn), 0)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Nameless = canonicalHost(cfg.Nameless)
	c := &Certificates{cfg: cfg, byDomain: make(map[string][]*certificate)}
	now := cfg.Now()
	for _, f := range cfg.Files {
		if len(f.Domains) == 0 || f.Certificate == "" || f.Key == "" {
			return nil, errors.New("sip: CertificateFile needs Domains, Certificate and Key")
		}
		e := &certificate{file: f}
		e.file.Domains = slices.Clone(f.Domains)
		for i, d := range e.file.Domains {
			d = canonicalHost(d)
			e.file.Domains[i] = d
			c.byDomain[d] = append(c.byDomain[d], e)
		}
		e.used = stampOf(f)
		if err := e.load(now); err != nil {
			return nil, err
		}
		c.all = append(c.all, e)
		c.warn(e, now)
	}
	if cfg.Nameless != "" && c.byDomain[cfg.Nameless] == nil {
		return nil, fmt.Errorf("sip: CertificatesConfig.Nameless: there is no file for %q", cfg.Nameless)
	}
	c.looked.Store(now.UnixNano())
	return c, nil
}

var errNoCertificate = errors.New("sip: no certificate for this server name")

// GetCertificate is for tls.Config.
func (c *Certificates) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	now := c.cfg.Now()
	if c.due(now) && c.mu.TryLock() { // the others go on with what there is
		if c.due(now) {
			_ = c.look(now, false) // told to OnReload
		}
		c.mu.Unlock()
	}
	name := canonicalHost(hello.ServerName)
	if name == "" {
		name = c.cfg.Nameless
	}
	es := c.byDomain[name]
	if es == nil {
		_, parent, _ := strings.Cut(name, ".")
		es = c.byDomain["*."+parent]
	}
	for _, e := range es {
		if cert := e.current.Load(); hello.SupportsCertificate(cert) == nil {
			return cert, nil
		}
	}
	if len(es) == 0 {
		return nil, errNoCertificate
	}
	return es[0].current.Load(), nil // crypto/tls says what does not fit
}

// Reload reads all files, changed or not, and returns what is wrong with those that cannot be used; their old certificates stay. It also tells
// OnExpiring what is due.
func (c *Certificates) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.look(c.cfg.Now(), true)
}

// due reports whether it is time for a look. A clock that was set back does not stop the looks.
func (c *Certificates) due(now time.Time) bool {
	d := now.Sub(time.Unix(0, c.looked.Load()))
	return d < 0 || d >= c.cfg.Interval
}

func (c *Certificates) look(now time.Time, all bool) error {
	c.looked.Store(now.UnixNano())
	var errs []error
	for _, e := range c.all {
		s := stampOf(e.file) // before reading: what changes meanwhile is seen at the next look
		if changed := !s.same(e.used); changed || all {
			err := e.load(now)
			if err != nil {
				errs = append(errs, err)
			}
			// A file that is bad is tried at each look, because its other half may still be on its way, but told of once.
			if changed && (err == nil || !s.same(e.tried)) {
				c.cfg.OnReload(e.file.Domains[0], err)
			}
			if e.tried = s; err == nil {
				e.used = s
			}
		}
		c.warn(e, now)
	}
	return errors.Join(errs...)
}

// load reads the files and puts them in use if they are good: key and certificate belong together, it is valid now and for the domains, and strong.
func (e *certificate) load(now time.Time) error {
	cert, err := tls.LoadX509KeyPair(e.file.Certificate, e.file.Key)
	if err != nil {
		return fmt.Errorf("sip: certificate of %s: %w", e.file.Domains[0], err)
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return fmt.Errorf("sip: certificate of %s: %w", e.file.Domains[0], err)
		}
	}
	if now.Before(cert.Leaf.NotBefore) || now.After(cert.Leaf.NotAfter) {
		return fmt.Errorf("sip: certificate of %s is valid from %s to %s", e.file.Domains[0], cert.Leaf.NotBefore.Format(time.RFC3339), cert.Leaf.NotAfter.Format(time.RFC3339))
	}
	for _, d := range e.file.Domains {
		// A wildcard of ours needs the same wildcard in the certificate.
		if strings.HasPrefix(d, "*.") && slices.ContainsFunc(cert.Leaf.DNSNames, func(n string) bool { return canonicalHost(n) == d }) {
			continue
		}
		if err := cert.Leaf.VerifyHostname(d); err != nil {
			return fmt.Errorf("sip: certificate of %s: %w", e.file.Domains[0], err)
		}
	}
	if err := strongChain(&cert); err != nil {
		return fmt.Errorf("sip: certificate of %s: %w", e.file.Domains[0], err)
	}
	if old := e.current.Swap(&cert); old != nil && !bytes.Equal(old.Certificate[0], cert.Certificate[0]) {
		e.warned = 0
	}
	return nil
}

// warn tells of a certificate that has passed more of Warn than when it was last told of.
func (c *Certificates) warn(e *certificate, now time.Time) {
	end := e.current.Load().Leaf.NotAfter
	passed := 0
	for _, w := range c.cfg.Warn {
		if end.Sub(now) <= w {
			passed++
		}
	}
	if passed > e.warned {
		c.cfg.OnExpiring(e.file.Domains[0], end)
	}
	e.warned = passed
}

// stamp tells one state of the two files from another.
type stamp struct{ cert, key os.FileInfo }

func stampOf(f CertificateFile) stamp {
	var s stamp
	s.cert, _ = os.Stat(f.Certificate) // a file that is gone has no stamp; reading it says so
	s.key, _ = os.Stat(f.Key)
	return s
}

func (s stamp) same(o stamp) bool {
	same := func(a, b os.FileInfo) bool {
		if a == nil || b == nil {
			return a == nil && b == nil
		}
		return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
	}
	return same(s.cert, o.cert) && same(s.key, o.key)
}
