package recording_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// Any change to a finished recording is refused, and nothing of it leaves.
func FuzzBlob(f *testing.F) {
	k := newKit(f)
	tr := k.create(f, "r1")
	for n := range 3 {
		tr.PartyAt(0, 0).WriteFrame(time.Duration(n)*2*time.Second, recording.PCMU, tone(440, n, recording.PCMU)[:40])
	}
	closeTrack(f, tr)
	good := k.blobs.Bytes("r1")
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good[:headerBytes])
	f.Add(append(bytes.Clone(good), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		k.blobs.Replace("r1", b)
		n, err := k.access(t).Export(context.Background(), "r1", &bytes.Buffer{})
		if bytes.Equal(b, good) {
			if err != nil {
				t.Errorf("the original is refused: %v", err)
			}
		} else if err == nil || n != 0 {
			t.Errorf("accepted %x: %d bytes", b, n)
		}
	})
}
