package stir

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strconv"
)

// ErrTNAuthList is returned for a list that is not as RFC 8226 section 9 has it.
var ErrTNAuthList = errors.New("stir: TNAuthList")

// TNAuthList is for which numbers a certificate may speak (RFC 8226 section 9).
type TNAuthList struct {
	SPC    []string // service provider codes
	Ranges []Range  // a single number is a Range with Count 1
}

// Range is consecutive numbers.
type Range struct {
	Start string // canonical, 1-15 digits; # and * only if Count is 1
	Count uint64 // at least 1
}

const maxEntries = 10000

func oidTNAuthList() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 26} }

// constraint reports whether an extension limits the claims that may be signed (RFC 8226 section 8, RFC 9118 section 4).
func constraint(id asn1.ObjectIdentifier) bool {
	return id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 27}) || id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 33})
}

// ParseTNAuthList reads the DER of a list, the value of the extension.
//
//	TNAuthorizationList ::= SEQUENCE SIZE (1..MAX) OF TNEntry
//	TNEntry ::= CHOICE { spc [0] IA5String, range [1] SEQUENCE { start TelephoneNumber, count INTEGER (2..MAX) }, one [2] TelephoneNumber }
//
// Tags are explicit.
func ParseTNAuthList(der []byte) (TNAuthList, error) {
	bad := func(what string) (TNAuthList, error) { return TNAuthList{}, fmt.Errorf("%w: %s", ErrTNAuthList, what) }
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(der, &outer)
	if err != nil || len(rest) > 0 || outer.Class != asn1.ClassUniversal || outer.Tag != asn1.TagSequence || !outer.IsCompound {
		return bad("sequence")
	}
	var list TNAuthList
	rest = outer.Bytes
	for n := 0; len(rest) > 0; n++ {
		var e asn1.RawValue
		if rest, err = asn1.Unmarshal(rest, &e); err != nil || e.Class != asn1.ClassContextSpecific || !e.IsCompound || n == maxEntries {
			return bad("entry")
		}
		var text string
		switch e.Tag {
		case 0:
			if text, err = only(e.Bytes); err != nil || !isCode(text) {
				return bad("service provider code")
			}
			list.SPC = append(list.SPC, text)
		case 1:
			var r struct {
				Start asn1.RawValue
				Count *big.Int
			}
			tail, err := asn1.Unmarshal(e.Bytes, &r)
			if err != nil || len(tail) > 0 || !r.Count.IsUint64() || r.Count.Uint64() < 2 {
				return bad("range")
			}
			if text, err = only(r.Start.FullBytes); err != nil || !allDigits(text) {
				return bad("range")
			}
			list.Ranges = append(list.Ranges, Range{text, r.Count.Uint64()})
		case 2:
			if text, err = only(e.Bytes); err != nil || !isTN(text) {
				return bad("number")
			}
			list.Ranges = append(list.Ranges, Range{text, 1})
		default:
			return bad("choice")
		}
	}
	if len(list.SPC)+len(list.Ranges) == 0 {
		return bad("empty")
	}
	return list, nil
}

// only reads one IA5String and nothing after it. The library would take any kind of string for it.
func only(der []byte) (string, error) {
	var raw asn1.RawValue
	rest, err := asn1.Unmarshal(der, &raw)
	if err != nil || len(rest) > 0 || raw.Class != asn1.ClassUniversal || raw.Tag != asn1.TagIA5String || raw.IsCompound {
		return "", ErrTNAuthList
	}
	return string(raw.Bytes), nil
}

// Extension returns the list as the extension of a certificate, for whoever issues some.
func (l TNAuthList) Extension() (pkix.Extension, error) {
	var entries []asn1.RawValue
	add := func(tag int, v any, params string) error {
		b, err := asn1.MarshalWithParams(v, params)
		entries = append(entries, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: b})
		return err
	}
	var errs error
	for _, code := range l.SPC {
		errs = errors.Join(errs, add(0, code, "ia5"))
	}
	for _, r := range l.Ranges {
		if r.Count == 1 {
			errs = errors.Join(errs, add(2, r.Start, "ia5"))
			continue
		}
		errs = errors.Join(errs, add(1, struct {
			Start string `asn1:"ia5"`
			Count *big.Int
		}{r.Start, new(big.Int).SetUint64(r.Count)}, ""))
	}
	if errs != nil {
		return pkix.Extension{}, fmt.Errorf("%w: %v", ErrTNAuthList, errs)
	}
	der, err := asn1.Marshal(entries)
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("%w: %v", ErrTNAuthList, err)
	}
	if _, err := ParseTNAuthList(der); err != nil { // what we would not read we do not write
		return pkix.Extension{}, err
	}
	return pkix.Extension{Id: oidTNAuthList(), Value: der}, nil
}

// Covers reports whether a canonical number is in one of the ranges. Service provider codes say nothing here.
func (l TNAuthList) Covers(number string) bool {
	for _, r := range l.Ranges {
		if r.within(number, 1) {
			return true
		}
	}
	return false
}

// within reports whether count numbers from start on are in r. A range does not change the length of its numbers.
func (r Range) within(start string, count uint64) bool {
	if r.Count == 1 || !allDigits(start) || !allDigits(r.Start) {
		return count == 1 && r.Start == start
	}
	a, _ := strconv.ParseUint(r.Start, 10, 64) // at most 15 digits
	b, _ := strconv.ParseUint(start, 10, 64)
	return len(start) == len(r.Start) && b >= a && b-a < r.Count && count <= r.Count-(b-a)
}

// encloses reports whether an authority with list l may have issued a certificate with list child. Which numbers a service provider code stands for cannot be
// known here, so an authority with one is believed.
func (l TNAuthList) encloses(child TNAuthList) bool {
	for _, code := range child.SPC {
		found := false
		for _, c := range l.SPC {
			found = found || c == code
		}
		if !found {
			return false
		}
	}
	for _, r := range child.Ranges {
		found := len(l.SPC) > 0
		for _, p := range l.Ranges {
			found = found || p.within(r.Start, r.Count)
		}
		if !found {
			return false
		}
	}
	return true
}

// listOf returns the list of a certificate; ok is false if it has none.
func listOf(c *x509.Certificate) (list TNAuthList, ok bool, err error) {
	for _, e := range c.Extensions {
		if e.Id.Equal(oidTNAuthList()) {
			list, err = ParseTNAuthList(e.Value)
			return list, err == nil, err
		}
	}
	return TNAuthList{}, false, nil
}

func allDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != "" && len(s) <= maxDigits
}

// isCode is what a service provider code may be. It goes to logs.
func isCode(s string) bool {
	for _, c := range []byte(s) {
		if c <= 0x20 || c >= 0x7f {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
