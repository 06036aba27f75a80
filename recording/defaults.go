package recording

import "time"

// SampleRate is the rate of all audio and of all time stamps inside a recording, in Hz.
const SampleRate = 8000

// tick is one sample: the unit of time inside a recording.
const tick = time.Second / SampleRate

const (
	// SegmentLength is how much of a call one segment holds, and so how much a crash can lose.
	SegmentLength = time.Second
	segmentTicks  = int64(SegmentLength / tick)

	// MaxParties is how many parties a recording can have.
	MaxParties = 8
	// MaxFrame is the longest frame accepted, in bytes (256 ms of G.711).
	MaxFrame = 2048
	// MaxLength is the longest recording: its time stamps are 32 bits. Frames after it are dropped and counted.
	MaxLength = time.Duration(1<<32-1-MaxFrame) * tick
	// DefaultMaxQueued is how many bytes of audio may wait for a slow disk before frames are dropped.
	DefaultMaxQueued = 64 << 20
	// DefaultPurpose and DefaultClass are what Config.Purpose and Meta.Class mean when empty.
	DefaultPurpose = "call"
	// DefaultClass is the data class of a recording for retention.
	DefaultClass = "recording"

	minQueued = sheets * sheetCost // a second of all parties

	maxMeta = 16 << 10 // bytes of metadata as JSON
	maxID   = 128
	maxText = 256 // bytes of a mark's text
)

// maxTick is one more than the last tick that a recording can hold.
const maxTick = 1<<32 - 1

// How far a frame may lie from where its party's last one ended and still count as following it: less than one 20 ms frame, so that a lost frame
// stays a gap, and more than the jitter of a sender that stamps by its clock.
const runSlack = int64(15 * time.Millisecond / tick)

// How far a run may start before the one before has ended and still be played after it instead of being cut.
const overlapSlack = int64(60 * time.Millisecond / tick)
