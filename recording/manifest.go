package recording

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"
)

// manifest is what is signed when a recording ends: what its blob is, to the last byte.
type manifest struct {
	Version  byte
	ID       string
	Place    Place  // version 2
	Purpose  string // version 2
	State    string // "complete" or "incomplete"
	Closed   time.Time
	Segments int64
	Samples  int64
	Bytes    int64
	SHA256   []byte // version 1: of the whole blob up to Bytes
	Header   []byte // version 2: of the blob
	Root     []byte // version 2: of the tree over its segments
}

const (
	manifestFormat1 = "ringfence-recording-manifest/1"
	manifestFormat2 = "ringfence-recording-manifest/2"
)

type manifestJSON1 struct {
	Format   string `json:"format"`
	ID       string `json:"id"`
	State    string `json:"state"`
	Closed   string `json:"closed"`
	Segments int64  `json:"segments"`
	Samples  int64  `json:"samples"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`
}

type manifestJSON2 struct {
	Format      string `json:"format"`
	ID          string `json:"id"`
	Owner       string `json:"owner"`
	Purpose     string `json:"purpose"`
	Region      string `json:"region"`
	Environment string `json:"environment"`
	State       string `json:"state"`
	Closed      string `json:"closed"`
	Segments    int64  `json:"segments"`
	Samples     int64  `json:"samples"`
	Bytes       int64  `json:"bytes"`
	Header      string `json:"header"`
	Root        string `json:"root"`
}

func (m manifest) encode() []byte {
	closed := m.Closed.UTC().Format(time.RFC3339Nano)
	var v any = manifestJSON2{Format: manifestFormat2, ID: m.ID, Owner: m.Place.Owner, Purpose: m.Purpose, Region: m.Place.Region, Environment: m.Place.Environment,
		State: m.State, Closed: closed, Segments: m.Segments, Samples: m.Samples, Bytes: m.Bytes, Header: hex.EncodeToString(m.Header), Root: hex.EncodeToString(m.Root)}
	if m.Version == version1 {
		v = manifestJSON1{Format: manifestFormat1, ID: m.ID, State: m.State, Closed: closed, Segments: m.Segments, Samples: m.Samples, Bytes: m.Bytes,
			SHA256: hex.EncodeToString(m.SHA256)}
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic("recording: internal error: " + err.Error()) // strings and numbers always marshal
	}
	return b
}

var errManifest = errors.New("malformed manifest")

// parseManifest accepts only what encode writes: what it returns encodes to b again.
func parseManifest(b []byte) (manifest, error) {
	var m manifest
	var closed, sum, header, root string
	if bytes.HasPrefix(b, []byte(`{"format":"`+manifestFormat1+`"`)) {
		var j manifestJSON1
		if err := json.Unmarshal(b, &j); err != nil {
			return manifest{}, errManifest
		}
		m = manifest{Version: version1, ID: j.ID, State: j.State, Segments: j.Segments, Samples: j.Samples, Bytes: j.Bytes}
		closed, sum = j.Closed, j.SHA256
	} else {
		var j manifestJSON2
		if err := json.Unmarshal(b, &j); err != nil {
			return manifest{}, errManifest
		}
		m = manifest{Version: version2, ID: j.ID, Place: Place{Owner: j.Owner, Region: j.Region, Environment: j.Environment}, Purpose: j.Purpose, State: j.State,
			Segments: j.Segments, Samples: j.Samples, Bytes: j.Bytes}
		closed, header, root = j.Closed, j.Header, j.Root
	}
	var err error
	if m.Closed, err = time.Parse(time.RFC3339Nano, closed); err != nil {
		return manifest{}, errManifest
	}
	m.Closed = m.Closed.UTC()
	for _, f := range []struct {
		to  *[]byte
		hex string
	}{{&m.SHA256, sum}, {&m.Header, header}, {&m.Root, root}} {
		if *f.to, err = hex.DecodeString(f.hex); err != nil {
			return manifest{}, errManifest
		}
	}
	// Without a header there is nothing: the crash came before the blob.
	sized := m.Version == version1 || (len(m.Root) == hashBytes && (len(m.Header) == headerBytes || (len(m.Header) == 0 && m.Bytes == 0 && m.Segments == 0)))
	if !sized || !bytes.Equal(m.encode(), b) {
		return manifest{}, errManifest
	}
	return m, nil
}

// manifestMessage is what the signature covers.
func manifestMessage(m []byte) []byte {
	label := "ringfence recording manifest v2\n"
	if bytes.HasPrefix(m, []byte(`{"format":"`+manifestFormat1+`"`)) {
		label = "ringfence recording manifest v1\n"
	}
	return append([]byte(label), m...)
}

// verifyManifest checks a signature and returns what was signed. The reason is empty if all is well.
func verifyManifest(public ed25519.PublicKey, text, signature []byte) (m manifest, reason string) {
	if len(public) != ed25519.PublicKeySize || !ed25519.Verify(public, manifestMessage(text), signature) {
		return m, "the manifest's signature does not verify"
	}
	m, err := parseManifest(text)
	if err != nil {
		return m, err.Error()
	}
	return m, ""
}

// matches returns why the manifest is not one of this row and binding; empty if it is.
func (m manifest) matches(e Entry, b binding) string {
	switch {
	case m.Version != b.version || m.ID != e.ID || m.State != e.State.String() || m.Segments != e.Segments || m.Samples != e.Samples:
		return "the catalog does not say what was signed"
	case m.Version != version1 && (m.Place != b.place || m.Purpose != b.purpose):
		return "signed for another place or purpose"
	}
	return ""
}

// covers reports whether a scan found exactly what was signed.
func (m manifest) covers(header []byte, f found) bool {
	if m.Bytes != f.bytes {
		return false
	}
	if m.Version == version1 {
		return f.sha256 == nil || bytes.Equal(m.SHA256, f.sha256) // nil without a blob
	}
	return bytes.Equal(m.Header, header) && bytes.Equal(m.Root, f.root[:])
}

// checkManifest verifies the signature of a row's manifest and that the row says what was signed.
func (v *Vault) checkManifest(ctx context.Context, e Entry, b binding) (manifest, error) {
	public, err := v.cfg.Signer.PublicKey(ctx)
	if err != nil {
		return manifest{}, wrap(err)
	}
	m, reason := verifyManifest(public, e.Manifest, e.Signature)
	if reason == "" {
		reason = m.matches(e, b)
	}
	if reason != "" {
		return manifest{}, &CorruptError{ID: e.ID, Segment: -1, Reason: reason, Err: ErrTampered}
	}
	return m, nil
}
