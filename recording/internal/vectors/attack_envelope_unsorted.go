package vectors

func envelopeUnsorted(c *Case) {
	c.What = "Recipients in another order, made with the key."
	c.Expect = "key"
	c.Row.WrappedKey = c.Row.Envelope(Stanza{Suite: 16, Wrapped: c.Row.Wrapped()}, Stanza{Suite: 17, Name: "b", Wrapped: []byte{1}}, Stanza{Suite: 17, Name: "a", Wrapped: []byte{1}})
}
