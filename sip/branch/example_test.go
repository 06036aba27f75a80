package branch_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/branch"
)

// The upstream is gone after two failures in a row, and back when it was well for a while.
func ExampleLink() {
	link, err := branch.NewLink(branch.LinkConfig{DownAfter: 2, UpAfter: 2, Hold: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for second, alive := range []bool{true, true, false, false, true, true} {
		now := at.Add(time.Duration(second) * 5 * time.Second)
		changed := false
		if alive {
			changed = link.Alive(now)
		} else {
			changed = link.Failed(now)
		}
		if changed {
			fmt.Println(now.Format(time.TimeOnly), "up:", link.Up())
		}
	}
	// Output:
	// 12:00:00 up: true
	// 12:00:15 up: false
	// 12:00:25 up: true
}

// lossy is a Sink whose first answer is lost on the way back.
type lossy struct {
	store *branch.FileStore
	puts  int
}

func (l *lossy) Put(ctx context.Context, cdrs []branch.CDR) error {
	l.puts++
	if err := l.store.Add(ctx, "berlin", cdrs); err != nil {
		return err
	}
	if l.puts == 1 {
		return errors.New("connection lost")
	}
	return nil
}

// An entry is sent until it is acknowledged, and kept once.
func ExampleJournal() {
	dir, err := os.MkdirTemp("", "branch")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	journal, _, err := branch.OpenJournal(filepath.Join(dir, "calls.journal"))
	if err != nil {
		log.Fatal(err)
	}
	defer journal.Close()
	store, _, err := branch.OpenFileStore(filepath.Join(dir, "inbox"))
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	err = journal.End(branch.CDR{
		ID: "000102030405060708090a0b0c0d0e0f", From: "1001", To: "112", Route: branch.Emergency, Outcome: branch.Answered,
		Start: at, Answered: at, End: at.Add(time.Minute),
	})
	if err != nil {
		log.Fatal(err)
	}
	sink := &lossy{store: store}
	fmt.Println(journal.Send(context.Background(), sink))
	fmt.Println(journal.Send(context.Background(), sink))
	fmt.Println(sink.puts, "sent,", store.Len(), "kept,", journal.Pending(), "pending")
	// Output:
	// branch: sending 1 entries: connection lost
	// <nil>
	// 2 sent, 1 kept, 0 pending
}

// A branch that is told where everything is.
func Example() {
	client, err := sip.ClientTLS(nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	journal, found, err := branch.OpenJournal("/var/lib/branch/calls.journal")
	if err != nil {
		log.Fatal(err)
	}
	defer journal.Close()
	log.Print("calls in progress when the last process ended: ", found.Interrupted)
	b, err := branch.New(branch.Config{
		Domain: "acme.example", Upstream: "sip.acme.example:5061", Client: client, Credentials: users{}, Journal: journal,
		Fallback: map[string]string{"9000": "1002"}, OnLink: func(up bool) { log.Print("upstream: ", up) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
}
