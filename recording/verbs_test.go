package recording_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

// step records d of audio of both parties from the clock on and moves the clock.
func (k *kit) step(tr *recording.Track, d time.Duration, hz float64) {
	from := k.now.Sub(epoch)
	speak(tr.PartyAt(0, 0), from, d, hz, recording.PCMU)
	speak(tr.PartyAt(1, 0), from, d, hz+560, recording.PCMU)
	k.now = k.now.Add(d)
}

// Masking stores nothing of one party, whatever tap it comes through, and everything of the other.
func TestMaskHidesOneParty(t *testing.T) {
	k := newKit(t)
	tr := k.create(t, "r1")
	k.step(tr, 2*time.Second, 440)
	if err := errors.Join(tr.Mask(0), tr.Mask(0)); err != nil {
		t.Fatal(err)
	}
	k.step(tr, time.Second, 2000) // the card number
	again := tr.Party(0)          // transferred meanwhile: the new tap is masked too
	speak(again, 0, time.Second, 2000, recording.PCMU)
	k.now = k.now.Add(time.Second)
	if err := errors.Join(tr.Pause(), tr.Unmask(0)); err != nil { // still paused
		t.Fatal(err)
	}
	k.step(tr, time.Second, 2000)
	tr.PartyAt(0, 0) // attached again in the pause
	if err := tr.Resume(); err != nil {
		t.Fatal(err)
	}
	tr.PartyAt(0, 0).WriteFrame(2500*time.Millisecond, recording.PCMU, tone(2000, 0, recording.PCMU)) // a masked packet that comes late
	k.step(tr, time.Second, 440)
	for _, err := range []error{tr.Mask(2), tr.Mask(-1), tr.Unmask(2)} {
		if !errors.Is(err, recording.ErrInvalid) {
			t.Error(err)
		}
	}
	closeTrack(t, tr)
	if err := tr.Mask(0); !errors.Is(err, recording.ErrClosed) {
		t.Error(err)
	}
	w := k.export(t, "r1")
	if !silent(w.left[at(2*time.Second):at(5*time.Second)]) || !silent(w.right[at(3*time.Second):at(5*time.Second)]) {
		t.Error("something masked or paused was stored")
	}
	if hz, _ := pitch(w.right[at(2*time.Second):at(3*time.Second)]); hz != 2560 {
		t.Errorf("the other party: %v Hz", hz)
	}
	if hz, _ := pitch(w.left[at(5*time.Second):]); hz != 440 {
		t.Errorf("afterwards: %v Hz", hz)
	}
	p, err := k.access(t).Open(context.Background(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var got []string
	for _, m := range marks(t, p) {
		got = append(got, fmt.Sprintf("%v %d %v", m.Kind, m.Party, m.At))
	}
	if want := "[mask 0 2s pause -1 4s unmask 0 4s resume -1 5s]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// A discarded recording is gone: what was pending, what was written and the key, on the spot and for good.
func TestDiscardLeavesNothing(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	tr := k.create(t, "r1")
	k.step(tr, 3500*time.Millisecond, 440)
	before, err := k.catalog.Get(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	copied := k.blobs.Bytes("r1")
	if err := tr.Discard(ctx, "consent withdrawn"); err != nil {
		t.Fatal(err)
	}
	e, err := k.catalog.Get(ctx, "r1")
	if err != nil || e.State != recording.StateDestroyed || len(e.WrappedKey)+len(e.Meta) > 0 || e.KeyID != before.KeyID || k.blobs.Bytes("r1") != nil {
		t.Errorf("%+v, %v", e, err)
	}
	if !slices.Contains(k.audit.Entries(), recording.ActionDiscard+" r1") {
		t.Errorf("recorded %v", k.audit.Entries())
	}
	tr.PartyAt(0, 0).WriteFrame(4*time.Second, recording.PCMU, tone(440, 0, recording.PCMU))
	for _, err := range []error{tr.Close(ctx), tr.Discard(ctx, ""), tr.Pause(), tr.Mark(recording.MarkHold, "")} {
		if !errors.Is(err, recording.ErrClosed) {
			t.Error(err)
		}
	}
	k.blobs.Replace("r1", copied) // a copy of the blob comes back: its key does not
	if _, err := k.access(t).Export(ctx, "r1", failing{t}); !errors.Is(err, recording.ErrDestroyed) {
		t.Error(err)
	}
	if s := k.vault.Stats(); s.Open != 0 || tr.Stats().Late != 1 {
		t.Errorf("%+v %+v", s, tr.Stats())
	}
	closed := k.create(t, "r2")
	closeTrack(t, closed)
	if err := closed.Discard(ctx, ""); !errors.Is(err, recording.ErrClosed) {
		t.Error(err)
	}
}

// Neither a disk that stands still nor a full audit log keeps a discarded recording readable.
func TestDiscardThatIsHindered(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	k := newKit(t)
	gate := make(chan struct{})
	k.cfg.Blobs = slow{k.blobs, gate}
	v := newVault(t, k.cfg)
	tr, err := v.Create(ctx, recording.Meta{ID: "r1", Parties: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	k.step(tr, 2500*time.Millisecond, 440)
	full := errors.New("audit log is full")
	k.audit.Fail(full)
	cancel()
	if err := tr.Discard(ctx, "consent withdrawn"); !errors.Is(err, context.Canceled) || !errors.Is(err, full) {
		t.Errorf("Discard = %v", err)
	}
	if e, err := k.catalog.Get(context.Background(), "r1"); err != nil || e.State != recording.StateDestroyed {
		t.Errorf("%v, %v", e.State, err)
	}
	close(gate)
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if k.blobs.Bytes("r1") != nil {
		t.Error("the blob is still there")
	}
}

func TestMarksOfEveryKind(t *testing.T) {
	k := newKit(t)
	tr := k.create(t, "r1")
	for _, m := range []struct {
		kind  recording.MarkKind
		party int
		text  string
	}{{recording.MarkConsent, 0, "by key 1"}, {recording.MarkHold, -1, ""}, {recording.MarkUnhold, -1, ""}, {recording.MarkTransfer, 1, "1002"}, {recording.MarkJoin, 1, ""},
		{recording.MarkLeave, 1, ""}, {recording.MarkSupervise, -1, "whisper"}, {recording.MarkWithdrawn, 0, ""}} {
		if err := tr.MarkParty(m.party, m.kind, m.text); err != nil {
			t.Fatal(err)
		}
		k.step(tr, 100*time.Millisecond, 440)
	}
	for _, err := range []error{tr.MarkParty(2, recording.MarkHold, ""), tr.MarkParty(-2, recording.MarkHold, ""), tr.Mark(recording.MarkMask, ""), tr.Mark(recording.MarkUnmask, "")} {
		if !errors.Is(err, recording.ErrInvalid) {
			t.Error(err)
		}
	}
	closeTrack(t, tr)
	p, err := k.access(t).Open(context.Background(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	got := fmt.Sprint(marks(t, p))
	want := "[{consent 0s 0 by key 1 0 0s} {hold 100ms -1  0 0s} {unhold 200ms -1  0 0s} {transfer 300ms 1 1002 0 0s} {join 400ms 1  0 0s} {leave 500ms 1  0 0s} " +
		"{supervise 600ms -1 whisper 0 0s} {withdrawn 700ms 0  0 0s}]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Rotating the wrapping key under load: no read fails, what is new is wrapped under the new version, and the old version is not needed any more.
func TestRotationUnderLoad(t *testing.T) {
	ctx := context.Background()
	_, to := identity(t, recording.SuiteX25519, "auditor")
	k := newKit(t, func(c *recording.Config) { c.Recipients = []recording.Recipient{to}; c.Bulk.Bytes = 1 << 50 })
	const n = 20
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("r", i)
		k.record(t, ids[i], time.Second)
	}
	blob := k.blobs.Bytes("r3")
	var reads atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		a := k.access(t)
		wg.Go(func() { // stopped by stop, waited for below
			for i := w; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := a.Export(ctx, ids[i%n], io.Discard); err != nil {
					t.Errorf("a read failed: %v", err)
					return
				}
				reads.Add(1)
			}
		})
	}
	a := k.access(t)
	for version := byte(1); version <= 10; version++ {
		before := reads.Load()
		next := k.keys.Rotate()
		k.record(t, fmt.Sprint("new", version), time.Second)
		row, err := k.catalog.Get(ctx, fmt.Sprint("new", version))
		if err != nil || !bytes.Contains(row.WrappedKey, []byte{next, 0, 17}) { // the vault's stanza ends with its version, before the recipient's suite
			t.Errorf("new recording under another version: %x, %v", row.WrappedKey[:100], err)
		}
		var both sync.WaitGroup
		for range 2 { // two who rotate at once do not harm each other
			both.Go(func() {
				for _, id := range ids {
					if err := a.Rewrap(ctx, id, recording.Rewrap{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		both.Wait()
		for v := byte(1); v <= version; v++ {
			if err := a.Rewrap(ctx, fmt.Sprint("new", v), recording.Rewrap{}); err != nil {
				t.Error(err)
			}
		}
		k.keys.DestroyVersion(version)
		for reads.Load() < before+8 && !t.Failed() {
			if _, err := a.Verify(ctx, ids[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	wg.Wait()
	if !bytes.Equal(blob, k.blobs.Bytes("r3")) {
		t.Error("rotating touched the audio")
	}
	if names, err := a.Recipients(ctx, "r3"); err != nil || !slices.Equal(names, []string{"auditor"}) {
		t.Errorf("%v, %v", names, err)
	}
}

// Recipients come and go without a byte of audio being touched; who is gone does not open what is sealed from then on.
func TestRecipientsComeAndGo(t *testing.T) {
	ctx := context.Background()
	first, to1 := identity(t, recording.SuiteMLKEM768X25519, "customer")
	second, to2 := identity(t, recording.SuiteMLKEM768X25519, "customer") // the customer's next key
	auditor, to3 := identity(t, recording.SuiteX25519, "auditor")
	k := newKit(t, func(c *recording.Config) { c.Recipients = []recording.Recipient{to1} })
	k.record(t, "r1", time.Second)
	blob := k.blobs.Bytes("r1")
	opens := func(i *recording.Identity) bool {
		s, err := openSealed(k.seal(t, "r1"), i)
		if err == nil {
			s.Close()
		}
		return err == nil
	}
	a := k.access(t)
	if err := a.Rewrap(ctx, "r1", recording.Rewrap{Add: []recording.Recipient{to2, to3}}); err != nil {
		t.Fatal(err)
	}
	if opens(first) || !opens(second) || !opens(auditor) {
		t.Error("the customer's new key does not replace the old one")
	}
	if err := a.Rewrap(ctx, "r1", recording.Rewrap{Remove: []string{"auditor", "nobody"}}); err != nil {
		t.Fatal(err)
	}
	if opens(auditor) || !opens(second) {
		t.Error("the auditor is still there")
	}
	if !bytes.Equal(blob, k.blobs.Bytes("r1")) {
		t.Error("the audio was touched")
	}
	var many []recording.Recipient
	for n := range recording.MaxRecipients {
		_, to := identity(t, recording.SuiteX25519, fmt.Sprint("x", n))
		many = append(many, to)
	}
	if err := a.Rewrap(ctx, "r1", recording.Rewrap{Add: many}); !errors.Is(err, recording.ErrInvalid) {
		t.Errorf("too many: %v", err)
	}
	if _, err := a.Destroy(ctx, "r1", "test"); err != nil {
		t.Fatal(err)
	}
	if err := a.Rewrap(ctx, "r1", recording.Rewrap{}); !errors.Is(err, recording.ErrDestroyed) {
		t.Errorf("after Destroy: %v", err)
	}
	denied, _ := because(k.vault.For(recordingtest.Allow{recording.ActionExport}, &recordingtest.Audit{}))
	if err := denied.Rewrap(ctx, "r1", recording.Rewrap{}); !errors.Is(err, recordingtest.ErrDenied) {
		t.Error(err)
	}
}

// A recording that is destroyed while its key is rewrapped stays destroyed.
func TestRewrapDoesNotUndoDestroy(t *testing.T) {
	ctx := context.Background()
	for range 50 {
		k := newKit(t)
		k.record(t, "r1", 100*time.Millisecond)
		a := k.access(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := a.Destroy(ctx, "r1", "test"); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := a.Rewrap(ctx, "r1", recording.Rewrap{}); err != nil && !errors.Is(err, recording.ErrDestroyed) {
				t.Error(err)
			}
		})
		wg.Wait()
		if e, err := k.catalog.Get(ctx, "r1"); err != nil || e.State != recording.StateDestroyed || len(e.WrappedKey) > 0 {
			t.Fatalf("%+v, %v", e, err)
		}
	}
}

// reasoned is an actor whose rights depend on why.
type reasoned struct{ asked []string }

func (*reasoned) Allow(context.Context, string, string) error {
	return errors.New("asked without a reason")
}

func (r *reasoned) AllowBecause(_ context.Context, action, _, reason string) error {
	r.asked = append(r.asked, action+" "+reason)
	if !strings.HasPrefix(reason, "complaint-") {
		return recordingtest.ErrDenied
	}
	return nil
}

type attrAudit struct{ got []string }

func (a *attrAudit) Audit(_ context.Context, action, object string, attrs ...slog.Attr) error {
	a.got = append(a.got, fmt.Sprint(action, " ", object, " ", attrs))
	return nil
}

// Whoever wants to hear something says why: the reason is required, put to the authorizer and recorded.
func TestReasons(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	k.record(t, "r1", time.Second)
	actor, audit := &reasoned{}, &attrAudit{}
	a, err := k.vault.For(actor, audit)
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(a *recording.Access) error{
		"Open":   func(a *recording.Access) error { _, err := a.Open(ctx, "r1"); return err },
		"Export": func(a *recording.Access) error { _, err := a.Export(ctx, "r1", failing{t}); return err },
		"Seal":   func(a *recording.Access) error { _, err := a.Seal(ctx, "r1", failing{t}); return err },
		"Prove":  func(a *recording.Access) error { _, err := a.Prove(ctx, "r1", 0); return err },
	} {
		for _, reason := range []string{"", "  "} {
			if err := do(a.Because(reason)); !errors.Is(err, recording.ErrReason) || len(actor.asked) > 0 {
				t.Errorf("%s because %q: %v, asked %v", name, reason, err, actor.asked)
			}
		}
		if err := do(a.Because("curious")); !errors.Is(err, recordingtest.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
		actor.asked = nil
	}
	p, err := a.Because("complaint-4711").Open(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := audit.got[len(audit.got)-1]; !slices.Equal(actor.asked, []string{"recording.listen complaint-4711"}) || got != "recording.listen r1 [reason=complaint-4711 allowed=true]" {
		t.Errorf("asked %v, recorded %s", actor.asked, got)
	}
}
