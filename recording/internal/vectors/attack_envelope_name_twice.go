package vectors

func envelopeNameTwice(c *Case) {
	c.What = "Two recipients of one name, made with the key."
	c.Expect = "key"
	c.Row.WrappedKey = c.Row.Envelope(Stanza{Suite: 16, Wrapped: c.Row.Wrapped()}, Stanza{Suite: 17, Name: "a", Wrapped: []byte{1}}, Stanza{Suite: 18, Name: "a", Wrapped: []byte{1}})
}
