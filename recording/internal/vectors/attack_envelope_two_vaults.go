package vectors

func envelopeTwoVaults(c *Case) {
	c.What = "Two stanzas of the vault, made with the key."
	c.Expect = "key"
	c.Row.WrappedKey = c.Row.Envelope(Stanza{Suite: 16, Wrapped: c.Row.Wrapped()}, Stanza{Suite: 16, Wrapped: c.Row.Wrapped()})
}
