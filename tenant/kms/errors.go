package kms

import "errors"

var (
	// ErrNoRoot is returned by OpenRoot when there is no root file.
	ErrNoRoot = errors.New("kms: no root key")
	// ErrRootExposed is returned by OpenRoot when other users of the machine could read or replace the root file.
	ErrRootExposed = errors.New("kms: root key file is accessible to others")
	// ErrRootMalformed is returned by OpenRoot for a file that is not a root key.
	ErrRootMalformed = errors.New("kms: malformed root key file")
	// ErrClosed is returned by every call after the root was closed.
	ErrClosed = errors.New("kms: root key is closed")
	// ErrUnwrap is returned when something does not open: wrong root, wrong tenant, wrong context, or altered bytes. Which of them is not told.
	ErrUnwrap = errors.New("kms: cannot unwrap")
	// ErrDestroyed is returned when the KEK that is needed was destroyed: what it wrapped is gone for good.
	ErrDestroyed = errors.New("kms: key was destroyed")
	// ErrUnknownVersion is returned when something is wrapped under a KEK version the store never held, and by DestroyVersion.
	ErrUnknownVersion = errors.New("kms: unknown key version")
	// ErrCurrent is returned by DestroyVersion for the KEK in use; rotate first.
	ErrCurrent = errors.New("kms: key version is in use")
	// ErrExists is returned by a Store when a record to insert is there already.
	ErrExists = errors.New("kms: key record exists")
	// ErrConfig is returned by Open and For when a required part is missing.
	ErrConfig = errors.New("kms: incomplete configuration")
)
