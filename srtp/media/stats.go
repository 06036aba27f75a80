package media

import "time"

// Stats counts one leg's packets and judges its media. Counters only grow. On a browser's leg Strangers, AuthFailures and Replays stay 0: such
// packets are dropped by the library below, uncounted.
type Stats struct {
	Sent         uint64        // RTP packets sent
	Received     uint64        // authentic RTP packets
	Lost         uint64        // RTP packets of the peer that never came
	Jitter       time.Duration // of arrival, RFC 3550 appendix A.8
	Strangers    uint64        // packets that posed as the peer's from another address, dropped
	AuthFailures uint64        // packets not made with the agreed key, plain RTP among them, dropped
	Replays      uint64        // packets seen before, dropped
	Early        uint64        // packets before keys were agreed, dropped; counted on a browser's leg only
	Unknown      uint64        // authentic packets of a payload type nobody agreed on
	LateRelayed  uint64        // packets of the other leg that came too late to be relayed in order
	SendErrors   uint64        // packets the system did not take
	DigitsLost   uint64        // digits nobody read in time
	LastReceived time.Time     // last authentic packet; zero: none yet
	LastSent     time.Time     // last RTP packet sent; zero: none yet
	RemoteLost   uint32        // packets of ours the peer reports lost
	RemoteJitter time.Duration // jitter the peer reports
	RoundTrip    time.Duration // from RTCP; zero: not known yet
	Heard        Quality       // what the peer sends, as it arrives here
	HeardByPeer  Quality       // what we send, as the peer reports it
	OneWay       bool          // both sides should send, and for 3 s only one did
}

// Stats returns the counters so far. It is cheap enough to be called for every leg once a second.
func (l *Leg) Stats() Stats {
	r, t := &l.rx, &l.tx
	codec := l.Codec()
	t.mu.Lock()
	clock := t.rate
	t.mu.Unlock()
	r.mu.Lock()
	s := Stats{
		Received:     r.stream.total,
		Lost:         r.stream.totalOut + r.stream.lost(),
		Jitter:       r.stream.spread(),
		Strangers:    r.strangers,
		AuthFailures: r.authFailures,
		Replays:      r.replays,
		Early:        r.unagreed,
		Unknown:      r.badKinds,
		DigitsLost:   r.lostDigits,
		LastReceived: r.last,
		RemoteLost:   r.peer.lost,
		RemoteJitter: time.Duration(r.peer.jitter) * time.Second / time.Duration(clock),
		RoundTrip:    r.peer.rtt,
		Heard:        r.heard(codec),
		HeardByPeer:  r.heardByPeer(codec, clock),
	}
	if r.recv != nil {
		c := r.recv.Stats()
		s.AuthFailures += c.AuthFailures - r.pardoned
		s.Replays += c.Replays - r.pardonedReplays
	}
	if r.old != nil {
		s.Replays += r.old.Stats().Replays
	}
	agreed, receives, since := r.agreed, r.receives, r.since
	r.mu.Unlock()
	t.mu.Lock()
	s.Sent, s.SendErrors, s.LateRelayed, s.LastSent = t.sent, t.failed.Load(), t.late, t.last
	sends := t.sends
	t.mu.Unlock()
	now := time.Now()
	if agreed && receives && sends && now.Sub(since) > oneWayAfter {
		s.OneWay = (now.Sub(s.LastReceived) > oneWayAfter) != (now.Sub(s.LastSent) > oneWayAfter)
	}
	return s
}
