// Package websocket is the framing of RFC 6455 section 5 for a server: bytes of a client in, messages and control frames out, and the other way
// round. It is pure: no socket, no clock, no goroutine. No extension is known, so nothing is ever decompressed.
package websocket
