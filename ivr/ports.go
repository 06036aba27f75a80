package ivr

import "context"

// Call is the caller's side of a flow. A Call belongs to one Run at a time; during an interruptible prompt Play and ReadDigit are
// called concurrently.
//
// Every method returns an error that wraps [ErrHangup] once the caller is gone. Any other error, except after its own ctx ended,
// means that the phone side failed, and Run gives the call up.
type Call interface {
	// Play plays a named prompt in a language and returns when it was heard to the end. When ctx ends it stops the sound at once
	// and returns ctx's error.
	Play(ctx context.Context, prompt, lang string) error

	// ReadDigit returns the next key the caller pressed, one of 0-9 * # A-D, in the order pressed. Keys pressed while nobody reads are kept
	// (type-ahead). When ctx ends it returns ctx's error and must not lose a key. A key that already waits is returned even if ctx
	// has ended: Run uses that to skip the prompt of a caller who types ahead.
	ReadDigit(ctx context.Context) (byte, error)

	// Hangup ends the call. reason is a word of the flow, such as "normal".
	Hangup(ctx context.Context, reason string) error
}

// Enqueuer is the optional capability behind the enqueue step.
type Enqueuer interface {
	// Enqueue waits in queue until the wait is over and returns one of the Queue... words. It returns [QueueAnswered] when the
	// conversation with the agent is over or out of the flow's hands: the flow ends there. For every other word the
	// caller is still on the line, except [QueueAbandoned]. An error that is no hang-up takes the otherwise branch.
	Enqueue(ctx context.Context, queue string, priority int) (result string, err error)
}

// Voicemailer is the optional capability behind the voicemail step.
type Voicemailer interface {
	// Voicemail leads the caller through leaving a message in box, and to their own messages if they press star and know the PIN, until that is over. It
	// returns one of the Voicemail... words; the caller is still on the line then. PINs that it asks for are masked as by [Masker] and in no log. An error that
	// is no hang-up takes the otherwise branch.
	Voicemail(ctx context.Context, box string) (result string, err error)
}

// Echoer is the optional capability behind the echo step.
type Echoer interface {
	// Echo sends the caller's own sound back until ctx ends (the step's limit) or the caller hangs up.
	Echo(ctx context.Context) error
}

// Noter is the optional capability behind the note step.
type Noter interface {
	// Note attaches text to the record of the call. The text never holds secret digits.
	Note(ctx context.Context, text string) error
}

// Masker is the optional capability that keeps secret digits out of recordings and monitors.
type Masker interface {
	// Mask stops recording and monitoring before it returns; unmask resumes them. Run calls unmask exactly once, also when the
	// caller hangs up. If Mask fails the digits are not asked for and the call is given up.
	Mask(ctx context.Context) (unmask func(), err error)
}

// What [Enqueuer.Enqueue] may return. Another word takes the otherwise branch.
const (
	QueueAnswered  = "answered"  // an agent took the call; the flow ends
	QueueAbandoned = "abandoned" // the caller hung up while waiting; the flow ends
	QueueFull      = "full"      // no room in the queue
	QueueNoAgents  = "no_agents" // nobody is logged in who could answer
	QueueTimeout   = "timeout"   // the queue's longest wait is over
)

// What [Voicemailer.Voicemail] may return. Another word takes the otherwise branch.
const (
	VoicemailLeft      = "left"      // there is a message in the box
	VoicemailNothing   = "nothing"   // the caller left none
	VoicemailRetrieved = "retrieved" // an owner was at their box
	VoicemailFull      = "full"      // the box takes no more
)
