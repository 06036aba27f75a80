package audit

// MaxEntry is the longest line of a log, in bytes, its newline included.
const MaxEntry = 32 * 1024

// ActionRepair is the action of the entry that follows a torn line. Only the log itself may write it.
const ActionRepair = "audit.repair"

// repairActor is the actor of a repair: no person did it.
const repairActor = "audit"

// maxTorn bounds what crashes can leave behind the last valid entry: a torn entry and a torn repair of it, with room to spare.
const maxTorn = 4 * MaxEntry
