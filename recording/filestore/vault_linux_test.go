package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

// The disk runs full while calls are recorded: nobody who writes frames waits, what was recorded before is whole, what is lost is marked, and when there is room
// again the recordings go on and end complete.
func TestAFullDiskDuringCalls(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no small disk can be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	blobs := open(t, dir)
	ballast, err := blobs.Create(ctx, "ballast")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ballast.Write(make([]byte, 600<<10)); err != nil {
		t.Fatal(err)
	}
	if err := ballast.Close(); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	told := map[string]int{}
	losing := func(id string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if told[id]++; !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: told %v", id, err)
		}
	}
	v, err := recording.New(recording.Config{Losing: losing, Blobs: blobs, Catalog: &recordingtest.Catalog{}, Keys: recordingtest.NewKeys(1), Place: recording.Place{Owner: "acme"},
		Authorizer: recordingtest.Allow{}, Auditor: &recordingtest.Audit{}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	create := func(id string) *recording.Track {
		tr, err := v.Create(ctx, recording.Meta{ID: id, Parties: []string{"caller", "agent"}})
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	var at time.Duration
	settled := func() bool { // what was handed in is written, or the disk has said no
		failed := v.Stats().WriteErrors
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
			if s := v.Stats(); s.Queued == 0 || s.WriteErrors > failed {
				return true
			}
		}
		return false
	}
	second := func(tracks ...*recording.Track) {
		for range 50 {
			for _, tr := range tracks {
				for party := range 2 {
					start := time.Now()
					tr.PartyAt(party, 0).WriteFrame(at, recording.PCMU, bytes.Repeat([]byte{0x55}, 160))
					if took := time.Since(start); took > 250*time.Millisecond {
						t.Errorf("a frame took %v", took)
					}
				}
			}
			at += 20 * time.Millisecond
		}
		if !settled() {
			t.Fatalf("the writer stands still: %+v", v.Stats())
		}
	}
	before := create("before")
	for range 3 {
		second(before)
	}
	if err := before.Close(ctx); err != nil {
		t.Fatal(err)
	}
	at = 0
	a, b := create("a"), create("b")
	deadline := time.Now().Add(20 * time.Second)
	for a.Stats().Lost == 0 || b.Stats().Lost == 0 {
		second(a, b)
		if time.Now().After(deadline) {
			t.Fatalf("nothing was lost: %+v", v.Stats())
		}
	}
	if v.Stats().WriteErrors == 0 || v.Stats().LostFrames == 0 {
		t.Errorf("nobody is told: %+v", v.Stats())
	}
	if err := blobs.Remove(ctx, "ballast"); err != nil {
		t.Fatal(err)
	}
	lost := v.Stats().LostFrames
	for range 3 {
		second(a, b)
	}
	if err := errors.Join(a.Close(ctx), b.Close(ctx)); err != nil {
		t.Fatal(err)
	}
	access, err := v.For(recordingtest.Allow{}, &recordingtest.Audit{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"before", "a", "b"} {
		r, err := access.Verify(ctx, id)
		if err != nil || !r.Complete {
			t.Errorf("%s: %+v, %v", id, r, err)
		}
		if (r.Lost > 0) != (id != "before") {
			t.Errorf("%s: %d frames lost", id, r.Lost)
		}
	}
	p, err := access.Because("test").Open(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	marks, err := p.Marks()
	if err != nil {
		t.Fatal(err)
	}
	marked := uint64(0)
	for _, m := range marks {
		if m.Kind == recording.MarkLost {
			marked += m.Frames
		}
	}
	if marked == 0 || marked != a.Stats().Lost {
		t.Errorf("%d frames are marked as lost, %d were, %d of both before there was room", marked, a.Stats().Lost, lost)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if told["before"] != 0 || told["a"] != 1 || told["b"] != 1 {
		t.Errorf("told %v, want each that lost something once", told)
	}
}
