package main

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

var errNoWaiver = errors.New("no waiver for this phone")

// usesRecorded is how often one phone's use of a waiver is written down: its first request, and one an hour from then on. A phone registers every few
// minutes, and a log of nothing else would hide what matters.
const usesRecorded = time.Hour

// plaintext decides whether a user who has authenticated without encryption is served, and records that a waiver was used. If it cannot be recorded the
// user is not served.
func (s *site) plaintext(ctx context.Context, user, address string) error {
	now := time.Now()
	for _, w := range s.node.cfg.Waivers {
		if !w.covers(s.name, user, now) {
			continue
		}
		key := w.Name + "/" + user
		s.mu.Lock()
		last, used := s.waived[key]
		s.mu.Unlock()
		if used && now.Sub(last) < usesRecorded {
			return nil
		}
		log, err := s.node.dep.auditLog(s.name)
		if err != nil {
			return err
		}
		if err := log.As(user).Audit(ctx, "waiver.used", w.Name, slog.String("address", address), slog.String("until", w.Until)); err != nil {
			return err
		}
		s.mu.Lock()
		s.waived[key] = now
		s.mu.Unlock()
		return nil
	}
	return errNoWaiver
}
