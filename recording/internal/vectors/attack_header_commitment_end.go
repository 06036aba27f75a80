package vectors

func headerCommitmentEnd(c *Case) {
	c.What = "A bit of the header changed: the last byte of the commitment."
	c.Header[71] ^= 1
}
