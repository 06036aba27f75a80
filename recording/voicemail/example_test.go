package voicemail_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
	"github.com/ringfence/ringfence/recording/voicemail"
	"github.com/ringfence/ringfence/recording/voicemail/voicemailtest"
)

// A box, a message of three seconds, and its owner. In earnest the stores are sqlstore and filestore, and the phone is a leg.
func Example() {
	ctx, store, audit := context.Background(), &voicemailtest.Store{}, &recordingtest.Audit{}
	vault, err := recording.New(recording.Config{Blobs: &recordingtest.Blobs{}, Catalog: &recordingtest.Catalog{}, Keys: recordingtest.NewKeys(1),
		Place: recording.Place{Owner: "acme"}, Authorizer: recordingtest.Allow{}, Auditor: audit})
	if err != nil {
		panic(err)
	}
	defer vault.Close()
	boxes, err := voicemail.New(voicemail.Config{Vault: vault, Store: store, Auditor: audit})
	if err != nil {
		panic(err)
	}
	defer boxes.Close()
	box, err := voicemail.NewBox("1001", "Europe/Berlin", voicemail.NewPIN("271828"), time.Now())
	if err != nil {
		panic(err)
	}
	fmt.Println("made:", store.CreateBox(ctx, box))

	result, err := boxes.Serve(ctx, paced{&voicemailtest.Phone{}, 150}, voicemail.Caller{Box: "1001", Name: "+4930123"})
	fmt.Println("caller:", result, err)

	_, err = boxes.Login(ctx, "1001", voicemail.NewPIN("123457"), false, "")
	fmt.Println("stranger:", err)
	owner, err := boxes.Login(ctx, "1001", voicemail.NewPIN("271828"), true, "")
	if err != nil {
		panic(err)
	}
	for _, m := range owner.Messages() {
		pcm, envelope, err := owner.Hear(ctx, m.ID)
		fmt.Println("heard:", m.Length, len(pcm), "from", envelope.Caller, err)
		clear(pcm)
		fmt.Println("deleted:", owner.Delete(m.ID))
	}
	fmt.Println("destroyed:", owner.Finish(ctx))
	// Output:
	// made: <nil>
	// caller: left <nil>
	// stranger: voicemail: refused
	// heard: 3s 24000 from +4930123 <nil>
	// deleted: <nil>
	// destroyed: <nil>
}
