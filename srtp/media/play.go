package media

import (
	"context"
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
)

// job is something a leg plays: a prompt once, a prompt over and over, or digits. The leg's tx.mu guards it.
type job struct {
	prompt *Prompt
	pos    int // the next frame
	loop   bool
	digits *digitSender
	done   chan struct{} // closed at the end
	once   sync.Once
}

func (j *job) finish() { j.once.Do(func() { close(j.done) }) }

// Play sends p to the peer and returns nil when its last packet is out. It returns ctx's error when ctx ends first (a caller who presses a digit
// stops the prompt that way); no packet of p goes out after that. While the peer has us on hold, time passes and nothing is sent.
// On a browser's leg p begins when the handshake is over.
// The other errors are ErrBusy, ErrNotReady and ErrClosed.
func (l *Leg) Play(ctx context.Context, p *Prompt) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.prepare(l.sendsWith())
	return l.foreground(ctx, &job{prompt: p, done: make(chan struct{})})
}

// sendsWith is the codec the leg sends, nil before negotiation.
func (l *Leg) sendsWith() *codec.Codec {
	l.tx.mu.Lock()
	defer l.tx.mu.Unlock()
	return l.tx.codec
}

// foreground runs a job to its end.
func (l *Leg) foreground(ctx context.Context, j *job) error {
	t := &l.tx
	t.mu.Lock()
	switch {
	case l.ended():
		t.mu.Unlock()
		return ErrClosed
	case !t.agreed():
		t.mu.Unlock()
		return ErrNotReady
	case t.fg != nil:
		t.mu.Unlock()
		return ErrBusy
	}
	t.fg = j
	if t.route != nil {
		t.route.synced = false // what is relayed afterwards is numbered behind this job
	}
	l.kick()
	t.mu.Unlock()

	var err error
	select {
	case <-j.done:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-l.done:
		err = ErrClosed
	}
	t.mu.Lock()
	if t.fg == j {
		t.fg = nil
	}
	t.mu.Unlock()
	l.eng.pace.barrier() // what the pacer has made of the job has left
	return err
}

// Loop plays p over and over, in step with a clock all legs share, so that a caller who is taken out of the music for an announcement finds it where it
// would be by then. It returns at once; stop ends it and may be called again. A prompt, digits, a bridge or a conference silence it while they last. A second
// Loop replaces the first. It may be called before negotiation and on a closed leg, where it does nothing.
func (l *Leg) Loop(p *Prompt) (stop func()) {
	p.prepare(l.sendsWith())
	j := &job{prompt: p, loop: true, done: make(chan struct{})}
	t := &l.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	if !l.ended() && p.frames > 0 {
		t.bg = j
		l.kick()
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.bg == j {
			t.bg = nil
		}
		j.finish()
	}
}

// kick sees to it that the pacer ticks the leg if there is something to play. The caller holds tx.mu.
func (l *Leg) kick() {
	t := &l.tx
	if !t.paced && t.playing() != nil {
		t.paced = true
		l.eng.pace.add(l)
	}
}

// playing is the job whose turn it is.
func (t *transmitter) playing() *job {
	switch {
	case t.fg != nil:
		return t.fg
	case t.route == nil && t.member == nil:
		return t.bg
	default:
		return nil
	}
}

// tick sends the next frame. It runs on the pacer, and returns false when there is nothing more to play; then kick starts it again.
func (l *Leg) tick(now time.Time, box *outbox) bool {
	t := &l.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	j := t.playing()
	if j == nil {
		t.paced = false
		return false
	}
	if t.connecting() && !j.loop {
		return true // a greeting waits for the handshake, or its beginning would be lost
	}
	if j.digits != nil {
		if !j.digits.step(t, box, now) {
			t.fg = nil
			j.finish()
		}
		t.quit()
		return true
	}
	t.frame(j, box, now, l.eng.epoch)
	return true
}

// frame sends one frame of a prompt.
func (t *transmitter) frame(j *job, box *outbox, now, epoch time.Time) {
	if !t.open() {
		// On hold, or not negotiated yet: a prompt goes on unheard, music has its own clock.
		t.quit()
		if !j.loop {
			t.advance(j)
		}
		return
	}
	if t.cur != j && j.loop {
		j.pos = int(now.Sub(epoch)/frameTime) % j.prompt.frames
	}
	if j.pos < j.prompt.frames {
		t.emit(box, j, j.prompt.frame(t.codec, j.pos), now)
	}
	if !j.loop && j.pos+1 >= j.prompt.frames {
		t.flushPart(box, now)
	}
	t.advance(j)
}

// advance moves to the next frame, and ends a prompt that has none.
func (t *transmitter) advance(j *job) {
	if j.pos++; j.pos < j.prompt.frames {
		return
	}
	if j.loop {
		j.pos = 0
		return
	}
	t.fg, t.cur = nil, nil
	j.finish()
}
