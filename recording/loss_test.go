package recording_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// At every moment of a call all but its last second is with the store, where the end of the process cannot reach it.
func TestACrashCostsNoMoreThanASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		var tracks []*recording.Track
		var parties []*recording.Party
		for n := range 7 {
			tr := k.create(t, fmt.Sprint("r", n))
			tracks, parties = append(tracks, tr), append(parties, tr.PartyAt(0, 0), tr.PartyAt(1, 0))
		}
		frame := make([]byte, 160)
		for n := range 5 * 50 {
			at := time.Duration(n) * 20 * time.Millisecond
			<-time.After(20 * time.Millisecond) // a frame comes when it was spoken
			synctest.Wait()
			for _, tr := range tracks { // the moment before a frame comes is the worst
				play, err := k.access(t).Open(context.Background(), tr.ID())
				if err != nil {
					t.Fatal(err)
				}
				if lost := at + 20*time.Millisecond - play.Duration(); lost > time.Second {
					t.Fatalf("%s: %v would be lost", tr.ID(), lost)
				}
				play.Close()
			}
			for _, p := range parties {
				p.WriteFrame(at, recording.PCMU, frame)
			}
		}
		for _, tr := range tracks {
			closeTrack(t, tr)
		}
	})
}
