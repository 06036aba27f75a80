package vectors

import "slices"

func envelopeTrailing(c *Case) {
	c.What = "A byte after the last stanza, made with the key."
	c.Expect = "key"
	b := c.Row.WrappedKey
	c.Row.WrappedKey = c.Row.mac(append(slices.Clone(b[:len(b)-32]), 0))
}
