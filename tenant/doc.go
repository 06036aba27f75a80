// Package tenant says who is who in a deployment: tenants, their users, what each user may do, and the credentials their phones register with.
//
// A [Directory] holds the tenants of a deployment. [Directory.Tenant] comes first: no call on data exists without the tenant's handle, and the store
// behind a handle holds one tenant and no other. A [Principal] comes second: it is what [Tenant.Authenticate] returns for a user and a password, and
// every call on personal data asks for one.
//
//	acme, err := dir.Tenant(ctx, "acme")
//	who, err := acme.Authenticate(ctx, "1001", password)
//	err = who.Allow(ctx, "recording.listen", id) // what the other packages' Authorizer port asks
//
// # Security
//
// A tenant follows from the name an operator typed or the domain a connection was made to, never from what a user claims. Unknown users, wrong
// passwords and disabled users look the same and take the same kind of time. SIP credentials (HA1 of RFC 8760) are sealed under the tenant's key and
// bound to user, realm and algorithm; console passwords are argon2id. MD5 exists for a tenant that names it, never by default. Rights come from roles
// by the table in defaults.go; an action that is not in the table is denied, and a disabled user loses every right at the next call.
//
// [Tenant.Operator] makes a principal without a password, for the command line on the server itself: whoever holds the data folder and the root key
// already holds everything. It still has to name an enabled user, and every verb is judged and recorded as that user's.
//
// # Goroutines
//
// None. All types are safe for concurrent use. At most [MaxConcurrentHashes] passwords are hashed at once in a Directory, so strangers cannot take
// all memory by logging in.
//
// # Importing alone
//
// Imports package password beside it and the standard library. Stores, keys and audit log are ports; packages sqlstore, kms and audit beside it fit.
package tenant
