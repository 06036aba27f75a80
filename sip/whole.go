package sip

import "github.com/ringfence/ringfence/sip/internal/sieve"

// readWhole reads a message of a transport that keeps messages apart, so that Content-Length may be missing. If it is exact, nothing may follow
// the body; of a datagram the rest is discarded (RFC 3261 section 18.3). The Message is nil if there is no head.
func readWhole(data []byte, exact bool) (*sieve.Message, *sieve.Fault) {
	end := sieve.End(data, 0)
	if end == 0 {
		return nil, nil
	}
	m, f := sieve.Head(data[:end])
	fault := func(code int, why string) {
		if f != nil {
			return
		}
		if f = (&sieve.Fault{Code: code, Why: why}); m.Status != 0 || m.Method == "ACK" {
			f.Code = 0
		}
	}
	if m.Body = data[end:]; m.Length >= 0 {
		if m.Length > len(m.Body) {
			fault(400, "body cut short")
		}
		if exact && m.Length < len(m.Body) {
			fault(400, "more than one message") // or two readers could see two
		}
		m.Body = m.Body[:min(m.Length, len(m.Body))]
	}
	if len(m.Body) > sieve.MaxBody {
		fault(413, "body too long")
	}
	return m, f
}
