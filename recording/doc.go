// Package recording keeps the recordings of calls: encrypted from the first byte, readable up to the last finished second after a crash, and provably
// whole or provably not.
//
// A [Vault] makes one [Track] per call. The two media goroutines of a call hand their coded frames to a [Party] each; that never blocks and allocates nothing.
// Every second of the call becomes one encrypted segment, the first may be shorter. [Vault.For] gives the [Access] of one actor: list, listen, export, seal,
// prove, verify, rewrap, destroy. Exports are WAV, FLAC by package flac beside it, or Opus in Ogg, and [Access.ExportSigned] adds a [Receipt] that anybody
// checks with [VerifyExport]. [PlaybackHandler] plays over HTTP. A [Recipient] outside opens what [Access.Seal] wrote with a key of its own and [OpenSealed],
// without the Vault. FORMAT.md beside this file specifies the container; testdata/vectors holds a recording for each way to be wrong.
//
// # Security
//
// Each recording has a random key of its own, bound to its owner, ID, purpose, region and environment ([Place]). The key, wrapped by the KeyWrapper and for
// recipients, is kept in the catalog and nowhere else, so destroying the catalog's row shreds every copy of the recording, backups of the blobs included;
// what was sealed for recipients is theirs. Plaintext exists in memory only, and is zeroed when it was encrypted or read. Flipping, cutting, swapping,
// dropping, repeating, appending or exchanging anything between recordings, owners or environments is found. Listening checks the end of a recording when it
// is opened and each segment when it is reached, and stops before the first bad byte; [Access.Export], [Access.Seal] and [Access.Prove] let nothing out
// unless all of the recording was checked, and [Access.Verify] checks all and names the first bad segment. What a crash cut off is reported as incomplete,
// never as complete. With a [Signer] a hash tree over the segments is signed, so that one part can be proved without the rest.
//
// What must not be stored, or must not leave, has three ports. Config.Text refuses metadata and masks marks and reasons that hold card numbers and the like.
// A recording with Meta.Categories, such as health, is made and let out only while Config.Approver knows a written approval. Parts that Config.Flagger flags are
// silence to whoever listens or exports, unless approved; what cannot leave them out, [Access.Seal] and [Access.Prove], is refused. A port that fails lets
// nothing out. Whoever holds the recording's key, a recipient included, is past all that.
//
// Every verb of Access is asked of the actor's Authorizer and recorded with its Auditor before a byte leaves; if either fails, nothing happens. Verbs that
// let audio out need a reason ([Access.Because]) and count for [Bulk]: whoever takes too much is stopped and reported. The recording's metadata (call,
// parties, attributes) is encrypted under the recording's key too.
//
// # Goroutines
//
// New starts one goroutine, which encrypts and writes the segments of all tracks; Close stops it and waits for it.
// [Party.WriteFrame] may be called from one goroutine per party at a time; everything else is safe for concurrent use unless it says otherwise.
//
// # Importing alone
//
// Standard library only: no SIP, no database driver, no codec but G.711; others come in through [Decoder]. Blobs and catalog are ports; packages filestore
// and sqlstore beside it fit, and package recordingtest holds their conformance suites. One Vault serves one owner; its stores and keys are handed in
// already scoped.
package recording
