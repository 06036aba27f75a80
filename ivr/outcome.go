package ivr

// Result says how a run ended. The zero Result is invalid.
type Result string

// How a run can end.
const (
	ResultHungUp       Result = "hung-up"       // the flow hung up; Outcome.Reason is the flow's word
	ResultAnswered     Result = "answered"      // an agent took the call
	ResultAbandoned    Result = "abandoned"     // the caller hung up while waiting in a queue
	ResultCallerHangup Result = "caller-hangup" // the caller hung up in any other step, or Run's ctx ended
	ResultStepLimit    Result = "step-limit"    // the caller wandered through more steps than Env.MaxSteps; the call was hung up
	ResultFailed       Result = "failed"        // the phone side failed or lacks a capability; the call was hung up
)

// Outcome tells what happened to one caller. It holds no secret digits except inside Secrets, which redacts itself.
type Outcome struct {
	Flow   string
	Node   string // the last step entered; empty if none was
	Result Result
	Reason string // the word given to Call.Hangup; empty if the flow did not hang up
	Queue  string // the last queue entered; empty if none was
	Box    string // the last mailbox entered; empty if none was

	// Path names the steps in the order entered, Node included. It is never longer than Env.MaxSteps.
	Path []string
	// Variables are the digits collected by name. Secret ones are not here.
	Variables map[string]string
	// Secrets are the secret digits collected by name. Wipe them after use.
	Secrets map[string]Secret
	// Faults are the errors of queues, mailboxes, echo and notes that the flow went around. They are for a log, not for a caller.
	Faults []error
}
