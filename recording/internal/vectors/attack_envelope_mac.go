package vectors

func envelopeMac(c *Case) {
	c.What = "A bit of the MAC."
	c.Expect = "key"
	c.Row.WrappedKey[len(c.Row.WrappedKey)-1] ^= 1
}
