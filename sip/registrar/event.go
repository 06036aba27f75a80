package registrar

// Kind says what happened to a binding, in the words of RFC 3680 section 5.1.
type Kind string

const (
	// Registered is a contact that became reachable.
	Registered Kind = "registered"
	// Refreshed is a contact that registered again.
	Refreshed Kind = "refreshed"
	// Expired is a contact that was not refreshed in time.
	Expired Kind = "expired"
	// Unregistered is a contact that its user removed.
	Unregistered Kind = "unregistered"
	// Deactivated is a contact that we removed, because its connection is gone or by Deactivate; a device may register again at once.
	Deactivated Kind = "deactivated"
)

// Event is one change of one contact, what a watcher of RFC 3680 is told.
type Event struct {
	Realm, User string
	Kind        Kind
	Binding     Binding // as it is now, or as it was last
}
