package retention

// There are no default periods here, on purpose: how long something is kept is the tenant's decision, and forgetting it must not delete.

const (
	// DefaultMaxItems bounds the items of one Run, so that its receipt stays small enough to check.
	DefaultMaxItems = 10_000
	// MaxReceipt is the longest receipt that VerifyReceipt reads, in bytes.
	MaxReceipt = 16 << 20
	// MaxHoldItems bounds the items that one hold names.
	MaxHoldItems = 10_000
)

// Actions that a Sweeper asks its Authorizer for.
const (
	ActionRun      = "retention.run"      // Run
	ActionExplain  = "retention.explain"  // Explain, Lookup
	ActionReceipts = "retention.receipts" // Receipts
	ActionPlace    = "hold.place"         // Place
	ActionRelease  = "hold.release"       // Release
	ActionHolds    = "hold.list"          // Holds
)

// Actions that are recorded but not asked for: they follow from Run or Release.
const (
	ActionErase   = "retention.erase"   // one item, before it is erased
	ActionReceipt = "retention.receipt" // the receipt's number and hash, after it was stored
)
