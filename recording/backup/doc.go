// Package backup keeps a second, sealed copy of a tenant's recordings at another place, and restores one tenant from it without touching another.
//
// [Backup.Run] brings the copy up to date: it adds what was recorded since, and takes out what was destroyed. Run it every day, or every five minutes: what is
// there already costs one look. [Restore] puts a copy back into empty or damaged stores.
//
// # Security
//
// A recording's blob is ciphertext and is copied as it is. Its row, with the wrapped keys, is sealed for a [recording.Recipient] whose private key is kept
// where neither the production nor the copy is: whoever steals the copy, or the machine that makes it, can open nothing; the machine itself cannot read what
// it has put there. Names in the copy are IDs of recordings, and the front of each row names the recipient's key and never holds one.
//
// What was destroyed must not come back from a copy. Run replaces a destroyed recording's row in the copy by one without a key, and removes its blob, so that the
// copy forgets at the latest one Run after the production. Restore never revives what the catalog it restores into knows as destroyed, however old the copy
// is. A copy of a copy that somebody keeps on tape is beyond both; whoever makes one answers for it.
//
// A target at the same place as the production is refused, because it would burn with it.
//
// # How to restore one tenant
//
// The steps are a test, TestOneTenantIsRestored, with the times that they took:
//
//  1. Stop the tenant's vault. Other tenants go on.
//  2. Open empty stores for it, or those that are left: what is there and whole stays.
//  3. Fetch the private key of the backup from where it is kept, and read it with recording.ParseIdentity.
//  4. Call [Restore] with the tenant as RestoreConfig.Owner. Its [Report] names what could not be restored and why; call it again after mending that.
//  5. Open the vault and let Access.Verify read every recording.
//
// # Goroutines
//
// None. A Backup is safe for concurrent use.
//
// # Importing alone
//
// Standard library and package recording. [Folder] is a target; package s3store has another.
package backup
