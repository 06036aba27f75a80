package sip

import "crypto/tls"

// Protection says how a call's signalling is protected: one half of its security record, of which the other is the media's.
type Protection struct {
	// Transport is "UDP", "TCP", "TLS" or "WSS".
	Transport string
	// Version and Suite are of TLS, "TLS 1.3" and "TLS_AES_128_GCM_SHA256"; empty without encryption.
	Version, Suite string
	// Verified is what proves who the other side is: "password" for a user's digest, "certificate" for a client certificate of theirs or for the server
	// certificate of a connection that we opened, "registration" for a device that is called over the connection on which its user logged in, empty for nothing.
	Verified string
}

// Protection returns how the signalling is protected, as it was when the call began.
func (c *Call) Protection() Protection {
	p := Protection{Transport: c.src.network}
	conn := c.src.conn
	if conn != nil {
		t, ok := conn.Conn.(*tls.Conn)
		if !ok && conn.web != nil {
			t, ok = conn.web.Conn.(*tls.Conn)
		}
		if ok {
			s := t.ConnectionState()
			p.Version, p.Suite = tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite)
		}
	}
	switch {
	case conn != nil && (conn.dialed || conn.peer != ""):
		p.Verified = "certificate"
	case c.incoming && c.user != "":
		p.Verified = "password"
	case !c.incoming && c.ep.proved(c.src):
		p.Verified = "registration"
	}
	return p
}
