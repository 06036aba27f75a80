package media_test

import (
	"encoding/binary"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// stampArrivals has the kernel note when a packet reached the socket, so that the time a phone waits for a core is not taken for the relay's.
func stampArrivals(t *testing.T, c *net.UDPConn) {
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) }))
	require.NoError(t, err)
}

// arrived reads the kernel's note, in nanoseconds since 1970.
func arrived(control []byte) int64 {
	if len(control) < syscall.CmsgLen(16) {
		return time.Now().UnixNano() // never, on Linux
	}
	ts := control[syscall.CmsgLen(0):]
	return int64(binary.NativeEndian.Uint64(ts))*int64(time.Second) + int64(binary.NativeEndian.Uint64(ts[8:]))
}
