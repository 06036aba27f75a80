package recording

import (
	"fmt"
	"unicode/utf8"
)

// Pause stops storing. When it returns, no frame that is handed in is stored until Resume, whichever Party it comes through, and the recording has a mark.
// Pausing twice is pausing once. ErrClosed after Close.
func (t *Track) Pause() error {
	t.lock()
	defer t.unlock()
	if t.closed {
		return ErrClosed
	}
	if !t.paused {
		t.paused = true
		for i := range t.lanes {
			t.lanes[i].gate |= gatePaused
		}
		t.markLocked(MarkPause, noParty, "")
	}
	return nil
}

// Resume starts storing again, frames from now on. Parties that are masked stay masked. ErrClosed after Close.
func (t *Track) Resume() error {
	t.lock()
	defer t.unlock()
	if t.closed {
		return ErrClosed
	}
	if t.paused {
		t.paused = false
		for i := range t.lanes {
			l := &t.lanes[i]
			l.gate &^= gatePaused
			l.since = max(l.since, t.elapsed())
		}
		t.markLocked(MarkResume, noParty, "")
	}
	return nil
}

// Mask stops storing one party (from 0), such as a caller who types a card number, and goes on with the others. It holds for the party, not for the tap:
// a Party attached again is masked too. Masking twice is masking once. ErrInvalid if there is no such party, ErrClosed after Close.
func (t *Track) Mask(party int) error { return t.mask(party, true) }

// Unmask starts storing the party again, frames from now on, unless the recording is paused. Errors as for Mask.
func (t *Track) Unmask(party int) error { return t.mask(party, false) }

func (t *Track) mask(party int, masked bool) error {
	t.lock()
	defer t.unlock()
	if party < 0 || party >= int(t.parties) {
		return fmt.Errorf("%w: party %d", ErrInvalid, party)
	}
	if t.closed {
		return ErrClosed
	}
	l := &t.lanes[party]
	switch {
	case masked == (l.gate&gateMasked != 0):
	case masked:
		l.gate |= gateMasked
		t.markLocked(MarkMask, byte(party), "")
	default:
		l.gate &^= gateMasked
		l.since = max(l.since, t.elapsed())
		t.markLocked(MarkUnmask, byte(party), "")
	}
	return nil
}

// Mark keeps a moment of the call with the audio. text may say more, at most 256 bytes of UTF-8, such as who was transferred to or how a supervisor joined.
// What Config.Text masks in it is not stored; if that fails, neither is the mark.
// ErrInvalid for MarkPause, MarkResume, MarkMask, MarkUnmask and MarkLost, which are not the caller's to set, and for kinds there are not.
// ErrClosed after Close.
func (t *Track) Mark(kind MarkKind, text string) error { return t.MarkParty(-1, kind, text) }

// MarkParty is Mark for a moment that concerns one party (from 0), such as whose consent was withdrawn; -1 is the whole call.
func (t *Track) MarkParty(party int, kind MarkKind, text string) error {
	if !kind.callers() || len(text) > maxText || !utf8.ValidString(text) || party < -1 || party >= int(t.parties) {
		return fmt.Errorf("%w: mark", ErrInvalid)
	}
	text, err := t.v.mask(text)
	if err != nil {
		return err
	}
	t.lock()
	defer t.unlock()
	if t.closed {
		return ErrClosed
	}
	t.markLocked(kind, byte(party), text) // -1 is noParty
	return nil
}

// markLocked writes the mark after all audio before it. The mark itself is not dropped when the disk is behind.
func (t *Track) markLocked(kind MarkKind, party byte, text string) {
	at := min(max(0, t.elapsed()), int64(MaxLength/tick))
	t.end = max(t.end, at)
	t.flushLocked() // may drop the audio when the disk is behind
	m := record{kind: kindMark, party: party, code: byte(kind), at: uint32(at), data: []byte(text)}
	t.handOverLocked(t.jobLocked(m), true)
}
