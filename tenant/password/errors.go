package password

import "errors"

var (
	// ErrMismatch is returned by Verify when the password is not the one that was hashed.
	ErrMismatch = errors.New("password: mismatch")
	// ErrMalformed is returned by Verify for a stored hash that is not an argon2id PHC string within bounds.
	ErrMalformed = errors.New("password: malformed hash")
	// ErrTooShort is returned by Hash for a password under MinBytes.
	ErrTooShort = errors.New("password: too short")
	// ErrTooLong is returned by Hash and Verify for a password over MaxBytes.
	ErrTooLong = errors.New("password: too long")
)
