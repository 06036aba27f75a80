package media

import (
	"time"

	"github.com/ringfence/ringfence/srtp/internal/carrier"
)

// Policy defaults of the package, in one place for a reviewer.
const (
	// defaultTimeout is how long media may be silent before a call counts as dead.
	defaultTimeout = 30 * time.Second
	// minTimeout keeps a typing error from ending every call.
	minTimeout = 100 * time.Millisecond
	// handshakeTime bounds a DTLS handshake.
	handshakeTime = 30 * time.Second
	// earlyPackets is how many packets are kept that came before the keys of their handshake.
	earlyPackets = 16
	// relatchAfter is how long a latched source must be silent before another authentic one takes over.
	relatchAfter = 2 * time.Second
	// oldKeyGrace is how long packets under the key before a re-offer are still taken: they were on their way.
	oldKeyGrace = 2 * time.Second
	// reportEvery is the RTCP interval, the minimum of RFC 3550 section 6.2.
	reportEvery = 5 * time.Second
	// houseEvery is the grain of timeouts and reports.
	houseEvery = 500 * time.Millisecond
	// oneWayAfter is how long one direction must be silent while the other runs to call the media one-way.
	oneWayAfter = 3 * time.Second

	// frameTime is how much audio is made at a time, and the packet length we send unless the peer asks for another; samplesPerFrame are its samples at 8000 Hz.
	frameTime       = frameMillis * time.Millisecond
	frameMillis     = 20
	clockRate       = 8000
	wideRate        = 16000
	samplesPerFrame = 160
	// maxBehind is how many frames the pacer sends late in a row before it gives the rest up.
	maxBehind = 5

	// maxDatagram is the longest packet read: an Ethernet frame. 60 ms of G.711 with everything is under 600 bytes.
	maxDatagram = 1500
	// headroom is room for tag, MKI and SRTCP index behind a packet that is protected in place.
	headroom = carrier.Headroom
	// readBuffer and writeBuffer are the kernel's buffers of one socket: legsPerPort calls' packets of a scheduling pause, and no more than a flood may pin.
	readBuffer  = 4 << 20
	writeBuffer = 1 << 20
	// legsPerPort is how many legs share a port before another is opened: half of what one core can relay.
	legsPerPort = 512
	// spreadPorts is how many ports are opened only to keep calls of one peer apart.
	spreadPorts = 32
	// controlBatch is how many packets the RTCP half of a port takes at once: reports are few.
	controlBatch = 8
	// aloneBatch is the same for a port of one leg.
	aloneBatch = 4
	// gatherFew is how far apart a reader's wakings are while packets come faster than that: at 5000 packets a second it takes 15 at a time. From manyPackets
	// in one waking on, gatherMany is enough. Both are small against a packet's 20 ms.
	gatherFew   = 3 * time.Millisecond
	gatherMany  = time.Millisecond
	manyPackets = 32
	// triesPerSecond is how many packets of unknown flows a socket tries on a leg's key each second: 1 % of a core.
	triesPerSecond = 20000
	// maxFlows is how many sources of its peer a leg's packets are found by.
	maxFlows = 32
	// lateAfterEnd is how long packets of a peer whose leg is gone may still be on their way.
	lateAfterEnd = 2 * time.Second
	// maxTold is how many sources a description may announce for a leg.
	maxTold = 4

	// digitQueue is how many digits wait for a reader; later ones are dropped and counted.
	digitQueue = 32
	// maxPrompt bounds one prompt: an hour, in seconds.
	maxPrompt = 3600
	// warmFrames is how much of a prompt's end its encoder takes before the beginning.
	warmFrames = 10
	// twinWindow is how far apart the two reports of one key may be that a phone sends both as an event and as a tone.
	twinWindow = 500 * time.Millisecond
	// maxMembers bounds a conference: what a core mixes in a fraction of 20 ms.
	maxMembers = 500
	// relayJump is the packet gap after which a relayed stream counts as a new one.
	relayJump = 1000
	// driftLimit is how far a relayed or tapped stream's clock may be off the wall clock before it is anchored anew.
	driftLimit = time.Second
)
