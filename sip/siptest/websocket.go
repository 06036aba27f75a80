package siptest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
)

// Opcodes of frames (RFC 6455 section 5.2).
const (
	OpText   = 1
	OpBinary = 2
	OpClose  = 8
	OpPing   = 9
	OpPong   = 10
	Fin      = 0x80 // bit of the first byte: the last frame of a message
)

// UpgradeRequest is the HTTP request with which a browser asks for a WebSocket for SIP (RFC 7118 section 4), to be sent as it is or spoiled first.
func UpgradeRequest(host, target, origin string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: " + origin +
		"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n"
}

// WebSocket is the client's end of a WebSocket, to be used like any net.Conn, by NewPeer for one: a Write is one text message, Read gives the
// content of the messages that arrive, answers pings and returns a *CloseError after a Close. It is written from RFC 6455 alone and is safe for
// one reader and one writer, as long as no ping arrives.
type WebSocket struct {
	net.Conn
	r    *bufio.Reader
	rest []byte // of a message
}

// CloseError is the end of a WebSocket that its server has announced.
type CloseError struct{ Code int }

func (e *CloseError) Error() string { return fmt.Sprintf("siptest: WebSocket closed with %d", e.Code) }

// Upgrade sends request, such as UpgradeRequest, on conn. The WebSocket is nil unless the answer is 101. The error is that of conn.
func Upgrade(t testing.TB, conn net.Conn, request string) (*WebSocket, *http.Response, error) {
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, nil, err
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return nil, res, res.Body.Close()
	}
	return &WebSocket{Conn: conn, r: r}, res, nil
}

// Write sends b as one text message.
func (w *WebSocket) Write(b []byte) (int, error) { return len(b), w.Send(Fin|OpText, b) }

// Send sends one frame. first is its first byte: Fin, reserved bits and opcode.
func (w *WebSocket) Send(first byte, payload []byte) error {
	_, err := w.Conn.Write(Frame(first, payload))
	return err
}

// Frame is a masked frame as Send writes it.
func Frame(first byte, payload []byte) []byte {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b := []byte{first, 0x80 | 127}
	switch n := len(payload); {
	case n < 126:
		b[1] = 0x80 | byte(n)
	case n < 1<<16:
		b[1] = 0x80 | 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

// Receive returns the next frame, whatever it is. A frame with a mask is an error: a server sends none.
func (w *WebSocket) Receive() (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xf0 != Fin || head[1]&0x80 != 0 {
		return 0, nil, errors.New("siptest: frame with a mask, a reserved bit or in fragments")
	}
	n := uint64(head[1])
	var long [8]byte
	switch n {
	case 126:
		_, err = io.ReadFull(w.r, long[6:])
		n = binary.BigEndian.Uint64(long[:])
	case 127:
		_, err = io.ReadFull(w.r, long[:])
		n = binary.BigEndian.Uint64(long[:])
	}
	if err != nil {
		return 0, nil, err
	}
	if n > 1<<20 {
		return 0, nil, errors.New("siptest: frame too long")
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(w.r, payload)
	return head[0] & 0x0f, payload, err
}

// Read implements net.Conn.
func (w *WebSocket) Read(b []byte) (int, error) {
	for len(w.rest) == 0 {
		op, payload, err := w.Receive()
		switch {
		case err != nil:
			return 0, err
		case op == OpText || op == OpBinary:
			w.rest = payload
		case op == OpPing:
			if err := w.Send(Fin|OpPong, payload); err != nil {
				return 0, err
			}
		case op == OpClose:
			code := 1005
			if len(payload) >= 2 {
				code = int(binary.BigEndian.Uint16(payload))
			}
			return 0, &CloseError{code}
		}
	}
	n := copy(b, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}
