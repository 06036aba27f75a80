package vectors

func envelopeVersion(c *Case) {
	c.What = "Another version."
	c.Expect = "key"
	c.Row.WrappedKey[4] = 3
}
