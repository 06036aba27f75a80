package srtp

// Policy defaults of the room, in one place for a reviewer.
const (
	// defaultReplayWindow is how many RTP packets may arrive late: 128 packets of 20 ms are 2.5 s, more than any jitter buffer.
	defaultReplayWindow = 128
	// defaultReplayWindowRTCP is the same for SRTCP, where a packet comes every few seconds.
	defaultReplayWindowRTCP = 64
	// minReplayWindow is the least RFC 3711 section 3.3.2 allows.
	minReplayWindow = 64
	// maxReplayWindow bounds the memory of one source.
	maxReplayWindow = 1 << 15
	// defaultMaxSources bounds the sources of one receiver. A call's peer changes its SSRC when it is transferred or rekeyed.
	defaultMaxSources = 32
	// maxMaxSources bounds what a configuration may ask for.
	maxMaxSources = 4096
	// recoverAfter is how many packets in a row fail before one rollover counter ahead is tried.
	recoverAfter = 8
	// maxPacketsRTP and maxPacketsRTCP are the limits of RFC 3711 section 9.2.
	maxPacketsRTP  = 1 << 48
	maxPacketsRTCP = 1<<31 - 1
	// maxPacket is the longest packet a datagram can hold; it also keeps the counter of a packet's blocks far below its 16 bits.
	maxPacket = 1 << 16
	// maxCryptoLine bounds one attribute value and maxInlineKeys the keys in it: a line of four keys with the longest legal lifetime and
	// MKI is 1.7 KB.
	maxCryptoLine = 2048
	maxInlineKeys = 4
	// maxCryptoLines bounds how many attributes of one media line are looked at.
	maxCryptoLines = 32
	// maxMKI is the longest MKI value of RFC 4568 section 9.2 in bytes.
	maxMKI = 128
	// maxMKIDigits is how many decimal digits 128 bytes can have.
	maxMKIDigits = 309
	// firstMKI is the value of the first MKI of a call; some peers know no other.
	firstMKI = 1
	// answeredLifetime is what an answer names to a peer that named a lifetime, if the policy names none: the value phones and
	// trunks write, 2^31 packets, is over a year of audio.
	answeredLifetime = 1 << 31
	// rekeyFraction is the part of a key's lifetime that is left when RekeyDue begins to say so: one eighth.
	rekeyFraction = 8
	// maxRecoverAhead is how many rollovers ahead recovery looks, one in every try. It and recoverAfter+1 are odd, so that a forger who sends
	// every other packet cannot fall into step with the tries.
	maxRecoverAhead = 5
)

// defaultSuites is the preference of a zero Policy, best first.
func defaultSuites() []Suite {
	return []Suite{AEADAES256GCM, AEADAES128GCM, AES256CMHMACSHA1Tag80, AESCM128HMACSHA1Tag80}
}
