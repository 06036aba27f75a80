package recording_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/internal/vectors"
)

//go:generate go run ./internal/vectors/generate testdata/vectors

// plainKeys wraps keys as the vectors have it: not at all, but bound.
type plainKeys struct{ private ed25519.PrivateKey }

func (plainKeys) WrapKey(_ context.Context, dek, aad []byte) ([]byte, error) {
	return vectors.Wrap(dek, aad), nil
}

func (plainKeys) UnwrapKey(_ context.Context, wrapped, aad []byte) ([]byte, error) {
	if len(wrapped) != 64 || !bytes.Equal(vectors.Wrap(wrapped[:32], aad), wrapped) {
		return nil, errors.New("wrapped for something else")
	}
	return bytes.Clone(wrapped[:32]), nil
}

func (k plainKeys) Sign(_ context.Context, msg []byte) ([]byte, error) {
	return ed25519.Sign(k.private, msg), nil
}

func (k plainKeys) PublicKey(context.Context) (ed25519.PublicKey, error) {
	return k.private.Public().(ed25519.PublicKey), nil
}

type vector struct {
	fields map[string]string
	row    recording.Entry
	blob   []byte
}

func readVector(t *testing.T, path string) vector {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, body, ok := strings.Cut(string(text), "\n\n")
	v := vector{fields: map[string]string{}}
	for _, line := range strings.Split(head, "\n") {
		name, value, found := strings.Cut(line, ": ")
		ok = ok && found
		v.fields[name] = value
	}
	if v.blob, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(body, "\n", "")); err != nil || !ok || v.fields["what"] == "" {
		t.Fatalf("not a vector: %v", err)
	}
	if err := json.Unmarshal([]byte(v.fields["row"]), &v.row); err != nil {
		t.Fatal(err)
	}
	return v
}

// Each file in testdata/vectors is wrong in one way, and both readers say so: the program, which must name the kind of fault and let no audio out, and the one
// that was written from FORMAT.md.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/vectors/*.vec")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	want := map[string]error{"ok": nil, "altered": recording.ErrTampered, "truncated": recording.ErrTruncated, "key": recording.ErrKey}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".vec"), func(t *testing.T) {
			v := readVector(t, path)
			expect, known := want[v.fields["expect"]]
			if !known {
				t.Fatalf("expect: %q", v.fields["expect"])
			}
			keys := plainKeys{ed25519.NewKeyFromSeed(vectors.Seed)}
			k := newKit(t, func(c *recording.Config) {
				c.Place = recording.Place{Owner: v.fields["owner"], Region: v.fields["region"], Environment: v.fields["environment"]}
				c.Purpose, c.Keys, c.Signer = v.fields["purpose"], keys, keys
			})
			ctx, id, a := context.Background(), v.row.ID, k.access(t)
			k.catalog.Replace(v.row)
			k.blobs.Replace(id, v.blob)
			rep, err := a.Verify(ctx, id)
			if !errors.Is(err, expect) || rep.Complete != (expect == nil) || (expect == nil) != rep.OK() && expect != recording.ErrKey {
				t.Errorf("%s\nVerify = %+v, %v, want %v", v.fields["what"], rep, err, expect)
			}
			if expect == nil {
				if _, err := a.Export(ctx, id, io.Discard); err != nil {
					t.Error(err)
				}
			} else if !strings.HasPrefix(filepath.Base(path), "manifest-") && !strings.HasPrefix(filepath.Base(path), "made-") {
				if n, err := a.Export(ctx, id, failing{t}); err == nil || n != 0 {
					t.Errorf("%s\nExport = %d, %v", v.fields["what"], n, err)
				}
			}
			if err := v.secondReader(keys.private.Public().(ed25519.PublicKey)); (err == nil) != (expect == nil) {
				t.Errorf("%s\nthe second reader: %v", v.fields["what"], err)
			}
		})
	}
}

// secondReader reads a vector with the reader of format_test.go.
func (v vector) secondReader(public ed25519.PublicKey) error {
	b := bound{v.fields["owner"], v.row.ID, v.fields["purpose"], v.fields["region"], v.fields["environment"]}
	dek, err := envelopeOf(v.row.WrappedKey, b, func(suite uint64, _ string, wrapped []byte) []byte {
		raw, _ := plainKeys{}.UnwrapKey(context.Background(), wrapped, b.to("ringfence recording v2 key"))
		return raw
	})
	if err != nil {
		return err
	}
	if _, err := openMetadata(dek, v.row.Meta, b); err != nil {
		return err
	}
	f, err := readFlat(dek, v.blob, b, 2, v.row.State.String(), int(v.row.Segments))
	if err != nil {
		return err
	}
	m, err := checkClaim(public, v.row.Manifest, v.row.Signature, b)
	if err != nil {
		return err
	}
	return m.covers(v.blob, f, v.row.State.String())
}

// The files are what their programs make: each failure can be read in a few lines, and none was made by hand.
func TestVectorsAreGenerated(t *testing.T) {
	files, err := filepath.Glob("testdata/vectors/*")
	if err != nil || len(files) != len(vectors.All) {
		t.Errorf("%d files, %d programs: run go generate", len(files), len(vectors.All))
	}
	for _, a := range vectors.All {
		got, err := os.ReadFile("testdata/vectors/" + a.Name + ".vec")
		if err != nil || !bytes.Equal(got, vectors.File(a)) {
			t.Errorf("%s: run go generate (%v)", a.Name, err)
		}
		if _, err := os.Stat("internal/vectors/attack_" + strings.ReplaceAll(a.Name, "-", "_") + ".go"); err != nil {
			t.Error(err)
		}
	}
}
