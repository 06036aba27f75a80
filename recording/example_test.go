package recording_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

// One call: encrypted, verified, heard from the middle, destroyed. In earnest the stores are filestore and sqlstore, and the rest is the tenant's.
func Example() {
	ctx, all := context.Background(), recordingtest.Allow{}
	vault, err := recording.New(recording.Config{
		Blobs: &recordingtest.Blobs{}, Catalog: &recordingtest.Catalog{}, Keys: recordingtest.NewKeys(1),
		Place: recording.Place{Owner: "acme"}, Authorizer: all, Auditor: &recordingtest.Audit{},
	})
	if err != nil {
		panic(err)
	}
	defer vault.Close()
	track, _ := vault.Create(ctx, recording.Meta{ID: "r1", Parties: []string{"caller", "agent"}})
	for n := range 100 { // 2 s as they come off the wire
		track.PartyAt(0, 0).WriteFrame(time.Duration(n)*20*time.Millisecond, recording.PCMU, make([]byte, 160))
	}
	fmt.Println("closed:", track.Close(ctx))
	access, _ := vault.For(all, &recordingtest.Audit{})
	report, err := access.Verify(ctx, "r1")
	fmt.Println("complete:", report.Complete, report.Duration, err)
	playback, _ := access.Because("complaint-4711").Open(ctx, "r1")
	defer playback.Close()
	n, err := playback.ReadPCM(0, make([]int16, 160), recording.SampleRate) // the second second
	fmt.Println("heard:", n, err)
	_, err = access.Destroy(ctx, "r1", "asked for")
	fmt.Println("destroyed:", err)
	_, err = access.Because("complaint-4711").Export(ctx, "r1", io.Discard)
	fmt.Println("exported:", err)
	// Output:
	// closed: <nil>
	// complete: true 2s <nil>
	// heard: 160 <nil>
	// destroyed: <nil>
	// exported: recording: destroyed: r1
}
