package sqldb

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
)

// pool holds the connections to one file. All rooms of a process that open the file share it: SQLite has one writer per file, and a second connection that wants
// to write is told so by sleeping and trying again, for up to 100 ms at a time and in no order. Writers of one pool queue in order and go on at once.
type pool struct {
	w, r  *sql.DB // one writer connection, several readers
	path  string
	users int // guarded by pools.mu
}

var pools = struct {
	mu     sync.Mutex
	byPath map[string]*pool
}{byPath: map[string]*pool{}}

// acquire returns the pool of a file, which must exist. Its user calls release once.
func acquire(path string) (*pool, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	pools.mu.Lock()
	defer pools.mu.Unlock()
	p := pools.byPath[path]
	if p == nil {
		if p, err = newPool(path); err != nil {
			return nil, err
		}
		pools.byPath[path] = p
	}
	p.users++
	return p, nil
}

func newPool(path string) (*pool, error) {
	source := "file:" + (&url.URL{Path: path}).EscapedPath() + "?"
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)", "foreign_keys(ON)"}, "_txlock": {"immediate"}}
	w, err := sql.Open("sqlite", source+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	w.SetMaxOpenConns(1)
	q.Del("_txlock")
	q.Add("_pragma", "query_only(ON)")
	r, err := sql.Open("sqlite", source+q.Encode())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqldb: %w", err), w.Close())
	}
	r.SetMaxOpenConns(4)
	r.SetMaxIdleConns(4) // the default keeps two; opening one costs more than most reads
	return &pool{w: w, r: r, path: path}, nil
}

// release closes the connections when their last user is gone.
func (p *pool) release() error {
	pools.mu.Lock()
	p.users--
	last := p.users == 0
	if last {
		delete(pools.byPath, p.path)
	}
	pools.mu.Unlock()
	if !last {
		return nil
	}
	return errors.Join(p.r.Close(), p.w.Close())
}
