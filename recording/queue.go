package recording

import "sync"

// job is one segment to encrypt and write.
type job struct {
	track  *Track
	sheets [sheets]*sheet // of parties 0 and 1, 2 and 3 and so on; nil where there is no audio
	marks  []byte
	from   int64 // ticks that the audio lies between, for what must be dropped
	to     int64
	last   bool // nothing comes after it
	final  bool // it is the final segment of a recording that ended well; implies last
	cost   int64
}

// frames returns how many it holds.
func (j *job) frames() (n uint64) {
	for _, s := range j.sheets {
		if s != nil {
			n += s.frames()
		}
	}
	return n
}

// queue is a list of jobs with a bound on the bytes in it, so that producers never wait.
type queue struct {
	mu     sync.Mutex
	jobs   []job
	queued int64
	max    int64
	closed bool

	wake  chan struct{} // has room for one
	ended chan struct{}
}

func newQueue(maxBytes int64) *queue {
	return &queue{max: maxBytes, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// put adds a job unless that would exceed the bound; forced jobs are always taken while the queue is open. It never waits.
func (q *queue) put(j job, forced bool) bool {
	q.mu.Lock()
	if q.closed || (!forced && q.queued+j.cost > q.max) {
		q.mu.Unlock()
		return false
	}
	q.jobs = append(q.jobs, j)
	q.queued += j.cost
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

func (q *queue) bytes() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.queued
}

// run does the jobs in order until the queue is closed and empty.
func (q *queue) run(do func(j *job)) {
	defer close(q.ended)
	var batch []job
	for {
		q.mu.Lock()
		batch, q.jobs = q.jobs, batch[:0]
		closed := q.closed
		q.mu.Unlock()
		if len(batch) == 0 {
			if closed {
				return
			}
			<-q.wake
			continue
		}
		for i := range batch {
			cost := batch[i].cost
			do(&batch[i])
			batch[i] = job{}
			q.mu.Lock()
			q.queued -= cost
			q.mu.Unlock()
		}
	}
}

// close lets run finish what is queued and waits for it.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	<-q.ended
}
