package recording

import (
	"bytes"
	"testing"
)

// However two parties speak, the segment holds the records of the one and then of the other, and nothing of them stays on the sheet.
func TestSheetIsSealedAndWiped(t *testing.T) {
	const frame = 160
	tests := map[string]struct {
		a, b    []int64 // where frames begin
		code    byte
		inPlace bool
	}{
		"both all the time":         {a: every(0, 50), b: every(0, 50), inPlace: true},
		"the second for a moment":   {a: every(0, 50), b: every(30, 31), inPlace: true},
		"the first only":            {a: every(0, 7), inPlace: true},
		"the second only":           {b: every(5, 50), inPlace: true},
		"the first not all of it":   {a: every(0, 49), b: every(0, 50)},
		"a gap":                     {a: append(every(0, 10), every(20, 50)...), b: every(0, 50)},
		"frames":                    {a: every(0, 48), b: every(0, 50), code: codeG722},
		"frames of the second only": {b: every(0, 50), code: codeG722, inPlace: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			v := &Vault{scratch: make([]byte, 0, 1)}
			s := new(sheet)
			audio := bytes.Repeat([]byte("audio!!?"), frame/8)
			for party, starts := range [][]int64{tc.a, tc.b} {
				l := &lane{party: byte(party), run: -1}
				l.lay(s)
				for _, pos := range starts {
					if o := l.store(pos, frame, tc.code, audio); o != stored && o != completes {
						t.Fatalf("frame of party %d at %d: %d", party, pos, o)
					}
				}
				l.take()
			}
			if got := s.frames(); got != uint64(len(tc.a)+len(tc.b)) {
				t.Errorf("%d frames", got)
			}
			want := append(bytes.Clone(s.records(0)), s.records(1)...)
			k, bound := exampleKey(), exampleBinding(version2)
			b, _, err := newBox(k, exampleHeader(t, k, bound), bound)
			if err != nil {
				t.Fatal(err)
			}
			tr := &Track{out: output{box: b, index: newIndexer()}}
			j := &job{track: tr, sheets: [sheets]*sheet{s}}
			segment, e := v.lay(j, place{version: version2})
			if !bytes.Equal(segment[headBytes:], want) {
				t.Error("not the records in their order")
			}
			if e.marks || e.to == 0 {
				t.Errorf("%+v", e)
			}
			if got := len(s.records(0))+len(s.records(1)) == 0; got != tc.inPlace {
				t.Errorf("sealed in place: %v", got)
			}
			b.seal(segment, 0, false)
			v.recycle(j)
			if bytes.Contains(s.data[:], audio[:8]) || j.sheets[0] != nil {
				t.Error("audio is left on the sheet")
			}
		})
	}
}

// every returns where the frames from one to another begin.
func every(from, to int64) (out []int64) {
	for n := from; n < to; n++ {
		out = append(out, n*160)
	}
	return out
}

// Of many calls that begin together no more than a tenth end their first segment in the same tick, and of few no more than take a millisecond.
func TestSecondsOfCallsThatBeginTogetherEndApart(t *testing.T) {
	for _, calls := range []int{1, 100, 101, 1000, 10_000} {
		ends := map[int32]int{}
		for n := range calls {
			span := firstSpan(uint32(n))
			if span <= 0 || int64(span) > segmentTicks {
				t.Fatalf("call %d: %d ticks", n, span)
			}
			ends[span]++
		}
		for span, n := range ends {
			if n > max(neighbours, calls/phases) {
				t.Errorf("%d of %d calls end their first segment after %d ticks", n, calls, span)
			}
		}
	}
	if firstSpan(0) != int32(segmentTicks) {
		t.Error("a single call begins with less than a whole segment")
	}
}
