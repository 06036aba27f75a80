package recording_test

import (
	"bytes"
	"context"
	"encoding/binary"
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

// doubler is a decoder that remembers: sample n of a frame is its first byte plus how many frames it has decoded before.
type doubler struct{ n int16 }

func (d *doubler) Decode(dst []int16, payload []byte) (int, error) {
	if payload[len(payload)-1] == 0xee {
		return 0, errors.New("bad frame")
	}
	for i := range dst {
		dst[i] = int16(payload[len(payload)-1]) + d.n*256
	}
	d.n++
	return len(dst), nil
}

// opusFrame is a packet of 20 ms (RFC 6716 section 3.1: configuration 19, one frame) that says n.
func opusFrame(n int) []byte { return []byte{19 << 3, byte(n)} }

// Audio of other codecs is kept as it was on the wire, in time, and played by the decoders that the program was given.
func TestFramedCodecs(t *testing.T) {
	ctx := context.Background()
	k := newKit(t, func(c *recording.Config) {
		c.Decoders = map[string]func() recording.Decoder{recording.Opus: func() recording.Decoder { return &doubler{} }, recording.G722: func() recording.Decoder { return &doubler{} }}
	})
	tr := k.create(t, "r1")
	a, b := tr.PartyAt(0, 0), tr.PartyAt(1, time.Second)
	for n := range 200 { // 4 s, with a gap of one frame
		if n != 60 {
			a.WriteFrame(time.Duration(n)*20*time.Millisecond, "OPUS", opusFrame(n%200))
		}
		if n < 100 {
			b.WriteFrame(time.Duration(n)*20*time.Millisecond, recording.G722, bytes.Repeat([]byte{byte(n)}, 160))
		}
	}
	a.WriteFrame(0, recording.Opus, opusFrame(7))                               // repeated
	a.WriteFrame(4*time.Second, recording.Opus, []byte{19<<3 | 3, 0})           // no frames
	a.WriteFrame(4*time.Second, recording.Opus, []byte{3<<3 | 1, 0})            // 120 ms is the most there is
	a.WriteFrame(4120*time.Millisecond, recording.Opus, []byte{3<<3 | 3, 3, 0}) // 180 ms is not
	a.WriteFrame(4120*time.Millisecond, recording.Opus, []byte{19<<3 | 0, 0xee})
	closeTrack(t, tr)
	if s := tr.Stats(); s.Repeated != 1 || s.Unsupported != 2 || s.Frames != 301 {
		t.Errorf("%+v", s)
	}
	w := k.export(t, "r1")
	if len(w.left) != at(4140*time.Millisecond) || !silent(w.left[at(1200*time.Millisecond):at(1220*time.Millisecond)]) || !silent(w.left[at(4120*time.Millisecond):]) {
		t.Errorf("%d samples, want %d", len(w.left), at(4140*time.Millisecond))
	}
	for n := range 200 {
		decoded := n
		if n > 60 {
			decoded--
		}
		if s := w.left[n*160+80]; n != 60 && (byte(s) != byte(n%200) || int(s)>>8 != decoded&0x7f && decoded < 120) {
			t.Fatalf("frame %d of opus: %d after %d", n, byte(s), s>>8)
		}
	}
	for n := range 100 {
		if s := w.right[8000+n*160]; byte(s) != byte(n) {
			t.Fatalf("frame %d of G.722: %d", n, s)
		}
	}
	// From the middle: the right frame, from a decoder that has heard the second before.
	p, err := k.access(t).Open(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	buf := make([]int16, 160)
	if _, err := p.ReadPCM(0, buf, 130*160); err != nil || byte(buf[0]) != 130 || uint16(buf[0])>>8 < 20 {
		t.Errorf("%d after %d, %v", byte(buf[0]), uint16(buf[0])>>8, err)
	}
	// Without a decoder: an error that names the codec, before a byte leaves, and everything else works.
	cfg := k.cfg
	cfg.Decoders = map[string]func() recording.Decoder{recording.Opus: k.cfg.Decoders[recording.Opus]}
	plain := access(t, newVault(t, cfg))
	if n, err := plain.Export(ctx, "r1", failing{t}); n != 0 || !errors.Is(err, recording.ErrCodec) || !strings.Contains(err.Error(), "G722") {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := plain.ExportAs(ctx, "r1", io.Discard, recording.Layout{Stream: recording.Only(0)}); err != nil {
		t.Error(err)
	}
	if rep, err := plain.Verify(ctx, "r1"); err != nil || !rep.Complete {
		t.Errorf("%+v, %v", rep, err)
	}
	q, err := plain.Open(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if n, err := q.ReadPCM(1, buf, 8000); n != 0 || !errors.Is(err, recording.ErrCodec) || !silent(buf) {
		t.Errorf("%d, %v", n, err)
	}
}

// Every layout is the same audio, read in one go, in pieces, or from anywhere.
func TestLayouts(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	tr := k.create(t, "r1")
	speak(tr.PartyAt(0, 0), 0, 2500*time.Millisecond, 440, recording.PCMU)
	speak(tr.PartyAt(1, 0), 0, 2500*time.Millisecond, 1000, recording.PCMA)
	tr.PartyAt(0, 0).WriteFrame(2500*time.Millisecond, recording.PCMU, tone(440, 0, recording.PCMU)[:1]) // an odd number of samples
	closeTrack(t, tr)
	whole := k.export(t, "r1")
	p, err := k.access(t).Open(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, tt := range []struct {
		layout                      recording.Layout
		tag, channels, bits, header int
	}{
		{recording.Layout{}, 1, 2, 16, 44},
		{recording.Layout{Stream: recording.Only(1)}, 1, 1, 16, 44},
		{recording.Layout{Format: recording.WAVULaw}, 7, 2, 8, 58},
		{recording.Layout{Format: recording.WAVALaw, Stream: recording.Only(1)}, 6, 1, 8, 58},
		{recording.Layout{Format: recording.WAVULaw, Stream: recording.Only(0)}, 7, 1, 8, 58},
	} {
		var b bytes.Buffer
		n, err := k.access(t).ExportAs(ctx, "r1", &b, tt.layout)
		if err != nil || n != int64(b.Len()) {
			t.Fatal(n, err)
		}
		f, le := b.Bytes(), binary.LittleEndian
		if int(le.Uint16(f[20:])) != tt.tag || int(le.Uint16(f[22:])) != tt.channels || int(le.Uint16(f[34:])) != tt.bits || int(le.Uint32(f[4:])) != len(f)-8 || len(f)%2 != 0 ||
			int(le.Uint32(f[tt.header-4:])) != len(whole.left)*tt.channels*tt.bits/8 {
			t.Errorf("%+v: header %x of %d bytes", tt.layout, f[:tt.header], len(f))
		}
		data := f[tt.header:]
		for i := range whole.left {
			var got, want []int
			for c := range tt.channels {
				sample, coded := whole.left[i], ulaw
				if c == 1 || tt.layout.Stream == recording.Only(1) {
					sample = whole.right[i]
				}
				if tt.tag == 6 {
					coded = alaw
				}
				if tt.tag == 1 {
					got, want = append(got, int(int16(le.Uint16(data[(i*tt.channels+c)*2:])))), append(want, int(sample))
				} else {
					got, want = append(got, int(data[i*tt.channels+c])), append(want, int(coded(sample)))
				}
			}
			if near(tt.tag, got, want) {
				continue
			}
			t.Fatalf("%+v: sample %d is %v, want %v", tt.layout, i, got, want)
		}
		audio, err := p.Audio(tt.layout)
		if err != nil || audio.Size() != int64(len(f)) {
			t.Fatal(audio.Size(), err)
		}
		got, err := io.ReadAll(audio)
		if err != nil || !bytes.Equal(got, f) {
			t.Errorf("%+v: read on and on: another file, %v", tt.layout, err)
		}
		for _, off := range []int{0, 1, 43, 44, 45, 57, 58, 59, 16_001, 32_047, len(f) - 3, len(f) - 1} {
			for _, size := range []int{1, 3, 1000, 17_000} {
				if off >= len(f) {
					continue
				}
				buf := make([]byte, size)
				n, err := audio.ReadAt(buf, int64(off))
				if end := min(off+size, len(f)); n != end-off || !bytes.Equal(buf[:n], f[off:end]) || (err != nil) != (n < size) {
					t.Fatalf("%+v: %d bytes at %d: %d, %v", tt.layout, size, off, n, err)
				}
			}
		}
		if pos, err := audio.Seek(-2, io.SeekEnd); err != nil || pos != int64(len(f)-2) {
			t.Error(pos, err)
		}
	}
	for _, l := range []recording.Layout{{Format: 3}, {Format: -1}, {Stream: recording.Only(2)}, {Stream: -1}} {
		if _, err := p.Audio(l); !errors.Is(err, recording.ErrInvalid) {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

// near reports whether samples are equal; coded ones may differ by one step, because G.711 says which value a code has and encoders round as they like.
func near(tag int, got, want []int) bool {
	for i := range got {
		if d := got[i] - want[i]; d != 0 && (tag == 1 || d > 1 || d < -1) {
			return false
		}
	}
	return true
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
