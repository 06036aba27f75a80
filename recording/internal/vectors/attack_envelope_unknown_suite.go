package vectors

func envelopeUnknownSuite(c *Case) {
	c.What = "A recipient of a suite that nobody knows, made with the key: it is not for us and no fault."
	c.Expect = "ok"
	c.Row.WrappedKey = c.Row.Envelope(Stanza{Suite: 16, Wrapped: c.Row.Wrapped()}, Stanza{Suite: 999, Name: "future", Wrapped: []byte{1}})
}
