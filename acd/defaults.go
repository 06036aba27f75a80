package acd

import "time"

// Defaults of a queue; [Queue] documents them.
const (
	defaultRingTimeout   = 20 * time.Second
	defaultMaxWait       = 30 * time.Minute
	defaultMaxWaiting    = 1000
	defaultWrapUp        = 10 * time.Second
	defaultServiceTarget = 20 * time.Second
	defaultShortAbandon  = 5 * time.Second
	defaultRejectPause   = 10 * time.Second
	defaultRingMax       = 20
	defaultAttempts      = 3
	defaultRetry         = 15 * time.Minute
	defaultDialTimeout   = time.Minute
)

// Limits.
const (
	defaultMaxOpen = 10_000
	maxBacklog     = 100_000 // events that wait for the store
	maxBatch       = 4_096   // events per Append
	maxIDBytes     = 128
	maxReasonBytes = 64
	maxAttributes  = 32
	maxAttrBytes   = 512
	maxPriority    = 1_000_000
	maxChannels    = 32
	maxSlots       = 100
	maxSkills      = 64
	maxNeeds       = 16
	maxLevel       = 100
	maxTier        = 100
	maxRings       = 16
	maxWeight      = 1000
	maxAttempts    = 20
	maxPreferred   = 16
	maxDevices     = 16
	maxLastAgents  = 1_000_000
	maxClasses     = 4096 // distinct needs that a queue remembers while nobody waits with them
	maxDuration    = 366 * 24 * time.Hour
	maxAgeing      = 30 * time.Minute // times maxPriority it still fits beside a time in 64 bits
	maxHeadStart   = 30 * 24 * time.Hour

	maxUnix = 7_258_118_400 // the year 2200: keeps nanoseconds in 64 bits

	// priorHandle is the handling time that EWT assumes before the first work of a queue has ended.
	priorHandle = 3 * time.Minute

	storeRetryMin = 50 * time.Millisecond
	storeRetryMax = 2 * time.Second
	flushTimeout  = 5 * time.Second // what Run gives the store after ctx has ended
)
