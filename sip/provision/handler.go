package provision

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers GET /ID/SECRET/FILE, below what http.StripPrefix takes away. See the package comment for who gets what.
func (p *Provisioner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// Before anything else is read: the secret in the address has been seen by everybody on the path. No redirect: the phone would follow it, and begin
	// in the clear the next time too.
	if r.TLS == nil || r.TLS.Version < tls.VersionTLS12 {
		refuse(w, http.StatusForbidden)
		return
	}
	if r.Method != http.MethodGet {
		h.Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	ctx, now, src := r.Context(), p.cfg.Now(), source(r.RemoteAddr)
	id, secret, file, ok := split(r.URL.Path)
	pair := id + " " + src
	if p.sources.full(now, src) || ok && p.pairs.full(now, pair) {
		refuse(w, http.StatusNotFound)
		return
	}
	if !ok {
		p.failed(ctx, now, src, "", w)
		return
	}
	rec, err := p.cfg.Store.Load(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		p.unavailable(ctx, w, "load", id, err)
		return
	}
	// Both are compared for every request, for an unknown device with nothing.
	byTicket, byToken := secret.matches(rec.Ticket), secret.matches(rec.Token)
	byTicket = byTicket && p.usable(rec, now, r.TLS)
	switch {
	case err != nil || !byTicket && !byToken:
		p.failed(ctx, now, src, pair, w)
	case file == caFile && byToken:
		p.authorities(ctx, w, rec.Device)
	case file != rec.Device.file():
		refuse(w, http.StatusNotFound) // what phones ask for besides is no failure, and uses nothing up
	case p.fetches.full(now, id):
		h.Set("Retry-After", "3600")
		refuse(w, http.StatusTooManyRequests)
	case byTicket:
		p.fetches.add(now, id)
		p.first(ctx, w, r, rec, now)
	default:
		p.fetches.add(now, id)
		p.refresh(ctx, w, rec, secret, src)
	}
}

// split reads /ID/SECRET/FILE. Case does not matter in ID and FILE: phones write their address either way.
func split(path string) (id string, secret Secret, file string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(path) > 512 || len(parts) != 3 {
		return "", Secret{}, "", false
	}
	id, file = strings.ToLower(parts[0]), strings.ToLower(parts[2])
	return id, NewSecret(parts[1]), file, isName(id) && parts[1] != "" && file != ""
}

// usable reports whether a ticket is still good: unused and not expired, or used a moment ago by the holder of the same certificate.
func (p *Provisioner) usable(rec Record, now time.Time, conn *tls.ConnectionState) bool {
	if !now.Before(rec.Expires) {
		return false
	}
	if rec.Used.IsZero() {
		return true
	}
	cert := fingerprint(conn)
	return p.cfg.RefetchWindow > 0 && now.Before(rec.Used.Add(p.cfg.RefetchWindow)) && len(cert) > 0 && bytes.Equal(cert, rec.Certificate)
}

// fingerprint is of a client certificate that the server verified. One that was only shown proves a key that anybody can make.
func fingerprint(conn *tls.ConnectionState) []byte {
	if len(conn.VerifiedChains) == 0 || len(conn.PeerCertificates) == 0 {
		return nil
	}
	sum := sha256.Sum256(conn.PeerCertificates[0].Raw)
	return sum[:]
}

// first answers the holder of a ticket and uses it up.
func (p *Provisioner) first(ctx context.Context, w http.ResponseWriter, r *http.Request, rec Record, now time.Time) {
	token := generate()
	body, kind, err := p.render(ctx, rec.Device, token)
	if err != nil {
		p.unavailable(ctx, w, "render", rec.Device.ID, err)
		return
	}
	if err := p.audit(ctx, ActionFetch, rec.Device, source(r.RemoteAddr)); err != nil {
		p.unavailable(ctx, w, "audit", rec.Device.ID, err)
		return
	}
	if rec.Used.IsZero() {
		rec.Used, rec.Certificate = now, fingerprint(r.TLS)
	}
	rec.Token = token.hash()
	if err := p.cfg.Store.Save(ctx, rec); errors.Is(err, ErrConflict) {
		refuse(w, http.StatusNotFound) // another fetch was first, or the operator
		return
	} else if err != nil {
		p.unavailable(ctx, w, "save", rec.Device.ID, err)
		return
	}
	send(w, kind, body)
}

// refresh answers the holder of a token.
func (p *Provisioner) refresh(ctx context.Context, w http.ResponseWriter, rec Record, token Secret, src string) {
	body, kind, err := p.render(ctx, rec.Device, token)
	if err != nil {
		p.unavailable(ctx, w, "render", rec.Device.ID, err)
		return
	}
	if err := p.audit(ctx, ActionRefresh, rec.Device, src); err != nil {
		p.unavailable(ctx, w, "audit", rec.Device.ID, err)
		return
	}
	send(w, kind, body)
}

func (p *Provisioner) render(ctx context.Context, d Device, token Secret) ([]byte, string, error) {
	s, err := p.cfg.Settings(ctx, d)
	if err != nil {
		return nil, "", err
	}
	l := links{refresh: p.address(d, token, d.file())}
	if d.Family == Yealink {
		l.refresh = p.address(d, token, "")
	}
	if len(s.CA) > 0 {
		l.ca = p.address(d, token, caFile)
	}
	return render(d, s, l)
}

func (p *Provisioner) authorities(ctx context.Context, w http.ResponseWriter, d Device) {
	s, err := p.cfg.Settings(ctx, d)
	if err != nil {
		p.unavailable(ctx, w, "settings", d.ID, err)
		return
	}
	if len(s.CA) == 0 {
		refuse(w, http.StatusNotFound)
		return
	}
	send(w, "application/x-pem-file", s.CA)
}

func (p *Provisioner) audit(ctx context.Context, action string, d Device, src string) error {
	return p.cfg.Auditor.Audit(ctx, action, d.ID, slog.String("realm", d.Realm), slog.String("user", d.User), slog.String("source", src))
}

// failed counts a failure and gives the answer of all failures. The audit log gets one line for a lock and none for a failure, so that strangers cannot fill it.
func (p *Provisioner) failed(ctx context.Context, now time.Time, src, pair string, w http.ResponseWriter) {
	locked := p.sources.add(now, src)
	if pair != "" {
		locked = p.pairs.add(now, pair) || locked
	}
	if locked {
		id, _, _ := strings.Cut(pair, " ")
		if err := p.cfg.Auditor.Audit(ctx, ActionLock, id, slog.String("source", src)); err != nil {
			p.cfg.Logger.LogAttrs(ctx, slog.LevelError, "provision: audit", slog.Any("error", err))
		}
	}
	refuse(w, http.StatusNotFound)
}

// unavailable answers the holder of a good secret when a port fails. What failed is for the log.
func (p *Provisioner) unavailable(ctx context.Context, w http.ResponseWriter, what, id string, err error) {
	p.cfg.Logger.LogAttrs(ctx, slog.LevelError, "provision: "+what, slog.String("device", id), slog.Any("error", err))
	refuse(w, http.StatusServiceUnavailable)
}

func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

func send(w http.ResponseWriter, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a phone that is gone asks again, or is enrolled again
}
