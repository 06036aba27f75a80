package branch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// maxBatch is how many entries are sent at once.
const maxBatch = 100

// Journal is a file of the calls that were handled without the upstream, until they are acknowledged. OpenJournal makes one. All methods are safe for
// concurrent use.
type Journal struct {
	sending sync.Mutex // one Send at a time; taken before mu

	mu      sync.Mutex
	log     *logFile
	open    map[string]CDR // answered and not over
	pending []CDR          // over and not acknowledged, in order
}

// record is one line of the file: exactly one of its fields.
type record struct {
	Begin *CDR   `json:"begin,omitempty"`
	End   *CDR   `json:"end,omitempty"`
	Sent  string `json:"sent,omitempty"` // the ID of the last entry of a batch that was acknowledged
}

// OpenJournal opens or makes the file at path, which only its owner may read and only one process at a time may open. Calls that were in progress when the
// process before ended become entries with the outcome Interrupted.
func OpenJournal(path string) (*Journal, Recovery, error) {
	j := &Journal{open: make(map[string]CDR)}
	damaged := 0
	log, rec, err := openLog(path, func(line []byte) error {
		if !j.replay(line) {
			damaged++
		}
		return nil
	})
	if err != nil {
		return nil, rec, err
	}
	j.log = log
	rec.Damaged += damaged
	rec.Interrupted = len(j.open)
	var lost []CDR
	for _, c := range j.open {
		c.Outcome = Interrupted
		lost = append(lost, c)
	}
	slices.SortFunc(lost, func(a, b CDR) int {
		if d := a.Start.Compare(b.Start); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	for _, c := range lost {
		if err := j.End(c); err != nil {
			return nil, rec, errorsJoinClose(err, log)
		}
	}
	return j, rec, nil
}

func errorsJoinClose(err error, l *logFile) error {
	_ = l.close() // the first error is the one to tell
	return err
}

// replay takes one line of the file; false says that it is none.
func (j *Journal) replay(line []byte) bool {
	var r record
	if json.Unmarshal(line, &r) != nil {
		return false
	}
	switch {
	case r.Begin != nil && r.Begin.Check() == nil:
		j.open[r.Begin.ID] = *r.Begin
	case r.End != nil && r.End.Check() == nil:
		delete(j.open, r.End.ID)
		j.pending = append(j.pending, *r.End)
	case r.Sent != "":
		j.drop(r.Sent)
	default:
		return false
	}
	return true
}

// drop forgets the entries up to id. An id that is not there says nothing: its line was damaged, and what it sent is sent once more.
func (j *Journal) drop(id string) {
	for i, c := range j.pending {
		if c.ID == id {
			j.pending = append([]CDR(nil), j.pending[i+1:]...)
			return
		}
	}
}

func (j *Journal) write(r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("branch: %w", err)
	}
	return j.log.append(line)
}

// Begin writes that a call was answered. It returns when that is on disk.
func (j *Journal) Begin(c CDR) error {
	if err := c.Check(); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(record{Begin: &c}); err != nil {
		return err
	}
	j.open[c.ID] = c
	return nil
}

// End writes an entry: a call that is over, whether it was answered or not. It returns when that is on disk. Each ID may be given once.
func (j *Journal) End(c CDR) error {
	if err := c.Check(); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(record{End: &c}); err != nil {
		return err
	}
	delete(j.open, c.ID)
	j.pending = append(j.pending, c)
	return nil
}

// Pending is how many entries wait to be acknowledged.
func (j *Journal) Pending() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.pending)
}

// Send sends what is pending to sink, in order, in batches of at most 100, until nothing is left, Put fails or ctx ends. What was acknowledged is not sent
// again, unless the process ends before that is on disk. When nothing is left, the file is emptied.
func (j *Journal) Send(ctx context.Context, sink Sink) error {
	j.sending.Lock()
	defer j.sending.Unlock()
	for {
		j.mu.Lock()
		batch := slices.Clone(j.pending[:min(len(j.pending), maxBatch)])
		j.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := sink.Put(ctx, batch); err != nil {
			return fmt.Errorf("branch: sending %d entries: %w", len(batch), err)
		}
		if err := j.mark(batch[len(batch)-1].ID); err != nil {
			return err
		}
	}
}

func (j *Journal) mark(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(record{Sent: id}); err != nil {
		return err
	}
	j.drop(id)
	if len(j.pending) == 0 && len(j.open) == 0 {
		return j.log.empty()
	}
	return nil
}

// Close closes the file. Nothing is lost by not calling it.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.close()
}
