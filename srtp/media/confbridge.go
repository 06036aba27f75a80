package media

import "fmt"

// Conference turns the bridge into a conference of its two legs, so that somebody can join them; the bridge is over. Its legs keep their streams, keys and numbering: their
// phones notice a talkspurt. a and b are the members of the legs in the order NewBridge got them. If cfg.Hears is nil, they hear each other and whoever joins is apart until Arrange.
//
// In the switch, packets that arrived before it have passed the bridge and packets that arrive after it go to the playout buffers. A packet under way in that moment is lost, one in
// each direction at most; none is heard twice. The parties hear 50 to 100 ms of silence while the buffers fill. The errors are ErrClosed for a bridge that is over or a leg that
// has ended, and ErrConfig for legs of two engines.
func (br *Bridge) Conference(cfg ConferenceConfig) (c *Conference, a, b *Member, err error) {
	if c, err = NewConference(br.a.eng, cfg); err != nil {
		return nil, nil, nil, err
	}
	a, b = newMember(c, br.a), newMember(c, br.b)
	if cfg.Hears == nil {
		c.hears = Among(a, b)
	}
	if c.cfg.Music != nil {
		c.cfg.Music.prepare(br.a.sendsWith())
		c.cfg.Music.prepare(br.b.sendsWith())
	}
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.ab == nil {
		return nil, nil, nil, ErrClosed
	}
	if br.a.eng != br.b.eng {
		return nil, nil, nil, fmt.Errorf("%w: legs of two engines", ErrConfig)
	}
	c.mu.Lock()
	_ = c.admit(a) // cannot fail: the conference is new
	_ = c.admit(b)
	errA, errB := a.attach(br.ab), b.attach(br.ba)
	c.kick()
	c.mu.Unlock()
	br.ab, br.ba = nil, nil
	br.part()
	br.a.settle()
	br.b.settle()
	for _, err := range []error{errA, errB} {
		if err != nil { // a leg ended meanwhile
			c.Close()
			return nil, nil, nil, err
		}
	}
	return c, a, b, nil
}

// Bridge turns a conference of two members back into a bridge, whoever heard whom; the conference is over. Others must have left before: a supervisor who still listened would make it
// fail. What waits in the playout buffers is dropped, and the next packet that arrives is relayed: the parties miss 20 to 60 ms and hear nothing twice. When it returns, no mixed packet is
// on its way. The errors are ErrMembers, ErrClosed, and ErrBusy if a leg is being bridged meanwhile.
func (c *Conference) Bridge() (*Bridge, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	members := c.current()
	if len(members) != 2 {
		c.mu.Unlock()
		return nil, ErrMembers
	}
	ma, mb := members[0], members[1]
	br := &Bridge{a: ma.leg, b: mb.leg}
	br.mu.Lock()
	defer br.mu.Unlock()
	if !br.a.bridge.CompareAndSwap(nil, br) {
		c.mu.Unlock()
		return nil, ErrBusy
	}
	if !br.b.bridge.CompareAndSwap(nil, br) {
		br.a.bridge.CompareAndSwap(br, nil)
		c.mu.Unlock()
		return nil, ErrBusy
	}
	c.closed = true
	br.ab, br.ba = &route{from: br.a, to: br.b}, &route{from: br.b, to: br.a}
	ma.hand(br.ab, br.ba)
	mb.hand(br.ba, br.ab)
	c.mu.Unlock()
	br.a.settle()
	br.b.settle()
	c.eng.pace.barrier()
	if br.a.ended() || br.b.ended() {
		br.part()
		return nil, ErrClosed
	}
	return br, nil
}

// hand gives the leg over to a bridge: out is where its packets go, and feed what it sends. The caller holds the conference's mu.
func (m *Member) hand(out, feed *route) {
	l := m.leg
	m.conf.evict(m)
	m.shut()
	t := &l.tx
	t.mu.Lock()
	if t.member == m {
		t.member, t.route = nil, feed
		t.quit()
	}
	t.mu.Unlock()
	l.out.CompareAndSwap(&m.into, out)
	l.seatIn.CompareAndSwap(m, nil)
}
