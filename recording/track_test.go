package recording_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

func TestToneInToneOutPerChannel(t *testing.T) {
	for _, tt := range []struct{ caller, agent string }{{recording.PCMU, recording.PCMU}, {recording.PCMA, recording.PCMA}, {recording.PCMU, recording.PCMA}} {
		t.Run(tt.caller+" "+tt.agent, func(t *testing.T) {
			k := newKit(t)
			tr := k.create(t, "r1")
			var wg sync.WaitGroup // two media goroutines, as in a call
			caller, agent := tr.Party(0), tr.Party(1)
			wg.Go(func() { speak(caller, 0, 3500*time.Millisecond, 440, tt.caller) })
			wg.Go(func() { speak(agent, 0, 3500*time.Millisecond, 1000, tt.agent) })
			wg.Wait()
			closeTrack(t, tr)
			w := k.export(t, "r1")
			if len(w.left) != at(3500*time.Millisecond) {
				t.Errorf("%d samples, want %d", len(w.left), at(3500*time.Millisecond))
			}
			for _, c := range []struct {
				name    string
				samples []int16
				want    float64
			}{{"left", w.left, 440}, {"right", w.right, 1000}} {
				if hz, share := pitch(c.samples); hz != c.want || share < 0.95 {
					t.Errorf("%s: %v Hz with %.2f of the energy, want %v", c.name, hz, share, c.want)
				}
			}
			rep, err := k.access(t).Verify(context.Background(), "r1")
			if err != nil || !rep.Complete || !rep.Signed || !rep.OK() || rep.Duration != 3500*time.Millisecond || rep.Frames != 350 || rep.Lost != 0 {
				t.Errorf("Verify = %+v, %v", rep, err)
			}
		})
	}
}

// Every code decodes to a value that encodes to the same code again, so the tables are G.711's.
func TestEveryCodeDecodesToItself(t *testing.T) {
	for _, codec := range []string{recording.PCMU, recording.PCMA} {
		k := newKit(t)
		tr := k.create(t, "r1")
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		tr.PartyAt(0, 0).WriteFrame(0, codec, all)
		closeTrack(t, tr)
		for i, s := range k.export(t, "r1").left {
			encode := ulaw
			if codec == recording.PCMA {
				encode = alaw
			}
			if got := encode(s); got != byte(i) && !(codec == recording.PCMU && i == 0x7f && got == 0xff) { // µ-law has two zeros
				t.Errorf("%s: %#x decodes to %d, which encodes to %#x", codec, i, s, got)
			}
		}
	}
}

func TestPartiesAlignByWhenTheyWereAttached(t *testing.T) {
	k := newKit(t)
	tr := k.create(t, "r1")
	caller := tr.Party(0)
	k.now = k.now.Add(2 * time.Second)
	agent := tr.Party(1) // answers two seconds later
	speak(caller, 0, 4*time.Second, 440, recording.PCMU)
	speak(agent, 0, 2*time.Second, 1000, recording.PCMU)
	closeTrack(t, tr)
	w := k.export(t, "r1")
	if !silent(w.right[:at(2*time.Second)]) {
		t.Error("the agent is heard before being attached")
	}
	if hz, _ := pitch(w.right[at(2*time.Second):]); hz != 1000 {
		t.Errorf("the agent: %v Hz", hz)
	}
	if w.right[at(2*time.Second)+10] == 0 || len(w.left) != at(4*time.Second) {
		t.Error("the agent starts late, or the length is wrong")
	}
}

func TestGapsJitterAndRepeatedTime(t *testing.T) {
	const ms = time.Millisecond
	k := newKit(t)
	tr := k.create(t, "r1")
	p := tr.PartyAt(0, 0)
	one := func(at time.Duration) { p.WriteFrame(at, recording.PCMU, tone(440, 0, recording.PCMU)) }
	one(0)
	one(23 * ms) // jitter: follows the first one
	one(38 * ms) // jitter back: follows
	one(80 * ms) // one frame was lost at 60
	one(80 * ms) // the same time again: a large enough overlap to be jitter, so it moves behind
	closeTrack(t, tr)
	l := k.export(t, "r1").left
	if silent(l[at(1*ms):at(59*ms)]) || !silent(l[at(60*ms)+1:at(80*ms)]) || len(l) != at(120*ms) {
		t.Errorf("%d samples, want %d; gap silent: %v", len(l), at(120*ms), silent(l[at(60*ms):at(80*ms)]))
	}
}

func TestFrameThatClaimsAnEarlierTimeIsNotMixedIn(t *testing.T) {
	k := newKit(t)
	tr := k.create(t, "r1")
	p := tr.PartyAt(0, 0)
	speak(p, 0, time.Second, 440, recording.PCMU)
	p.WriteFrame(0, recording.PCMU, tone(2000, 0, recording.PCMU)) // a replayed packet
	speak(p, time.Second, time.Second, 440, recording.PCMU)
	closeTrack(t, tr)
	l := k.export(t, "r1").left
	if hz, share := pitch(l); hz != 440 || share < 0.95 || len(l) != at(2*time.Second) {
		t.Errorf("%v Hz with %.2f, %d samples", hz, share, len(l))
	}
}

func TestOddFramesAreCountedAndNotStored(t *testing.T) {
	k := newKit(t)
	tr := k.create(t, "r1")
	p := tr.PartyAt(0, 0)
	p.WriteFrame(0, "speex", make([]byte, 20))
	p.WriteFrame(0, "", make([]byte, 20))
	p.WriteFrame(0, recording.PCMU, nil)
	p.WriteFrame(0, recording.PCMU, make([]byte, recording.MaxFrame+1))
	p.WriteFrame(-1, recording.PCMU, make([]byte, 160))
	p.WriteFrame(recording.MaxLength+time.Second, recording.PCMU, make([]byte, 160))
	tr.PartyAt(0, recording.MaxLength).WriteFrame(time.Second, recording.PCMU, make([]byte, 160))
	tr.PartyAt(0, 0).WriteFrame(recording.MaxLength, recording.PCMU, make([]byte, recording.MaxFrame)) // the last that fits
	closeTrack(t, tr)
	p.WriteFrame(0, recording.PCMU, make([]byte, 160))
	if got, want := tr.Stats(), (recording.TrackStats{Frames: 1, Unsupported: 7, Late: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if err := tr.Close(context.Background()); !errors.Is(err, recording.ErrClosed) {
		t.Errorf("second Close = %v", err)
	}
	if _, err := k.access(t).Export(context.Background(), "r1", discard{}); !errors.Is(err, recording.ErrTooLong) {
		t.Errorf("Export of 149 hours = %v", err)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func TestPauseStoresNothing(t *testing.T) {
	k := newKit(t)
	tr := k.create(t, "r1")
	p := tr.PartyAt(0, 0)
	step := func(d time.Duration, hz float64) {
		from := k.now.Sub(epoch)
		speak(p, from, d, hz, recording.PCMU)
		k.now = k.now.Add(d)
	}
	step(2*time.Second, 440)
	if err := errors.Join(tr.Pause(), tr.Pause()); err != nil {
		t.Fatal(err)
	}
	step(3*time.Second, 2000) // the card number
	if err := errors.Join(tr.Resume(), tr.Resume()); err != nil {
		t.Fatal(err)
	}
	p.WriteFrame(4900*time.Millisecond, recording.PCMU, tone(2000, 0, recording.PCMU)) // a packet of the pause that comes late
	step(2*time.Second, 440)
	closeTrack(t, tr)
	l := k.export(t, "r1").left
	if !silent(l[at(2*time.Second):at(5*time.Second)]) || len(l) != at(7*time.Second) {
		t.Error("something was stored in the pause")
	}
	if hz, share := pitch(l[at(5*time.Second):]); hz != 440 || share < 0.95 {
		t.Errorf("after the pause: %v Hz", hz)
	}
	if got := tr.Stats(); got.Withheld != 151 || got.Frames != 200 {
		t.Errorf("%+v", got)
	}
	play, err := k.access(t).Open(context.Background(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer play.Close()
	want := []recording.Mark{{Kind: recording.MarkPause, At: 2 * time.Second, Party: -1}, {Kind: recording.MarkResume, At: 5 * time.Second, Party: -1}}
	if !slices.Equal(marks(t, play), want) {
		t.Errorf("marks %v, want %v", marks(t, play), want)
	}
}

func TestMarksAreKept(t *testing.T) {
	k := newKit(t)
	tr := k.create(t, "r1")
	k.now = k.now.Add(1500 * time.Millisecond)
	if err := tr.Mark(recording.MarkTransfer, "to 1002"); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []recording.MarkKind{recording.MarkInvalid, recording.MarkPause, recording.MarkResume, recording.MarkLost, 99} {
		if err := tr.Mark(kind, ""); !errors.Is(err, recording.ErrInvalid) {
			t.Errorf("Mark(%v) = %v", kind, err)
		}
	}
	if err := tr.Mark(recording.MarkHold, string(make([]byte, 257))); !errors.Is(err, recording.ErrInvalid) {
		t.Errorf("long text: %v", err)
	}
	closeTrack(t, tr)
	for _, err := range []error{tr.Mark(recording.MarkHold, ""), tr.Pause(), tr.Resume()} {
		if !errors.Is(err, recording.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	play, err := k.access(t).Open(context.Background(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer play.Close()
	if m := marks(t, play); len(m) != 1 || m[0] != (recording.Mark{Kind: recording.MarkTransfer, At: 1500 * time.Millisecond, Party: -1, Text: "to 1002"}) {
		t.Errorf("%+v", m)
	}
}

func TestWriteFrameDoesNotAllocate(t *testing.T) {
	k := newKit(t, func(c *recording.Config) { c.Blobs = nowhere{}; c.Signer = nil })
	tr := k.create(t, "r1")
	p := tr.PartyAt(0, 0)
	frame := make([]byte, 160)
	n := 0
	write := func() {
		p.WriteFrame(time.Duration(n)*20*time.Millisecond, recording.PCMU, frame)
		n++
	}
	for range 5000 {
		write()
	}
	// Over 100 segments, so that handing over, encrypting and taking a fresh buffer are in the figure too.
	if got := testing.AllocsPerRun(5000, write); got != 0 && !raceEnabled {
		t.Errorf("%v allocations per frame", got)
	}
	closeTrack(t, tr)
}

// Nor does a whole segment, hashed into the tree, in the steady state.
func TestSegmentDoesNotAllocate(t *testing.T) {
	k := newKit(t, func(c *recording.Config) { c.Blobs = nowhere{} })
	tr := k.create(t, "r1")
	a, b := tr.PartyAt(0, 0), tr.PartyAt(1, 0)
	frame := make([]byte, 160)
	n := 0
	second := func() {
		for range 50 {
			a.WriteFrame(time.Duration(n)*20*time.Millisecond, recording.PCMU, frame)
			b.WriteFrame(time.Duration(n)*20*time.Millisecond, recording.PCMU, frame)
			n++
		}
		for k.vault.Stats().Queued > 0 {
			runtime.Gosched()
		}
	}
	for range 300 {
		second()
	}
	if got := testing.AllocsPerRun(1000, second); got != 0 && !raceEnabled {
		t.Errorf("%v allocations per segment", got)
	}
	closeTrack(t, tr)
}

// nowhere is a disk that takes everything at once.
type nowhere struct{}

func (nowhere) Create(context.Context, string) (recording.BlobWriter, error) { return nowhere{}, nil }
func (nowhere) Open(context.Context, string) (recording.BlobReader, error) {
	return nil, recording.ErrNotFound
}
func (nowhere) Remove(context.Context, string) error { return nil }
func (nowhere) Write(p []byte) (int, error)          { return len(p), nil }
func (nowhere) Sync() error                          { return nil }
func (nowhere) Close() error                         { return nil }

// A disk that stands still must not stand the audio still: what does not fit is dropped, counted and marked.
func TestSlowDiskDropsAndMarks(t *testing.T) {
	gate := make(chan struct{})
	k := newKit(t, func(c *recording.Config) { c.MaxQueued = 80_000 })
	k.cfg.Blobs = slow{k.blobs, gate}
	v := newVault(t, func() recording.Config { c := k.cfg; c.MaxQueued = 80_000; return c }())
	tr, err := v.Create(context.Background(), recording.Meta{ID: "r1", Parties: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	p := tr.PartyAt(0, 0)
	speak(p, 0, 30*time.Second, 440, recording.PCMU) // returns although the disk does not
	if got := v.Stats(); got.LostFrames == 0 || got.Queued > 80_000 || got.Open != 1 {
		t.Errorf("%+v", got)
	}
	close(gate)
	drained := func() bool { return v.Stats().Queued == 0 }
	for !drained() {
		runtime.Gosched()
	}
	speak(p, 30*time.Second, 2*time.Second, 440, recording.PCMU)
	closeTrack(t, tr)
	stats := tr.Stats()
	if stats.Lost == 0 || stats.Lost+stats.Frames != 1600 {
		t.Errorf("%+v", stats)
	}
	play, err := access(t, v).Open(context.Background(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer play.Close()
	var marked uint64
	for _, m := range marks(t, play) {
		if m.Kind == recording.MarkLost {
			marked += m.Frames
		}
	}
	if marked != stats.Lost || !play.Complete() || play.Duration() != 32*time.Second {
		t.Errorf("%d frames marked of %d lost; complete %v, %v", marked, stats.Lost, play.Complete(), play.Duration())
	}
	if rep, err := access(t, v).Verify(context.Background(), "r1"); err != nil || rep.Lost != stats.Lost {
		t.Errorf("%+v, %v", rep, err)
	}
}

type slow struct {
	*recordingtest.Blobs
	gate chan struct{}
}

func (s slow) Create(ctx context.Context, name string) (recording.BlobWriter, error) {
	w, err := s.Blobs.Create(ctx, name)
	return slowWriter{w, s.gate, new(int)}, err
}

type slowWriter struct {
	recording.BlobWriter
	gate chan struct{}
	n    *int
}

func (w slowWriter) Write(p []byte) (int, error) {
	if *w.n++; *w.n > 1 { // the header is let through
		<-w.gate
	}
	return w.BlobWriter.Write(p)
}

// A disk that fails and recovers costs what came meanwhile and nothing else; no position is ever encrypted twice.
func TestFullDiskThatRecovers(t *testing.T) {
	k := newKit(t)
	tr := k.create(t, "r1")
	p := tr.PartyAt(0, 0)
	settle := func(errors uint64) {
		for s := k.vault.Stats(); s.Queued != 0 || s.WriteErrors < errors; s = k.vault.Stats() {
			runtime.Gosched()
		}
	}
	full := errors.New("no space left on device")
	speak(p, 0, 3*time.Second, 440, recording.PCMU)
	settle(0)
	k.blobs.Fail(full)
	speak(p, 3*time.Second, 5*time.Second, 440, recording.PCMU)
	settle(4)
	if err := tr.Pause(); err != nil { // its mark survives the outage
		t.Fatal(err)
	}
	settle(5)
	k.blobs.Fail(nil)
	if err := tr.Resume(); err != nil {
		t.Fatal(err)
	}
	speak(p, 8*time.Second, 3*time.Second, 440, recording.PCMU)
	closeTrack(t, tr)
	stats := tr.Stats()
	rep, err := k.access(t).Verify(context.Background(), "r1")
	if err != nil || !rep.Complete || rep.Lost != stats.Lost || stats.Lost == 0 || stats.Lost > 250 || stats.Lost+stats.Frames != 550 {
		t.Errorf("%+v, %v; %+v", rep, err, stats)
	}
	play, err := k.access(t).Open(context.Background(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer play.Close()
	kinds := map[recording.MarkKind]int{}
	for _, m := range marks(t, play) {
		kinds[m.Kind]++
	}
	if kinds[recording.MarkPause] != 1 || kinds[recording.MarkResume] != 1 || kinds[recording.MarkLost] == 0 {
		t.Errorf("marks %v", marks(t, play))
	}
}

func TestDiskThatStaysFullLeavesAnIncompleteRecording(t *testing.T) {
	k := newKit(t)
	tr := k.create(t, "r1")
	p := tr.PartyAt(0, 0)
	speak(p, 0, 3*time.Second, 440, recording.PCMU)
	for k.vault.Stats().Queued != 0 {
		runtime.Gosched()
	}
	k.blobs.Fail(errors.New("no space left on device"))
	speak(p, 3*time.Second, 3*time.Second, 440, recording.PCMU)
	if err := tr.Close(context.Background()); !errors.Is(err, recording.ErrIncomplete) {
		t.Errorf("Close = %v, want ErrIncomplete", err)
	}
	rep, err := k.access(t).Verify(context.Background(), "r1")
	if err != nil || rep.Complete || rep.State != recording.StateIncomplete || rep.Duration < 2*time.Second {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestVaultCloseDrainsOpenTracks(t *testing.T) {
	k := newKit(t)
	tr := k.create(t, "r1")
	speak(tr.PartyAt(0, 0), 0, 2500*time.Millisecond, 440, recording.PCMU)
	if err := k.vault.Close(); err != nil {
		t.Fatal(err)
	}
	rep, err := k.access(t).Verify(context.Background(), "r1")
	if err != nil || rep.Complete || rep.State != recording.StateIncomplete || rep.Duration != 2500*time.Millisecond {
		t.Errorf("%+v, %v", rep, err)
	}
	if err := tr.Close(context.Background()); !errors.Is(err, recording.ErrClosed) {
		t.Errorf("Close of the track = %v", err)
	}
	if _, err := k.vault.Create(context.Background(), recording.Meta{Parties: []string{"a"}}); !errors.Is(err, recording.ErrClosed) {
		t.Errorf("Create = %v", err)
	}
	if err := k.vault.Close(); err != nil {
		t.Errorf("second Close = %v", err)
	}
}

func TestCloseThatGivesUpIsFinishedByTheVault(t *testing.T) {
	gate := make(chan struct{})
	k := newKit(t)
	k.cfg.Blobs = slow{k.blobs, gate}
	v := newVault(t, k.cfg)
	tr, err := v.Create(context.Background(), recording.Meta{ID: "r1", Parties: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	speak(tr.PartyAt(0, 0), 0, time.Second, 440, recording.PCMU)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tr.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close = %v", err)
	}
	close(gate)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if rep, err := access(t, v).Verify(context.Background(), "r1"); err != nil || !rep.Complete {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestManyTracksAtOnce(t *testing.T) {
	k := newKit(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			tr := k.create(t, fmt.Sprintf("r%d", i))
			var media sync.WaitGroup
			for party := range 2 {
				media.Go(func() { speak(tr.Party(party), 0, 1500*time.Millisecond, 440, recording.PCMU) })
			}
			media.Wait()
			closeTrack(t, tr)
		})
	}
	wg.Wait()
	for i := range 50 {
		if rep, err := k.access(t).Verify(context.Background(), fmt.Sprintf("r%d", i)); err != nil || !rep.Complete || rep.Frames != 150 {
			t.Fatalf("%+v, %v", rep, err)
		}
	}
	if s := k.vault.Stats(); s.Open != 0 || s.Queued != 0 || s.LostFrames != 0 {
		t.Errorf("%+v", s)
	}
}
