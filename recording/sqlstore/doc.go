// Package sqlstore keeps the catalog of recordings in a SQL database: today a SQLite file, which other packages' stores may share.
//
// # Security
//
// Rows hold wrapped keys and encrypted metadata; creation time, class, state and length are readable. Shred overwrites a key, empties the
// write-ahead log, and only then returns: afterwards the key is in no file of the store.
//
// # Goroutines
//
// Those of database/sql; they end with Close.
//
// # Importing alone
//
// Pulls in the SQLite driver. Package recording itself does not.
package sqlstore
