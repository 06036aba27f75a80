package vectors

func headerCommitment(c *Case) {
	c.What = "A bit of the header changed: the commitment."
	c.Header[40] ^= 1
}
