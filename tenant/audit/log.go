package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Config describes a Log. It is copied by Open.
type Config struct {
	// Path is the log file. It is made with mode 0600, its folder with 0700. Required.
	Path string
	// Now is the clock of the entries. If zero, time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	if c.Path == "" {
		return fmt.Errorf("%w: Path is required", ErrInvalid)
	}
	return nil
}

// Log appends entries to one file. Safe for concurrent use, by several processes too.
type Log struct {
	cfg Config

	mu   sync.Mutex
	f    *os.File // nil when closed
	head Head     // as of size
	size int64    // of the file when head was read
}

// Open opens or creates the log. ErrBroken if its end holds nothing that could be a log; a torn
// last line is not an error, the next append repairs it.
func Open(cfg Config) (*Log, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	f, err := os.OpenFile(cfg.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	l := &Log{cfg: cfg, f: f, size: -1}
	if err := l.locked(func() error { _, err := l.catchUp(); return err }); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// Close closes the file. Appends fail with ErrClosed from then on.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}

// Head returns the last entry's number and hash, to be kept elsewhere and given to Verify later.
func (l *Log) Head() (Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.locked(func() error { _, err := l.catchUp(); return err })
	return l.head, err
}

// As returns an appender for one actor. It costs nothing; the log stays owned by whoever opened it.
func (l *Log) As(actor string) *Actor { return &Actor{log: l, name: actor} }

// Actor appends entries in one actor's name. Safe for concurrent use.
type Actor struct {
	log  *Log
	name string
}

// Audit appends that the actor does action to object. It returns nil only when the entry is on disk. A cancelled ctx appends nothing.
func (a *Actor) Audit(ctx context.Context, action, object string, attrs ...slog.Attr) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if action == ActionRepair {
		return fmt.Errorf("%w: %s is the log's own", ErrInvalid, ActionRepair)
	}
	values, err := attrsJSON(attrs)
	if err != nil {
		return err
	}
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	return a.log.locked(func() error {
		torn, err := a.log.catchUp()
		if err != nil {
			return err
		}
		if len(torn) > 0 {
			if torn, err = a.log.complete(torn); err != nil {
				return err
			}
		}
		if len(torn) > 0 {
			if err := a.log.repair(torn); err != nil {
				return err
			}
		}
		return a.log.append(nil, Entry{Actor: a.name, Action: action, Object: object, Attrs: values})
	})
}

// locked runs f under the file's lock; l.mu is held.
func (l *Log) locked(f func() error) error {
	if l.f == nil {
		return ErrClosed
	}
	if err := lock(l.f); err != nil {
		return err
	}
	return errors.Join(f(), unlock(l.f))
}

// catchUp brings head up to date with what other processes appended, and returns the bytes of a torn last line, if any.
func (l *Log) catchUp() (torn []byte, err error) {
	info, err := l.f.Stat()
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	size := info.Size()
	if size == l.size {
		return nil, nil // a torn line is repaired by whoever finds it, so an unchanged size means a sound end
	}
	from := max(0, size-maxTorn-MaxEntry) // holds the last valid line, if what follows it is no more than a crash can leave
	tail := make([]byte, size-from)
	if _, err := l.f.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("audit: %w", err)
	}
	head, rest := lastValid(tail)
	if len(rest) > maxTorn || (head == Head{} && from > 0) {
		return nil, fmt.Errorf("%w: no valid entry near the end", ErrBroken)
	}
	if head.Seq < l.head.Seq || (head.Seq == l.head.Seq && head != l.head) {
		return nil, fmt.Errorf("%w: entry %d is no longer there", ErrBroken, l.head.Seq)
	}
	l.head, l.size = head, size-int64(len(rest))
	return rest, nil
}

// lastValid returns the head named by the last line of tail that is an entry, and what follows that line.
func lastValid(tail []byte) (Head, []byte) {
	for end := bytes.LastIndexByte(tail, '\n'); end >= 0; {
		start := bytes.LastIndexByte(tail[:end], '\n') + 1
		if e, h, err := decode(tail[start:end]); err == nil {
			return Head{Seq: e.Seq, Hash: h}, tail[end+1:]
		}
		end = start - 1
	}
	return Head{}, tail
}

// complete adds the newline to an entry that lacks nothing else, and returns what is torn then. Repairing it instead would end its line too, and so make it
// an entry and torn bytes at once.
func (l *Log) complete(torn []byte) ([]byte, error) {
	if _, _, err := decode(torn[bytes.LastIndexByte(torn, '\n')+1:]); err != nil {
		return torn, nil
	}
	l.size = -1
	_, err := l.f.Write([]byte{'\n'})
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		return nil, fmt.Errorf("audit: append: %w", err)
	}
	return l.catchUp()
}

// repair ends the torn line and says so, in one write: if that is torn too, all of it becomes the next repair's torn bytes.
func (l *Log) repair(torn []byte) error {
	var lead []byte
	if torn[len(torn)-1] != '\n' {
		lead = []byte{'\n'}
	}
	all := append(bytes.Clone(torn), lead...)
	sum := sha256.Sum256(all)
	attrs, err := attrsJSON([]slog.Attr{slog.Int64("offset", l.size), slog.Int("bytes", len(all)), slog.String("sha256", hex.EncodeToString(sum[:]))})
	if err != nil {
		return err
	}
	l.size += int64(len(torn))
	return l.append(lead, Entry{Actor: repairActor, Action: ActionRepair, Object: "log", Attrs: json.RawMessage(attrs)})
}

// append writes lead and the line of e in one write, syncs, and moves head.
func (l *Log) append(lead []byte, e Entry) error {
	e.Seq = l.head.Seq + 1
	e.Time = l.cfg.Now()
	line, h, err := encode(e, l.head.Hash)
	if err != nil {
		return err
	}
	out := append(lead, line...)
	n, err := l.f.Write(out)
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		l.size = -1 // what is there now is found out by the next append
		return fmt.Errorf("audit: append after %d of %d bytes: %w", n, len(out), err)
	}
	l.head, l.size = Head{Seq: e.Seq, Hash: h}, l.size+int64(len(out))
	return nil
}
