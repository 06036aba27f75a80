package media

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/ringfence/ringfence/srtp/internal/quality"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// Quality is an estimate of what one direction of a call sounds like, by the E-model of ITU-T G.107 and, for wideband codecs, G.107.1.
type Quality struct {
	// R is the transmission rating: up to 93.2, and up to 129 on the wideband scale. If zero, nothing is known yet.
	R float64
	// MOS is the estimated mean opinion score of a conversation, 1 to 4.5, on the scale of R: 4.41 is the best a narrowband call can have.
	MOS float64
	// Wideband says which scale R and MOS are on. Do not mix the two in one average.
	Wideband bool
	// Loss is the share of packets that were lost, 0 to 1.
	Loss float64
	// BurstRatio is how much longer the runs of loss are than random loss makes them: 1 for random loss. If zero, unknown.
	BurstRatio float64
	// Delay is the estimated time from mouth to ear: packet, half the round trip, and a playout buffer for the jitter.
	Delay time.Duration
}

// codecQuality is how a codec stands loss, as heard on phones that conceal it.
func codecQuality(name string) quality.Codec {
	switch name {
	case sdp.G722:
		return quality.G722
	case sdp.Opus:
		return quality.Opus
	default:
		return quality.G711PLC
	}
}

func rate(codec string, p quality.Path) Quality {
	r := quality.Rate(codecQuality(codec), p)
	return Quality{R: r.R, MOS: r.MOS, Wideband: r.Scale == quality.Wideband, Loss: p.Loss, BurstRatio: p.BurstRatio, Delay: p.OneWay}
}

// mouthToEar estimates the delay of a direction.
func mouthToEar(roundTrip, jitter time.Duration) time.Duration {
	return frameTime + roundTrip/2 + 2*jitter
}

// heard rates what the peer sends us. The caller holds rx.mu.
func (r *receiver) heard(codec string) Quality {
	if r.stream.total == 0 {
		return Quality{}
	}
	b := &r.stream.bursts
	return rate(codec, quality.Path{Loss: b.Loss(), BurstRatio: b.Ratio(), OneWay: mouthToEar(r.peer.rtt, r.stream.spread())})
}

// heardByPeer rates what we send, by the peer's own words if it sends them (RFC 3611), else by its reports, whose jitter is in steps of
// our clock in Hz. The caller holds rx.mu.
func (r *receiver) heardByPeer(codec string, clock uint32) Quality {
	p := &r.peer
	if p.metrics != nil && p.metrics.R > 0 && p.metrics.R <= 100 {
		m := p.metrics
		return Quality{R: float64(m.R), MOS: m.MOSCQ, Loss: m.Loss + m.Discard, Delay: m.RoundTrip/2 + m.EndSystem}
	}
	if p.expected == 0 {
		return Quality{}
	}
	loss := min(1, float64(p.lost)/float64(p.expected))
	return rate(codec, quality.Path{Loss: loss, BurstRatio: 1, OneWay: mouthToEar(p.rtt, time.Duration(p.jitter)*time.Second/time.Duration(clock))})
}

// xrHeader is the header of an extended report with one VoIP metrics block, in front of which stands its sender's source.
const xrHeader = 8

// appendXR appends an RTCP XR packet (RFC 3611 section 2) about the peer's source.
func appendXR(pkt []byte, ours uint32, m quality.Metrics) []byte {
	pkt = append(pkt, 0x80, 207, 0, (xrHeader+quality.BlockSize)/4-1)
	return m.AppendBlock(binary.BigEndian.AppendUint32(pkt, ours))
}

// metrics describes what we hear, for the peer. The caller holds rx.mu.
func (r *receiver) metrics(codec string) quality.Metrics {
	q, b := r.heard(codec), &r.stream.bursts
	m := quality.Metrics{SSRC: r.stream.ssrc, Loss: b.Loss(), Bursts: b.Measure(), Packet: frameTime, RoundTrip: r.peer.rtt, R: quality.Unknown, ExtR: quality.Unknown,
		EndSystem: 2 * frameTime, Concealed: true}
	if q.R > 0 && !q.Wideband {
		m.R, m.MOSCQ = int(q.R+0.5), q.MOS
		m.MOSLQ = rate(codec, quality.Path{Loss: b.Loss(), BurstRatio: b.Ratio()}).MOS
	}
	return m
}

// readXR returns the VoIP metrics about our source in a compound packet, if any.
func readXR(pkt []byte, ours uint32) *quality.Metrics {
	for len(pkt) >= 4 {
		size := 4 * (int(binary.BigEndian.Uint16(pkt[2:])) + 1)
		if size > len(pkt) {
			return nil
		}
		if pkt[1] == 207 && size >= xrHeader {
			for b := pkt[xrHeader:size]; len(b) >= 4; {
				length := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
				if length > len(b) {
					break
				}
				if m, err := quality.ParseBlock(b[:length]); err == nil && m.SSRC == ours {
					return &m
				}
				b = b[length:]
			}
		}
		pkt = pkt[size:]
	}
	return nil
}

// wantsXR reports that a description asks for VoIP metrics (RFC 3611 section 5).
func wantsXR(desc *sdp.Session, index int) bool {
	v, ok := desc.Media[index].Attr("rtcp-xr")
	if !ok {
		v, _ = desc.Attr("rtcp-xr")
	}
	return strings.Contains(strings.ToLower(v), "voip-metrics")
}
