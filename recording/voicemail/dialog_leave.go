package voicemail

// How a message is left: greeting, tone, message, thanks. Star during the greeting logs in.

func (d *Dialog) room(in Input) Command {
	switch in.Kind {
	case Done:
	case Full:
		// The owner of a full box must get in to empty it.
		d.result = ResultFull
		if d.cfg.Login {
			return d.say((*Dialog).whileFull, Command{Items: spoken("vm-full"), Stop: "*"})
		}
		return d.bye("vm-full")
	default:
		return d.fail()
	}
	stop := "#"
	if d.cfg.Login {
		stop = "#*"
	}
	return d.say((*Dialog).greeted, Command{Items: []Spoken{{Greeting: d.cfg.Box}}, Stop: stop})
}

func (d *Dialog) whileFull(in Input) Command {
	if in.Kind == Pressed {
		d.result = ResultNothing
		return d.login()
	}
	d.over = true
	return d.wrap()
}

func (d *Dialog) greeted(in Input) Command {
	switch {
	case in.Kind == Pressed && in.Key == '*':
		return d.login()
	case in.Kind == Failed:
		return d.fail()
	}
	return d.say((*Dialog).toned, Command{Items: spoken("vm-beep")})
}

func (d *Dialog) toned(in Input) Command {
	if in.Kind == Failed {
		return d.fail()
	}
	d.taking = ForMessage
	d.on = (*Dialog).spoke
	return Command{Kind: Record, Purpose: ForMessage, Box: d.cfg.Box}
}

func (d *Dialog) spoke(in Input) Command {
	switch in.Kind {
	case Full:
		d.taking, d.result = ForNothing, ResultFull
		return d.bye("vm-full")
	case Failed:
		return d.do((*Dialog).broken, Command{Action: Keep, Purpose: ForMessage}) // what there is
	}
	return d.do((*Dialog).left, Command{Action: Keep, Purpose: ForMessage})
}

func (d *Dialog) broken(in Input) Command {
	d.taking = ForNothing
	return d.fail()
}

func (d *Dialog) left(in Input) Command {
	d.taking = ForNothing
	switch in.Kind {
	case Done:
		d.result = ResultLeft
		return d.bye("vm-left", "vm-goodbye")
	case TooShort:
		d.quiet++
		if d.quiet >= maxQuiet {
			return d.bye("vm-goodbye")
		}
		return d.say((*Dialog).toned, Command{Items: spoken("vm-too-short", "vm-beep")})
	}
	return d.fail()
}

// How an owner logs in: a number, unless the own box is offered, and a PIN. Star at the PIN asks for another number.

func (d *Dialog) login() Command {
	d.quiet = 0
	if d.cfg.Own != "" && !d.chosen {
		d.box = d.cfg.Own
		return d.askPIN()
	}
	return d.askBox()
}

func (d *Dialog) askBox() Command {
	d.chosen = true
	return d.collect((*Dialog).boxTyped, true, "vm-enter-box")
}

func (d *Dialog) boxTyped(digits string, key byte) Command {
	switch {
	case key == '*':
		return d.bye("vm-goodbye")
	case digits == "":
		return d.again((*Dialog).askBox)
	}
	d.box = digits
	return d.askPIN()
}

func (d *Dialog) askPIN() Command { return d.collect((*Dialog).pinTyped, true, "vm-enter-pin") }

func (d *Dialog) pinTyped(digits string, key byte) Command {
	switch {
	case key == '*':
		return d.again((*Dialog).askBox)
	case digits == "":
		return d.again((*Dialog).askPIN)
	}
	d.asked++
	return d.do((*Dialog).loggedIn, Command{Action: LogIn, Box: d.box, PIN: NewPIN(digits)})
}

// again asks once more, up to maxQuiet times.
func (d *Dialog) again(ask func(*Dialog) Command) Command {
	if d.quiet++; d.quiet >= maxQuiet {
		return d.bye("vm-goodbye")
	}
	return ask(d)
}

func (d *Dialog) loggedIn(in Input) Command {
	switch {
	case in.Kind == Done:
		d.session, d.result, d.quiet = true, ResultRetrieved, 0
		d.list = in.Messages
		return d.summary()
	case in.Kind != Refused:
		return d.fail()
	case d.asked >= maxAsked:
		return d.bye("vm-refused", "vm-goodbye")
	}
	return d.say((*Dialog).wrong, Command{Items: spoken("vm-wrong")})
}

func (d *Dialog) wrong(in Input) Command {
	if in.Kind == Failed {
		return d.fail()
	}
	return d.login()
}

// collect asks for digits; # or a pause ends them, star is handed on at once. ready gets them with the key that ended them, zero for a pause.
func (d *Dialog) collect(ready func(d *Dialog, digits string, key byte) Command, secret bool, prompts ...string) Command {
	if d.typed == nil {
		d.typed = make([]byte, 0, maxTyped)
	}
	d.typed = d.typed[:0]
	const keys = "0123456789*#"
	var typing func(*Dialog, Input) Command
	typing = func(d *Dialog, in Input) Command {
		finish := func(key byte) Command {
			digits := string(d.typed)
			clear(d.typed[:cap(d.typed)])
			d.typed = d.typed[:0]
			return ready(d, digits, key)
		}
		switch {
		case in.Kind == Failed:
			return d.fail()
		case in.Kind != Pressed:
			return finish(0)
		case in.Key == '#' || in.Key == '*':
			if in.Key == '*' {
				d.typed = d.typed[:0]
			}
			return finish(in.Key)
		case len(d.typed) == maxTyped:
			return finish('#')
		}
		d.typed = append(d.typed, in.Key)
		return d.say(typing, Command{Stop: keys, Wait: betweenWait, Secret: secret})
	}
	return d.say(typing, Command{Items: spoken(prompts...), Stop: keys, Wait: keyWait, Secret: secret})
}
