package voicemail

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// take is a recording that nobody has accepted yet. Until then it counts as not there, but for the quota.
type take struct {
	b     *Boxes
	item  Item
	track *recording.Track
	side  *recording.Party

	mu    sync.Mutex
	base  time.Duration // where the next side begins
	end   time.Duration // of the last frame
	voice bool          // something was loud enough to be somebody
	heard time.Time     // when something last was, by the clock of the runtime
}

// begin reserves room and starts a recording. ErrFull, ErrNoBox.
func (b *Boxes) begin(ctx context.Context, box string, kind Kind, caller, call string, when Schedule) (*take, error) {
	longest := b.cfg.Limits.Message
	it := Item{ID: strings.ToLower(rand.Text()), Box: box, Kind: kind, State: StatePending, Created: b.cfg.Now().UTC(), Length: longest, Schedule: when}
	quota := Quota{}
	if kind == Message {
		quota = b.cfg.Limits.Quota
	}
	// The row first: whatever exists in the vault has one, so that a crash leaves nothing that Recover does not see.
	if err := b.cfg.Store.Add(ctx, it, quota); err != nil {
		return nil, err
	}
	attrs := map[string]string{"box": box}
	if caller != "" {
		attrs[attrCaller] = caller
	}
	track, err := b.cfg.Vault.Create(ctx, recording.Meta{ID: it.ID, Class: string(kind), Call: call, Parties: []string{"caller"}, Attributes: attrs})
	if err != nil {
		sctx, cancel := settling(ctx)
		defer cancel()
		return nil, errors.Join(err, b.settle(sctx, it))
	}
	return &take{b: b, item: it, track: track}, nil
}

// settling is a context for what must be done although the caller is gone.
func settling(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settleTime)
}

// listen makes the take ready for frames that are counted from now, behind what it holds already.
func (t *take) listen(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.base, t.heard = t.end, now
	t.side = t.track.PartyAt(0, t.base)
}

// WriteFrame is the Sink.
func (t *take) WriteFrame(at time.Duration, codec string, payload []byte) {
	loud, length := level(codec, payload)
	t.mu.Lock()
	defer t.mu.Unlock()
	if at+length > t.b.cfg.Limits.Message {
		return
	}
	t.side.WriteFrame(at, codec, payload)
	t.end = max(t.end, t.base+at+length)
	if loud {
		t.voice, t.heard = true, time.Now()
	}
}

// quiet is how long nobody has been heard.
func (t *take) quiet(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Sub(t.heard)
}

// length is how much was recorded; zero if nobody spoke.
func (t *take) length() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.voice {
		return 0
	}
	return t.end
}

// keep accepts a message: it is in its box when keep returns. One that is too short is dropped, and kept is false.
func (t *take) keep(ctx context.Context) (kept bool, err error) {
	if t.length() < t.b.cfg.Limits.Shortest {
		return false, t.drop(ctx)
	}
	ctx, cancel := settling(ctx)
	defer cancel()
	if err := t.close(ctx); err != nil {
		return false, err
	}
	t.item.State = StateNew
	return true, t.b.cfg.Store.Update(ctx, t.item, StatePending)
}

// close ends the recording; the item stays pending.
func (t *take) close(ctx context.Context) error {
	err := t.track.Close(ctx)
	switch {
	case errors.Is(err, recording.ErrIncomplete):
		t.item.Incomplete = true
		t.b.cfg.Logger.Error("voicemail: recording not complete", "recording", t.item.ID, "err", err)
	case err != nil && !errors.Is(err, recording.ErrClosed):
		return err
	}
	t.item.Length = t.length()
	return nil
}

// drop leaves nothing of the take.
func (t *take) drop(ctx context.Context) error {
	ctx, cancel := settling(ctx)
	defer cancel()
	if err := t.track.Discard(ctx, "not kept"); err != nil {
		if !errors.Is(err, recording.ErrClosed) {
			return err
		}
		access, err := t.b.access(t.item.Box)
		if err != nil {
			return err
		}
		if _, err := access.Destroy(ctx, t.item.ID, "not kept"); err != nil {
			return err
		}
	}
	return t.b.cfg.Store.Remove(ctx, t.item.ID)
}

// append puts linear audio behind what the take holds.
func (t *take) append(pcm []int16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	side := t.track.PartyAt(0, t.end)
	frame := make([]byte, frameSamples)
	for n := 0; n < len(pcm); n += frameSamples {
		part := pcm[n:min(n+frameSamples, len(pcm))]
		for i, s := range part {
			frame[i] = mulaw(s)
		}
		side.WriteFrame(time.Duration(n)*time.Second/recording.SampleRate, recording.PCMU, frame[:len(part)])
	}
	clear(frame)
	t.end += time.Duration(len(pcm)) * time.Second / recording.SampleRate
	t.voice = true
}

// accept makes a greeting the one in use and destroys the one before.
func (t *take) accept(ctx context.Context) error {
	ctx, cancel := settling(ctx)
	defer cancel()
	if err := t.close(ctx); err != nil {
		return err
	}
	old, err := t.b.cfg.Store.Activate(ctx, t.item.ID, t.item.Length)
	if err != nil {
		return err
	}
	for _, it := range old {
		if err := t.b.shred(ctx, it, "replaced"); err != nil { // Recover does what is left
			return fmt.Errorf("voicemail: the greeting before: %w", err)
		}
	}
	return nil
}
