package sip_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
)

const benchDialogs = 2000

// benchMemory prints what an established call costs at rest, both of its ends in this process, above what the library keeps after the same exchange without any
// dialog; and how many goroutines so many calls have.
func benchMemory(t *testing.T) {
	up := make(chan *sip.Call, benchDialogs)
	s := serve(t, sip.Config{MaxCalls: 2 * benchDialogs, OnCall: func(ctx context.Context, c *sip.Call) {
		if err := c.Answer(ctx, benchMedia{}); err != nil {
			return
		}
		if c.Detach(nil) == nil {
			up <- c
		}
	}})
	phone := s.phone(t, nil)
	dc := sip.DialConfig{Target: "sip:1002@acme.test", Address: s.addr, From: "sip:1001@acme.test", Password: "acme.test" + password}
	calls := make([]*sip.Call, 0, 2*benchDialogs)
	dial := func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		c, err := phone.Dial(ctx, dc, benchMedia{})
		require.NoError(t, err)
		calls = append(calls, c, <-up)
	}
	bare := bareCall(t, false)
	dial() // connections and tables are there
	require.NoError(t, bare())

	before, threads := settledMemory(), runtime.NumGoroutine()
	for range benchDialogs {
		dial()
	}
	ours := settledMemory() - before
	more := runtime.NumGoroutine() - threads
	before = settledMemory()
	for range benchDialogs {
		require.NoError(t, bare())
	}
	theirs := settledMemory() - before
	fmt.Printf("figure sip/memory-per-dialog %.1f KB above the library's %.1f KB goal <= 12\n", float64(ours-theirs)/benchDialogs/2/1024, float64(theirs)/benchDialogs/2/1024)
	fmt.Printf("figure sip/goroutines-per-1000-waiting-calls %d goal <= 10\n", more*1000/benchDialogs)
	for _, c := range calls[:2] {
		require.NoError(t, c.Err())
	}
}

// settledMemory is the memory in use when nothing is left to collect.
func settledMemory() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
