package vectors

func envelopeEmpty(c *Case) {
	c.What = "No stanza at all, made with the key."
	c.Expect = "key"
	c.Row.WrappedKey = c.Row.Envelope()
}
