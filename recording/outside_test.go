package recording_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

func identity(t testing.TB, s recording.Suite, name string) (*recording.Identity, recording.Recipient) {
	t.Helper()
	i, err := recording.NewIdentity(s)
	if err != nil {
		t.Fatal(err)
	}
	r, err := i.Recipient(name)
	if err != nil {
		t.Fatal(err)
	}
	return i, r
}

// seal returns a sealed export.
func (k *kit) seal(t testing.TB, id string) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := k.access(t).Seal(context.Background(), id, &b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("Seal = %d of %d, %v", n, b.Len(), err)
	}
	return b.Bytes()
}

func openSealed(b []byte, i *recording.Identity) (*recording.Sealed, error) {
	return recording.OpenSealed(bytes.NewReader(b), int64(len(b)), i)
}

// A customer and an auditor open what was recorded for them with nothing but the stream and their key, and hear what the vault plays.
func TestRecipientsOpenWithoutTheVault(t *testing.T) {
	ctx := context.Background()
	customer, to1 := identity(t, recording.SuiteMLKEM768X25519, "customer")
	auditor, to2 := identity(t, recording.SuiteX25519, "auditor")
	stranger, _ := identity(t, recording.SuiteMLKEM768X25519, "customer")
	k := newKit(t, func(c *recording.Config) { c.Recipients = []recording.Recipient{to1, to2} })
	k.record(t, "r1", 3*time.Second)
	var want bytes.Buffer
	if _, err := k.access(t).Export(ctx, "r1", &want); err != nil {
		t.Fatal(err)
	}
	sealed := k.seal(t, "r1")
	public, _ := k.keys.PublicKey(ctx)
	for name, i := range map[string]*recording.Identity{"customer": customer, "auditor": auditor} {
		s, err := openSealed(sealed, i)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rep, err := s.Verify(public)
		if err != nil || !rep.Complete || !rep.Signed || rep.Duration != 3*time.Second || rep.Frames != 300 {
			t.Errorf("%s: %+v, %v", name, rep, err)
		}
		var got bytes.Buffer
		if _, err := s.Export(&got, recording.Layout{}, nil); err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%s hears something else, %v", name, err)
		}
		if s.Info().Call != "call-r1" || s.Place() != home || !slices.Equal(s.Recipients(), []string{"auditor", "customer"}) {
			t.Errorf("%s: %+v %v", name, s.Info(), s.Recipients())
		}
		p, err := s.Open(nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := p.ReadPCM(1, make([]int16, 100), 12_345); n != 100 || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)).Public().(ed25519.PublicKey)
		if _, err := s.Verify(other); !errors.Is(err, recording.ErrTampered) {
			t.Errorf("%s: signed by somebody else: %v", name, err)
		}
		s.Close()
		if _, err := s.Verify(nil); !errors.Is(err, recording.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, i := range []*recording.Identity{stranger, nil} {
		if s, err := openSealed(sealed, i); s != nil || err == nil || (i != nil && !errors.Is(err, recording.ErrKey)) {
			t.Errorf("a stranger: %v, %v", s, err)
		}
	}
	// The reader written from FORMAT.md opens it too.
	for _, i := range []*recording.Identity{customer, auditor} {
		secret, err := i.ExportSecret()
		if err != nil {
			t.Fatal(err)
		}
		if err := secondSealed(sealed, secret, public); err != nil {
			t.Errorf("the second reader: %v", err)
		}
	}
}

// secondSealed reads a sealed recording from FORMAT.md alone.
func secondSealed(sealed []byte, secret string, public ed25519.PublicKey) error {
	c := cursor{b: sealed}
	if string(c.take(5)) != "RFSX\x02" {
		return errors.New("not sealed")
	}
	state := []string{"", "", "complete", "incomplete"}[c.num(1)&3]
	c.take(2)
	segments, _ := c.num(8), c.num(8)
	var b bound
	for _, s := range []*string{&b.owner, &b.id, &b.purpose, &b.region, &b.environment} {
		*s = string(c.str())
	}
	env, meta, text, signature := c.str(), c.str(), c.str(), c.str()
	blob := c.take(c.num(8))
	if c.bad || len(c.b) > 0 {
		return errors.New("lengths")
	}
	dek, err := envelopeOf(env, b, hpkeUnwrap(secret, b))
	if err != nil {
		return err
	}
	m, err := openMetadata(dek, meta, b)
	if err != nil {
		return err
	}
	f, err := readFlat(dek, blob, b, len(m["parties"].([]any)), state, int(segments))
	if err != nil {
		return err
	}
	claim, err := checkClaim(public, text, signature, b)
	if err != nil {
		return err
	}
	return claim.covers(blob, f, state)
}

// Every change to a sealed recording is refused when it is opened or verified.
func TestSealedMutationsAreRefused(t *testing.T) {
	i, to := identity(t, recording.SuiteX25519, "a")
	k := newKit(t, func(c *recording.Config) { c.Recipients = []recording.Recipient{to} })
	tr := k.create(t, "r1")
	for n := range 3 {
		tr.PartyAt(0, 0).WriteFrame(time.Duration(n)*2*time.Second, recording.PCMU, tone(440, n, recording.PCMU)[:20])
	}
	closeTrack(t, tr)
	good := k.seal(t, "r1")
	public, _ := k.keys.PublicKey(context.Background())
	check := func(b []byte) error {
		s, err := openSealed(b, i)
		if err != nil {
			return err
		}
		defer s.Close()
		rep, err := s.Verify(public)
		if err == nil && !rep.Complete {
			err = errors.New("not complete")
		}
		return err
	}
	if err := check(good); err != nil {
		t.Fatal(err)
	}
	for n := range good {
		b := slices.Clone(good)
		b[n] ^= 0x01
		if check(b) == nil {
			t.Errorf("flip at %d accepted", n)
		}
		if check(good[:n]) == nil {
			t.Errorf("cut to %d accepted", n)
		}
	}
	for _, more := range [][]byte{{0}, good, make([]byte, 100)} {
		if check(append(slices.Clone(good), more...)) == nil {
			t.Error("something after it accepted")
		}
	}
}

func TestSealRefusals(t *testing.T) {
	ctx := context.Background()
	_, to := identity(t, recording.SuiteX25519, "a")
	k := newKit(t)
	k.record(t, "r1", time.Second)
	live := k.create(t, "live")
	k.golden(t, "complete")
	for id, want := range map[string]error{"r1": recording.ErrRecipient, "live": recording.ErrOpen, "complete": recording.ErrInvalid, "none": recording.ErrNotFound} {
		if n, err := k.access(t).Seal(ctx, id, failing{t}); n != 0 || !errors.Is(err, want) {
			t.Errorf("%s: %d, %v", id, n, err)
		}
	}
	closeTrack(t, live)
	if err := k.access(t).Rewrap(ctx, "r1", recording.Rewrap{Add: []recording.Recipient{to}}); err != nil {
		t.Fatal(err)
	}
	b := k.blobs.Bytes("r1")
	b[len(b)-40] ^= 1
	k.blobs.Replace("r1", b)
	if n, err := k.access(t).Seal(ctx, "r1", failing{t}); n != 0 || !errors.Is(err, recording.ErrTampered) {
		t.Errorf("altered: %d, %v", n, err)
	}
}

// One part of a recording, with nothing else, is what was signed; every change to the proof is refused, and another key opens it to nothing.
func TestOnePartIsProvedWithoutTheRest(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	tr := k.create(t, "r1")
	for n := range 5 {
		at := time.Duration(n) * 2 * time.Second
		tr.PartyAt(0, 0).WriteFrame(at, recording.PCMU, tone(440, n, recording.PCMU)[:40])
		tr.PartyAt(1, 0).WriteFrame(at, recording.PCMA, tone(440, n, recording.PCMA)[:40])
	}
	closeTrack(t, tr)
	public, _ := k.keys.PublicKey(ctx)
	proof, err := k.access(t).Prove(ctx, "r1", 4*time.Second+time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	part, err := recording.VerifyProof(proof, public)
	if err != nil {
		t.Fatal(err)
	}
	if part.ID != "r1" || part.Place != home || !part.Complete || part.Segment != 2 || part.Segments != 5 || len(part.Runs) != 2 || part.Runs[1].Party != 1 ||
		part.Runs[0].At != 4*time.Second || part.Runs[1].Codec != recording.PCMA || part.Runs[0].Length != 5*time.Millisecond ||
		!bytes.Equal(part.Runs[0].Frames[0], tone(440, 2, recording.PCMU)[:40]) || ulaw(part.Runs[0].PCM[7]) != tone(440, 2, recording.PCMU)[7] {
		t.Errorf("%+v", part)
	}
	b := bound{home.Owner, "r1", "call", home.Region, home.Environment}
	if plain, err := proofOf(proof, public, b); err != nil || !bytes.Contains(plain, tone(440, 2, recording.PCMU)[:40]) {
		t.Errorf("the second reader: %v", err)
	}
	for n := range proof {
		m := slices.Clone(proof)
		m[n] ^= 1
		if got, err := recording.VerifyProof(m, public); err == nil {
			t.Errorf("flip at %d proves %+v", n, got)
		}
		if _, err := recording.VerifyProof(proof[:n], public); err == nil {
			t.Errorf("cut to %d proves", n)
		}
	}
	if _, err := recording.VerifyProof(append(slices.Clone(proof), 0), public); !errors.Is(err, recording.ErrInvalid) {
		t.Errorf("a byte more: %v", err)
	}
	if _, err := recording.VerifyProof(proof, public[:31]); !errors.Is(err, recording.ErrTampered) {
		t.Errorf("half a key: %v", err)
	}
	other := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	if _, err := recording.VerifyProof(proof, other); !errors.Is(err, recording.ErrTampered) {
		t.Errorf("another signer: %v", err)
	}
	if _, err := k.access(t).Prove(ctx, "r1", 3*time.Second); !errors.Is(err, recording.ErrNotFound) {
		t.Errorf("silence: %v", err)
	}
	unsigned := newKit(t, func(c *recording.Config) { c.Signer = nil })
	unsigned.record(t, "r1", time.Second)
	if _, err := unsigned.access(t).Prove(ctx, "r1", 0); !errors.Is(err, recording.ErrUnsigned) {
		t.Errorf("unsigned: %v", err)
	}
}

// A secret key cannot be printed by accident, and both kinds are read back as they were written, or not at all.
func TestKeysOfRecipients(t *testing.T) {
	for _, suite := range []recording.Suite{recording.SuiteX25519, recording.SuiteMLKEM768X25519} {
		i, r := identity(t, suite, "customer")
		secret, err := i.ExportSecret()
		if err != nil {
			t.Fatal(err)
		}
		key := strings.Split(secret, ":")[2]
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "identity", i, "value", *i)
		j, _ := json.Marshal(map[string]any{"a": i, "b": *i})
		for _, shown := range []string{fmt.Sprint(i), fmt.Sprintf("%v %+v %#v %s %x %q %d", i, *i, *i, i, *i, i, i), log.String(), string(j), i.String(), i.GoString()} {
			if strings.Contains(shown, key) || !strings.Contains(shown, "redacted") {
				t.Errorf("printed: %s", shown)
			}
		}
		again, err := recording.ParseIdentity("  " + secret + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if s, _ := again.ExportSecret(); s != secret {
			t.Error("read back as another key")
		}
		r2, err := recording.ParseRecipient("customer", r.Text()+"\r\n")
		if err != nil || r2.Text() != r.Text() || r2.Suite() != suite || r2.String() != "customer ("+suite.String()+")" {
			t.Errorf("%v, %v", r2, err)
		}
		flip := []byte(secret)
		flip[len(flip)/2] ^= 1
		for what, text := range map[string]string{
			"no key of a recipient": "hello", "is a public key where": r.Text(), "cut off": secret[:len(secret)-10], "checksum": string(flip), "more after it": secret + ":x",
		} {
			if _, err := recording.ParseIdentity(text); !errors.Is(err, recording.ErrRecipient) || !strings.Contains(err.Error(), what) && what != "cut off" || strings.Contains(err.Error(), key) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := recording.ParseRecipient("customer", secret); !errors.Is(err, recording.ErrRecipient) || !strings.Contains(err.Error(), "secret key where a public one belongs") {
			t.Error(err)
		}
		for _, name := range []string{"", "a b", "../x", strings.Repeat("x", 65)} {
			_, err1 := recording.ParseRecipient(name, r.Text())
			_, err2 := i.Recipient(name)
			if !errors.Is(err1, recording.ErrRecipient) || !errors.Is(err2, recording.ErrRecipient) {
				t.Errorf("%q: %v, %v", name, err1, err2)
			}
		}
	}
	if _, err := recording.NewIdentity(recording.SuiteAES256GCM); !errors.Is(err, recording.ErrRecipient) {
		t.Error(err)
	}
}

// Past its sunset a suite writes nothing new, from construction on, and what it wrote is read.
func TestSunset(t *testing.T) {
	ctx := context.Background()
	i, to := identity(t, recording.SuiteX25519, "auditor")
	k := newKit(t, func(c *recording.Config) { c.Recipients = []recording.Recipient{to} })
	k.record(t, "r1", time.Second)
	after := func(year int) recording.Config {
		cfg := k.cfg
		cfg.Now = func() time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
		return cfg
	}
	if v, err := recording.New(after(2031)); !errors.Is(err, recording.ErrSunset) || v != nil {
		t.Errorf("a vault past the sunset: %v", err)
	}
	late := after(2040)
	late.Recipients = nil
	a := access(t, newVault(t, late))
	if rep, err := a.Verify(ctx, "r1"); err != nil || !rep.Complete {
		t.Errorf("%+v, %v", rep, err)
	}
	var b bytes.Buffer
	if _, err := a.Seal(ctx, "r1", &b); err != nil {
		t.Fatal(err)
	}
	if s, err := openSealed(b.Bytes(), i); err != nil {
		t.Error(err)
	} else {
		s.Close()
	}
	if err := a.Rewrap(ctx, "r1", recording.Rewrap{Add: []recording.Recipient{to}}); !errors.Is(err, recording.ErrSunset) {
		t.Errorf("Rewrap past the sunset: %v", err)
	}
	if err := a.Rewrap(ctx, "r1", recording.Rewrap{}); err != nil {
		t.Errorf("Rewrap for the same: %v", err)
	}
	day := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		sunset map[recording.Suite]time.Time
		suite  recording.Suite
		now    time.Time
		want   error
	}{
		{nil, recording.SuiteX25519, time.Date(2030, 12, 31, 23, 59, 59, 0, time.UTC), nil},
		{nil, recording.SuiteMLKEM768X25519, day.AddDate(50, 0, 0), nil},
		{map[recording.Suite]time.Time{recording.SuiteX25519: day}, recording.SuiteX25519, day, recording.ErrSunset},
		{map[recording.Suite]time.Time{recording.SuiteX25519: day.AddDate(90, 0, 0)}, recording.SuiteX25519, day.AddDate(10, 0, 0), recording.ErrSunset}, // cannot be put off
		{map[recording.Suite]time.Time{recording.SuiteAES256GCM: day}, recording.SuiteAES256GCM, day, recording.ErrSunset},
		{map[recording.Suite]time.Time{recording.SuiteAES256GCM: {}}, recording.SuiteAES256GCM, day, recording.ErrSunset}, // forgotten is not allowed
		{nil, 999, day, recording.ErrInvalid},
	} {
		if err := (recording.Policy{Sunset: tt.sunset}).Check(tt.suite, tt.now); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	cfg := k.cfg
	cfg.Recipients, cfg.Policy = nil, recording.Policy{Sunset: map[recording.Suite]time.Time{recording.SuiteAES256GCM: epoch}}
	if _, err := recording.New(cfg); !errors.Is(err, recording.ErrSunset) {
		t.Errorf("the segments' own suite: %v", err)
	}
	cfg = k.cfg
	cfg.Recipients = []recording.Recipient{to, to}
	_, err1 := recording.New(cfg)
	cfg.Recipients = []recording.Recipient{{}}
	_, err2 := recording.New(cfg)
	if !errors.Is(err1, recording.ErrConfig) || !errors.Is(err2, recording.ErrConfig) {
		t.Errorf("%v, %v", err1, err2)
	}
}

// What was made in one place opens in no other, and nothing of it can be put there.
func TestAnotherPlaceDoesNotOpen(t *testing.T) {
	k := newKit(t)
	k.record(t, "r1", time.Second)
	for _, p := range []recording.Place{{Owner: "globex", Region: "eu-central", Environment: "test"}, {Owner: "acme", Region: "us", Environment: "test"},
		{Owner: "acme", Region: "eu-central", Environment: "production"}, {Owner: "acme"}, {Owner: "acme", Region: "test", Environment: "eu-central"}} {
		cfg := k.cfg
		cfg.Place = p
		v := newVault(t, cfg)
		if _, err := access(t, v).Export(context.Background(), "r1", failing{t}); !errors.Is(err, recording.ErrKey) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, p := range []recording.Place{{}, {Region: "eu"}, {Owner: strings.Repeat("x", 129)}, {Owner: "a", Region: "\xff"}} {
		cfg := k.cfg
		cfg.Place = p
		if _, err := recording.New(cfg); !errors.Is(err, recording.ErrConfig) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	// The same recording made in two places shares nothing: its segments cannot be exchanged though ID and length agree.
	cfg := k.cfg
	blobs := &recordingtest.Blobs{}
	cfg.Place.Owner, cfg.Blobs, cfg.Catalog = "globex", blobs, &recordingtest.Catalog{}
	other := &kit{blobs: blobs, keys: k.keys, cfg: cfg, vault: newVault(t, cfg), now: epoch}
	other.record(t, "r1", time.Second)
	h, s := segments(t, k.blobs.Bytes("r1"))
	oh, os := segments(t, blobs.Bytes("r1"))
	for i := range s {
		mixed := slices.Clone(s)
		mixed[i] = os[i]
		k.refused(t, k.vault, "a segment of another owner", "r1", join(h, mixed...))
	}
	k.refused(t, k.vault, "a header of another owner", "r1", join(oh, s...))
	k.refused(t, k.vault, "a blob of another owner", "r1", join(oh, os...))
}
