package recording

import "sort"

// Container version 1 let audio of a party overlap and left it to the reader to put it in order, so that nothing can be found in it without reading what
// comes before. It is read, not written.

// run is a piece of one party's audio.
type run struct {
	at      int64 // first sample
	n       int   // samples
	segment int   // where it lies
	offset  int   // of its first byte in the segment's plaintext
	code    byte
}

// settle returns where a run of n samples that claims to start at `at` is played, after audio that ended at end: a small overlap is jitter and moves it, a
// large one is cut away. n is zero if nothing is left.
func settle(end, at int64, n int) (int64, int) {
	switch over := end - at; {
	case over <= 0:
		return at, n
	case over <= overlapSlack:
		return end, n
	case over >= int64(n):
		return end, 0
	default:
		return end, n - int(over)
	}
}

// placed moves a party's end over a run and returns it.
func (f *found) placed(party int, at int64, n int) int64 {
	if at, n = settle(f.ends[party], at, n); n > 0 {
		f.ends[party] = at + int64(n)
	}
	return f.ends[party]
}

// place appends a run to a party's audio so that runs never overlap.
func (f *found) place(party int, r run) {
	rs := f.runs[party]
	var end int64
	if len(rs) > 0 {
		end = rs[len(rs)-1].at + int64(rs[len(rs)-1].n)
	}
	at, n := settle(end, r.at, r.n)
	if n == 0 {
		return
	}
	r.offset += r.n - n
	r.at, r.n = at, n
	f.runs[party] = append(rs, r)
}

// readV1 fills dst, which lies within the recording, with one party's audio.
func (p *Playback) readV1(party int, dst []int16, at int64) error {
	runs := p.f.runs[party]
	end := at + int64(len(dst))
	// The first run that ends after at; runs do not overlap and are in order.
	for i := sort.Search(len(runs), func(i int) bool { return runs[i].at+int64(runs[i].n) > at }); i < len(runs) && runs[i].at < end; i++ {
		r := runs[i]
		c, err := p.segmentLocked(item{number: uint32(r.segment), segment: p.f.heads[r.segment]})
		if err != nil {
			return err
		}
		from, to := max(at, r.at), min(end, r.at+int64(r.n))
		decode(dst[from-at:to-at], c.plain[r.offset+int(from-r.at):r.offset+int(to-r.at)], r.code)
	}
	return nil
}
