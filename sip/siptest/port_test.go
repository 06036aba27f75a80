package siptest

import (
	"fmt"
	"net"
	"testing"
)

func TestFreePortIsFree(t *testing.T) {
	port := FreePort(t)
	if port < firstPort || port >= lastPort {
		t.Fatalf("port %d is one that connections get", port)
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if portFree(port) {
		t.Fatalf("port %d is taken and said to be free", port)
	}
}
