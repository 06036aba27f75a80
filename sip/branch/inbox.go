package branch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"
	"sync"
)

const (
	maxBody    = 1 << 20
	maxEntries = 1000
)

// Store keeps what arrives in an Inbox: the border to a database.
type Store interface {
	// Add keeps those of cdrs whose ID it does not have from this branch yet, and returns nil when all are durable. After an error all of them come again.
	// It is called concurrently.
	Add(ctx context.Context, branch string, cdrs []CDR) error
}

// InboxConfig describes an Inbox.
type InboxConfig struct {
	// Keys are the bearer keys, by the name of the branch. Required. A key must have 128 random bits or more: it is compared, not stretched.
	Keys map[string]Secret
	// Store keeps the entries. Required.
	Store Store
	// OnError is told why entries were not kept. It is called concurrently and must not block. If nil, nobody is told.
	OnError func(branch string, err error)
}

// Inbox takes entries of branches, each once: an http.Handler for POST over TLS. Who has no key costs a comparison and no body. An entry belongs to the branch
// whose key was shown, so that one branch can neither write nor suppress entries of another. It is safe for concurrent use.
type Inbox struct{ cfg InboxConfig }

// NewInbox returns an Inbox.
func NewInbox(cfg InboxConfig) (*Inbox, error) {
	if len(cfg.Keys) == 0 || cfg.Store == nil {
		return nil, errors.New("branch: InboxConfig needs Keys and Store")
	}
	for name, k := range cfg.Keys {
		if name == "" || len(k.text) < 22 { // 128 bits in base64
			return nil, errors.New("branch: InboxConfig.Keys: a key needs a name and 128 random bits")
		}
		for other, o := range cfg.Keys {
			if other != name && k.is(o.text) {
				return nil, errors.New("branch: InboxConfig.Keys: two branches with one key")
			}
		}
	}
	cfg.Keys = maps.Clone(cfg.Keys)
	return &Inbox{cfg}, nil
}

// ServeHTTP answers 204 when all entries are kept, now or before.
func (in *Inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	branch := in.who(r)
	switch {
	case r.TLS == nil:
		http.Error(w, "TLS only", http.StatusForbidden)
		return
	case branch == "":
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "application/json only", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "too large, or cut", http.StatusRequestEntityTooLarge)
		return
	}
	cdrs, err := readBatch(body)
	if err != nil {
		in.failed(branch, err)
		http.Error(w, "not a batch", http.StatusBadRequest)
		return
	}
	if err := in.cfg.Store.Add(r.Context(), branch, cdrs); err != nil {
		in.failed(branch, err)
		http.Error(w, "not kept", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// who returns the branch whose key the request shows. All keys are compared, so that the time says nothing.
func (in *Inbox) who(r *http.Request) string {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	found := ""
	for name, k := range in.cfg.Keys {
		if k.is(key) {
			found = name
		}
	}
	return found
}

func (in *Inbox) failed(branch string, err error) {
	if in.cfg.OnError != nil {
		in.cfg.OnError(branch, err)
	}
}

// readBatch reads what a branch has posted.
func readBatch(body []byte) ([]CDR, error) {
	var b batch
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCDR, err)
	}
	if len(b.CDRs) == 0 || len(b.CDRs) > maxEntries {
		return nil, fmt.Errorf("%w: %d entries", ErrCDR, len(b.CDRs))
	}
	for _, c := range b.CDRs {
		if err := c.Check(); err != nil {
			return nil, err
		}
	}
	return b.CDRs, nil
}

// FileStore is a Store in one file, for a contact center without a database for it. It keeps 100 bytes of memory for each entry. OpenFileStore makes one. All
// methods are safe for concurrent use.
type FileStore struct {
	mu   sync.Mutex
	log  *logFile
	have map[string]bool // branch and ID
}

// stored is one line: an entry and whose it is.
type stored struct {
	Branch string `json:"branch"`
	CDR    CDR    `json:"cdr"`
}

// OpenFileStore opens or makes the file at path, which only its owner may read.
func OpenFileStore(path string) (*FileStore, Recovery, error) {
	s := &FileStore{have: make(map[string]bool)}
	damaged := 0
	log, rec, err := openLog(path, func(line []byte) error {
		var e stored
		if json.Unmarshal(line, &e) != nil {
			damaged++
			return nil
		}
		s.have[e.Branch+" "+e.CDR.ID] = true
		return nil
	})
	if err != nil {
		return nil, rec, err
	}
	s.log = log
	rec.Damaged += damaged
	return s, rec, nil
}

// Add implements Store.
func (s *FileStore) Add(_ context.Context, branch string, cdrs []CDR) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := make(map[string]bool)
	var lines [][]byte
	for _, c := range cdrs {
		if s.have[branch+" "+c.ID] || seen[c.ID] {
			continue
		}
		seen[c.ID] = true
		line, err := json.Marshal(stored{branch, c})
		if err != nil {
			return fmt.Errorf("branch: %w", err)
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil
	}
	if err := s.log.append(lines...); err != nil {
		return err
	}
	for id := range seen {
		s.have[branch+" "+id] = true
	}
	return nil
}

// Len is how many entries are kept.
func (s *FileStore) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.have)
}

// Each calls f with every entry, in the order in which they came, until it returns an error. f must not call the store.
func (s *FileStore) Each(f func(branch string, c CDR) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := readLines(s.log.f, func(line []byte, _ int64) error {
		var e stored
		if line == nil || json.Unmarshal(line, &e) != nil {
			return nil // told when it was opened
		}
		return f(e.Branch, e.CDR)
	})
	return err
}

// Close closes the file. Nothing is lost by not calling it.
func (s *FileStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.close()
}
