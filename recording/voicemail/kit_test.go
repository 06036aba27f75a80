package voicemail_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/filestore"
	"github.com/ringfence/ringfence/recording/recordingtest"
	recstore "github.com/ringfence/ringfence/recording/sqlstore"
	"github.com/ringfence/ringfence/recording/voicemail"
	"github.com/ringfence/ringfence/recording/voicemail/sqlstore"
	"github.com/ringfence/ringfence/recording/voicemail/voicemailtest"
)

const (
	goodPIN  = "271828"
	otherPIN = "918273"
)

// kit is boxes 1001 and 1002, in memory.
type kit struct {
	t       *testing.T
	boxes   *voicemail.Boxes
	store   *voicemailtest.Store
	vault   *recording.Vault
	blobs   *recordingtest.Blobs
	catalog *recordingtest.Catalog
	audit   *recordingtest.Audit

	mu      sync.Mutex
	events  []voicemail.Event
	waiting map[string]voicemail.Counts
	held    map[string]bool
	holdErr error
}

func (k *kit) Changed(_ context.Context, box string, c voicemail.Counts) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting[box] = c
}

func (k *kit) Held(_ context.Context, _ voicemail.Kind, id string) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held[id], k.holdErr
}

func newKit(t *testing.T, change func(*voicemail.Config)) *kit {
	t.Helper()
	k := &kit{t: t, store: &voicemailtest.Store{}, blobs: &recordingtest.Blobs{}, catalog: &recordingtest.Catalog{}, audit: &recordingtest.Audit{},
		waiting: map[string]voicemail.Counts{}, held: map[string]bool{}}
	var err error
	k.vault, err = recording.New(recording.Config{Blobs: k.blobs, Catalog: k.catalog, Keys: recordingtest.NewKeys(1), Place: recording.Place{Owner: "acme"},
		Authorizer: recordingtest.Allow{recording.ActionCreate, recording.ActionRecover}, Auditor: k.audit})
	if err != nil {
		t.Fatal(err)
	}
	cfg := voicemail.Config{Vault: k.vault, Store: k.store, Auditor: k.audit, Holds: k, Waiting: k, Observer: func(e voicemail.Event) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.events = append(k.events, e)
	}, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	if k.boxes, err = voicemail.New(cfg); err != nil {
		t.Fatal(err)
	}
	addBoxes(t, k.store)
	return k
}

func addBoxes(t *testing.T, s voicemail.Store) {
	t.Helper()
	for number, pin := range map[string]string{"1001": goodPIN, "1002": otherPIN} {
		b, err := voicemail.NewBox(number, "Europe/Berlin", voicemail.NewPIN(pin), time.Now())
		if err == nil {
			err = s.CreateBox(context.Background(), b)
		}
		if err != nil && !errors.Is(err, voicemail.ErrExists) {
			t.Fatal(err)
		}
	}
}

func (k *kit) close() {
	if err := errors.Join(k.boxes.Close(), k.vault.Close()); err != nil {
		k.t.Error(err)
	}
}

// serve lets a caller through and returns how it ended.
func (k *kit) serve(p *voicemailtest.Phone, c voicemail.Caller) voicemail.Result {
	k.t.Helper()
	r, err := k.boxes.Serve(context.Background(), p, c)
	if err != nil {
		k.t.Errorf("Serve: %v", err)
	}
	if p.Masked() {
		k.t.Error("the phone is still masked")
	}
	return r
}

// leave leaves a message of about a length.
func (k *kit) leave(box string, d time.Duration, voice func(int) []byte) {
	k.t.Helper()
	p := &voicemailtest.Phone{Voice: voice, Script: []voicemailtest.Act{{Hear: "record", After: d, Keys: "#"}}}
	if r := k.serve(p, voicemail.Caller{Box: box, Login: true, Name: "+4930123", Call: "call-" + box}); r != voicemail.ResultLeft {
		k.t.Fatalf("left: %v, heard %v", r, p.Heard())
	}
}

func (k *kit) items(box string) []voicemail.Item {
	k.t.Helper()
	items, err := k.store.Items(context.Background(), box)
	if err != nil {
		k.t.Fatal(err)
	}
	return items
}

func (k *kit) count(kind voicemail.EventKind) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// hum is a tone in µ-law, as it comes off the wire.
func hum(freq float64) func(int) []byte {
	return func(n int) []byte {
		b := make([]byte, 160)
		for i := range b {
			b[i] = ulaw(int(8000 * math.Sin(2*math.Pi*freq*float64(n*160+i)/8000)))
		}
		return b
	}
}

func silence(int) []byte {
	b := make([]byte, 160)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

// ulaw compresses by search, so that it shares nothing with what is tested.
func ulaw(s int) byte {
	best, at := 1<<30, 0
	for c := range 256 {
		if d := expand(byte(c)) - s; d*d < best {
			best, at = d*d, c
		}
	}
	return byte(at)
}

func expand(c byte) int {
	c = ^c
	v := (int(c&15)<<3+132)<<(c>>4&7) - 132
	if c&128 != 0 {
		return -v
	}
	return v
}

// hears reports whether a tone is most of the audio.
func hears(pcm []int16, freq float64) bool {
	var re, im, all float64
	for i, s := range pcm {
		x := float64(s)
		re += x * math.Cos(2*math.Pi*freq*float64(i)/8000)
		im += x * math.Sin(2*math.Pi*freq*float64(i)/8000)
		all += x * x
	}
	return all > 0 && 2*(re*re+im*im)/(all*float64(len(pcm))) > 0.5
}

// diskBoxes are boxes as in earnest, in a folder.
func diskBoxes(dir string) (*voicemail.Boxes, *sqlstore.Store, *recording.Vault, func() error, error) {
	ctx := context.Background()
	blobs, err := filestore.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		return nil, nil, nil, nil, err
	}
	dsn := filepath.Join(dir, "ringfence.db")
	catalog, err := recstore.Open(ctx, dsn)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	store, err := sqlstore.Open(ctx, dsn)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	keys := recordingtest.NewKeys(1)
	vault, err := recording.New(recording.Config{Blobs: blobs, Catalog: catalog, Keys: keys, Signer: keys, Place: recording.Place{Owner: "acme"},
		Authorizer: recordingtest.Allow{}, Auditor: &recordingtest.Audit{}})
	if err != nil {
		return nil, nil, nil, nil, err
	}
	boxes, err := voicemail.New(voicemail.Config{Vault: vault, Store: store, Auditor: &recordingtest.Audit{}})
	if err != nil {
		return nil, nil, nil, nil, err
	}
	return boxes, store, vault, func() error { return errors.Join(boxes.Close(), vault.Close(), store.Close(), catalog.Close()) }, nil
}
