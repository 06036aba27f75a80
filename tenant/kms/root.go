package kms

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

const (
	redacted   = "REDACTED"
	rootPrefix = "RINGFENCE-ROOT-1-"
)

// Root is the key above all tenants' keys. It cannot be printed, logged or marshalled. Safe for concurrent use.
// Losing it loses everything it protects; there is no second way in.
type Root struct {
	_   [0]func()
	mu  sync.RWMutex
	key []byte // nil when closed
}

// GenerateRoot makes a root key that exists in memory only.
func GenerateRoot() *Root {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	return &Root{key: key}
}

// OpenRoot reads the root key at path: ErrNoRoot if there is none, ErrRootExposed if its mode lets anyone but its owner near,
// ErrRootMalformed if it holds something else.
func OpenRoot(path string) (*Root, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoRoot, path)
	}
	if err != nil {
		return nil, fmt.Errorf("kms: %w", err)
	}
	defer f.Close()
	info, err := f.Stat() // of the open file: its name cannot be pointed elsewhere between check and read
	if err != nil {
		return nil, fmt.Errorf("kms: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %v, want 0600", ErrRootExposed, path, info.Mode())
	}
	text, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return nil, fmt.Errorf("kms: %w", err)
	}
	defer clear(text)
	digits, ok := strings.CutPrefix(strings.TrimSuffix(string(text), "\n"), rootPrefix)
	key, err := hex.DecodeString(digits)
	if !ok || err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("%w: %s", ErrRootMalformed, path) // the decoder's error would quote a digit of the key
	}
	return &Root{key: key}, nil
}

// OpenOrCreateRoot is OpenRoot, except that where there is no file it makes one with a fresh key: the first start. Two processes that start at
// once get the same key. An existing file is never replaced.
func OpenOrCreateRoot(path string) (*Root, error) {
	r, err := OpenRoot(path)
	if !errors.Is(err, ErrNoRoot) {
		return r, err
	}
	if err := createRoot(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("kms: %w", err)
	}
	return OpenRoot(path)
}

// createRoot writes beside path and links into place: whoever reads path sees a whole key or none, and the loser of a race gets ErrExist.
func createRoot(path string) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".root-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	fresh := GenerateRoot()
	defer fresh.Close()
	_, werr := io.WriteString(f, rootPrefix+hex.EncodeToString(fresh.key)+"\n")
	if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ExportSecret returns a copy of the key, for a backup in a safe. ErrClosed after Close.
func (r *Root) ExportSecret() ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.key == nil {
		return nil, ErrClosed
	}
	return append([]byte(nil), r.key...), nil
}

// Close zeroes the key in memory. Keys opened with it fail with ErrClosed from then on.
func (r *Root) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.key)
	r.key = nil
}

// String returns REDACTED.
func (*Root) String() string { return redacted }

// GoString returns REDACTED.
func (*Root) GoString() string { return redacted }

// Format writes REDACTED whatever the verb.
func (*Root) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns REDACTED.
func (*Root) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "REDACTED".
func (*Root) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
