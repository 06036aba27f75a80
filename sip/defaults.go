package sip

import (
	"crypto/tls"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip/internal/sieve"
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
	defaultFlowTimer        = 2 * time.Minute  // RFC 5626 section 4.4.1: the recommended upper bound of keep-alives on streams
	defaultMaxSubscriptions = 100              // subscriptions of one user: a large key module
	handlerTime             = 10 * time.Second // a handler of MESSAGE or SUBSCRIBE has so long
	defaultPing             = 30 * time.Second // of silence on a WebSocket before it is asked whether it is there
	writeTimeout            = 5 * time.Second  // of what we write between the library's messages
	maxUpgrade              = 8 << 10          // bytes of an HTTP upgrade request
	maxMessage              = sieve.MaxMessage
	minExpires              = 60   // seconds, of a subscription
	maxExpires              = 3600 // seconds, of a subscription
	maxContacts             = 8    // Contact values of one REGISTER

	// Strangers. An office behind one address survives these because its phones authenticate, which gives back what they spent.
	defaultRequestRate    = 100              // a second, of one source
	defaultRequestBurst   = 1000             // at once, of one source
	defaultTotalRate      = 10000            // a second, of all sources: screening them takes a part of one core
	defaultTotalBurst     = 20000            // at once, of all sources
	defaultLockAfter      = 5                // failures of one user from one source
	sourceLockFactor      = 20               // so many times as many failures of one source lock all its strangers
	lockFirst             = time.Second      // doubles with each further failure
	lockMax               = 15 * time.Minute // up to this
	lockForget            = time.Hour
	defaultBanAfter       = 100 // offences of one source
	banWindow             = 10 * time.Minute
	defaultBanTime        = 10 * time.Minute // doubles with each further ban
	banMax                = 24 * time.Hour
	maxSources            = 32768            // entries of each table of sources, some 100 bytes each
	knownTime             = time.Hour        // a datagram flow is a stranger again after this silence
	defaultSessionExpires = 30 * time.Minute // RFC 4028 section 4
	defaultMinSession     = 90 * time.Second // RFC 4028 section 5: the least that may be
	maxForks              = 16               // early dialogs of one INVITE
	maxPacketSources      = 16384            // datagram sources the library may remember at once
	retryAfter            = "10"             // seconds

	// RFC 3261 section 17.1.1.1, the defaults. They are fixed: a process has one T1.
	t1     = 500 * time.Millisecond
	trying = 200 * time.Millisecond // RFC 3261 section 17.2.1: after so much silence the caller gets 100
	t2     = 4 * time.Second
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
const allowedMethods = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, UPDATE, PRACK, REFER, NOTIFY"

// extensions are the option tags that a peer may require of us for a dialog: RFC 3262, 4028 and 4488. With Config.OnReplace, "replaces" is another (RFC 3891).
const extensions = "100rel, timer, norefersub"

var methods = strings.Split(allowedMethods, ", ")
