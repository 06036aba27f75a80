package vectors

func headerMagic(c *Case) {
	c.What = "A bit of the header changed: the magic."
	c.Header[0] ^= 1
}
