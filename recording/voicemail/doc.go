// Package voicemail keeps messages for people who could not be reached, and lets their owners hear them by phone.
//
// [Boxes] holds the boxes of one customer: a number, a PIN, greetings, messages. [Boxes.Serve] leads one caller: who only speaks leaves a message; who presses
// star and knows a PIN hears what others left. What a caller hears and which key does what is a [Dialog], a state machine without clock, phone or disk.
//
// The keys of an owner:
//
//	1  hear the messages; next message
//	2  save
//	3  delete; pressed again for the same message before the call ends: keep it after all
//	4  this message from its beginning; pressed while its time is said: the one before
//	5  forward, with an introduction or without
//	0  options: greeting and PIN
//	*  back, and out
//	#  skip what is being said; end of a number, of a recording
//
// Only 2 and 3 change a message. One that was heard and left alone stays new.
//
// # Security
//
// Messages and greetings are recordings of a [recording.Vault]: encrypted from the first frame, each with a key of its own, of the data classes "voicemail" and
// "greeting". Deleting a message destroys its key. A forwarded message is a recording of its own. Who called is in the recording's encrypted metadata; the
// [Store] holds box numbers, times, lengths and states, and no name.
//
// The attacker is somebody who tries PINs by phone. PINs are 6 to 12 digits, trivial ones are refused, and they are stored as argon2id. Each try is counted
// before it is checked, so that trying on many lines at once gains nothing. From the third failure in a row on the box refuses everything, for a minute at
// first and twice as long each time, up to a day. An unknown box, a wrong PIN and a box that refuses answer alike after the same work. The box's own phone is
// counted apart, so that a stranger cannot keep an owner out of the own box. Three tries end a call, whichever boxes they were for. What is not stopped here is
// somebody who tries one PIN at every box from ever new calls: whoever admits calls bounds how many there are.
//
// A session can open and destroy what lies in its own box and nothing else: the box is looked up again for every recording, and each use is recorded with the
// [recording.Auditor] before a sound leaves. PINs are asked for under the phone's mask and are in no log, event or error.
//
// A message counts against the box's quota from before its first frame, so that many callers at once cannot overfill it.
//
// # Goroutines
//
// [New] starts one goroutine for notices if there is a [Notifier]; Close stops it and waits. Serve works in the caller's goroutine and starts up to two more,
// for which it waits. Boxes is safe for concurrent use; a Dialog belongs to one goroutine.
//
// # Importing alone
//
// Package recording and golang.org/x/crypto/argon2. The store is a port: package sqlstore beside it fits, and voicemailtest holds its conformance suite. The
// phone is four methods over standard types.
package voicemail
