package vectors

func headerSuite(c *Case) {
	c.What = "A bit of the header changed: the suite."
	c.Header[5] ^= 1
}
