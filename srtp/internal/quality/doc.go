// Package quality turns what a receiver counted into what a listener heard: losses in bursts and gaps, the transmission rating R and a
// mean opinion score, and the VoIP metrics block of RTCP XR (RFC 3611 section 4.7) that tells the other side.
//
// Feed one [Bursts] per direction with the fate of every packet, then [Rate] its numbers with the delay and the codec:
//
//	b.Received()                      // for each packet played
//	b.Lost()                          // for each one missing, late or skipped
//	r := quality.Rate(quality.G711PLC, quality.Path{Loss: b.Loss(), BurstRatio: b.Ratio(), OneWay: 80 * time.Millisecond})
//	fmt.Println(r.MOS)
//
// # Model
//
// The E-model of ITU-T G.107 with the default values of everything but delay and loss: R = 93.2 - Id - Ie,eff. Id is the sum of the echo and
// the absolute delay terms (G.107 section 7.4, TELR 65 dB, default delay sensitivity), Ie,eff the loss term with burst ratio
// (section 7.5) and the codec's Ie and Bpl of G.113 Appendix I. Wideband codecs are on the wideband scale of G.107.1, which begins at
// R = 129; the two scales must not be mixed in one average, so each [Rating] says which is its own.
//
// # Goroutines
//
// None, and no locks. Everything but Bursts is a pure function.
package quality
