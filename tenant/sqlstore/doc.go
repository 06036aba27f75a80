// Package sqlstore keeps tenants in SQL databases: today one SQLite file per tenant, <dir>/<tenant>/ringfence.db.
//
// The file is the tenant's border: the handle of one tenant is connected to no other tenant's rows, so no query can return them. The other packages'
// sqlstores share the file; [Stores.DSN] tells its path.
//
// # Security
//
// Folders have mode 0700 and files 0600. A tenant's name is checked before it becomes a path. Rows hold password hashes and sealed credentials; nothing
// in them opens without the root key. Wrapped keys that are destroyed are overwritten and the write-ahead log is emptied before Shred returns.
//
// # Goroutines
//
// Those of database/sql; they end with Close.
//
// # Importing alone
//
// Pulls in the SQLite driver. Package tenant itself does not.
package sqlstore
