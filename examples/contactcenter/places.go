package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/filestore"
	"github.com/ringfence/ringfence/recording/replica"
	recstore "github.com/ringfence/ringfence/recording/sqlstore"
)

// Where recordings and their second place meet: what the vault writes goes to the data folder, and to the folder of the replica if there is one.

// places is where a tenant's recordings are. As a Catalog it is the rows of all places.
type places struct {
	recording.Catalog
	blobs recording.Blobs // of all places

	first, second         *filestore.Store // second is nil if there is one place
	firstRows, secondRows *recstore.Catalog
	copies                *replica.Store   // what blobs is, if there are two places
	rows                  *replica.Catalog // what Catalog is, if there are two places
}

// openPlaces opens what a tenant's configuration says. A second place that is missing, or is the first one, is refused. logger gets copies that fail; nil for nobody.
func openPlaces(ctx context.Context, d *deployment, name string, logger *slog.Logger) (*places, error) {
	dsn, err := d.stores.DSN(name)
	if err != nil {
		return nil, err
	}
	dir, err := d.stores.Dir(name)
	if err != nil {
		return nil, err
	}
	second, err := d.replicaFolder(name)
	if err != nil {
		return nil, err
	}
	p := &places{}
	if p.first, err = filestore.Open(filepath.Join(dir, "recordings")); err != nil {
		return nil, err
	}
	if p.firstRows, err = recstore.Open(ctx, dsn); err != nil {
		return nil, err
	}
	p.blobs, p.Catalog = p.first, p.firstRows
	if second == "" {
		return p, nil
	}
	if err := p.openSecond(ctx, filepath.Join(second, name), logger); err != nil {
		return nil, errors.Join(fmt.Errorf("tenant %q: recording.replica: %w", name, err), p.Close())
	}
	return p, nil
}

func (p *places) openSecond(ctx context.Context, dir string, logger *slog.Logger) (err error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) { // in the folder of the configuration, and never that one
		return err
	}
	if p.second, err = filestore.Open(filepath.Join(dir, "recordings")); err != nil {
		return err
	}
	if p.secondRows, err = recstore.Open(ctx, filepath.Join(dir, "catalog.db")); err != nil {
		return err
	}
	if p.rows, err = replica.NewCatalog(p.firstRows, p.secondRows); err != nil {
		return err
	}
	// The zero policy: a recording is complete when both places have it.
	if p.copies, err = replica.Open(replica.Config{Primary: p.first, Secondary: p.second, Logger: logger}); err != nil {
		return err
	}
	p.blobs, p.Catalog = p.copies, p.rows
	return nil
}

func (p *places) Close() error {
	var errs []error
	if p.copies != nil {
		errs = append(errs, p.copies.Close())
	}
	if p.secondRows != nil {
		errs = append(errs, p.secondRows.Close())
	}
	return errors.Join(append(errs, p.firstRows.Close())...)
}

// prepare lets Recover close what a dead process left open: a row is closed in both places, so the second must have it. There are no more of them than there were calls.
func (p *places) prepare(ctx context.Context) error {
	if p.copies == nil {
		return nil
	}
	for e, err := range p.firstRows.List(ctx, recording.Filter{State: recording.StateOpen}) {
		if err != nil {
			return err
		}
		if _, err := p.secondRows.Get(ctx, e.ID); !errors.Is(err, recording.ErrNotFound) {
			if err != nil {
				return err
			}
			continue
		}
		if err := p.secondRows.Insert(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// agree brings the second place to where the first is: rows, sound, and what was destroyed while one of them could not be reached. It returns when the sound is
// queued; flush waits for it.
func (p *places) agree(ctx context.Context) error {
	if _, err := p.rows.Repair(ctx); err != nil {
		return err
	}
	if err := p.forget(ctx); err != nil {
		return err
	}
	return p.copies.CatchUp(ctx)
}

// forget removes the sound of recordings that are destroyed, wherever some is left. Its key is gone already.
func (p *places) forget(ctx context.Context) error {
	for _, blobs := range []iter.Seq2[recording.BlobInfo, error]{p.first.List(ctx), p.second.List(ctx)} {
		for b, err := range blobs {
			if err != nil {
				return err
			}
			e, err := p.Get(ctx, b.ID)
			if errors.Is(err, recording.ErrNotFound) || err == nil && e.State != recording.StateDestroyed {
				continue
			}
			if err == nil {
				err = p.blobs.Remove(ctx, b.ID)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// mend gives the first place what only the second has, after the first was lost. Nothing is destroyed by it but what is destroyed in one of them. logger gets copies that
// fail and are tried again.
func (p *places) mend(ctx context.Context, logger *slog.Logger) error {
	if _, err := p.rows.Repair(ctx); err != nil { // where both have a row, the first decides how its key is wrapped
		return err
	}
	rows, err := replica.NewCatalog(p.secondRows, p.firstRows)
	if err != nil {
		return err
	}
	if _, err := rows.Repair(ctx); err != nil {
		return err
	}
	if err := p.forget(ctx); err != nil {
		return err
	}
	back, err := replica.Open(replica.Config{Primary: p.second, Secondary: p.first, Logger: logger})
	if err != nil {
		return err
	}
	err = back.CatchUp(ctx)
	if err == nil {
		err = back.Flush(ctx)
	}
	return errors.Join(err, back.Close())
}

const (
	// agreeEvery is how often both places are compared: the most that a deletion in one of them may be late after an outage.
	agreeEvery = time.Hour
	// agreeAgain is the pause after that failed.
	agreeAgain = time.Minute
)

// keepCopies runs what keeps the second place and the backup up to date, until ctx ends. The server does not wait for the first round: calls come first.
func (s *site) keepCopies(ctx context.Context) {
	if s.catalog.copies != nil {
		s.wg.Add(1)
		go func() { // ended by ctx, waited for by close
			defer s.wg.Done()
			s.keepReplica(ctx)
		}()
	}
	if r := s.cfg.Recording; r != nil && r.Backup != nil {
		s.wg.Add(1)
		go func() { // as above
			defer s.wg.Done()
			s.keepBackup(ctx)
		}()
	}
}

func (s *site) keepReplica(ctx context.Context) {
	for {
		pause, err := agreeEvery, s.catalog.agree(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = agreeAgain
			s.log.Error("replica not caught up, will be tried again", "err", err)
		default:
			if lag := s.catalog.copies.Lag(); lag.Recordings > 0 {
				s.log.Info("replica catches up", "recordings", lag.Recordings, "bytes", lag.Bytes)
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}
