package voicemail

import "errors"

var (
	// ErrConfig is returned by New when a required part is missing or a limit is out of range.
	ErrConfig = errors.New("voicemail: incomplete configuration")
	// ErrHangup is what a Phone's methods return, wrapped or not, once the caller is gone.
	ErrHangup = errors.New("voicemail: caller hung up")
	// ErrNoBox is returned for a box that does not exist, and by stores.
	ErrNoBox = errors.New("voicemail: no such box")
	// ErrExists is returned for a box or an item that exists already, and by stores.
	ErrExists = errors.New("voicemail: exists")
	// ErrNotFound is returned for an item that does not exist, and by stores.
	ErrNotFound = errors.New("voicemail: not found")
	// ErrConflict is returned by stores for a row that is not as the caller knew it.
	ErrConflict = errors.New("voicemail: changed meanwhile")
	// ErrFull is returned when a box has no room for another message.
	ErrFull = errors.New("voicemail: box is full")
	// ErrRefused is returned by Login: no such box, a wrong PIN, or too many of them. It does not say which.
	ErrRefused = errors.New("voicemail: refused")
	// ErrPIN is returned for a PIN that is too short, too long, not digits, or easy to guess.
	ErrPIN = errors.New("voicemail: PIN not acceptable")
	// ErrInvalid is returned for a box number, a schedule or a time zone that is none.
	ErrInvalid = errors.New("voicemail: invalid")
	// ErrForbidden is returned by a session for what is not in its box.
	ErrForbidden = errors.New("voicemail: not in this box")
	// ErrClosed is returned by a Session that is finished.
	ErrClosed = errors.New("voicemail: session is over")
)
