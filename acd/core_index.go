package acd

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
)

// The index of who is free for what. Members of a queue with the same skills, tier and nature form a group; works of a queue with the
// same needs form a class. A class is linked to the groups that satisfy it, best rank first. A decision looks at the heads of linked
// groups (or classes) and never at members one by one, so its cost grows with the number of distinct skill profiles that match, and
// with the number of agents only as a heap does.

// profile is a set of skills, shared by all agents who have the same.
type profile struct {
	skills []Skill // by name
	key    string
}

func (p *profile) level(name string) int {
	i, ok := slices.BinarySearchFunc(p.skills, name, func(s Skill, n string) int { return strings.Compare(s.Name, n) })
	if !ok {
		return 0
	}
	return p.skills[i].Level
}

func (c *Core) profileOf(skills []Skill) *profile {
	sorted := slices.SortedFunc(slices.Values(skills), func(a, b Skill) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	for _, s := range sorted {
		b.WriteString(s.Name)
		b.WriteByte(0)
		b.WriteByte(byte(s.Level))
	}
	key := b.String()
	if p := c.profiles[key]; p != nil {
		return p
	}
	p := &profile{skills: sorted, key: key}
	c.profiles[key] = p
	return p
}

// group is the members of one queue who can do the same.
type group struct {
	plan    plan
	bot     bool
	tier    int32
	idle    idlers        // free ones, if the plan is byAge
	ready   heap[*member] // free ones, if the plan is byKey
	tree    tree          // free ones by slot, if the plan is byPlace
	links   []*class      // classes that this group satisfies
	p       *profile
	size    int       // members, free or not
	members []*member // by place; only if the plan is byPlace
}

// class is the works of one queue that need the same.
type class struct {
	q       *queue
	given   []Skill // as the work asks
	needs   []Skill // with the queue's own, after rings have lowered them
	ring    int
	tier    int // highest admitted
	human   bool
	refs    int // works that point here
	waiting heap[*work]
	links   []link // groups that satisfy it, by rank
}

type link struct {
	rank int64
	g    *group
}

// satisfies returns the rank of a group for a class; lower comes first.
func (g *group) satisfies(cl *class, s Strategy) (rank int64, ok bool) {
	if cl.human && g.bot || int(g.tier) > cl.tier {
		return 0, false
	}
	var sum int64
	for _, n := range cl.needs {
		level := g.p.level(n.Name)
		if level < n.Level {
			return 0, false
		}
		sum += int64(level)
	}
	rank = int64(g.tier) << 20
	switch s {
	case BestSkill:
		rank -= sum
	case LeastSkill:
		rank += sum
	}
	return rank, true
}

func (q *queue) connect(g *group, cl *class) {
	rank, ok := g.satisfies(cl, q.Strategy)
	if !ok {
		return
	}
	l := link{rank, g}
	g.links = append(g.links, cl)
	i, _ := slices.BinarySearchFunc(cl.links, l, func(a, b link) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.g.p.key, b.g.p.key), cmp.Compare(a.g.tier, b.g.tier), cmp.Compare(side(a.g), side(b.g)))
	})
	cl.links = slices.Insert(cl.links, i, l)
}

func side(g *group) int {
	if g.bot {
		return 1
	}
	return 0
}

// join puts a member into the group of its agent's skills.
func (q *queue) join(m *member) {
	var g *group
	for _, x := range q.groups[m.a.profile] {
		if x.tier == m.tier && x.bot == m.a.bot {
			g = x
		}
	}
	if g == nil {
		g = &group{p: m.a.profile, tier: m.tier, bot: m.a.bot, plan: q.Strategy.plan()}
		q.groups[g.p] = append(q.groups[g.p], g)
		for _, cl := range q.classList {
			q.connect(g, cl)
		}
	}
	m.g = g
	g.size++
	if g.plan != byPlace {
		return
	}
	i, _ := slices.BinarySearchFunc(g.members, m.place, func(x *member, place int64) int { return cmp.Compare(x.place, place) })
	g.members = slices.Insert(g.members, i, m)
	if !q.building { // at start the trees are planted once, when everybody is there
		g.plant()
	}
}

// leave takes a member that is not free out of its group.
func (q *queue) leave(m *member) {
	g := m.g
	m.g = nil
	g.size--
	if g.plan == byPlace {
		g.members = slices.Delete(g.members, int(m.slot), int(m.slot)+1)
		g.plant()
	}
	if g.size > 0 {
		return
	}
	for _, cl := range g.links {
		cl.links = slices.DeleteFunc(cl.links, func(l link) bool { return l.g == g })
	}
	if q.groups[g.p] = slices.DeleteFunc(q.groups[g.p], func(x *group) bool { return x == g }); len(q.groups[g.p]) == 0 {
		delete(q.groups, g.p)
	}
}

func (g *group) plant() {
	g.tree = tree{t: make([]int64, len(g.members)+1)}
	for i, m := range g.members {
		m.slot = int32(i)
		if m.free {
			g.tree.add(i, int64(m.weight))
		}
	}
}

func (g *group) anyFree() bool { return g.ready.len() > 0 || g.tree.total > 0 }

// offerable puts a member among the free ones of its group; it must not be there.
func (m *member) offerable(k1, k2, k3 int64) {
	m.free, m.score, m.k2 = true, k1, k2
	m.q.free++
	switch m.g.plan {
	case byAge:
		m.g.idle.add(m)
	case byPlace:
		m.g.tree.add(int(m.slot), int64(m.weight))
	default:
		m.g.ready.push(k1, k2, k3, m)
	}
}

func (m *member) taken() {
	m.free = false
	m.q.free--
	switch m.g.plan {
	case byAge:
		m.g.idle.drop(m)
	case byPlace:
		m.g.tree.add(int(m.slot), -int64(m.weight))
	default:
		m.g.ready.remove(int(m.index))
	}
}

// idlers are free members, idle for longest first. Who becomes free goes to the end; only who keeps a turn goes back near the front,
// and is looked for from there. The keys of the first lie here, so that comparing groups touches no member.
type idlers struct {
	k1, k2      int64
	first, last *member
}

func (l *idlers) add(m *member) {
	before := l.last // whom m follows
	if before != nil && m.older(before) {
		before = nil
		for x := l.first; !m.older(x); x = x.next {
			before = x
		}
	}
	m.prev, m.next = before, l.first
	if before != nil {
		m.next, before.next = before.next, m
	} else {
		l.first, l.k1, l.k2 = m, m.score, m.k2
	}
	if m.next != nil {
		m.next.prev = m
	} else {
		l.last = m
	}
}

func (l *idlers) drop(m *member) {
	if m.prev != nil {
		m.prev.next = m.next
	} else if l.first = m.next; l.first != nil {
		l.k1, l.k2 = l.first.score, l.first.k2
	}
	if m.next != nil {
		m.next.prev = m.prev
	} else {
		l.last = m.prev
	}
	m.prev, m.next = nil, nil
}

func (m *member) older(o *member) bool {
	return m.score < o.score || m.score == o.score && m.k2 < o.k2
}

// classOf returns the class for what a work needs once it has reached a ring; -1 is before the first.
func (q *queue) classOf(given []Skill, ring int, human bool) *class {
	h := uint64(14695981039346656037)
	mix := func(b byte) { h = (h ^ uint64(b)) * 1099511628211 }
	mix(byte(ring))
	if human {
		mix(1)
	}
	for _, s := range given {
		for i := range len(s.Name) {
			mix(s.Name[i])
		}
		mix(0)
		mix(byte(s.Level))
	}
	for _, cl := range q.classes[h] {
		if cl.ring == ring && cl.human == human && slices.Equal(cl.given, given) {
			return cl
		}
	}
	if len(q.classList) >= maxClasses {
		q.sweep()
	}
	cl := &class{q: q, given: slices.Clone(given), ring: ring, human: human, tier: maxTier}
	if len(q.Rings) > 0 {
		cl.tier = 0
	}
	cl.needs = append(cl.needs, q.Needs...)
	for _, n := range levels(given) {
		if i := named(cl.needs, n.Name); i >= 0 {
			cl.needs[i].Level = max(cl.needs[i].Level, n.Level)
		} else {
			cl.needs = append(cl.needs, n)
		}
	}
	for _, r := range q.Rings[:ring+1] {
		cl.tier = r.Tier
		for _, low := range r.Lower {
			if i := named(cl.needs, low.Name); i >= 0 {
				cl.needs[i].Level = low.Level
			}
		}
	}
	for _, gs := range q.groups {
		for _, g := range gs {
			q.connect(g, cl)
		}
	}
	q.classes[h] = append(q.classes[h], cl)
	q.classList = append(q.classList, cl)
	return cl
}

func named(skills []Skill, name string) int {
	return slices.IndexFunc(skills, func(s Skill) bool { return s.Name == name })
}

// sweep forgets classes that no work points to.
func (q *queue) sweep() {
	unused := func(cl *class) bool { return cl.refs == 0 }
	for h, cls := range q.classes {
		if q.classes[h] = slices.DeleteFunc(cls, unused); len(q.classes[h]) == 0 {
			delete(q.classes, h)
		}
	}
	q.classList = slices.DeleteFunc(q.classList, unused)
	for _, gs := range q.groups {
		for _, g := range gs {
			g.links = slices.DeleteFunc(g.links, unused)
		}
	}
}

// choose returns the member who should have a work, nil if none is free for it.
func (c *Core) choose(w *work) *member {
	cl := w.class
	if cl.q.free == 0 {
		return nil
	}
	switch cl.q.Strategy.plan() {
	case byAge:
		return cl.oldest()
	case byPlace:
		return c.chooseByPlace(w)
	}
	var best *heapEntry[*member]
	var rank int64
	for _, l := range cl.links {
		if best != nil && l.rank > rank {
			break
		}
		if l.g.ready.len() == 0 {
			continue
		}
		if e := &l.g.ready.e[0]; best == nil || e.less(best) {
			best, rank = e, l.rank
		}
	}
	if best == nil {
		return nil
	}
	return best.v
}

// oldest returns who is idle for longest in the groups of the best rank that have anybody.
func (cl *class) oldest() *member {
	var best *group
	var rank int64
	for i := range cl.links {
		l := &cl.links[i]
		if best != nil && l.rank > rank {
			break
		}
		if g := l.g; g.idle.first != nil && (best == nil || g.idle.k1 < best.idle.k1 || g.idle.k1 == best.idle.k1 && g.idle.k2 < best.idle.k2) {
			best, rank = g, l.rank
		}
	}
	if best == nil {
		return nil
	}
	return best.idle.first
}

func (c *Core) chooseByPlace(w *work) *member {
	links := w.class.links
	for len(links) > 0 && !links[0].g.anyFree() {
		links = links[1:]
	}
	for i := range links {
		if links[i].rank > links[0].rank {
			links = links[:i]
			break
		}
	}
	if len(links) == 0 {
		return nil
	}
	switch q := w.queue; q.Strategy {
	case Random, WeightedRandom:
		var total int64
		for _, l := range links {
			total += l.g.tree.total
		}
		hi, _ := bits.Mul64(c.random(), uint64(total))
		r := int64(hi)
		for _, l := range links {
			if r < l.g.tree.total {
				return l.g.members[l.g.tree.find(r)]
			}
			r -= l.g.tree.total
		}
		return nil
	default:
		pointer := q.pointer
		if q.Strategy == Sequential {
			pointer = w.pointer
		}
		var best *member
		for _, l := range links {
			if m := l.g.after(pointer); m != nil && (best == nil || ahead(m, pointer, q) < ahead(best, pointer, q)) {
				best = m
			}
		}
		return best
	}
}

// ahead is how many places a member stands after a pointer, around the end.
func ahead(m *member, pointer int64, q *queue) int64 {
	n := int64(q.size)
	return (m.place - pointer - 1 + 2*n) % n
}

// after returns the first free member beyond a place, or the first of all.
func (g *group) after(place int64) *member {
	if g.tree.total == 0 {
		return nil
	}
	i, _ := slices.BinarySearchFunc(g.members, place+1, func(m *member, p int64) int { return cmp.Compare(m.place, p) })
	before := g.tree.sum(i)
	if before >= g.tree.total {
		before = 0
	}
	return g.members[g.tree.find(before)]
}

// random is splitmix64: the same numbers from the same seed, for ever.
func (c *Core) random() uint64 {
	c.rng += 0x9e3779b97f4a7c15
	z := c.rng
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// tree is a binary indexed tree of weights: sums and searches in logarithmic time.
type tree struct {
	t     []int64 // from 1
	total int64
}

func (f *tree) add(i int, d int64) {
	f.total += d
	for i++; i < len(f.t); i += i & -i {
		f.t[i] += d
	}
}

// sum of the weights before i.
func (f *tree) sum(i int) (s int64) {
	for ; i > 0; i -= i & -i {
		s += f.t[i]
	}
	return s
}

// find returns the slot in which the running sum first exceeds r, from 0 to total-1.
func (f *tree) find(r int64) int {
	i := 0
	for step := 1 << (bits.Len(uint(len(f.t))) - 1); step > 0; step >>= 1 {
		if j := i + step; j < len(f.t) && f.t[j] <= r {
			i, r = j, r-f.t[j]
		}
	}
	return i
}
