package vectors

func headerVersion(c *Case) {
	c.What = "A bit of the header changed: the version."
	c.Header[4] ^= 1
}
