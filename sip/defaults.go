package sip

import (
	"crypto/tls"
	"time"
)

// Policy defaults of this package. They are limits against strangers; a Config can change those that have a field.
const (
	defaultAuthTimeout      = 32 * time.Second // a connection that has not authenticated by then is closed
	defaultHandshakeTimeout = 5 * time.Second  // half-open TLS
	defaultMaxConns         = 10000            // connections at once
	defaultMaxPerSource     = 1000             // connections of one address at once
	defaultMaxHalfOpen      = 256              // handshakes at once, of all sources
	defaultMaxCalls         = 2000             // calls at once
	defaultNonceLife        = 5 * time.Minute
	maxMessage              = 64 << 10 // bytes of one SIP message, headers and body
	minExpires              = 60       // seconds; RFC 3261 section 10.2.8
	maxExpires              = 3600     // seconds
	maxContacts             = 8        // Contact values of one REGISTER

	// RFC 3261 section 17.1.1.1, the defaults. They are fixed: a process has one T1.
	t1 = 500 * time.Millisecond
	t2 = 4 * time.Second
)

// aeadSuites are the TLS 1.2 suites of the floor: AEAD with forward secrecy (RFC 9325 section 4.2). TLS 1.3 has only such suites.
func aeadSuites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// allowedMethods is what this package truly handles, in the order it is written in Allow.
const allowedMethods = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, UPDATE"
