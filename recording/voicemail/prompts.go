package voicemail

import "slices"

// texts are the prompts of a dialog by name, with what they say.
var texts = map[string]string{
	"vm-greeting":          "Nobody can take your call just now. Please leave a message after the tone.",
	"vm-beep":              "",
	"vm-full":              "Sorry, no more messages can be taken here.",
	"vm-too-short":         "Nothing was recorded. Please speak after the tone.",
	"vm-left":              "Thank you. Your message was saved.",
	"vm-enter-box":         "Please enter the number of the mailbox, then the hash key.",
	"vm-enter-pin":         "Please enter the PIN, then the hash key. For another mailbox, press star.",
	"vm-wrong":             "That is not right.",
	"vm-refused":           "Sorry, that was not right either.",
	"vm-you-have":          "You have",
	"vm-none":              "no messages.",
	"vm-new":               "new.",
	"vm-saved":             "saved.",
	"vm-menu":              "To hear your messages, press 1. For greeting and PIN, press 0. To leave, press star.",
	"vm-no-more":           "There are no more messages.",
	"vm-message":           "Message",
	"vm-today":             "today",
	"vm-yesterday":         "yesterday",
	"vm-day":               "on day",
	"vm-month":             "of month",
	"vm-at":                "at",
	"vm-from":              "from",
	"vm-message-menu":      "Next message: 1. Save: 2. Delete: 3. Again: 4. Forward: 5. Back: star.",
	"vm-message-saved":     "Saved.",
	"vm-deleted":           "Deleted. Press 3 again to keep it after all.",
	"vm-undeleted":         "It is kept.",
	"vm-unreadable":        "One message cannot be played.",
	"vm-forward-box":       "Please enter the number of the mailbox to forward to, then the hash key.",
	"vm-forward-intro":     "To say something before it, press 1. To send it as it is, press hash. To go back, press star.",
	"vm-forwarded":         "The message was forwarded.",
	"vm-not-forwarded":     "The message was not forwarded.",
	"vm-speak":             "Please speak after the tone. At the end, press hash.",
	"vm-options":           "To record a greeting, press 1. For the standard greeting, press 2. To change your PIN, press 3. To go back, press star.",
	"vm-greeting-review":   "To use this greeting, press 1. To hear it, press 2. To record it again, press 3. To drop it, press star.",
	"vm-greeting-set":      "Your greeting is in use.",
	"vm-greeting-standard": "The standard greeting is in use.",
	"vm-new-pin":           "Please enter your new PIN of 6 to 12 digits, then the hash key.",
	"vm-new-pin-again":     "Once more, please.",
	"vm-pin-changed":       "Your PIN was changed.",
	"vm-pin-refused":       "This PIN is too easy to guess.",
	"vm-pin-differs":       "The two were not the same.",
	"vm-failed":            "Sorry, that did not work.",
	"vm-goodbye":           "Goodbye.",
	"digit-0":              "0", "digit-1": "1", "digit-2": "2", "digit-3": "3", "digit-4": "4",
	"digit-5": "5", "digit-6": "6", "digit-7": "7", "digit-8": "8", "digit-9": "9",
}

// Prompts returns the names of all prompts that a Phone must be able to play, sorted. "vm-beep" is the tone.
func Prompts() []string {
	out := make([]string, 0, len(texts))
	for name := range texts {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Text returns what a prompt says in English, for whoever records it or has it spoken; empty for the tone and for a name that is none.
func Text(prompt string) string { return texts[prompt] }
