package media

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ringfence/ringfence/srtp/codec"
)

// ConferenceConfig describes a Conference.
type ConferenceConfig struct {
	// Hears says who hears whom until the first Arrange. If nil, nobody hears anybody.
	Hears Hears
	// Music plays to members who hear nobody, in step with what other legs Loop. If nil, they get silence.
	Music *Prompt
	// RelayDigits sends keys that a member presses (telephone-event) to those who hear it, as SendDigits does. While one is sent, for 160 ms,
	// Play and SendDigits on the listener's leg return ErrBusy. If false, keys come to the Digits of the member's own leg only.
	RelayDigits bool
}

// Conference mixes the audio of its members, for each of them that of whom it hears. What a member sends waits in a playout buffer for as long as its network's delay varies, 20 to
// 200 ms; what is lost is concealed. Every member gets a packet every 20 ms (or of the length its phone asked for), silence if nobody it hears speaks. All legs are of one
// engine, whose pacer is the conference's clock: a Conference has no goroutine. It is safe for concurrent use.
//
// Who hears whom changes between two ticks: see Arrange.
type Conference struct {
	eng *Engine
	cfg ConferenceConfig
	// gen counts arrangements, so that what was said before one can be told from what was said after.
	gen atomic.Uint32

	mu      sync.Mutex // held during a tick; comes before the locks of legs
	hears   Hears
	members []*Member       // by number; nil: free
	want    []codec.HearSet // by listener: whom it shall hear
	held    []codec.HearSet // of those, whose audio is still from before they were allowed
	hear    []codec.HearSet // whom it hears: want without held
	count   int
	paced   bool
	closed  bool
	ticks   uint64

	rate   int // of the mix: 8000 until a member has a wideband codec, then 16000
	mixer  *codec.Mixer
	frames [][]int16
	zero   []int16
	shared []sharedFrame // by result of the mixer
}

// NewConference returns a conference without members. It starts nothing and needs no Close if it never has any. The error wraps ErrConfig for a nil engine.
func NewConference(e *Engine, cfg ConferenceConfig) (*Conference, error) {
	if e == nil {
		return nil, fmt.Errorf("%w: no engine", ErrConfig)
	}
	if cfg.Hears == nil {
		cfg.Hears = Nobody
	}
	if cfg.Music != nil && cfg.Music.frames == 0 {
		cfg.Music = nil
	}
	c := &Conference{eng: e, cfg: cfg, hears: cfg.Hears}
	return c, c.setRate(clockRate)
}

func (c *Conference) setRate(rate int) error {
	m, err := codec.NewMixer(rate / 50)
	if err != nil {
		return err
	}
	c.rate, c.mixer, c.zero = rate, m, make([]int16, rate/50)
	return nil
}

// Join brings a leg in that has negotiated media. What it may hear and who may hear it is decided by the arrangement in force, before its first packet. While it is a member
// it cannot be bridged or echo; prompts and digits sent to it go before the conference. The errors are ErrNotReady, ErrBusy, ErrMembers, ErrClosed, and ErrConfig for a leg of another engine.
func (c *Conference) Join(l *Leg) (*Member, error) {
	if l.eng != c.eng {
		return nil, fmt.Errorf("%w: leg of another engine", ErrConfig)
	}
	m := newMember(c, l)
	if c.cfg.Music != nil {
		c.cfg.Music.prepare(l.sendsWith())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(m); err != nil {
		return nil, err
	}
	if err := m.attach(nil); err != nil {
		c.evict(m)
		return nil, err
	}
	c.kick()
	return m, nil
}

// admit gives m a number and the pairs that the arrangement has for it. The caller holds mu.
func (c *Conference) admit(m *Member) error {
	switch {
	case c.closed:
		return ErrClosed
	case c.count == maxMembers:
		return ErrMembers
	}
	m.n = slices.Index(c.members, nil)
	if m.n < 0 {
		m.n = len(c.members)
		c.members = append(c.members, nil)
		c.want, c.held, c.hear = append(c.want, nil), append(c.held, nil), append(c.hear, nil)
		c.frames = append(c.frames, nil)
	}
	c.members[m.n], m.in = m, true
	c.count++
	c.gen.Add(1)
	for _, o := range c.members {
		if o != nil && o != m {
			c.decide(m, o)
			c.decide(o, m)
		}
	}
	c.refresh()
	return nil
}

// evict takes m's number away. The caller holds mu.
func (c *Conference) evict(m *Member) {
	if !m.in {
		return
	}
	m.in = false
	c.members[m.n], c.frames[m.n] = nil, nil
	c.count--
	for i := range c.members {
		c.want[i].Remove(m.n)
		c.held[i].Remove(m.n)
	}
	clear(c.want[m.n])
	clear(c.held[m.n])
	c.refresh()
}

// Arrange puts who hears whom into force, for all members between the same two ticks. When it returns, no packet made before is on its way any more. Who lost a
// speaker hears nothing of them from the next packet on. Who gained one hears them from what arrived after the call: what waits in the speaker's playout buffer was
// said to others, so the new voice begins about 50 ms late. The error is ErrClosed; a nil h is Nobody.
func (c *Conference) Arrange(h Hears) error {
	if h == nil {
		h = Nobody
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.hears = h
	c.gen.Add(1)
	for _, listener := range c.members {
		for _, speaker := range c.members {
			if listener != nil && speaker != nil && listener != speaker {
				c.decide(listener, speaker)
			}
		}
	}
	c.refresh()
	c.mu.Unlock()
	c.eng.pace.barrier()
	return nil
}

// decide asks the arrangement about one pair. Who may be heard from now on is held back until what it said before has been played to the others.
func (c *Conference) decide(listener, speaker *Member) {
	i, j := listener.n, speaker.n
	c.held[i].Remove(j)
	if !c.hears(listener, speaker) {
		c.want[i].Remove(j)
		return
	}
	c.want[i] = c.want[i].Add(j)
	if !c.hear[i].Has(j) {
		c.held[i] = c.held[i].Add(j)
		speaker.fence = fenceFrames
	}
}

// release lets a speaker be heard by those it was held back from.
func (c *Conference) release(speaker *Member) {
	for i := range c.held {
		c.held[i].Remove(speaker.n)
	}
	c.refresh()
}

// refresh works out whom each listener hears and who hears the same. The caller holds mu.
func (c *Conference) refresh() {
	for i, m := range c.members {
		for len(c.hear[i]) < len(c.want[i]) {
			c.hear[i] = append(c.hear[i], 0)
		}
		lost := uint64(0)
		for w := range c.hear[i] {
			now := uint64(0)
			if w < len(c.want[i]) {
				now = c.want[i][w]
			}
			if w < len(c.held[i]) {
				now &^= c.held[i][w]
			}
			lost |= c.hear[i][w] &^ now
			c.hear[i][w] = now
		}
		if m == nil {
			continue
		}
		m.cut = m.cut || lost != 0
		m.lead = m
		for _, o := range c.members[:i] {
			if o != nil && o.lead == o && sameSet(c.hear[i], c.hear[o.n]) {
				m.lead = o
				break
			}
		}
	}
}

func sameSet(a, b codec.HearSet) bool {
	for w := range max(len(a), len(b)) {
		var x, y uint64
		if w < len(a) {
			x = a[w]
		}
		if w < len(b) {
			y = b[w]
		}
		if x != y {
			return false
		}
	}
	return true
}

// alone reports whether listener i shall hear nobody.
func (c *Conference) alone(i int) bool {
	for _, w := range c.want[i] {
		if w != 0 {
			return false
		}
	}
	return true
}

// kick makes the pacer tick the conference. The caller holds mu.
func (c *Conference) kick() {
	if !c.paced {
		c.paced = true
		c.eng.pace.add(c)
	}
}

// Members returns the members in the order of their numbers.
func (c *Conference) Members() []*Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current()
}

func (c *Conference) current() []*Member {
	out := make([]*Member, 0, c.count)
	for _, m := range c.members {
		if m != nil {
			out = append(out, m)
		}
	}
	return out
}

// Close lets all members leave; their legs stay open. It is safe to call again. Closing an Engine closes its legs, which leave.
func (c *Conference) Close() {
	c.mu.Lock()
	c.closed = true
	members := c.current()
	c.mu.Unlock()
	for _, m := range members {
		m.Leave()
	}
}

// String returns the kind only.
func (*Conference) String() string { return "media.Conference" }

// Format writes the kind only for every verb: fmt would otherwise walk into audio.
func (*Conference) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "media.Conference") }

// String returns the kind only.
func (*Member) String() string { return "media.Member" }

// Format writes the kind only for every verb: fmt would otherwise walk into audio.
func (*Member) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "media.Member") }
