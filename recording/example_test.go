package recording_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

// One call, from the first frame to the destroyed key.
func Example() {
	ctx := context.Background()
	vault, err := recording.New(recording.Config{
		Blobs:      &recordingtest.Blobs{},   // in earnest: filestore.Open
		Catalog:    &recordingtest.Catalog{}, // sqlstore.Open
		Keys:       recordingtest.NewKeys(1), // the tenant's keys
		Authorizer: recordingtest.Allow{},    // the tenant's rights
		Auditor:    &recordingtest.Audit{},   // the tenant's audit log
	})
	if err != nil {
		panic(err)
	}
	defer vault.Close()
	track, err := vault.Create(ctx, recording.Meta{ID: "r1", Parties: []string{"caller", "agent"}})
	if err != nil {
		panic(err)
	}
	caller := track.PartyAt(0, 0)
	for n := range 100 { // 2 s of audio as it comes off the wire
		caller.WriteFrame(time.Duration(n)*20*time.Millisecond, recording.PCMU, make([]byte, 160))
	}
	fmt.Println("closed:", track.Close(ctx))

	supervisor, err := vault.For(recordingtest.Allow{recording.ActionVerify, recording.ActionExport, recording.ActionDelete}, &recordingtest.Audit{})
	if err != nil {
		panic(err)
	}
	report, err := supervisor.Verify(ctx, "r1")
	fmt.Println("complete:", report.Complete, report.Duration, err)
	n, err := supervisor.Export(ctx, "r1", io.Discard)
	fmt.Println("exported:", n, err)
	_, err = supervisor.Destroy(ctx, "r1", "asked for")
	fmt.Println("destroyed:", err)
	_, err = supervisor.Export(ctx, "r1", io.Discard)
	fmt.Println("exported:", err)
	// Output:
	// closed: <nil>
	// complete: true 2s <nil>
	// exported: 64044 <nil>
	// destroyed: <nil>
	// exported: recording: destroyed: r1
}
