// Package s3store keeps recordings in an S3 bucket, with object lock where the law asks for it.
//
// S3 has no files that grow, and a network is no place to put a call's second of audio on time. So a recording that is made is written to a spool on this
// machine, a [filestore.Store], and goes to the bucket as one object when it was closed, in parts if it is long. It leaves the spool when the bucket has it. Open
// finds it wherever it is; nobody above needs to know.
//
// # Security
//
// What is stored is ciphertext already, in the spool and in the bucket, and the bucket's owner learns lengths, times and IDs. The connection is TLS 1.2 or
// better, always; there is no option for less. An object is written once: an upload refuses to replace one, and what differs from the spool is never thrown
// away. Credentials are asked for when they are needed and not kept by this package. An answer that changes between two reads of one Open, as when an
// attacker with write access swaps the object, fails by its ETag; what he put there before fails at the container's own seals.
//
// Remove deletes every version of an object, since a bucket with versioning keeps what is merely deleted. With [Lock] the bucket refuses that until the date,
// and Remove returns [ErrLocked]; the recording is dead all the same, because its key was destroyed first.
//
// # Durability
//
// The acknowledged is in the spool, with the durability of package filestore, until the bucket has acknowledged it with its checksum. Uploads that fail are
// repeated for ever, with a pause that grows to a minute; [Store.Pending] tells how many wait, for how long and why. What a dead process left is found by the
// next [Open].
//
// # Goroutines
//
// [Open] starts Config.Uploads goroutines, which Close stops and waits for.
//
// # Importing alone
//
// Imports packages recording, filestore and backup, and github.com/minio/minio-go. Package recording does not import it.
package s3store
