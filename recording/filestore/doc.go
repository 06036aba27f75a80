// Package filestore keeps recordings as files: one per recording, <dir>/<two hex digits>/<id>.part while the call lasts, renamed to <id>.rec when it was closed.
// A .part that nobody writes is what a dead process left: Open returns it like any other, and the Vault says that it is incomplete.
//
// The file <dir>/.filestore says which folder this is. It is made when the folder is first opened, and must be there, the same, for what is made, listed or removed
// later: a disk that is unmounted while the program runs is not replaced by a folder on the disk below (ErrGone). Nothing else reads it. If it was deleted by hand, the
// next Open makes another. A folder that has none yet works as before, and gets one.
//
// # Security
//
// What is written is ciphertext already. Folders have mode 0700 and files 0600. IDs are checked before they become paths.
//
// # Durability
//
// A write is one write(2) at the end of the file: it survives the death of the process at once. A power cut it survives once the kernel wrote it (commonly
// within 30 s) or when Sync returned, which the Vault calls when a recording ends; then the name is synced too. A sync each second of a thousand recordings
// would cost the disk more than the recordings do; who needs more than that against power cuts replicates (package replica). A write that fails half-way, as on a full disk, is taken back, so that a file never holds part of a segment followed by another. Only a power cut or the death of the
// machine can leave a torn segment, and only as the last one.
//
// # Goroutines
//
// None.
//
// # Importing alone
//
// Standard library and package recording.
package filestore
