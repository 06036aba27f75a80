package voicemail

import (
	"strconv"
	"time"
)

// What an owner can do once logged in.

// summary says how many messages there are, and asks.
func (d *Dialog) summary() Command {
	d.counts = Counts{}
	for _, m := range d.list {
		switch {
		case m.Deleted:
		case m.Saved:
			d.counts.Saved++
		default:
			d.counts.New++
		}
	}
	items := spoken("vm-you-have")
	if d.counts == (Counts{}) {
		items = append(items, spoken("vm-none")...)
	}
	if d.counts.New > 0 {
		items = append(append(items, number(strconv.Itoa(d.counts.New))...), spoken("vm-new")...)
	}
	if d.counts.Saved > 0 {
		items = append(append(items, number(strconv.Itoa(d.counts.Saved))...), spoken("vm-saved")...)
	}
	return d.menu(items)
}

func (d *Dialog) menu(before []Spoken) Command {
	return d.say((*Dialog).menuKey, Command{Items: append(before, spoken("vm-menu")...), Stop: "10*#", Wait: keyWait})
}

func (d *Dialog) menuKey(in Input) Command {
	switch {
	case in.Kind == Failed:
		return d.fail()
	case d.hushed(in):
		return d.leave()
	case in.Kind != Pressed || in.Key == '#':
		return d.menu(nil)
	case in.Key == '0':
		return d.options(nil)
	case in.Key == '*':
		return d.leave()
	}
	d.at = 0
	return d.play()
}

// leave is the way out of a session.
func (d *Dialog) leave() Command { return d.bye("vm-goodbye") }

// play loads the message at hand, and says it with its envelope.
func (d *Dialog) play() Command {
	if d.at >= len(d.list) {
		return d.menu(spoken("vm-no-more"))
	}
	return d.do((*Dialog).loaded, Command{Action: Load, Message: d.list[d.at].ID})
}

func (d *Dialog) loaded(in Input) Command {
	if in.Kind != Done { // altered, or destroyed meanwhile: the others can still be heard
		d.at++
		return d.say((*Dialog).skipped, Command{Items: spoken("vm-unreadable")})
	}
	items := spoken("vm-message")
	items = append(items, number(strconv.Itoa(d.at+1))...)
	items = append(items, when(in.At, d.now)...)
	if from := number(in.Caller); len(from) > 0 && len(from) == len(in.Caller) {
		items = append(append(items, spoken("vm-from")...), from...)
	}
	d.envelope = len(items)
	items = append(items, Spoken{Message: d.list[d.at].ID})
	return d.message(append(items, spoken("vm-message-menu")...))
}

func (d *Dialog) skipped(in Input) Command {
	if in.Kind == Failed {
		return d.fail()
	}
	return d.play()
}

// when says a time: today, yesterday or a date, and hours and minutes.
func when(t, now time.Time) []Spoken {
	var out []Spoken
	switch day := t.Format(time.DateOnly); day {
	case now.In(t.Location()).Format(time.DateOnly):
		out = spoken("vm-today")
	case now.In(t.Location()).AddDate(0, 0, -1).Format(time.DateOnly):
		out = spoken("vm-yesterday")
	default:
		out = append(append(append(spoken("vm-day"), number(t.Format("2"))...), spoken("vm-month")...), number(t.Format("1"))...)
	}
	return append(append(out, spoken("vm-at")...), number(t.Format("1504"))...)
}

func (d *Dialog) message(items []Spoken) Command {
	return d.say((*Dialog).messageKey, Command{Items: items, Stop: "123450*#", Wait: keyWait})
}

func (d *Dialog) messageKey(in Input) Command {
	if in.Kind == Failed {
		return d.fail()
	}
	if d.hushed(in) {
		return d.leave()
	}
	m := d.list[d.at]
	during := in.Item < d.envelope // the time is being said
	d.envelope = 0
	switch in.Key {
	case '1':
		d.at++
		return d.play()
	case '2':
		return d.do((*Dialog).saved, Command{Action: SaveMessage, Message: m.ID})
	case '3':
		if m.Deleted {
			return d.do((*Dialog).undeleted, Command{Action: UndeleteMessage, Message: m.ID})
		}
		return d.do((*Dialog).removed, Command{Action: DeleteMessage, Message: m.ID})
	case '4':
		if during && d.at > 0 {
			d.at--
		}
		return d.play()
	case '5':
		return d.askForward()
	case '0':
		return d.options(nil)
	case '*':
		return d.summary()
	}
	return d.message(spoken("vm-message-menu")) // # skips to the question, as does silence
}

func (d *Dialog) saved(in Input) Command {
	if in.Kind != Done {
		return d.message(spoken("vm-failed", "vm-message-menu"))
	}
	d.list[d.at].Saved, d.list[d.at].Deleted = true, false
	return d.message(spoken("vm-message-saved", "vm-message-menu"))
}

func (d *Dialog) removed(in Input) Command {
	if in.Kind != Done {
		return d.message(spoken("vm-failed", "vm-message-menu"))
	}
	d.list[d.at].Deleted = true
	return d.message(spoken("vm-deleted", "vm-message-menu"))
}

func (d *Dialog) undeleted(in Input) Command {
	if in.Kind != Done {
		return d.message(spoken("vm-failed", "vm-message-menu"))
	}
	d.list[d.at].Deleted = false
	return d.message(spoken("vm-undeleted", "vm-message-menu"))
}

func (d *Dialog) askForward() Command {
	return d.collect((*Dialog).forwardTyped, false, "vm-forward-box")
}

func (d *Dialog) forwardTyped(digits string, key byte) Command {
	if key == '*' || digits == "" {
		return d.message(spoken("vm-message-menu"))
	}
	d.to = digits
	return d.do((*Dialog).forwardChecked, Command{Action: CheckBox, Box: digits})
}

func (d *Dialog) forwardChecked(in Input) Command {
	if in.Kind != Done {
		return d.message(spoken("vm-not-forwarded", "vm-message-menu"))
	}
	return d.say((*Dialog).forwardKey, Command{Items: spoken("vm-forward-intro"), Stop: "1#*", Wait: keyWait})
}

func (d *Dialog) forwardKey(in Input) Command {
	switch {
	case in.Kind == Failed:
		return d.fail()
	case in.Kind == Pressed && in.Key == '1':
		return d.say((*Dialog).introToned, Command{Items: spoken("vm-speak", "vm-beep")})
	case in.Kind == Pressed && in.Key == '#':
		return d.forward()
	}
	return d.message(spoken("vm-not-forwarded", "vm-message-menu"))
}

func (d *Dialog) introToned(in Input) Command {
	if in.Kind == Failed {
		return d.fail()
	}
	d.taking, d.on = ForIntro, (*Dialog).introSpoke
	return Command{Kind: Record, Purpose: ForIntro, Box: d.to, Message: d.list[d.at].ID}
}

func (d *Dialog) introSpoke(in Input) Command {
	if in.Kind == Full || in.Kind == Failed {
		return d.forwarded(in)
	}
	return d.forward()
}

func (d *Dialog) forward() Command {
	d.taking = ForNothing // ForwardMessage settles it either way
	return d.do((*Dialog).forwarded, Command{Action: ForwardMessage, Message: d.list[d.at].ID, Box: d.to})
}

func (d *Dialog) forwarded(in Input) Command {
	if in.Kind == Failed && d.taking == ForIntro {
		return d.fail()
	}
	d.taking = ForNothing
	if in.Kind != Done {
		return d.message(spoken("vm-not-forwarded", "vm-message-menu"))
	}
	return d.message(spoken("vm-forwarded", "vm-message-menu"))
}

// options are the greeting and the PIN.
func (d *Dialog) options(before []Spoken) Command {
	return d.say((*Dialog).optionKey, Command{Items: append(before, spoken("vm-options")...), Stop: "123*#", Wait: keyWait})
}

func (d *Dialog) optionKey(in Input) Command {
	switch {
	case in.Kind == Failed:
		return d.fail()
	case d.hushed(in):
		return d.leave()
	case in.Kind != Pressed || in.Key == '#':
		return d.options(nil)
	case in.Key == '1':
		return d.say((*Dialog).greetingToned, Command{Items: spoken("vm-speak", "vm-beep")})
	case in.Key == '2':
		return d.do((*Dialog).standard, Command{Action: UseStandardGreeting})
	case in.Key == '3':
		return d.askNewPIN()
	}
	return d.summary()
}

func (d *Dialog) standard(in Input) Command {
	if in.Kind != Done {
		return d.options(spoken("vm-failed"))
	}
	return d.options(spoken("vm-greeting-standard"))
}

func (d *Dialog) greetingToned(in Input) Command {
	if in.Kind == Failed {
		return d.fail()
	}
	d.taking, d.on = ForGreeting, (*Dialog).greetingSpoke
	return Command{Kind: Record, Purpose: ForGreeting, Box: d.box}
}

func (d *Dialog) greetingSpoke(in Input) Command {
	if in.Kind == Full || in.Kind == Failed {
		return d.fail()
	}
	return d.review()
}

func (d *Dialog) review() Command {
	return d.say((*Dialog).reviewKey, Command{Items: spoken("vm-greeting-review"), Stop: "123*", Wait: keyWait})
}

func (d *Dialog) reviewKey(in Input) Command {
	switch {
	case in.Kind == Failed:
		return d.fail()
	case d.hushed(in):
		return d.leave()
	case in.Kind != Pressed:
		return d.review()
	case in.Key == '1':
		d.taking = ForNothing // Keep settles it either way
		return d.do((*Dialog).greetingKept, Command{Action: Keep, Purpose: ForGreeting})
	case in.Key == '2':
		return d.say((*Dialog).reviewKey, Command{Items: []Spoken{{Take: true}, {Prompt: "vm-greeting-review"}}, Stop: "123*", Wait: keyWait})
	}
	d.taking = ForNothing
	next := (*Dialog).greetingDropped
	if in.Key == '3' {
		next = (*Dialog).greetingAgain
	}
	return d.do(next, Command{Action: Drop, Purpose: ForGreeting})
}

func (d *Dialog) greetingKept(in Input) Command {
	switch in.Kind {
	case Done:
		return d.options(spoken("vm-greeting-set"))
	case TooShort:
		return d.options(spoken("vm-too-short"))
	}
	return d.fail()
}

func (d *Dialog) greetingDropped(in Input) Command {
	if in.Kind != Done {
		return d.fail()
	}
	return d.options(nil)
}

func (d *Dialog) greetingAgain(in Input) Command {
	if in.Kind != Done {
		return d.fail()
	}
	return d.say((*Dialog).greetingToned, Command{Items: spoken("vm-speak", "vm-beep")})
}

func (d *Dialog) askNewPIN() Command { return d.collect((*Dialog).newPINTyped, true, "vm-new-pin") }

func (d *Dialog) newPINTyped(digits string, key byte) Command {
	if key == '*' || digits == "" {
		return d.options(nil)
	}
	d.first = NewPIN(digits)
	return d.collect((*Dialog).newPINAgain, true, "vm-new-pin-again")
}

func (d *Dialog) newPINAgain(digits string, _ byte) Command {
	pin := d.first
	d.first = PIN{}
	if pin.ExportSecret() != digits { // both are the caller's own: nothing is compared with a secret of somebody else's
		return d.options(spoken("vm-pin-differs"))
	}
	return d.do((*Dialog).pinChanged, Command{Action: SetPIN, PIN: pin})
}

func (d *Dialog) pinChanged(in Input) Command {
	switch in.Kind {
	case Done:
		return d.options(spoken("vm-pin-changed"))
	case Refused:
		return d.options(spoken("vm-pin-refused"))
	}
	return d.fail()
}
