package srtp

import "github.com/pion/transport/v4/replaydetector"

// replayGuard is the sliding window of RFC 3711 section 3.3.2 that also tells its receiver that it refused. The transform's error alone does
// not say so in a way a program can test.
type replayGuard struct {
	replaydetector.CheckAccepter
	owner *Receiver
}

// guard returns a factory of windows, one for each source.
func (r *Receiver) guard(window uint, maxIndex uint64) func() replaydetector.ReplayDetector {
	return func() replaydetector.ReplayDetector {
		w, ok := replaydetector.New(window, maxIndex).(replaydetector.CheckAccepter)
		if !ok {
			return refuseAll{} // cannot happen with the pinned library; failing closed beats a window that is off
		}
		return &replayGuard{CheckAccepter: w, owner: r}
	}
}

// CheckSeq implements replaydetector.CheckAccepter.
func (g *replayGuard) CheckSeq(seq uint64) replaydetector.Token {
	tok := g.CheckAccepter.CheckSeq(seq)
	if !tok.Passed() {
		g.owner.replayed = true
	}
	return tok
}

// Check implements replaydetector.ReplayDetector; the transform uses CheckSeq.
func (g *replayGuard) Check(seq uint64) (func() bool, bool) {
	tok := g.CheckSeq(seq)
	return func() bool { return g.Accept(tok) }, tok.Passed()
}

type refuseAll struct{}

func (refuseAll) Check(uint64) (func() bool, bool) { return func() bool { return false }, false }
