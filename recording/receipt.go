package recording

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Receipt is the detached signature of an export: which file left, of which recording, to whom, why, and without which parts. It lies beside the file, which
// stays an ordinary one that any player opens.
type Receipt struct {
	ID        string    // of the recording
	Place     Place     // whose recording it is and from where
	Purpose   string    // of the recording
	Complete  bool      // the recording ended well
	Actor     string    // who exported it, as Named says
	Reason    string    // as Access.Because had it
	Exported  time.Time // UTC
	Layout    Layout    // of the file
	Bytes     int64     // length of the file
	SHA256    [sha256.Size]byte
	Withheld  []Span   // silence in the file, because it is flagged and nobody approved. Those of other parties than Layout has are not listed
	Approvals []string // by which the rest of what is restricted left

	raw []byte
}

// Text returns the receipt as it was signed, to be kept beside the file. Nil for a Receipt that ExportSigned did not make and VerifyExport did not read.
func (r Receipt) Text() []byte { return bytes.Clone(r.raw) }

const (
	receiptHeader = "ringfence-recording-export/1\n" // no other text that the same key signs begins so
	maxReceipt    = 1 << 20
)

type receiptJSON struct {
	ID          string     `json:"id"`
	Owner       string     `json:"owner"`
	Purpose     string     `json:"purpose"`
	Region      string     `json:"region"`
	Environment string     `json:"environment"`
	Complete    bool       `json:"complete"`
	Actor       string     `json:"actor"`
	Reason      string     `json:"reason"`
	Exported    time.Time  `json:"exported"`
	Format      string     `json:"format"`
	Stream      Stream     `json:"stream"` // 0 for all, from 1 for one party
	Bytes       int64      `json:"bytes"`
	SHA256      string     `json:"sha256"`
	Withheld    []spanJSON `json:"withheld"`
	Approvals   []string   `json:"approvals"`
}

type spanJSON struct {
	Stream   Stream        `json:"stream"`
	From     time.Duration `json:"from"` // nanoseconds
	To       time.Duration `json:"to"`   // nanoseconds; 0 is the end
	Category string        `json:"category"`
}

// body returns what is signed: header and JSON, each with its newline.
func (r Receipt) body() ([]byte, error) {
	j := receiptJSON{ID: r.ID, Owner: r.Place.Owner, Purpose: r.Purpose, Region: r.Place.Region, Environment: r.Place.Environment, Complete: r.Complete, Actor: strings.ToValidUTF8(r.Actor, "?"),
		Reason: r.Reason, Exported: r.Exported.UTC(), Format: r.Layout.Format.String(), Stream: r.Layout.Stream, Bytes: r.Bytes, SHA256: hex.EncodeToString(r.SHA256[:]),
		Withheld: []spanJSON{}, Approvals: []string{}}
	for _, name := range r.Approvals {
		j.Approvals = append(j.Approvals, strings.ToValidUTF8(name, "?"))
	}
	for _, s := range r.Withheld {
		s.Category = strings.ToValidUTF8(s.Category, "?")
		j.Withheld = append(j.Withheld, spanJSON(s))
	}
	b, err := json.Marshal(j)
	if err != nil {
		return nil, wrap(err)
	}
	return append(append([]byte(receiptHeader), b...), '\n'), nil
}

func parseReceipt(text []byte) (Receipt, error) {
	var j receiptJSON
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return Receipt{}, errors.New("malformed")
	}
	r := Receipt{ID: j.ID, Place: Place{Owner: j.Owner, Region: j.Region, Environment: j.Environment}, Purpose: j.Purpose, Complete: j.Complete, Actor: j.Actor, Reason: j.Reason,
		Exported: j.Exported, Layout: Layout{Format: Format(slices.Index(formatNames[:], j.Format)), Stream: j.Stream}, Bytes: j.Bytes}
	if n, err := hex.Decode(r.SHA256[:], []byte(j.SHA256[:min(len(j.SHA256), 2*sha256.Size)])); err != nil || n != sha256.Size || r.Layout.Format < 0 {
		return Receipt{}, errors.New("malformed")
	}
	for _, s := range j.Withheld {
		r.Withheld = append(r.Withheld, Span(s))
	}
	if len(j.Approvals) > 0 {
		r.Approvals = j.Approvals
	}
	return r, nil
}

func assembleReceipt(body, signature []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(bytes.Clone(body), signature), '\n')
}

// ExportSigned is ExportAs with a receipt, signed before the first byte leaves: what cannot be signed does not leave. The file is made twice for that, once
// for its hash. ErrUnsigned for a Vault without a Signer. Right: recording.export, with a reason.
func (a *Access) ExportSigned(ctx context.Context, id string, w io.Writer, l Layout) (r Receipt, err error) {
	p, f, err := a.export(ctx, id, l)
	if err != nil {
		return Receipt{}, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	v := a.v
	if v.cfg.Signer == nil {
		return Receipt{}, fmt.Errorf("%w: no Signer", ErrUnsigned)
	}
	r = Receipt{ID: id, Place: v.cfg.Place, Purpose: v.cfg.Purpose, Complete: p.complete, Actor: a.name, Reason: a.reason, Exported: v.cfg.Now().UTC(), Layout: l,
		Withheld: p.cut.of(l.Stream), Approvals: p.cut.approvals}
	sum := sha256.New()
	if r.Bytes, err = f.writeTo(sum); err != nil {
		return Receipt{}, err
	}
	sum.Sum(r.SHA256[:0])
	if r.raw, err = v.signReceipt(ctx, r); err != nil {
		return Receipt{}, err
	}
	if err := a.audit.Audit(ctx, ActionExport, id, slog.Int64("bytes", r.Bytes), slog.String("sha256", hex.EncodeToString(r.SHA256[:])), slog.Bool("allowed", true)); err != nil {
		return Receipt{}, fmt.Errorf("recording: audit: %w", err)
	}
	sum.Reset()
	if _, err := f.writeTo(io.MultiWriter(w, sum)); err != nil {
		return Receipt{}, err
	}
	if !bytes.Equal(sum.Sum(nil), r.SHA256[:]) {
		return Receipt{}, fmt.Errorf("%w: %s: another file than was signed", ErrTampered, id)
	}
	return r, nil
}

func (v *Vault) signReceipt(ctx context.Context, r Receipt) ([]byte, error) {
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	if len(body) > maxReceipt-200 {
		return nil, fmt.Errorf("%w: a receipt of %d bytes", ErrInvalid, len(body))
	}
	signature, err := v.cfg.Signer.Sign(ctx, body)
	if err != nil {
		return nil, fmt.Errorf("recording: sign: %w", err)
	}
	return assembleReceipt(body, signature), nil
}

// of returns what is withheld of a stream.
func (c cut) of(stream Stream) []Span {
	var out []Span
	for _, s := range c.spans {
		if stream == Stereo || s.concerns(int(stream)-1) {
			out = append(out, s)
		}
	}
	return out
}

// VerifyExport checks an exported file against its receipt and the public key of whoever made the recording, got from somewhere else, offline, and returns
// what was signed. ErrTampered, and the zero Receipt, if one byte of the file or of the receipt is not what was signed. It reads file to the end, and no
// further than a byte past the length that was signed.
func VerifyExport(public ed25519.PublicKey, receipt []byte, file io.Reader) (Receipt, error) {
	bad := func(why string) (Receipt, error) { return Receipt{}, fmt.Errorf("%w: export: %s", ErrTampered, why) }
	if len(receipt) > maxReceipt {
		return bad("no receipt")
	}
	lines := bytes.SplitAfter(receipt, []byte("\n"))
	if len(lines) != 4 || string(lines[0]) != receiptHeader || len(lines[3]) != 0 {
		return bad("no receipt")
	}
	body := receipt[:len(lines[0])+len(lines[1])]
	signature, err := base64.StdEncoding.Strict().DecodeString(string(lines[2][:len(lines[2])-1]))
	if err != nil || !bytes.Equal(assembleReceipt(body, signature), receipt) { // one spelling per receipt
		return bad("malformed signature")
	}
	if len(public) != ed25519.PublicKeySize || !ed25519.Verify(public, body, signature) { // before the JSON is looked at: a stranger's text is not parsed
		return bad("the signature does not verify")
	}
	r, err := parseReceipt(lines[1])
	if err != nil {
		return bad(err.Error())
	}
	if again, err := r.body(); err != nil || !bytes.Equal(again, body) {
		return bad("not in the form that a receipt has")
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(file, r.Bytes+1))
	if err != nil {
		return Receipt{}, wrap(err)
	}
	if n != r.Bytes || !bytes.Equal(sum.Sum(nil), r.SHA256[:]) {
		return bad("another file than was signed")
	}
	r.raw = bytes.Clone(receipt)
	return r, nil
}
