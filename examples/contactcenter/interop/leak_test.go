package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// usage is what a process holds.
type usage struct {
	goroutines, descriptors, udp int
	heap, resident               int // bytes; heap is what the last collection left and what came since
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d UDP ports, %d KiB of heap, %d MiB resident", u.goroutines, u.descriptors, u.udp, u.heap>>10, u.resident>>20)
}

func usageOf(t *testing.T, s *server) usage {
	t.Helper()
	m := s.metrics()
	u := usage{goroutines: int(m["go_goroutines"]), descriptors: descriptors(t, s), udp: len(socketsOf(t, s, "udp")), heap: int(m["go_memstats_heap_alloc_bytes"])}
	require.Positive(t, u.goroutines, "no figure of the runtime in the metrics")
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "status"))
	require.NoError(t, err)
	for _, line := range strings.Split(string(status), "\n") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kb, err := strconv.Atoi(f[1])
			require.NoError(t, err)
			u.resident = kb << 10
		}
	}
	return u
}

// Two hundred calls leave nothing behind: each on a TLS connection of its own, with a leg, keys, a port, a flow and a record.
func TestTwoHundredCallsLeaveNothing(t *testing.T) {
	need(t, "sipp", "socat")
	t.Parallel()
	// Frequent collections make the heap's size say what lives.
	s := startServer(t, siteConfig{Env: []string{"GOGC=20"}})
	port := tunnel(t, s, asAcme)
	calls := func(n int) {
		sippRun{
			scenario: "call.xml", user: "1009", number: "9002", port: port, pause: 100 * time.Millisecond,
			extra: []string{"-m", strconv.Itoa(n), "-r", "25", "-l", "8", "-t", "tn", "-max_socket", "2000"},
		}.run(t, s)
	}
	settled := func(after int) usage {
		var before, now usage
		eventually(t, "no call is left", func() bool {
			m := s.metrics()
			return m["contactcenter_calls"] == 0 && m["contactcenter_media_legs"] == 0 && m["contactcenter_sip_connections"] == 0 && m["contactcenter_calls_total"] == float64(after)
		})
		// What a call leaves for a moment, timers and closing sockets, is over when two looks see the same.
		eventually(t, "the process is quiet", func() bool {
			before, now = now, usageOf(t, s)
			return before.goroutines == now.goroutines && before.descriptors == now.descriptors
		})
		return now
	}
	calls(40) // the first calls fill pools and caches
	warm := settled(40)
	calls(200)
	after := settled(240)
	t.Logf("after 40 calls: %s; after 200 more: %s", warm, after)
	require.Zero(t, after.udp, "media ports")
	require.LessOrEqual(t, after.goroutines, warm.goroutines+3) // the runtime's own come and go; one per call would be 200
	require.LessOrEqual(t, after.descriptors, warm.descriptors+3)
	// A transaction is remembered for 64*T1 = 32 s after its end (RFC 3261 section 17.2.1), and its call with it; then all of it goes. 200 calls that
	// each kept their media leg or a message buffer would be over the limit.
	limit := warm.heap + 1<<20
	least := after
	require.Eventually(t, func() bool {
		now := usageOf(t, s)
		if now.heap < least.heap {
			least = now
		}
		return least.heap <= limit
	}, 2*patience, 250*time.Millisecond, "memory of calls that are over")
	t.Logf("at last: %s", least)
	require.LessOrEqual(t, least.resident, warm.resident+48<<20) // coarse: the race detector's own memory is most of it
	s.await("ended", 240)
	require.Contains(t, s.command("calls", "--tenant", "acme", "--as", "supervisor"), "240 calls = 0 answered + 0 abandoned + 0 overflowed + 240 ended in the IVR")
}
