package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// Report is what Verify found in a sound log.
type Report struct {
	Head    Head     // the last entry
	Repairs []Repair // torn lines of crashed processes, each disclosed by an entry of the log
	Torn    int64    // bytes of a torn last line not yet repaired; 0 normally
}

// Repair is one torn line that the log discloses.
type Repair struct {
	Seq    uint64 // of the entry audit.repair
	Offset int64  // of the torn bytes
	Bytes  int64  // how many
}

// VerifyFile verifies the log at path; see Verify. It takes no lock and changes nothing.
func VerifyFile(path string, known Head) (Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	return Verify(f, known)
}

// Verify reads a whole log and checks every hash and link. known is a head kept elsewhere that the log must still contain; the zero Head asks for
// none, and then entries cut off the end go unnoticed. A bad log is a *VerifyError naming its first bad entry.
func Verify(r io.Reader, known Head) (Report, error) {
	var rep Report
	found := known == Head{}
	for item, err := range scan(r, &rep) {
		if err != nil {
			return rep, err
		}
		found = found || item.head == known
	}
	if !found {
		return rep, &VerifyError{Seq: known.Seq, Reason: "the log does not hold the entry it is known to have held", Err: ErrHead}
	}
	return rep, nil
}

// Entries yields the entries of a log in order, each after its hash and link were checked, and stops with a *VerifyError at the first bad one.
func Entries(r io.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var rep Report
		for item, err := range scan(r, &rep) {
			if !yield(item.entry, err) {
				return
			}
		}
	}
}

type scanned struct {
	entry Entry
	head  Head
}

// scan walks the chain. Lines that are no entry are held back as torn until an entry audit.repair accounts for exactly those bytes.
func scan(r io.Reader, rep *Report) iter.Seq2[scanned, error] {
	return func(yield func(scanned, error) bool) {
		var (
			in      = bufio.NewReaderSize(r, MaxEntry)
			offset  int64
			torn    []byte
			tornAt  int64
			tornErr error
		)
		bad := func(at int64, reason string) {
			yield(scanned{}, &VerifyError{Seq: rep.Head.Seq + 1, Offset: at, Reason: reason, Err: ErrBroken})
		}
		for {
			line, err := in.ReadSlice('\n')
			at := offset
			offset += int64(len(line))
			switch {
			case errors.Is(err, io.EOF):
				if tornErr != nil {
					bad(tornAt, tornErr.Error())
					return
				}
				rep.Torn = int64(len(line))
				return
			case errors.Is(err, bufio.ErrBufferFull):
				bad(at, "line too long")
				return
			case err != nil:
				yield(scanned{}, fmt.Errorf("audit: %w", err))
				return
			}
			e, h, err := decode(line[:len(line)-1])
			if err == nil && (e.Seq != rep.Head.Seq+1 || e.Prev != rep.Head.Hash.String()) {
				err = fmt.Errorf("%w: does not follow the entry before", ErrBroken)
			}
			if err != nil {
				if tornErr == nil {
					tornAt, tornErr = at, err
				}
				if torn = append(torn, line...); len(torn) > maxTorn+1 {
					bad(tornAt, tornErr.Error())
					return
				}
				continue
			}
			if tornErr != nil {
				if !accounts(e, tornAt, torn) {
					bad(tornAt, tornErr.Error())
					return
				}
				rep.Repairs = append(rep.Repairs, Repair{Seq: e.Seq, Offset: tornAt, Bytes: int64(len(torn))})
				torn, tornErr = nil, nil
			} else if e.Action == ActionRepair {
				bad(at, "a repair of nothing")
				return
			}
			rep.Head = Head{Seq: e.Seq, Hash: h}
			if !yield(scanned{entry: e, head: rep.Head}, nil) {
				return
			}
		}
	}
}

// accounts reports whether e is the repair entry of exactly these torn bytes.
func accounts(e Entry, at int64, torn []byte) bool {
	var a struct {
		Offset int64  `json:"offset"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
	}
	sum := sha256.Sum256(torn)
	return e.Action == ActionRepair && json.NewDecoder(bytes.NewReader(e.Attrs)).Decode(&a) == nil &&
		a.Offset == at && a.Bytes == int64(len(torn)) && a.SHA256 == hex.EncodeToString(sum[:])
}
