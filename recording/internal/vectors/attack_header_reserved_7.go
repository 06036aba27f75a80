package vectors

func headerReserved7(c *Case) {
	c.What = "A bit of the header changed: the second reserved byte."
	c.Header[7] ^= 1
}
