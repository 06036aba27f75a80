package vectors

func envelopeNoVault(c *Case) {
	c.What = "No stanza of the vault, made with the key."
	c.Expect = "key"
	c.Row.WrappedKey = c.Row.Envelope(Stanza{Suite: 17, Name: "a", Wrapped: []byte{1}})
}
