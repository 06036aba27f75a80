package main

import (
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/srtp/media"
)

// suspicious writes what the signalling says about strangers to the log. What it says is bounded there.
func (n *node) suspicious(e sip.SecurityEvent) {
	n.log.Warn("security", "kind", string(e.Kind), "source", e.Source, "detail", e.Detail, "count", e.Count)
}

// inspect reports what was wrong with the packets of a leg, when its call is over.
func (n *node) inspect(call string, leg *media.Leg) {
	st := leg.Stats()
	for _, x := range []struct {
		kind  string
		count uint64
	}{{"srtp-replay", st.Replays}, {"srtp-forged", st.AuthFailures}, {"srtp-stranger", st.Strangers}} {
		if x.count > 0 {
			n.log.Warn("security", "kind", x.kind, "call", call, "count", x.count)
		}
	}
}
