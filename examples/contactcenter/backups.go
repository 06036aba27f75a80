package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ringfence/ringfence/recording/backup"
)

// The rights over backups. Whoever has one sees no recording by it: the copy is sealed.
const (
	actionBackup  = "backup.run"
	actionRestore = "backup.restore"
)

var errNoBackup = errors.New("the tenant has no recording.backup in the configuration")

// backup brings the copy of the actor's tenant up to date, and records that it was asked for and what came of it. One runs at a time: two would write one file.
func (ac *actor) backup(ctx context.Context, p *places) (backup.Report, error) {
	name := ac.tenant.Name()
	if err := ac.allowed(ctx, actionBackup, name); err != nil {
		return backup.Report{}, err
	}
	dir, err := ac.dep.backupFolder(name)
	if err != nil {
		return backup.Report{}, err
	}
	if dir == "" {
		return backup.Report{}, errNoBackup
	}
	home, err := ac.dep.stores.Dir(name)
	if err != nil {
		return backup.Report{}, err
	}
	unlock, err := lockFile(filepath.Join(home, "backup.lock"))
	if errors.Is(err, errLocked) {
		err = errors.New("another backup of the tenant is running")
	}
	if err != nil {
		return backup.Report{}, err
	}
	defer unlock()
	to, err := ac.dep.configOf(name).Recording.Backup.recipient()
	if err != nil {
		return backup.Report{}, fmt.Errorf("recording.backup.recipient: %w", err)
	}
	target, err := backup.OpenFolder(dir)
	if err != nil {
		return backup.Report{}, err
	}
	place, err := p.first.Place()
	if err != nil {
		return backup.Report{}, err
	}
	b, err := backup.New(backup.Config{Owner: name, Blobs: p.blobs, Catalog: p, Target: target, Recipient: to, Place: place})
	if err != nil {
		return backup.Report{}, err
	}
	r, err := b.Run(ctx)
	// ctx may be what ended the run; what was done is recorded all the same.
	return r, errors.Join(err, ac.audit.Audit(context.WithoutCancel(ctx), "backup.done", name, append(figures(r), slog.Bool("ended", err == nil))...))
}

// figures are a report without the names of recordings.
func figures(r backup.Report) []slog.Attr {
	return []slog.Attr{slog.Int("copied", r.Copied), slog.Int64("bytes", r.Bytes), slog.Int("forgotten", r.Forgotten), slog.Int("unchanged", r.Unchanged), slog.Int("open", r.Open),
		slog.Int("failed", len(r.Failed))}
}

// backupState is what came of the backups of a running server.
type backupState struct {
	done   atomic.Int64 // when the last that could read and write everything ended, in Unix seconds; zero: none yet
	failed atomic.Int64 // recordings that the last one could not copy
	broken atomic.Bool  // the last one ended early
}

// keepBackup brings the copy up to date at once and then again and again, as the tenant's backup service, until ctx ends.
func (s *site) keepBackup(ctx context.Context) {
	every, err := duration(s.cfg.Recording.Backup.Every, backupEvery)
	if err != nil {
		every = backupEvery // was checked when the file was read
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		r, err := s.backup(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.backups.broken.Store(true)
			s.log.Error("backup failed", "err", err)
		default:
			s.backups.broken.Store(false)
			s.backups.failed.Store(int64(len(r.Failed)))
			level := slog.LevelInfo
			if len(r.Failed) > 0 {
				level = slog.LevelError
				s.log.Error("recordings not backed up, will be tried again", "recording", r.Failed[0].ID, "err", r.Failed[0].Err)
			} else {
				s.backups.done.Store(time.Now().Unix())
			}
			s.log.LogAttrs(ctx, level, "backup", figures(r)...)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *site) backup(ctx context.Context) (backup.Report, error) {
	p, err := s.tenant.Service(ctx, "backup")
	if err != nil {
		return backup.Report{}, err
	}
	log, err := s.node.dep.auditLog(s.name)
	if err != nil {
		return backup.Report{}, err
	}
	return (&actor{dep: s.node.dep, tenant: s.tenant, Principal: p, audit: log.As(p.Name())}).backup(ctx, s.catalog)
}

var (
	descReplicaLag     = prometheus.NewDesc("contactcenter_replica_lag_recordings", "Recordings that the second place does not have completely.", []string{"tenant"}, nil)
	descReplicaBytes   = prometheus.NewDesc("contactcenter_replica_lag_bytes", "Bytes of recordings that the second place does not have.", []string{"tenant"}, nil)
	descReplicaAge     = prometheus.NewDesc("contactcenter_replica_lag_seconds", "How long the recording that waits longest has been behind in the second place.", []string{"tenant"}, nil)
	descReplicaFailing = prometheus.NewDesc("contactcenter_replica_failing", "1 while copying to the second place fails.", []string{"tenant"}, nil)
	descBackupDone     = prometheus.NewDesc("contactcenter_backup_last_success_timestamp_seconds", "When the last backup without a fault ended; 0 if none did since start.", []string{"tenant"}, nil)
	descBackupFailed   = prometheus.NewDesc("contactcenter_backup_failed_recordings", "Recordings that the last backup could not copy.", []string{"tenant"}, nil)
	descBackupBroken   = prometheus.NewDesc("contactcenter_backup_broken", "1 if the last backup ended early.", []string{"tenant"}, nil)
)

// copiesState reports how far the copies of the tenant's recordings are behind, if it has any.
func (s *site) copiesState(gauge func(*prometheus.Desc, float64, ...string)) {
	flag := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	if s.catalog.copies != nil {
		lag := s.catalog.copies.Lag()
		gauge(descReplicaLag, float64(lag.Recordings), s.name)
		gauge(descReplicaBytes, float64(lag.Bytes), s.name)
		gauge(descReplicaAge, lag.Oldest.Seconds(), s.name)
		gauge(descReplicaFailing, flag(lag.Err != nil), s.name)
	}
	if r := s.cfg.Recording; r != nil && r.Backup != nil {
		gauge(descBackupDone, float64(s.backups.done.Load()), s.name)
		gauge(descBackupFailed, float64(s.backups.failed.Load()), s.name)
		gauge(descBackupBroken, flag(s.backups.broken.Load()), s.name)
	}
}
