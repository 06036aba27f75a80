package branch

import (
	"errors"
	"time"
)

// LinkConfig describes a Link.
type LinkConfig struct {
	// DownAfter is how many failures in a row mean that the upstream is gone. If zero, 2.
	DownAfter int
	// UpAfter is how many signs of life in a row mean that it is back. If zero, 3.
	UpAfter int
	// Hold is how long after the last failure it is not believed to be back, so that a line that comes and goes does not move calls and registrations
	// each time. If zero, 10 s.
	Hold time.Duration
}

// Link decides whether the upstream is there. It has no clock and no goroutine: its owner tells it what happened and when. The zero Link is down, with the
// defaults of LinkConfig. It is not safe for concurrent use.
type Link struct {
	cfg       LinkConfig
	up        bool
	good, bad int
	failed    time.Time // the last failure; zero: none since the start
}

// NewLink returns a Link that is down until the first sign of life, which is enough at the start. Values below zero are an error.
func NewLink(cfg LinkConfig) (*Link, error) {
	if cfg.DownAfter < 0 || cfg.UpAfter < 0 || cfg.Hold < 0 {
		return nil, errors.New("branch: LinkConfig has a value below zero")
	}
	return &Link{cfg: cfg}, nil
}

// Up reports whether calls go to the upstream.
func (l *Link) Up() bool { return l.up }

// Alive tells that the upstream has shown itself able to serve at now. It reports whether Up has changed.
func (l *Link) Alive(now time.Time) (changed bool) {
	l.bad = 0
	l.good = min(l.good+1, 1<<20)
	if l.up {
		return false
	}
	started := l.failed.IsZero()
	if !started && (l.good < orDefault(l.cfg.UpAfter, 3) || now.Sub(l.failed) < orDefault(l.cfg.Hold, 10*time.Second)) {
		return false
	}
	l.up = true
	return true
}

// Failed tells that the upstream did not answer, or could not be reached, at now. It reports whether Up has changed.
func (l *Link) Failed(now time.Time) (changed bool) {
	l.good, l.failed = 0, now
	l.bad = min(l.bad+1, 1<<20)
	if !l.up || l.bad < orDefault(l.cfg.DownAfter, 2) {
		return false
	}
	l.up = false
	return true
}

// serves says what a status of the answer to OPTIONS means. Any answer shows that somebody is there (RFC 3261 section 11), but not that calls get through: a
// proxy that lost the server behind it, and a server that is being drained, answer too.
func serves(status int) bool {
	switch status {
	case 408, 500, 502, 503, 504:
		return false
	}
	return status >= 200
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}
