package password_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/tenant/password"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestHashAndVerify(t *testing.T) {
	pw := password.NewSecret("correct horse battery")
	a, err := password.Hash(pw)
	if err != nil {
		t.Fatal(err)
	}
	b, err := password.Hash(pw)
	if err != nil || a == b {
		t.Errorf("two hashes are equal: the salt is not fresh (%v)", err)
	}
	if !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") || password.NeedsRehash(a) {
		t.Error(a)
	}
	if err := password.Verify(a, pw); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{"", "correct horse batterx", "correct horse battery ", "Correct horse battery"} {
		if err := password.Verify(a, password.NewSecret(wrong)); !errors.Is(err, password.ErrMismatch) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// A vector made by the reference implementation: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 24 (its README has it).
func TestReferenceVector(t *testing.T) {
	const stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if err := password.Verify(stored, password.NewSecret("password")); err != nil {
		t.Error(err)
	}
	if err := password.Verify(stored, password.NewSecret("passwore")); !errors.Is(err, password.ErrMismatch) {
		t.Error(err)
	}
}

func TestLengths(t *testing.T) {
	if _, err := password.Hash(password.NewSecret("11 letters.")); !errors.Is(err, password.ErrTooShort) {
		t.Error(err)
	}
	long := password.NewSecret(strings.Repeat("x", password.MaxBytes+1))
	if _, err := password.Hash(long); !errors.Is(err, password.ErrTooLong) {
		t.Error(err)
	}
	if err := password.Verify(password.Decoy(), long); !errors.Is(err, password.ErrTooLong) {
		t.Error(err)
	}
}

func TestMalformedAndCostlyHashesAreRefused(t *testing.T) {
	const salt, hash = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, stored := range []string{
		"", "x", "$", "$$$$$",
		"$argon2i$v=19$m=65536,t=2,p=1$" + salt + "$" + hash,
		"$argon2id$v=16$m=65536,t=2,p=1$" + salt + "$" + hash,
		"$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + hash, // all memory
		"$argon2id$v=19$m=65536,t=4000000,p=1$" + salt + "$" + hash,
		"$argon2id$v=19$m=65536,t=2,p=255$" + salt + "$" + hash,
		"$argon2id$v=19$m=0,t=0,p=0$" + salt + "$" + hash,
		"$argon2id$v=19$m=065536,t=2,p=1$" + salt + "$" + hash,
		"$argon2id$v=19$m=65536,t=2,p=1,x=1$" + salt + "$" + hash,
		"$argon2id$v=19$m=65536,t=2,p=1$$" + hash,
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + hash + "\n",
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "\n$" + hash,
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + hash + "$",
	} {
		if err := password.Verify(stored, password.NewSecret("password")); !errors.Is(err, password.ErrMalformed) {
			t.Errorf("%q: %v", stored, err)
		}
		if !password.NeedsRehash(stored) {
			t.Errorf("%q needs no rehash", stored)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	const text = "correct horse battery"
	s := password.NewSecret(text)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "pw", s, "in", struct{ P password.Secret }{s})
	j, err := json.Marshal(map[string]any{"pw": s})
	if err != nil {
		t.Fatal(err)
	}
	out := log.String() + string(j)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, []password.Secret{s}) + fmt.Sprintf(verb, struct{ P password.Secret }{s})
	}
	if strings.Contains(out, "horse") || strings.Contains(out, fmt.Sprintf("%x", "horse")) {
		t.Error(out)
	}
	if s.ExportSecret() != text || s.IsZero() || !(password.Secret{}).IsZero() {
		t.Error("the secret is not in there")
	}
	if a, b := password.Generate(), password.Generate(); a.ExportSecret() == b.ExportSecret() || len(a.ExportSecret()) != 26 {
		t.Error("generated passwords")
	}
}

// No stored string makes Verify panic or take more than its bounds; what it accepts for a password is a hash.
func FuzzVerify(f *testing.F) {
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, stored string) {
		if strings.Contains(stored, "m=") && !strings.Contains(stored, "m=8,t=1,p=1") {
			return // the bounds allow costs that would only make the fuzzer slow
		}
		err := password.Verify(stored, password.NewSecret("a password no hash was made of"))
		if err == nil || (!errors.Is(err, password.ErrMismatch) && !errors.Is(err, password.ErrMalformed)) {
			t.Errorf("%q: %v", stored, err)
		}
	})
}
