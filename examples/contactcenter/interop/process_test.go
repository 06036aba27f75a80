package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func portString(port int) string { return strconv.Itoa(port) }

// socketsOf returns what the kernel knows of the process's sockets of one kind ("tcp", "udp", "tcp6", "udp6"): local address and state, in hex.
func socketsOf(t *testing.T, s *server, kind string) []string {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid))
	fds, err := os.ReadDir(filepath.Join(proc, "fd"))
	require.NoError(t, err)
	own := map[string]bool{}
	for _, fd := range fds {
		if target, err := os.Readlink(filepath.Join(proc, "fd", fd.Name())); err == nil { // it may be closed meanwhile
			own[target] = true
		}
	}
	table, err := os.ReadFile(filepath.Join(proc, "net", kind)) // of its namespace
	require.NoError(t, err)
	var out []string
	for _, line := range strings.Split(string(table), "\n")[1:] {
		if f := strings.Fields(line); len(f) > 9 && own[fmt.Sprintf("socket:[%s]", f[9])] {
			out = append(out, kind+" "+f[1]+" "+f[3])
		}
	}
	return out
}

// listening returns the process's sockets that take something from strangers: TCP in state LISTEN, and every UDP port.
func listening(t *testing.T, s *server) []string {
	t.Helper()
	var out []string
	for _, kind := range []string{"tcp", "tcp6"} {
		for _, x := range socketsOf(t, s, kind) {
			if strings.HasSuffix(x, " 0A") {
				out = append(out, x)
			}
		}
	}
	return append(out, append(socketsOf(t, s, "udp"), socketsOf(t, s, "udp6")...)...)
}

// descriptors counts the process's open files.
func descriptors(t *testing.T, s *server) int {
	t.Helper()
	fds, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "fd"))
	require.NoError(t, err)
	return len(fds)
}
