package media

// Secret says that the peer is entering what nobody else may have, such as the digits of a card. While on is true, its audio and its digits reach no tap, no bridge
// and no conference, in-band keys among them: the other side hears nothing of it, or whoever else is in the conference. Its digits still come to Digits, and prompts play.
//
// When Secret(true) returns, nothing of the peer is on its way to anybody, and nothing will be until Secret(false): what waited in a conference's playout buffer is thrown
// away. It belongs to the leg and holds whatever the leg is joined to meanwhile. A Tap must not call it.
func (l *Leg) Secret(on bool) {
	l.secret.Store(on)
	if !on {
		return
	}
	l.tap.mu.Lock() // a tap that had begun has returned
	//lint:ignore SA2001 the empty section is the point
	l.tap.mu.Unlock()
	if r := l.out.Load(); r != nil {
		r.settle()
	}
	l.settle()
	l.eng.pace.barrier()
}
