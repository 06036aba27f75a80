package vectors

func envelopeStripped(c *Case) {
	c.What = "The wrapped key alone, as version 1 has it."
	c.Expect = "key"
	c.Row.WrappedKey = c.Row.Wrapped()
}
