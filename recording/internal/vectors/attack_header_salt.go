package vectors

func headerSalt(c *Case) {
	c.What = "A bit of the header changed: the salt."
	c.Header[8] ^= 1
}
