package vectors

func headerReserved6(c *Case) {
	c.What = "A bit of the header changed: the first reserved byte."
	c.Header[6] ^= 1
}
