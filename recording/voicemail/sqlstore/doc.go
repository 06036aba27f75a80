// Package sqlstore keeps mailboxes in a SQL database: today a SQLite file, which other packages' stores may share.
//
// # Security
//
// Rows hold box numbers, hashes of PINs, times, lengths and states. No name, no number of a caller and no sound is among them.
//
// # Goroutines
//
// Those of database/sql; they end with Close.
//
// # Importing alone
//
// Pulls in the SQLite driver. Package voicemail itself does not.
package sqlstore
