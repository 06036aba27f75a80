package recording_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/flac"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

// namedActor is an Authorizer with a name.
type namedActor struct {
	recording.Authorizer
	name string
}

func (n namedActor) Name() string { return n.name }

// An export carries a detached signature: whoever has the public key finds one altered, missing or added byte, in the file and in the receipt, in every
// format, and learns who took it, why, and what was withheld.
func TestExportsAreSigned(t *testing.T) {
	control.Proves(t, "ENC-23")
	ctx := context.Background()
	k := newKit(t, func(c *recording.Config) {
		c.Encoders = map[recording.Format]recording.Encoder{recording.FLAC: flac.Encode}
		c.Flagger = &flags{spans: []recording.Span{{Stream: recording.Only(0), From: 20 * time.Millisecond, To: 30 * time.Millisecond, Category: "account"}, {To: 1, Category: "health"}}}
		c.Approver = yes{"health"}
	})
	tr := k.create(t, "r1")
	speak(tr.PartyAt(0, 0), 0, 60*time.Millisecond, 440, recording.PCMU)
	tr.PartyAt(1, 0).WriteFrame(0, recording.Opus, opusFrame(1))
	closeTrack(t, tr)
	public, err := k.keys.PublicKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	audit := &attrsOf{}
	signed, err := because(k.vault.For(namedActor{recordingtest.Allow{recording.ActionExport}, "1001"}, audit))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []recording.Layout{
		{Stream: recording.Only(0)}, {Format: recording.WAVALaw, Stream: recording.Only(0)}, {Format: recording.FLAC, Stream: recording.Only(0)},
		{Format: recording.OggOpus, Stream: recording.Only(1)},
	} {
		var b bytes.Buffer
		r, err := signed.ExportSigned(ctx, "r1", &b, l)
		if err != nil {
			t.Fatal(l, err)
		}
		file, receipt := b.Bytes(), r.Text()
		var plain bytes.Buffer
		if _, err := signed.ExportAs(ctx, "r1", &plain, l); err != nil || !bytes.Equal(plain.Bytes(), file) {
			t.Errorf("%v: another file than ExportAs, %v", l, err)
		}
		got, err := recording.VerifyExport(public, receipt, iotest.OneByteReader(bytes.NewReader(file)))
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", r) {
			t.Errorf("%v: %+v, %v; signed %+v", l, got, err, r)
		}
		withheld := 1
		if l.Stream == recording.Only(1) {
			withheld = 0
		}
		if r.ID != "r1" || r.Place != home || r.Actor != "1001" || r.Reason != "complaint-4711" || !r.Exported.Equal(k.now) || r.Layout != l || !r.Complete ||
			r.Bytes != int64(len(file)) || r.SHA256 != sha256.Sum256(file) || len(r.Withheld) != withheld || !slices.Equal(r.Approvals, []string{"letter-health"}) {
			t.Errorf("%+v", r)
		}
		if !strings.Contains(audit.text(), fmt.Sprintf("bytes=%d sha256=%x", len(file), r.SHA256)) {
			t.Errorf("%v: recorded %s", l, audit.text())
		}
		refused := func(what string, public ed25519.PublicKey, receipt, file []byte) {
			t.Helper()
			if r, err := recording.VerifyExport(public, receipt, bytes.NewReader(file)); !errors.Is(err, recording.ErrTampered) || r.ID != "" {
				t.Errorf("%v: %s: %+v, %v", l, what, r, err)
			}
		}
		for i := range file {
			for _, bit := range []byte{1, 0x80} {
				file[i] ^= bit
				refused(fmt.Sprintf("byte %d of the file", i), public, receipt, file)
				file[i] ^= bit
			}
		}
		for i := range receipt {
			for bit := range 8 {
				receipt[i] ^= 1 << bit
				refused(fmt.Sprintf("byte %d of the receipt", i), public, receipt, file)
				receipt[i] ^= 1 << bit
			}
		}
		refused("cut", public, receipt, file[:len(file)-1])
		refused("empty", public, receipt, nil)
		refused("longer", public, receipt, append(bytes.Clone(file), 0))
		refused("a receipt cut", public, receipt[:len(receipt)-1], file)
		refused("no receipt", public, nil, file)
		refused("a longer receipt", public, append(bytes.Clone(receipt), '\n'), file)
		refused("a huge receipt", public, append(bytes.Clone(receipt), make([]byte, 1<<20)...), file)
		refused("no key", nil, receipt, file)
		other, _ := recordingtest.NewKeys(9).PublicKey(ctx)
		refused("another key", other, receipt, file)
	}
	broken := errors.New("disk")
	var b bytes.Buffer
	r, err := signed.ExportSigned(ctx, "r1", &b, recording.Layout{Stream: recording.Only(0)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := recording.VerifyExport(public, r.Text(), iotest.ErrReader(broken)); !errors.Is(err, broken) || errors.Is(err, recording.ErrTampered) {
		t.Error(err)
	}
}

// What cannot be signed or recorded does not leave.
func TestUnsignedExportsDoNotLeave(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	k.record(t, "r1", time.Second)
	export := func(s recording.Signer, audit recording.Auditor) error {
		cfg := k.cfg
		cfg.Signer = s
		v := newVault(t, cfg)
		a, err := because(v.For(recordingtest.Allow{}, audit))
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.ExportSigned(ctx, "r1", failing{t}, recording.Layout{})
		return err
	}
	if err := export(nil, k.audit); !errors.Is(err, recording.ErrUnsigned) {
		t.Error(err)
	}
	if err := export(noSigner{}, k.audit); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	if err := export(k.keys, secondFails{&attrsOf{}}); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	a, err := k.vault.For(recordingtest.Allow{}, k.audit)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.ExportSigned(ctx, "r1", failing{t}, recording.Layout{}); !errors.Is(err, recording.ErrReason) {
		t.Error(err)
	}
	for _, l := range []recording.Layout{{Format: recording.FLAC}, {Format: recording.OggOpus}, {Format: 5}, {Format: recording.OggOpus, Stream: recording.Only(2)}} {
		if _, err := a.Because("x").ExportSigned(ctx, "r1", failing{t}, l); !errors.Is(err, recording.ErrInvalid) {
			t.Errorf("%v: %v", l, err)
		}
	}
	// An encoder that writes another file the second time.
	n := 0
	cfg := k.cfg
	cfg.Encoders = map[recording.Format]recording.Encoder{recording.FLAC: func(w io.Writer, _, _ int, _ int64, _ func([]int16, int64) error) error {
		n++
		_, err := fmt.Fprint(w, n)
		return err
	}}
	if _, err := access(t, newVault(t, cfg)).ExportSigned(ctx, "r1", io.Discard, recording.Layout{Format: recording.FLAC}); !errors.Is(err, recording.ErrTampered) {
		t.Error(err)
	}
}

type noSigner struct{}

func (noSigner) Sign(context.Context, []byte) ([]byte, error)         { return nil, errBroken }
func (noSigner) PublicKey(context.Context) (ed25519.PublicKey, error) { return nil, errBroken }

// secondFails records that somebody asked, and not what left.
type secondFails struct{ *attrsOf }

func (s secondFails) Audit(ctx context.Context, action, object string, attrs ...slog.Attr) error {
	if attrs[0].Key == "bytes" {
		return errBroken
	}
	return s.attrsOf.Audit(ctx, action, object, attrs...)
}

// Whatever somebody has signed with the right key is either a receipt that says so again in the same bytes, or refused.
func FuzzVerifyExport(f *testing.F) {
	ctx := context.Background()
	keys := recordingtest.NewKeys(1)
	public, err := keys.PublicKey(ctx)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("ringfence-recording-export/1\n" + `{"id":"r1","owner":"acme","purpose":"call","region":"","environment":"","complete":true,"actor":"","reason":"x","exported":"2026-11-22T09:00:00Z",` +
		`"format":"wav","stream":0,"bytes":0,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","withheld":[],"approvals":[]}` + "\n")
	f.Add("ringfence-recording-export/1\n{}\n")
	f.Fuzz(func(t *testing.T, body string) {
		signature, err := keys.Sign(ctx, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		text := body + base64.StdEncoding.EncodeToString(signature) + "\n"
		r, err := recording.VerifyExport(public, []byte(text), strings.NewReader(""))
		if err != nil {
			if !errors.Is(err, recording.ErrTampered) || r.ID != "" {
				t.Fatal(err)
			}
			return
		}
		if string(r.Text()) != text || r.Bytes != 0 {
			t.Fatalf("%+v", r)
		}
	})
}

// A file for somebody outside, with the proof of where it is from.
func ExampleAccess_ExportSigned() {
	ctx, all, keys := context.Background(), recordingtest.Allow{}, recordingtest.NewKeys(1)
	vault, err := recording.New(recording.Config{
		Blobs: &recordingtest.Blobs{}, Catalog: &recordingtest.Catalog{}, Keys: keys, Signer: keys,
		Place: recording.Place{Owner: "acme"}, Authorizer: all, Auditor: &recordingtest.Audit{},
		Encoders: map[recording.Format]recording.Encoder{recording.FLAC: flac.Encode},
	})
	if err != nil {
		panic(err)
	}
	defer vault.Close()
	track, _ := vault.Create(ctx, recording.Meta{ID: "r1", Parties: []string{"caller", "agent"}})
	track.PartyAt(0, 0).WriteFrame(0, recording.PCMU, make([]byte, 160))
	fmt.Println("closed:", track.Close(ctx))

	access, _ := vault.For(all, &recordingtest.Audit{})
	var file bytes.Buffer
	receipt, err := access.Because("complaint-4711").ExportSigned(ctx, "r1", &file, recording.Layout{Format: recording.FLAC})
	fmt.Println("exported:", err)

	// Elsewhere, with the public key.
	public, _ := keys.PublicKey(ctx)
	r, err := recording.VerifyExport(public, receipt.Text(), bytes.NewReader(file.Bytes()))
	fmt.Println("of", r.ID, "by", r.Place.Owner, "because of", r.Reason, err)
	file.Bytes()[50] ^= 1
	_, err = recording.VerifyExport(public, receipt.Text(), &file)
	fmt.Println("altered:", errors.Is(err, recording.ErrTampered))
	// Output:
	// closed: <nil>
	// exported: <nil>
	// of r1 by acme because of complaint-4711 <nil>
	// altered: true
}
