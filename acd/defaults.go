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

	maxUnix = 7_258_118_400 // the year 2200: keeps nanoseconds in 64 bits

	// priorHandle is the handling time that EWT assumes before the first work of a queue has ended.
	priorHandle = 3 * time.Minute

	storeRetryMin = 50 * time.Millisecond
	storeRetryMax = 2 * time.Second
	flushTimeout  = 5 * time.Second // what Run gives the store after ctx has ended
)
