package recording

import (
	"testing"
	"time"
)

// Two parties whose seconds are full in the same moment end one segment, not two: who comes second has seen a sheet that is gone.
func TestTheFirstToComeEndsTheSegmentForBoth(t *testing.T) {
	v := &Vault{queue: newQueue(1 << 20)} // nobody runs it
	tr := newTrack(v, Entry{}, nil, nil, time.Time{}, 2)
	a, b, frame := tr.PartyAt(0, 0), tr.PartyAt(1, 0), make([]byte, 160)
	a.WriteFrame(0, PCMU, frame)
	b.WriteFrame(0, PCMU, frame)
	seen := a.lane.sheet
	tr.next(a.lane, seen)
	a.WriteFrame(20*time.Millisecond, PCMU, frame) // into the next segment
	tr.next(b.lane, seen)
	if n := len(v.queue.jobs); n != 1 {
		t.Errorf("%d segments", n)
	}
}
