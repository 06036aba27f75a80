package retention

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"time"
)

// Receipt is the signed proof of one Run or Release: what was erased, what a hold kept, what could not be erased.
type Receipt struct {
	Seq      uint64     `json:"seq"`      // from 1, without gaps
	Prev     string     `json:"prev"`     // SHA-256 of the receipt before, in hexadecimal; zeros for the first
	Run      string     `json:"run"`      // random name of the run
	AsOf     time.Time  `json:"asOf"`     // the moment that items were judged by
	Started  time.Time  `json:"started"`  // by the clock of the machine
	Finished time.Time  `json:"finished"` // by the clock of the machine
	Scope    []Scope    `json:"scope"`    // what was swept
	Counts   Counts     `json:"counts"`   // of the lists below
	Erased   []Deletion `json:"erased"`
	Held     []Held     `json:"held"`
	Failed   []Ref      `json:"failed"` // tried again by the next run
	More     bool       `json:"more"`   // the run stopped at its limit; the next one goes on

	raw []byte
}

// Scope is a class that was swept and how long its items are kept.
type Scope struct {
	Class string `json:"class"`
	Keep  string `json:"keep"` // ISO 8601, such as P13M
}

// Counts are the lengths of a receipt's lists.
type Counts struct {
	Erased int `json:"erased"`
	Held   int `json:"held"`
	Failed int `json:"failed"`
}

// Deletion is one erasure.
type Deletion struct {
	Class   string    `json:"class"`
	ID      string    `json:"id"`
	Reason  string    `json:"reason"`  // such as "kept P13M from creation"
	Created time.Time `json:"created"` // of the item
	Due     time.Time `json:"due"`     // when it fell due
	Began   time.Time `json:"began"`   // by the clock of the machine
	Erased  time.Time `json:"erased"`  // by the clock of the machine
	KeyIDs  []string  `json:"keyIDs"`  // keys destroyed
}

// Ref returns the name of the item erased.
func (d Deletion) Ref() Ref { return Ref{Class: d.Class, ID: d.ID} }

// Held is one item that was due and is kept by holds.
type Held struct {
	Class string   `json:"class"`
	ID    string   `json:"id"`
	Holds []string `json:"holds"` // IDs of the holds that name it
}

// Bytes returns the receipt as it was signed, for whoever wants to check it. Nil for a Receipt that no Sweeper made and VerifyReceipt did not read.
func (r Receipt) Bytes() []byte { return bytes.Clone(r.raw) }

// Hash returns the SHA-256 of the receipt's bytes in hexadecimal: the Prev of the next one.
func (r Receipt) Hash() string { return hashOf(r.raw) }

func hashOf(raw []byte) string {
	if raw == nil {
		return hex.EncodeToString(make([]byte, sha256.Size))
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

const receiptHeader = "ringfence-receipt/1\n"

var b64 = base64.StdEncoding.Strict()

// body returns what is signed: header and JSON, each with its newline.
func (r Receipt) body() ([]byte, error) {
	j, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("retention: receipt: %w", err)
	}
	return append(append([]byte(receiptHeader), j...), '\n'), nil
}

func assemble(body, sig []byte) []byte {
	return append(b64.AppendEncode(bytes.Clone(body), sig), '\n')
}

// VerifyReceipt checks a receipt against the public key of who issued it, offline, and returns what it says. ErrReceipt, and the zero Receipt, for
// anything that is not exactly what was signed.
func VerifyReceipt(public ed25519.PublicKey, receipt []byte) (Receipt, error) {
	bad := func(why string) (Receipt, error) { return Receipt{}, fmt.Errorf("%w: %s", ErrReceipt, why) }
	if len(public) != ed25519.PublicKeySize {
		return bad("no public key")
	}
	if len(receipt) > MaxReceipt {
		return bad("too long")
	}
	lines := bytes.SplitAfter(receipt, []byte("\n"))
	if len(lines) != 4 || string(lines[0]) != receiptHeader || len(lines[3]) != 0 {
		return bad("not a receipt")
	}
	body := receipt[:len(lines[0])+len(lines[1])]
	sig, err := b64.DecodeString(string(lines[2][:len(lines[2])-1]))
	if err != nil || !bytes.Equal(assemble(body, sig), receipt) { // one spelling per receipt
		return bad("malformed signature")
	}
	if !ed25519.Verify(public, body, sig) { // before the JSON is looked at: a stranger's text is not parsed
		return bad("wrong signature")
	}
	var r Receipt
	d := json.NewDecoder(bytes.NewReader(lines[1]))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return bad("malformed")
	}
	if again, err := r.body(); err != nil || !bytes.Equal(again, body) {
		return bad("not in the form a receipt has")
	}
	if r.Counts != (Counts{Erased: len(r.Erased), Held: len(r.Held), Failed: len(r.Failed)}) || r.Seq == 0 {
		return bad("counts do not match")
	}
	r.raw = bytes.Clone(receipt)
	return r, nil
}

// VerifyChain checks receipts in order from the first: each signed, numbered without a gap, and naming the one before. It returns the last. An error of
// the sequence is returned as it is; ErrReceipt for a receipt that is not the next one, with what was sound before it.
func VerifyChain(public ed25519.PublicKey, receipts iter.Seq2[[]byte, error]) (Receipt, error) {
	var last Receipt
	for raw, err := range receipts {
		if err != nil {
			return last, err
		}
		r, err := VerifyReceipt(public, raw)
		if err != nil {
			return last, fmt.Errorf("after receipt %d: %w", last.Seq, err)
		}
		if r.Seq != last.Seq+1 || r.Prev != last.Hash() {
			return last, fmt.Errorf("after receipt %d: %w: not the next one", last.Seq, ErrReceipt)
		}
		last = r
	}
	return last, nil
}
