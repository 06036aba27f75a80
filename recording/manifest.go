package recording

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// manifest is what is signed when a recording ends: what its blob is, to the last byte.
type manifest struct {
	ID       string
	State    string // "complete" or "incomplete"
	Closed   time.Time
	Segments int64
	Samples  int64
	Bytes    int64
	SHA256   []byte // of the whole blob up to Bytes
}

const manifestFormat = "ringfence-recording-manifest/1"

type manifestJSON struct {
	Format   string `json:"format"`
	ID       string `json:"id"`
	State    string `json:"state"`
	Closed   string `json:"closed"`
	Segments int64  `json:"segments"`
	Samples  int64  `json:"samples"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`
}

func (m manifest) encode() []byte {
	b, err := json.Marshal(manifestJSON{Format: manifestFormat, ID: m.ID, State: m.State, Closed: m.Closed.UTC().Format(time.RFC3339Nano),
		Segments: m.Segments, Samples: m.Samples, Bytes: m.Bytes, SHA256: hex.EncodeToString(m.SHA256)})
	if err != nil {
		panic("recording: internal error: " + err.Error()) // strings and numbers always marshal
	}
	return b
}

var errManifest = errors.New("malformed manifest")

// parseManifest accepts only what encode writes: what it returns encodes to b again.
func parseManifest(b []byte) (manifest, error) {
	var j manifestJSON
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil || j.Format != manifestFormat {
		return manifest{}, errManifest
	}
	closed, err := time.Parse(time.RFC3339Nano, j.Closed)
	if err != nil {
		return manifest{}, errManifest
	}
	sum, err := hex.DecodeString(j.SHA256)
	if err != nil {
		return manifest{}, errManifest
	}
	m := manifest{ID: j.ID, State: j.State, Closed: closed.UTC(), Segments: j.Segments, Samples: j.Samples, Bytes: j.Bytes, SHA256: sum}
	if !bytes.Equal(m.encode(), b) {
		return manifest{}, errManifest
	}
	return m, nil
}

// manifestMessage is what the signature covers.
func manifestMessage(m []byte) []byte {
	return append([]byte("ringfence recording manifest v1\n"), m...)
}

// check verifies the signature of a row's manifest and that the row says what was signed.
func (v *Vault) checkManifest(ctx context.Context, e Entry) (manifest, error) {
	public, err := v.cfg.Signer.PublicKey(ctx)
	if err != nil {
		return manifest{}, fmt.Errorf("recording: %w", err)
	}
	bad := func(reason string) error {
		return &CorruptError{ID: e.ID, Segment: -1, Reason: reason, Err: ErrTampered}
	}
	if len(public) != ed25519.PublicKeySize || !ed25519.Verify(public, manifestMessage(e.Manifest), e.Signature) {
		return manifest{}, bad("the manifest's signature does not verify")
	}
	m, err := parseManifest(e.Manifest)
	if err != nil {
		return manifest{}, bad(err.Error())
	}
	if m.ID != e.ID || m.State != e.State.String() || m.Segments != e.Segments || m.Samples != e.Samples {
		return manifest{}, bad("the catalog does not say what was signed")
	}
	return m, nil
}
