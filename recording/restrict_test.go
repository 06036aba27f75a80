package recording_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
	"github.com/ringfence/ringfence/recording/restricted"
)

// flags is a Flagger of one recording, with what it was asked for.
type flags struct {
	spans []recording.Span
	err   error
	asked []recording.Info
}

func (f *flags) Flagged(_ context.Context, info recording.Info) ([]recording.Span, error) {
	f.asked = append(f.asked, info)
	return f.spans, f.err
}

// attrsOf is an Auditor that keeps everything it is told as text.
type attrsOf struct {
	mu    sync.Mutex
	lines []string
	fail  error // for entries of what is withheld
}

func (a *attrsOf) Audit(_ context.Context, action, object string, attrs ...slog.Attr) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	line := action + " " + object
	for _, at := range attrs {
		line += " " + at.String()
		if at.Key == "withheld" && a.fail != nil {
			return a.fail
		}
	}
	a.lines = append(a.lines, line)
	return nil
}

func (a *attrsOf) text() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.lines, "\n")
}

// yes is an Approver of some categories.
type yes []string

func (y yes) Approved(_ context.Context, _, _ string, _ map[string]string, category string) (string, error) {
	if slices.Contains(y, category) {
		return "letter-" + category, nil
	}
	return "", nil
}

// broken is a hook that fails.
type broken struct{}

var errBroken = errors.New("the register does not answer")

func (broken) Approved(context.Context, string, string, map[string]string, string) (string, error) {
	return "", errBroken
}
func (broken) Check(string, string) error  { return errBroken }
func (broken) Mask(string) (string, error) { return "", errBroken }

const canaryPAN = "4111 1111 1111 1111"

// A card number that somebody types into whatever can be written about a recording does not reach storage, the audit log, or anything read back from them.
func TestNoCardNumberReachesStorage(t *testing.T) {
	control.Proves(t, "RDC-01", "RDC-03")
	ctx := context.Background()
	audit := &attrsOf{}
	k := newKit(t, func(c *recording.Config) {
		c.Text, c.Auditor = restricted.Guard{}, audit
	})
	compact := strings.ReplaceAll(canaryPAN, " ", "")
	sound := recording.Meta{Call: "call-1", Parties: []string{"caller", "agent"}, Attributes: map[string]string{"caller": "+491511234567"}}
	for name, change := range map[string]func(*recording.Meta){
		"ID":             func(m *recording.Meta) { m.ID = compact },
		"class":          func(m *recording.Meta) { m.Class = compact },
		"call":           func(m *recording.Meta) { m.Call = "paid with " + canaryPAN },
		"party":          func(m *recording.Meta) { m.Parties = []string{"caller", canaryPAN} },
		"category":       func(m *recording.Meta) { m.Categories = []string{compact} },
		"attribute":      func(m *recording.Meta) { m.Attributes = map[string]string{"note": "card: " + canaryPAN} },
		"attribute name": func(m *recording.Meta) { m.Attributes = map[string]string{canaryPAN: "x"} },
		"passport": func(m *recording.Meta) {
			m.Attributes = map[string]string{"doc": "L898902C36UTO7408122F1204159ZE184226B<<<<<10"}
		},
		"insurance": func(m *recording.Meta) { m.Attributes = map[string]string{"ref": "1237 010180"} },
	} {
		m := sound
		change(&m)
		_, err := k.vault.Create(ctx, m)
		if !errors.Is(err, recording.ErrInvalid) || !errors.Is(err, restricted.ErrFound) || leaks(err.Error()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tr, err := k.vault.Create(ctx, sound)
	if err != nil {
		t.Fatal(err)
	}
	speak(tr.PartyAt(0, 0), 0, 2*time.Second, 440, recording.PCMU)
	long := strings.Repeat("x", 235)
	for _, text := range []string{"card " + canaryPAN + ", thanks", compact, long + " " + compact} { // the last is as long as a mark may be
		if err := tr.Mark(recording.MarkHold, text); err != nil {
			t.Error(err)
		}
	}
	closeTrack(t, tr)
	a, err := k.vault.For(recordingtest.Allow{}, audit)
	if err != nil {
		t.Fatal(err)
	}
	// Cut after 256 bytes a number would be no number any more: it is masked before.
	for _, reason := range []string{"refund to " + canaryPAN, strings.Repeat("x", 240) + " " + compact} {
		p, err := a.Because(reason).Open(ctx, tr.ID())
		if err != nil {
			t.Fatal(err)
		}
		ms := marks(t, p)
		if len(ms) != 3 || ms[0].Text != "card [card], thanks" || ms[1].Text != "[card]" || ms[2].Text != long+" [card]" {
			t.Errorf("%+v", ms)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	var seen strings.Builder
	for info, err := range a.List(ctx, recording.Query{}) {
		if err != nil || info.Attributes["caller"] != "+491511234567" {
			t.Errorf("%+v, %v", info, err)
		}
		fmt.Fprintf(&seen, "%+v", info)
	}
	if _, err := a.Destroy(ctx, tr.ID(), "asked with "+canaryPAN); err != nil {
		t.Error(err)
	}
	for e, err := range k.catalog.List(ctx, recording.Filter{State: recording.StateDestroyed}) {
		b, _ := json.Marshal(e)
		fmt.Fprintf(&seen, "%s %v %s", b, err, k.blobs.Bytes(e.ID))
	}
	if got := seen.String() + audit.text(); leaks(got) || !strings.Contains(got, "refund to [card]") || !strings.Contains(got, "asked with [card]") {
		t.Errorf("stored or recorded: %q", got)
	}
}

// leaks reports whether seven digits of the canaryPAN in a row are anywhere in a text, however they are grouped.
func leaks(text string) bool {
	return strings.Contains(strings.NewReplacer(" ", "", "-", "", ".", "").Replace(text), "4111111")
}

// A guard that fails lets nothing be written.
func TestBrokenTextGuardLetsNothingBeWritten(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	k.record(t, "r1", time.Second)
	cfg := k.cfg
	cfg.Text = broken{}
	v := newVault(t, cfg)
	if _, err := v.Create(ctx, recording.Meta{Parties: []string{"a"}}); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	a := access(t, v)
	if _, err := a.Export(ctx, "r1", failing{t}); !errors.Is(err, recording.ErrReason) {
		t.Errorf("with a reason that could not be masked: %v", err)
	}
	if _, err := a.Destroy(ctx, "r1", "x"); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	if e, err := k.catalog.Get(ctx, "r1"); err != nil || e.State != recording.StateComplete {
		t.Errorf("%+v, %v", e, err)
	}
}

// What a queue is tagged with cannot be recorded, nor let out later, unless a written approval covers it at that moment.
func TestTaggedRecordingsNeedAnApproval(t *testing.T) {
	control.Proves(t, "RDC-02", "RDC-06")
	ctx := context.Background()
	letter := restricted.Approval{ID: "letter-7", Category: restricted.Health, Scope: []string{"clinic"}, Signatory: "Dr. Roe", Signed: epoch, Expires: epoch.Add(24 * time.Hour)}
	register, err := restricted.NewRegister(letter)
	if err != nil {
		t.Fatal(err)
	}
	audit := &attrsOf{}
	clinic := recording.Meta{ID: "r1", Parties: []string{"caller", "agent"}, Attributes: map[string]string{"queue": "clinic"}, Categories: []string{"health"}}
	sales := recording.Meta{Parties: clinic.Parties, Attributes: map[string]string{"queue": "sales"}, Categories: clinic.Categories}
	var k *kit
	k = newKit(t, func(c *recording.Config) {
		c.Auditor = audit
		c.Approver = restricted.Approvals{Register: register, Place: "queue", Now: func() time.Time { return k.now }}
	})
	refused := func(what string, v *recording.Vault, m recording.Meta, want error) {
		t.Helper()
		if tr, err := v.Create(ctx, m); !errors.Is(err, want) || tr != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("out of scope", k.vault, sales, recording.ErrRestricted)
	nowhere := clinic
	nowhere.Attributes = nil
	refused("nowhere", k.vault, nowhere, recording.ErrRestricted)
	both := clinic
	both.Categories = []string{"health", "account"}
	refused("one of two", k.vault, both, recording.ErrRestricted)
	for _, bad := range [][]string{{""}, {"a b"}, {"health", "health"}, make([]string, 17)} {
		m := clinic
		m.Categories = bad
		refused("malformed", k.vault, m, recording.ErrInvalid)
	}
	without, failing1 := k.cfg, k.cfg
	without.Approver, failing1.Approver = nil, broken{}
	refused("nobody to approve", newVault(t, without), clinic, recording.ErrRestricted)
	refused("a register that fails", newVault(t, failing1), clinic, errBroken)
	if _, err := k.catalog.Get(ctx, "r1"); !errors.Is(err, recording.ErrNotFound) {
		t.Error("something was made: ", err)
	}

	tr, err := k.vault.Create(ctx, clinic)
	if err != nil {
		t.Fatal(err)
	}
	speak(tr.PartyAt(0, 0), 0, time.Second, 440, recording.PCMU)
	closeTrack(t, tr)
	if w := k.export(t, "r1"); silent(w.left) {
		t.Error("approved, and silent")
	}
	for info, err := range k.access(t).List(ctx, recording.Query{}) {
		if err != nil || !slices.Equal(info.Categories, []string{"health"}) {
			t.Errorf("%+v, %v", info, err)
		}
	}
	if log := audit.text(); !strings.Contains(log, "categories=[health] approvals=[letter-7] allowed=true") || !strings.Contains(log, "allowed=false") {
		t.Error(log)
	}
	k.now = letter.Expires // the category is barred again
	refused("expired", k.vault, recording.Meta{Parties: clinic.Parties, Attributes: clinic.Attributes, Categories: clinic.Categories}, recording.ErrRestricted)
	nothingLeaves(t, k, k.vault, recording.ErrRestricted)
	nothingLeaves(t, k, newVault(t, without), recording.ErrRestricted)
	nothingLeaves(t, k, newVault(t, failing1), errBroken)
}

// nothingLeaves tries every way out for r1.
func nothingLeaves(t *testing.T, k *kit, v *recording.Vault, want error) {
	t.Helper()
	ctx := context.Background()
	a := access(t, v)
	for what, do := range map[string]func() error{
		"Open":         func() error { _, err := a.Open(ctx, "r1"); return err },
		"Export":       func() error { _, err := a.Export(ctx, "r1", failing{t}); return err },
		"ExportSigned": func() error { _, err := a.ExportSigned(ctx, "r1", failing{t}, recording.Layout{}); return err },
		"OggOpus": func() error {
			_, err := a.ExportAs(ctx, "r1", failing{t}, recording.Layout{Format: recording.OggOpus})
			return err
		},
		"Seal":  func() error { _, err := a.Seal(ctx, "r1", failing{t}); return err },
		"Prove": func() error { _, err := a.Prove(ctx, "r1", 0); return err },
	} {
		if err := do(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	for _, target := range []string{"/r1", "/r1?download=1"} {
		broken := *k
		broken.vault = v
		if w := broken.player(t, recordingtest.Allow{}, &recordingtest.Audit{})("GET", target, ""); w.Code != 403 || strings.Contains(w.Body.String(), "RIFF") {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	// What lets no audio out stays possible.
	if rep, err := a.Verify(ctx, "r1"); err != nil || !rep.Complete {
		t.Errorf("%+v, %v", rep, err)
	}
}

// A flagged part is silence wherever audio leaves, to the sample and for the right party, unless it is approved; what cannot leave it out is refused.
func TestFlaggedPartsAreWithheld(t *testing.T) {
	ctx := context.Background()
	f := &flags{spans: []recording.Span{
		{Stream: recording.Only(0), From: time.Second, To: 2 * time.Second, Category: "account"},
		{From: 3 * time.Second, To: 3500*time.Millisecond + 1, Category: "health"},
	}}
	_, to := identity(t, recording.SuiteMLKEM768X25519, "customer")
	k := newKit(t, func(c *recording.Config) { c.Recipients = []recording.Recipient{to} })
	tr := k.create(t, "r1")
	speak(tr.PartyAt(0, 0), 0, 4*time.Second, 440, recording.PCMU)
	speak(tr.PartyAt(1, 0), 0, 4*time.Second, 1000, recording.PCMU)
	k.now = epoch.Add(1500 * time.Millisecond)
	if err := tr.MarkParty(0, recording.MarkConsent, "what it is about"); err != nil {
		t.Fatal(err)
	}
	if err := tr.MarkParty(1, recording.MarkConsent, "the agent's"); err != nil {
		t.Fatal(err)
	}
	closeTrack(t, tr)
	whole := k.export(t, "r1")
	vault := func(approver recording.Approver) *recording.Vault {
		cfg := k.cfg
		cfg.Flagger, cfg.Approver = f, approver
		return newVault(t, cfg)
	}
	// expect is the recording without some stretches of each party, in samples.
	expect := func(left, right [][2]int) wav {
		w := wav{slices.Clone(whole.left), slices.Clone(whole.right)}
		for _, c := range left {
			clear(w.left[c[0]:c[1]])
		}
		for _, c := range right {
			clear(w.right[c[0]:c[1]])
		}
		return w
	}
	account, health := [2]int{8000, 16000}, [2]int{24000, 28001} // a tick that is touched is withheld
	for name, tt := range map[string]struct {
		approver  recording.Approver
		want      wav
		withheld  int
		approvals string
	}{
		"nobody to approve": {nil, expect([][2]int{account, health}, [][2]int{health}), 2, "[]"},
		"one approved":      {yes{"account"}, expect([][2]int{health}, [][2]int{health}), 1, "[letter-account]"},
		"all approved":      {yes{"account", "health"}, whole, 0, "[letter-account letter-health]"},
	} {
		v := vault(tt.approver)
		audit := &attrsOf{}
		a, err := because(v.For(recordingtest.Allow{}, audit))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := a.Export(ctx, "r1", &b); err != nil {
			t.Fatal(err)
		}
		same := func(what string, got wav) {
			t.Helper()
			if !slices.Equal(got.left, tt.want.left) || !slices.Equal(got.right, tt.want.right) {
				t.Errorf("%s: %s: another audio", name, what)
			}
		}
		same("Export", parseWAV(t, b.Bytes()))
		if log := audit.text(); strings.Count(log, "everybody from 3s to 3.500000001s: health")+strings.Count(log, "party 0 from 1s to 2s: account") != tt.withheld ||
			!strings.Contains(log, "approvals="+tt.approvals) {
			t.Errorf("%s: recorded %s", name, log)
		}
		player := *k
		player.vault = v
		get := player.player(t, recordingtest.Allow{}, audit)
		same("listening", parseWAV(t, get("GET", "/r1", "").Body.Bytes()))
		same("download", parseWAV(t, get("GET", "/r1?download=1", "").Body.Bytes()))
		b.Reset()
		r, err := a.ExportSigned(ctx, "r1", &b, recording.Layout{})
		if err != nil || len(r.Withheld) != tt.withheld || fmt.Sprint(r.Approvals) != tt.approvals {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		same("ExportSigned", parseWAV(t, b.Bytes()))
		if r, err := a.ExportSigned(ctx, "r1", io.Discard, recording.Layout{Stream: recording.Only(1)}); err != nil || len(r.Withheld) != min(tt.withheld, 1) {
			t.Errorf("%s: the agent alone: %+v, %v", name, r, err)
		}
		p, err := a.Open(ctx, "r1")
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Withheld()) != tt.withheld {
			t.Errorf("%s: %v", name, p.Withheld())
		}
		if ms := marks(t, p); len(ms) != 2 || (ms[0].Text == "") != (tt.approver == nil) || ms[1].Text != "the agent's" {
			t.Errorf("%s: %+v", name, ms)
		}
		buf := make([]int16, 8000)
		if _, err := p.ReadPCM(0, buf, 12000); err != nil || !slices.Equal(buf, tt.want.left[12000:20000]) {
			t.Errorf("%s: ReadPCM: %v", name, err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		_, serr := a.Seal(ctx, "r1", io.Discard)
		_, perr := a.Prove(ctx, "r1", 2500*time.Millisecond)
		for what, err := range map[string]error{"Seal": serr, "Prove": perr} {
			if (tt.withheld > 0) != errors.Is(err, recording.ErrRestricted) || (tt.withheld == 0 && err != nil) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		audit.fail = errors.New("full")
		if tt.withheld > 0 {
			if _, err := a.Export(ctx, "r1", failing{t}); !errors.Is(err, audit.fail) {
				t.Errorf("%s: what was withheld could not be recorded: %v", name, err)
			}
		}
	}
	if info := f.asked[0]; info.ID != "r1" || info.Attributes["queue"] != "sales" || len(info.Parties) != 2 {
		t.Errorf("asked about %+v", info)
	}
	f.spans = []recording.Span{{}} // the zero Span is all of it, whoever approves
	a := access(t, vault(yes{"", "health"}))
	var b bytes.Buffer
	if _, err := a.Export(ctx, "r1", &b); err != nil {
		t.Fatal(err)
	} else if w := parseWAV(t, b.Bytes()); !silent(w.left) || !silent(w.right) {
		t.Error("the zero Span withholds something less than all")
	}
	for _, bad := range []recording.Span{{Stream: 3}, {Stream: -1}, {From: 2, To: 1}, {To: -1}} { // a hook that says nonsense
		f.spans = []recording.Span{bad}
		nothingLeaves(t, k, vault(yes{"health", ""}), recording.ErrInvalid)
	}
	f.spans = []recording.Span{{Category: "health"}}
	nothingLeaves(t, k, vault(broken{}), errBroken)
	f.err = errors.New("no transcript yet")
	nothingLeaves(t, k, vault(yes{"health"}), f.err)
}

// What is withheld of a stateful codec is not decoded, so that nothing of it sounds in what follows.
func TestWithheldFramesAreNotDecoded(t *testing.T) {
	decoded := map[byte]int{}
	k := newKit(t, func(c *recording.Config) {
		c.Decoders = map[string]func() recording.Decoder{recording.Opus: func() recording.Decoder { return tally(decoded) }}
		c.Flagger = &flags{spans: []recording.Span{{From: 1010 * time.Millisecond, To: 1050 * time.Millisecond, Category: "account"}}}
	})
	tr := k.create(t, "r1")
	for n := range 100 {
		tr.PartyAt(0, 0).WriteFrame(time.Duration(n)*20*time.Millisecond, recording.Opus, opusFrame(n))
	}
	closeTrack(t, tr)
	w := k.export(t, "r1")
	for n := range 100 {
		hidden := n >= 50 && n <= 52
		if (decoded[byte(n)] > 0) == hidden || silent(w.left[n*160:(n+1)*160]) != hidden {
			t.Errorf("frame %d: decoded %d times", n, decoded[byte(n)])
		}
	}
}

// tally is a decoder that counts what it decodes.
type tally map[byte]int

func (c tally) Decode(dst []int16, payload []byte) (int, error) {
	c[payload[1]]++
	for i := range dst {
		dst[i] = 1000
	}
	return len(dst), nil
}
