package vectors

func envelopeRecipientAdded(c *Case) {
	c.What = "A recipient added by somebody without the key."
	c.Expect = "key"
	mac := c.Row.WrappedKey[len(c.Row.WrappedKey)-32:]
	b := c.Row.Envelope(Stanza{Suite: 16, Wrapped: c.Row.Wrapped()}, Stanza{Suite: 17, Name: "mallory", Wrapped: make([]byte, 80)})
	c.Row.WrappedKey = append(b[:len(b)-32], mac...)
}
