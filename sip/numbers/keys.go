package numbers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrKey is an API key that is unknown, wrong, revoked, over or without the scope: the peer cannot tell which.
var ErrKey = errors.New("numbers: key refused")

// Token is an API key as its holder has it. It is shown once, by Reveal; nothing prints it.
type Token struct{ text string }

const redacted = "[redacted]"

// Reveal returns the key in the clear, to be handed over once.
func (t Token) Reveal() string { return t.text }

// String hides the key.
func (Token) String() string { return redacted }

// GoString hides the key.
func (Token) GoString() string { return redacted }

// Format hides the key from every verb.
func (Token) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// MarshalJSON hides the key.
func (Token) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue hides the key.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// Key is what is stored of an API key. Hash is no secret: it comes from 256 random bits.
type Key struct {
	ID      string
	Name    string // whose it is
	Hash    [sha256.Size]byte
	Scopes  []string
	Expires time.Time
	Revoked time.Time // zero: it is not
}

// KeyStore keeps keys. Its methods are called concurrently.
type KeyStore interface {
	// PutKey stores a key, replacing the one with its ID.
	PutKey(ctx context.Context, k Key) error
	// GetKey returns a key, or ErrNotFound.
	GetKey(ctx context.Context, id string) (Key, error)
}

// KeysConfig describes Keys.
type KeysConfig struct {
	// Store keeps keys. Required.
	Store KeyStore
	// Auditor gets every key that is issued or revoked, before it is. Required.
	Auditor Auditor
	// Cache is how long a key is believed without asking the store, and so how long a key that is revoked on another machine may still work. If zero,
	// 30 s; at most 5 min.
	Cache time.Duration
	// MaxCached bounds the keys that are remembered. If zero, 1024.
	MaxCached int
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
}

// Keys issues and checks API keys. All methods are safe for concurrent use.
type Keys struct {
	cfg KeysConfig

	mu    sync.Mutex
	known map[string]cached // keys that were proved; strangers leave nothing here
}

type cached struct {
	key   Key
	until time.Time
}

// NewKeys returns Keys.
func NewKeys(cfg KeysConfig) (*Keys, error) {
	if cfg.Store == nil || cfg.Auditor == nil {
		return nil, errors.New("numbers: KeysConfig needs Store and Auditor")
	}
	if cfg.Cache < 0 || cfg.Cache > 5*time.Minute {
		return nil, errors.New("numbers: KeysConfig.Cache is more than 5 min")
	}
	if cfg.Cache == 0 {
		cfg.Cache = 30 * time.Second
	}
	if cfg.MaxCached <= 0 {
		cfg.MaxCached = 1024
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Keys{cfg: cfg, known: make(map[string]cached)}, nil
}

const prefix = "rfk_" // so that scanners for leaked secrets find it

// Issue makes a key for name with scopes, valid until expires, at most two years from now. by is who does it.
func (k *Keys) Issue(ctx context.Context, by, name string, scopes []string, expires time.Time) (Token, Key, error) {
	now := k.cfg.Now()
	if err := errors.Join(checkName("by", by), checkName("name", name)); err != nil {
		return Token{}, Key{}, err
	}
	if len(scopes) == 0 || slices.ContainsFunc(scopes, func(s string) bool { return checkName("scope", s) != nil }) {
		return Token{}, Key{}, fmt.Errorf("%w: a key needs scopes", ErrMalformed)
	}
	if !expires.After(now) || expires.After(now.AddDate(2, 0, 0)) {
		return Token{}, Key{}, fmt.Errorf("%w: a key ends within two years", ErrMalformed)
	}
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return Token{}, Key{}, err
	}
	text := base64.RawURLEncoding.EncodeToString(secret[:])
	key := Key{ID: strings.ToLower(rand.Text()), Name: name, Hash: sha256.Sum256([]byte(text)), Scopes: slices.Clone(scopes), Expires: expires}
	if err := k.audit(ctx, "key.issue", by, key); err != nil {
		return Token{}, Key{}, err
	}
	if err := k.cfg.Store.PutKey(ctx, key); err != nil {
		return Token{}, Key{}, err
	}
	return Token{prefix + key.ID + "_" + text}, key, nil
}

// Revoke ends a key: here at once, on other machines within KeysConfig.Cache.
func (k *Keys) Revoke(ctx context.Context, by, id string) error {
	key, err := k.cfg.Store.GetKey(ctx, id)
	if err != nil {
		return err
	}
	if !key.Revoked.IsZero() {
		return nil
	}
	key.Revoked = k.cfg.Now()
	if err := k.audit(ctx, "key.revoke", by, key); err != nil {
		return err
	}
	if err := k.cfg.Store.PutKey(ctx, key); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, id)
	return nil
}

func (k *Keys) audit(ctx context.Context, action, by string, key Key) error {
	err := k.cfg.Auditor.Audit(ctx, action, "key:"+key.ID, slog.String("by", by), slog.String("name", key.Name), slog.Any("scopes", key.Scopes), slog.Time("expires", key.Expires))
	if err != nil {
		return fmt.Errorf("numbers: not audited: %w", err)
	}
	return nil
}

// Check returns the key that token is, if it may be used for scope now. It returns ErrKey, or the store's error when that does not answer: then
// nobody gets in but who was checked within KeysConfig.Cache.
func (k *Keys) Check(ctx context.Context, token, scope string) (Key, error) {
	rest, ok := strings.CutPrefix(token, prefix)
	id, secret, ok2 := strings.Cut(rest, "_")
	if !ok || !ok2 || len(id) > 64 || len(secret) > 64 {
		return Key{}, ErrKey
	}
	now := k.cfg.Now()
	key, fresh := k.remembered(id, now)
	if !fresh {
		var err error
		if key, err = k.cfg.Store.GetKey(ctx, id); err != nil && !errors.Is(err, ErrNotFound) {
			return Key{}, err
		}
	}
	hash := sha256.Sum256([]byte(secret))
	// An unknown ID is compared with a hash of nothing, and takes the same time.
	if subtle.ConstantTimeCompare(hash[:], key.Hash[:]) != 1 || key.ID != id {
		return Key{}, ErrKey
	}
	if !key.Revoked.IsZero() || !now.Before(key.Expires) || !slices.Contains(key.Scopes, scope) {
		return Key{}, ErrKey
	}
	if !fresh {
		k.remember(key, now)
	}
	return key, nil
}

func (k *Keys) remembered(id string, now time.Time) (Key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.known[id]
	if !ok || !now.Before(c.until) {
		delete(k.known, id)
		return Key{}, false
	}
	return c.key, true
}

func (k *Keys) remember(key Key, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.known {
		if len(k.known) < k.cfg.MaxCached {
			break
		}
		delete(k.known, id) // any: it is only asked for again
	}
	k.known[key.ID] = cached{key, now.Add(k.cfg.Cache)}
}

// Handler lets requests with a key for scope through to next: "Authorization: Bearer ...". Others get 401 and nothing else, 503 if the store does not
// answer. It belongs on an HTTPS listener.
func (k *Keys) Handler(scope string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		err := ErrKey
		if strings.EqualFold(kind, "Bearer") {
			_, err = k.Check(r.Context(), strings.TrimSpace(token), scope)
		}
		switch {
		case err == nil:
			next.ServeHTTP(w, r)
		case errors.Is(err, ErrKey):
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}
