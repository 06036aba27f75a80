package ivrtest

import (
	"fmt"
	"time"
)

// PromptLength is how long every prompt of the scripted phone takes to play.
const PromptLength = 3 * time.Second

type kind int

const (
	kindInvalid kind = iota
	kindHear
	kindPress
	kindInterrupt
	kindSilence
	kindHangUp
	kindQueue
	kindVoicemail
	kindEcho
	kindNote
	kindFail
	kindEnds
)

// Step is one line of a script. The zero Step is invalid and fails the test.
type Step struct {
	kind   kind
	text   string
	text2  string
	number int
	d      time.Duration
}

// Hear expects the next prompt to be the named one, in the flow's language.
func Hear(prompt string) Step { return Step{kind: kindHear, text: prompt} }

// HearIn expects the next prompt in a given language.
func HearIn(prompt, lang string) Step { return Step{kind: kindHear, text: prompt, text2: lang} }

// Press presses keys once the prompt heard last is over.
func Press(keys string) Step { return Step{kind: kindPress, text: keys} }

// Interrupt presses keys in the middle of the prompt heard last.
func Interrupt(keys string) Step { return Step{kind: kindInterrupt, text: keys} }

// Silence does nothing for d.
func Silence(d time.Duration) Step { return Step{kind: kindSilence, d: d} }

// HangUp ends the call from the caller's side. It must be the last step.
func HangUp() Step { return Step{kind: kindHangUp} }

// Queued expects the flow to enter queue with priority; the queue answers with result, one of the ivr.Queue... words or any other.
func Queued(queue string, priority int, result string) Step {
	return Step{kind: kindQueue, text: queue, number: priority, text2: result}
}

// Voicemailed expects the flow to enter a mailbox, which answers with result, one of the ivr.Voicemail... words or any other.
func Voicemailed(box, result string) Step {
	return Step{kind: kindVoicemail, text: box, text2: result}
}

// Echoed expects the echo step; it is ended by the flow's own limit, or by HangUp.
func Echoed() Step { return Step{kind: kindEcho} }

// Noted expects the flow to attach text to the call's record.
func Noted(text string) Step { return Step{kind: kindNote, text: text} }

// Fails expects any of the above on the flow's side and makes the phone fail it with an error.
func Fails() Step { return Step{kind: kindFail} }

// Ends expects the flow to hang up with reason. It must be the last step.
func Ends(reason string) Step { return Step{kind: kindEnds, text: reason} }

// String describes the step.
func (s Step) String() string {
	switch s.kind {
	case kindHear:
		return fmt.Sprintf("Hear(%q %s)", s.text, s.text2)
	case kindPress:
		return fmt.Sprintf("Press(%q)", s.text)
	case kindInterrupt:
		return fmt.Sprintf("Interrupt(%q)", s.text)
	case kindSilence:
		return fmt.Sprintf("Silence(%v)", s.d)
	case kindHangUp:
		return "HangUp()"
	case kindQueue:
		return fmt.Sprintf("Queued(%q, %d)", s.text, s.number)
	case kindVoicemail:
		return fmt.Sprintf("Voicemailed(%q)", s.text)
	case kindEcho:
		return "Echoed()"
	case kindNote:
		return fmt.Sprintf("Noted(%q)", s.text)
	case kindFail:
		return "Fails()"
	case kindEnds:
		return fmt.Sprintf("Ends(%q)", s.text)
	case kindInvalid:
	}
	return "an invalid step"
}
