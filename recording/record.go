package recording

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// The plaintext of a segment is a sequence of records, each a header of kind (1), party (1), code (1), zero (1), at (4, ticks), length (4),
// then length bytes.
const recordHeader = 12

const (
	kindAudio     = 1 // code: payload type; the bytes are G.711, one per tick
	kindMark      = 2 // code: MarkKind; the bytes depend on it
	kindSummary   = 3 // the last record of the final segment
	kindFrames    = 4 // code: a framed codec; the bytes are frames, see frames.go
	kindIndex     = 5 // the first record of some segments, see index.go
	kindDirectory = 6 // the second record of some final segments
)

// noParty is the party of a record that belongs to the whole call.
const noParty = 0xff

// MarkKind says what a mark means.
type MarkKind byte

// The marks there are.
const (
	MarkInvalid   MarkKind = iota
	MarkPause              // recording paused; nothing was stored until the next MarkResume
	MarkResume             // recording resumed
	MarkLost               // frames were dropped because the disk was slow or failed; written by the Vault only
	MarkHold               // the call was put on hold
	MarkUnhold             // and taken back
	MarkTransfer           // the call was transferred
	MarkConsent            // consent was given
	MarkJoin               // someone joined
	MarkLeave              // and left
	MarkMask               // one party masked; nothing of that party was stored until the next MarkUnmask
	MarkUnmask             // and stored again
	MarkWithdrawn          // consent was withdrawn for what comes after
	MarkSupervise          // a supervisor joined; the text says how: listen, whisper or barge
	markEnd
	markEnd1 = MarkMask // version 1 ends before it
)

var markNames = [...]string{"invalid", "pause", "resume", "lost", "hold", "unhold", "transfer", "consent", "join", "leave", "mask", "unmask", "withdrawn", "supervise"}

// String returns the mark's name.
func (k MarkKind) String() string {
	if int(k) < len(markNames) {
		return markNames[k]
	}
	return "unknown"
}

// callers reports whether a caller may set it. The others are the Vault's own.
func (k MarkKind) callers() bool {
	switch k {
	case MarkInvalid, MarkPause, MarkResume, MarkLost, MarkMask, MarkUnmask:
		return false
	}
	return k < markEnd
}

// Mark is a moment of the call that is kept with the audio.
type Mark struct {
	Kind   MarkKind
	At     time.Duration // from the start of the recording
	Party  int           // -1: the whole call
	Text   string        // what Track.Mark was given
	Frames uint64        // MarkLost: frames dropped
	Length time.Duration // MarkLost: from the first dropped frame to the last
}

// record is one decoded record. data points into the segment's plaintext.
type record struct {
	kind, party, code byte
	at                uint32
	data              []byte
}

func appendRecord(b []byte, r record) []byte {
	b = append(b, r.kind, r.party, r.code, 0)
	b = binary.BigEndian.AppendUint32(b, r.at)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.data)))
	return append(b, r.data...)
}

var errRecord = errors.New("malformed record")

// place is which segment a plaintext is the plaintext of.
type place struct {
	version byte
	number  uint32
	final   bool
}

// parseRecords calls visit for each record of a segment. What it accepts, appendRecord writes back byte for byte, and it accepts nothing that the writer of
// that version would not have written there.
func parseRecords(plaintext []byte, at place, visit func(r record) error) error {
	if len(plaintext) == 0 && at.version != version1 {
		return fmt.Errorf("%w: empty segment", errRecord)
	}
	for b, n := plaintext, 0; len(b) > 0; n++ {
		if len(b) < recordHeader || b[3] != 0 {
			return errRecord
		}
		size := binary.BigEndian.Uint32(b[8:])
		if uint64(size) > uint64(len(b)-recordHeader) {
			return errRecord
		}
		r := record{kind: b[0], party: b[1], code: b[2], at: binary.BigEndian.Uint32(b[4:]), data: b[recordHeader : recordHeader+size]}
		b = b[recordHeader+size:]
		if err := r.check(at, n, at.final && len(b) == 0); err != nil {
			return err
		}
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

// check looks at record n of a segment; last says that it is the last of the final one.
func (r record) check(at place, n int, last bool) error {
	if (r.kind == kindSummary) != last {
		return fmt.Errorf("%w: summary at the wrong place", errRecord)
	}
	if (r.kind == kindIndex) != (n == 0 && at.indexed()) || (r.kind == kindDirectory) != (n == 1 && at.directory()) {
		return fmt.Errorf("%w: index at the wrong place", errRecord)
	}
	switch r.kind {
	case kindAudio:
		if r.party >= MaxParties || len(r.data) == 0 || (r.code != codePCMU && r.code != codePCMA) || uint64(r.at)+uint64(len(r.data)) > maxTick {
			return fmt.Errorf("%w: audio", errRecord)
		}
	case kindFrames:
		if at.version == version1 || r.party >= MaxParties || !framed(r.code) {
			return fmt.Errorf("%w: frames", errRecord)
		}
		if ticks, err := framesTicks(r.data); err != nil || uint64(r.at)+uint64(ticks) > maxTick {
			return fmt.Errorf("%w: frames", errRecord)
		}
	case kindMark:
		end := markEnd
		if at.version == version1 {
			end = markEnd1
		}
		if (r.party >= MaxParties && r.party != noParty) || r.code == 0 || MarkKind(r.code) >= end {
			return fmt.Errorf("%w: mark", errRecord)
		}
		if MarkKind(r.code) == MarkLost {
			if len(r.data) != 12 {
				return fmt.Errorf("%w: lost mark", errRecord)
			}
		} else if len(r.data) > maxText || !utf8.Valid(r.data) {
			return fmt.Errorf("%w: mark text", errRecord)
		}
	case kindSummary:
		if r.party != noParty || r.code != 0 || len(r.data) != 20 {
			return fmt.Errorf("%w: summary", errRecord)
		}
	case kindIndex, kindDirectory:
		if r.party != noParty || r.code != 0 || r.at != 0 || !at.indexFits(r) {
			return fmt.Errorf("%w: index", errRecord)
		}
	default:
		return fmt.Errorf("%w: kind %d", errRecord, r.kind)
	}
	return nil
}

// ticks returns how long the audio of a record that was checked lasts.
func (r record) ticks() int {
	if r.kind == kindFrames {
		n, _ := framesTicks(r.data)
		return n
	}
	return len(r.data)
}

// mark returns the Mark that a mark record holds.
func (r record) mark() Mark {
	m := Mark{Kind: MarkKind(r.code), At: time.Duration(r.at) * tick, Party: int(r.party)}
	if r.party == noParty {
		m.Party = -1
	}
	if m.Kind == MarkLost {
		m.Frames = binary.BigEndian.Uint64(r.data)
		m.Length = time.Duration(binary.BigEndian.Uint32(r.data[8:])) * tick
	} else {
		m.Text = string(r.data)
	}
	return m
}

// summary is what the final segment says about the whole.
type summary struct {
	segments     uint32 // the final one included
	frames, lost uint64
}

func (s summary) record(at uint32) record {
	b := binary.BigEndian.AppendUint32(nil, s.segments)
	b = binary.BigEndian.AppendUint64(b, s.frames)
	b = binary.BigEndian.AppendUint64(b, s.lost)
	return record{kind: kindSummary, party: noParty, at: at, data: b}
}

func (r record) summary() summary {
	return summary{segments: binary.BigEndian.Uint32(r.data), frames: binary.BigEndian.Uint64(r.data[4:]), lost: binary.BigEndian.Uint64(r.data[12:])}
}
