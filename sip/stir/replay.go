package stir

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"
)

var (
	// ErrReplay says that a token was used before, by a call with another Call-ID.
	ErrReplay = errors.New("stir: token used before")
	// ErrFull says that more tokens were used than are remembered.
	ErrFull = errors.New("stir: too many tokens at once")
)

type use struct {
	call [32]byte
	none bool // there was no Call-ID
}

// replay remembers tokens that were used. A token is named by what is signed and not by its signature: of one ECDSA signature everybody can make a second.
type replay struct {
	mu    sync.Mutex
	seen  map[[32]byte]use
	order []replayed // oldest first
	limit int
}

type replayed struct {
	key   [32]byte
	until time.Time
}

// use enters a token that is remembered for keep, which is longer than it can be fresh.
func (r *replay) use(now time.Time, keep time.Duration, input, callID string) (int, error) {
	key, call := sha256.Sum256([]byte(input)), sha256.Sum256([]byte(callID))
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for n < len(r.order) && r.order[n].until.Before(now) {
		delete(r.seen, r.order[n].key)
		n++
	}
	r.order = r.order[n:]
	if u, used := r.seen[key]; used {
		if u.none || callID == "" || u.call != call {
			return CodeInvalid, ErrReplay
		}
		return 0, nil // a copy of the same call that took another way
	}
	if len(r.order) >= r.limit {
		return CodeUnavailable, fmt.Errorf("%w: %d", ErrFull, r.limit)
	}
	r.seen[key] = use{call: call, none: callID == ""}
	r.order = append(r.order, replayed{key, now.Add(keep)})
	return 0, nil
}
