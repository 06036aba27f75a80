// Package jitter holds received packets back for as long as the network's delay varies, so that audio plays evenly: an adaptive playout
// buffer as a state machine without clock, goroutine and allocation per packet.
//
// A receiver puts every packet of one stream in as it arrives ([Buffer.Put]) and takes audio out at the pace of its own clock
// ([Buffer.Get]). Packets may have any length from 10 to 120 ms, mixed: Get returns whole packets, so a caller that plays 20 ms at a time asks
// again whenever it has less than 20 ms of decoded audio left, and keeps the rest.
//
//	for len(pcm) < frame {
//		switch r := b.Get(now); r.Kind {
//		case jitter.Frame:
//			pcm = decode(pcm, r.Payload)
//		case jitter.Lost, jitter.Dry, jitter.Stretch:
//			pcm = conceal(pcm)
//		case jitter.Comfort, jitter.Waiting:
//			pcm = silence(pcm)
//		}
//	}
//
// # How the delay is chosen
//
// The transit time of a packet is its arrival minus its timestamp. The fastest of the last 256 packets is the reference; the target is what 98
// of 100 of them take longer, plus one frame, within the bounds of the [Config]. The target rises at once and falls by 4 ms in 16 packets.
// Playing is moved towards the target where it costs nothing, in silence between talkspurts and in packets marked silent, and otherwise by one
// packet at a time: one left out to shrink, one concealed to grow. Clocks that drift apart need the same and no more. Only a delay beyond
// Config.Max, after the network stood still, is cut at once.
//
// # Security
//
// A Buffer is given authentic packets only, but their numbers are the peer's choice. Memory is fixed: 64 packets and 10 KiB of payload, under 16 KiB in
// all; the oldest packet makes room. Jumps of sequence number, timestamp or source end in a new start, never in a wait, a loop over a gap
// or an index out of range.
//
// # Goroutines
//
// None, and no locks: whoever owns a Buffer serialises access.
package jitter
