package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// A sealed row is
//
//	"RFBK" || u8(1) || key ID (16) || digest (32) || HPKE ciphertext of the row
//
// with the owner's and the recording's name in HPKE's info, so that a row opens for no other. The digest is SHA-256 of the row, which holds a wrapped key and
// so cannot be guessed; by it Run sees what has changed, without being able to open anything.
const (
	rowMagic  = "RFBK"
	rowFormat = 1
	rowFront  = 4 + 1 + recording.KeyIDSize + sha256.Size
	maxRow    = 256 << 10
)

var errRow = errors.New("not a row of a backup")

// row is what is sealed.
type row struct {
	ID         string          `json:"id"`
	Class      string          `json:"class"`
	State      recording.State `json:"state"`
	Created    time.Time       `json:"created"`
	Closed     time.Time       `json:"closed,omitzero"`
	Destroyed  time.Time       `json:"destroyed,omitzero"`
	KeyID      string          `json:"key_id"`
	WrappedKey []byte          `json:"wrapped_key,omitempty"`
	Meta       []byte          `json:"meta,omitempty"`
	Segments   int64           `json:"segments,omitempty"`
	Samples    int64           `json:"samples,omitempty"`
	Manifest   []byte          `json:"manifest,omitempty"`
	Signature  []byte          `json:"signature,omitempty"`
	BlobSize   int64           `json:"blob_size"` // of a recording that is not destroyed
	BlobSHA256 []byte          `json:"blob_sha256,omitempty"`
}

func rowOf(e recording.Entry) row {
	return row{ID: e.ID, Class: e.Class, State: e.State, Created: e.Created, Closed: e.Closed, Destroyed: e.Destroyed, KeyID: e.KeyID, WrappedKey: e.WrappedKey, Meta: e.Meta,
		Segments: e.Segments, Samples: e.Samples, Manifest: e.Manifest, Signature: e.Signature}
}

func (r row) entry() recording.Entry {
	return recording.Entry{ID: r.ID, Class: r.Class, State: r.State, Created: r.Created, Closed: r.Closed, Destroyed: r.Destroyed, KeyID: r.KeyID, WrappedKey: r.WrappedKey, Meta: r.Meta,
		Segments: r.Segments, Samples: r.Samples, Manifest: r.Manifest, Signature: r.Signature}
}

// digest identifies the row in the catalog, whatever is known of the blob.
func (r row) digest() [sha256.Size]byte {
	r.BlobSize, r.BlobSHA256 = 0, nil
	b, _ := json.Marshal(r) // of strings, numbers and bytes: cannot fail
	return sha256.Sum256(b)
}

func info(owner, id string) []byte {
	return fmt.Appendf(nil, "ringfence recording backup row v1\x00%s\x00%s", owner, id) // neither may hold a zero byte
}

// seal encodes a row for a recipient.
func (r row) seal(to recording.Recipient, owner string) ([]byte, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("recording/backup: %w", err)
	}
	defer clear(plain)
	sealed, err := to.SealSecret(info(owner, r.ID), plain)
	if err != nil {
		return nil, err
	}
	keyID, digest := to.KeyID(), r.digest()
	out := append([]byte(rowMagic), rowFormat)
	out = append(append(out, keyID[:]...), digest[:]...)
	return append(out, sealed...), nil
}

// front returns for whom a row is sealed and which row of the catalog it is.
func front(sealed []byte) (keyID [recording.KeyIDSize]byte, digest [sha256.Size]byte, err error) {
	if len(sealed) < rowFront || string(sealed[:4]) != rowMagic || sealed[4] != rowFormat {
		return keyID, digest, errRow
	}
	copy(keyID[:], sealed[5:])
	copy(digest[:], sealed[5+recording.KeyIDSize:])
	return keyID, digest, nil
}

// openRow opens a row that was sealed for the identity under these names: recording.ErrKey if it was not, and nothing of it.
func openRow(sealed []byte, id *recording.Identity, owner, name string) (row, error) {
	_, digest, err := front(sealed)
	if err != nil {
		return row{}, err
	}
	plain, err := id.OpenSecret(info(owner, name), sealed[rowFront:])
	if err != nil {
		return row{}, err
	}
	defer clear(plain)
	var r row
	d := json.NewDecoder(bytes.NewReader(plain))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || r.ID != name || r.digest() != digest {
		return row{}, errRow
	}
	return r, nil
}
