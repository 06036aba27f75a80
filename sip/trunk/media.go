package trunk

import (
	"context"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/sip"
)

// guarded lets only descriptions with SRTP pass, both ways: a carrier that answers RTP/AVP to an offer of RTP/SAVP must not get a clear call.
type guarded struct {
	sip.Media
	waived func() bool
}

func (g guarded) check(what string, body []byte) error {
	if g.waived() || secureSDP(body) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrClearMedia, what)
}

func (g guarded) Offer(ctx context.Context) ([]byte, error) {
	body, err := g.Media.Offer(ctx)
	if err != nil {
		return nil, err
	}
	return body, g.check("offer", body)
}

func (g guarded) Answer(ctx context.Context, offer []byte) ([]byte, error) {
	if err := g.check("offer of the carrier", offer); err != nil {
		return nil, err
	}
	body, err := g.Media.Answer(ctx, offer)
	if err != nil {
		return nil, err
	}
	return body, g.check("answer", body)
}

func (g guarded) Accept(ctx context.Context, answer []byte) error {
	if err := g.check("answer of the carrier", answer); err != nil {
		return err
	}
	return g.Media.Accept(ctx, answer)
}

// secureSDP says that every stream of a description that is not switched off is one of SRTP (RFC 3711, RFC 5124, RFC 5764), and that there is one.
func secureSDP(body []byte) bool {
	streams := 0
	for line := range strings.FieldsFuncSeq(string(body), func(r rune) bool { return r == '\r' || r == '\n' }) {
		value, ok := strings.CutPrefix(line, "m=")
		if !ok {
			continue
		}
		streams++
		f := strings.Fields(value)
		if len(f) < 3 {
			return false
		}
		if f[1] == "0" { // RFC 3264 section 6: refused
			continue
		}
		switch strings.ToUpper(f[2]) {
		case "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF":
		default:
			return false
		}
	}
	return streams > 0
}
