// Package sqlstore keeps holds, begun erasures and receipts in a SQL database: today a SQLite file, which other packages' stores may share.
//
// # Security
//
// Holding and beginning an erasure exclude each other by the database's own write transactions. Receipts are signed, so changing one here is found by
// whoever checks it; leaving one out breaks their chain.
//
// # Goroutines
//
// Those of database/sql; they end with Close.
//
// # Importing alone
//
// Pulls in the SQLite driver. Package retention itself does not.
package sqlstore
