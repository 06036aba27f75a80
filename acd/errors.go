package acd

import "errors"

var (
	// ErrUnknown is returned for a work, queue or agent that does not exist, or no longer does.
	ErrUnknown = errors.New("acd: unknown")
	// ErrExists is returned by Arrive for the id of an open work.
	ErrExists = errors.New("acd: work is already open")
	// ErrState is returned for a verb that does not fit the present state, such as Ready for an agent who is logged out.
	ErrState = errors.New("acd: not possible in this state")
	// ErrStale is returned by Core.Apply for the answer to an offer that no longer stands.
	ErrStale = errors.New("acd: offer is over")
	// ErrTimer is returned by Core.Apply for an event that comes after an unserved deadline: apply KindTimer first.
	ErrTimer = errors.New("acd: a timer is due first")
	// ErrInvalid is returned for an event or a rule that makes no sense: an empty or overlong id, a strategy nobody knows, time
	// running backwards.
	ErrInvalid = errors.New("acd: invalid")
	// ErrConfig is returned by New for a missing or impossible Config field.
	ErrConfig = errors.New("acd: invalid configuration")
	// ErrOverloaded is returned by Arrive when too many works are open or the store lags too far behind.
	ErrOverloaded = errors.New("acd: overloaded")
	// ErrDraining is returned by Arrive after Drain.
	ErrDraining = errors.New("acd: draining")
	// ErrClosed is returned by every method once Run is over, and by Ticket.Wait for a work that was open then.
	ErrClosed = errors.New("acd: center closed")
	// ErrRunning is returned by Run if it was called before.
	ErrRunning = errors.New("acd: center was already run")
	// ErrConflict is returned by a Store for events that do not follow its last one: another process writes the same log.
	ErrConflict = errors.New("acd: log has another writer")
	// ErrLog is returned by Run and Replay for a log that this code cannot replay.
	ErrLog = errors.New("acd: log does not replay")
	// ErrDenied is returned by supervisor verbs that were not allowed or could not be audited; it wraps the reason.
	ErrDenied = errors.New("acd: denied")
)
