package vectors

func envelopeRecipientRemoved(c *Case) {
	c.What = "A recipient removed by somebody without the key."
	c.Expect = "key"
	b := c.Row.Envelope(Stanza{Suite: 16, Wrapped: c.Row.Wrapped()}, Stanza{Suite: 17, Name: "auditor", Wrapped: make([]byte, 80)})
	mac := b[len(b)-32:]
	c.Row.WrappedKey = append(c.Row.WrappedKey[:len(c.Row.WrappedKey)-32], mac...)
}
