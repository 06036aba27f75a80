package siptest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// The range is below 32768, where Linux begins to give ports to connections by itself: no connection of another test takes the port between the look and the
// moment the process binds it, or while a process that was killed is started again.
const firstPort, lastPort = 10000, 30000

// FreePort returns a port of 127.0.0.1 that was free a moment ago, for TCP and UDP: for a process that must be told which to take. Whoever can should listen on port 0
// instead. Safe for concurrent use; two tests may be given the same port, once in thousands of times.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if portFree(port) {
			return port
		}
	}
	t.Fatalf("no free port from %d to %d", firstPort, lastPort)
	return 0
}

func portFree(port int) bool {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer l.Close()
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
