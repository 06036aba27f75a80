package tenant

import "errors"

var (
	// ErrUnknownTenant is returned by Directory.Tenant and ByDomain.
	ErrUnknownTenant = errors.New("tenant: unknown tenant")
	// ErrUnauthenticated is returned by every call on personal data that is given no Principal of this tenant, and by Authenticate for an unknown
	// user, a wrong password and a disabled user alike.
	ErrUnauthenticated = errors.New("tenant: unauthenticated")
	// ErrForbidden is returned by Principal.Allow, and by the calls that ask it, when the principal's roles do not grant the action.
	ErrForbidden = errors.New("tenant: forbidden")
	// ErrUnknownUser is returned by Credentials for a user that does not exist, is disabled, or has no credentials for the algorithm; and by the
	// calls that name a user which does not exist.
	ErrUnknownUser = errors.New("tenant: unknown user")
	// ErrUnknownRealm is returned by Credentials for a realm that is not the tenant's.
	ErrUnknownRealm = errors.New("tenant: unknown realm")
	// ErrAlgorithm is returned by Credentials for a digest algorithm that the tenant does not allow.
	ErrAlgorithm = errors.New("tenant: digest algorithm not allowed")
	// ErrExists is returned when a tenant, domain or user to create is there already.
	ErrExists = errors.New("tenant: exists")
	// ErrInvalid is returned for names, domains, roles and passwords outside their rules.
	ErrInvalid = errors.New("tenant: invalid")
	// ErrLastAdmin is returned by UpdateUser and DeleteUser when no enabled administrator would remain.
	ErrLastAdmin = errors.New("tenant: last administrator")
	// ErrConfig is returned by New when a required part is missing.
	ErrConfig = errors.New("tenant: incomplete configuration")
)
