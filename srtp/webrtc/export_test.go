package webrtc

import "github.com/ringfence/ringfence/srtp/internal/carrier"

// NewCarrier returns what a leg has below it, for tests of what passes through without a leg's own codecs.
func NewCarrier(e *Engine, p carrier.Port, codecs ...string) carrier.Carrier {
	return newNegotiator(e, p, codecs)
}
