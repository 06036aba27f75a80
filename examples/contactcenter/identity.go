package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/stir"
)

// identityConfig is whose statements about callers are believed (STIR/SHAKEN). Without it nothing is checked.
type identityConfig struct {
	Authorities string   `hcl:"authorities"`          // PEM file: who may have issued certificates for numbers; not those of the web
	Hosts       []string `hcl:"hosts"`                // where certificates are fetched
	WebRoots    string   `hcl:"web_roots,optional"`   // PEM file: who vouches for those hosts; empty: the system's
	Private     []string `hcl:"private,optional"`     // networks that certificates may be fetched from though they are not public
	Ports       []string `hcl:"fetch_ports,optional"` // empty: 443 and 8443
}

// tenantIdentity is how a tenant signs its calls, and what it wants of callers.
type tenantIdentity struct {
	Certificate string `hcl:"certificate,optional"` // PEM file with the chain for its numbers; empty: calls are not signed
	Key         string `hcl:"key,optional"`
	URL         string `hcl:"url,optional"`     // where others fetch the chain
	Require     string `hcl:"require,optional"` // A, B or C: calls with less are refused; empty: all are taken, and what was found is noted
}

func readPool(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return pool, nil
}

// openIdentity makes what checks callers and what signs calls.
func (n *node) openIdentity() error {
	if n.cfg.Carriers == nil {
		return nil
	}
	n.policies.Other = stir.Rule{Below: stir.Mark, Missing: stir.Mark, Failed: stir.Mark}
	n.policies.Realms = map[string]stir.Rule{}
	for _, s := range n.sites {
		id := s.cfg.Identity
		if id == nil {
			continue
		}
		if id.Require != "" {
			n.policies.Realms[s.realm()] = stir.Rule{Require: stir.Level(id.Require)}
		}
		if id.Certificate == "" {
			continue
		}
		if err := s.openSigner(); err != nil {
			return fmt.Errorf("tenant %q: identity: %w", s.name, err)
		}
	}
	c := n.cfg.Carriers.Identity
	if c == nil {
		return nil
	}
	roots, err := readPool(c.Authorities)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	web, err := readPool(c.WebRoots)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	cfg := stir.HTTPSConfig{Roots: web, Ports: c.Ports}
	for _, p := range c.Private {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return fmt.Errorf("identity: private: %w", err)
		}
		cfg.Private = append(cfg.Private, prefix)
	}
	fetch, err := stir.NewHTTPS(cfg)
	if err != nil {
		return err
	}
	n.verifier, err = stir.NewVerifier(stir.Config{Roots: roots, Certificates: fetch, Hosts: c.Hosts})
	return err
}

func (s *site) openSigner() error {
	id := s.cfg.Identity
	pair, err := tls.LoadX509KeyPair(id.Certificate, id.Key)
	if err != nil {
		return err
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return errors.New("key cannot sign")
	}
	chain, err := os.ReadFile(id.Certificate)
	if err != nil {
		return err
	}
	s.signer, err = stir.NewSigner(stir.SignerConfig{Key: key, Chain: chain, URL: id.URL, Owns: func(number string) bool { return s.numbers["+"+number] != nil }})
	return err
}

// sign is the statement of a tenant that a call is theirs.
func (n *node) sign(owner, orig, dest string) (string, error) {
	for _, s := range n.sites {
		if s.name == owner && s.signer != nil {
			return s.signer.Sign(time.Now(), stir.Call{Orig: strings.TrimPrefix(orig, "+"), Dest: strings.TrimPrefix(dest, "+"), Authenticated: true})
		}
	}
	return "", nil
}

// vouched checks what is said of a caller from the telephone network. refuse is the status to refuse the call with, 0 to take it.
func (n *node) vouched(ctx context.Context, c *sip.Call, a arrival) (found string, refuse int) {
	if n.verifier == nil {
		return "", 0
	}
	r := n.verifier.Verify(ctx, time.Now(), stir.Request{Identity: c.Header("Identity"), Orig: a.number, Dest: a.called, CallID: c.ID()})
	found = string(r.Verstat)
	if r.Level != "" {
		found += "/" + string(r.Level)
	}
	if r.Err != nil {
		n.log.Info("caller not proved", "call", c.ID(), "carrier", a.carrier, "found", found, "code", r.Code, "err", r.Err)
	}
	if v := n.policies.Decide(c.Realm(), r); v.Action == stir.Reject {
		return found, v.Status
	}
	return found, 0
}
