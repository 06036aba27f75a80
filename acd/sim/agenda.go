package sim

// doing is what an item of the agenda does.
type doing uint8

const (
	doArrive  doing = iota + 1 // flow
	doHangUp                   // job
	doRing                     // job, person, offer
	doAccept                   // job, person, offer
	doFinish                   // job: the conversation is over
	doRequeue                  // job: the queue sent it to another
	doGiveUp                   // job: the queue gave it back, and self-service ends it
	doShift                    // number
	doReturn                   // person
	doBatch
	doLose
)

// item is something that will happen. Of one moment, what was planned first happens first.
type item struct {
	at     int64
	order  uint64
	job    *job
	person *person
	offer  uint64
	number int32  // of the flow or shift
	gen    uint32 // of the job: if it differs, the job is over and another lies in its place
	do     doing
}

// agenda is a heap of items by time and order.
type agenda struct {
	items []item
	order uint64
}

func (a *item) before(b *item) bool { return a.at < b.at || a.at == b.at && a.order < b.order }

func (a *agenda) add(it item) {
	a.order++
	it.order = a.order
	a.items = append(a.items, item{})
	i := len(a.items) - 1
	for i > 0 {
		p := (i - 1) / 2
		if !it.before(&a.items[p]) {
			break
		}
		a.items[i] = a.items[p]
		i = p
	}
	a.items[i] = it
}

func (a *agenda) take() item {
	first, last := a.items[0], len(a.items)-1
	moved := a.items[last]
	a.items[last] = item{} // let go of what it points to
	a.items = a.items[:last]
	if last == 0 {
		return first
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= last {
			break
		}
		if c+1 < last && a.items[c+1].before(&a.items[c]) {
			c++
		}
		if !a.items[c].before(&moved) {
			break
		}
		a.items[i] = a.items[c]
		i = c
	}
	a.items[i] = moved
	return first
}
